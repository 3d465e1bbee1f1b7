//! Plain loops over four lanes, which the compiler turns into vector instructions (`pmaddwd` and so on).
use crate::dot::{BLOCK, BlockDot, Q4, Q5, Q6, Q8, f16_to_f32};

/// Four f32.
pub type V = [f32; 4];
pub const ZERO: V = [0.0; 4];

/// Four i32.
pub type I = [i32; 4];

/// Integers of a block in the order of [`crate::dot::Row`].
pub trait Dot: Copy {
    /// The dot products of the block's halves, each spread over four lanes.
    fn dot(self, x: &[i16; BLOCK]) -> (I, I);
}

impl Dot for [i16; BLOCK] {
    #[inline(always)]
    fn dot(self, x: &[i16; BLOCK]) -> (I, I) {
        let half = |from: usize| {
            let mut sum = 0i32;
            for i in from..from + BLOCK / 2 {
                sum += self[i] as i32 * x[i] as i32;
            }
            [sum, 0, 0, 0]
        };
        (half(0), half(BLOCK / 2))
    }
}

impl BlockDot for Q4 {
    const WORDS: usize = 4;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32]) -> [i16; BLOCK] {
        let mut parts = [0; BLOCK];
        for (i, pair) in bytemuck::cast_slice::<u32, u16>(words).iter().enumerate() {
            parts[i] = (pair & 15) as i16;
            parts[i + 8] = (pair >> 8 & 15) as i16;
            parts[i + 16] = (pair >> 4 & 15) as i16;
            parts[i + 24] = (pair >> 12) as i16;
        }
        parts
    }
}

/// Where column `c` of a block is among its parts.
const fn place(c: usize) -> usize {
    c / 16 * 16 + c % 2 * 8 + c % 16 / 2
}

impl BlockDot for Q5 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 2;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32], planes: &[u32]) -> [i16; BLOCK] {
        let mut parts = Q4::parts(words, &[]);
        for c in 0..BLOCK {
            parts[place(c)] |= (planes[0] >> (c % 4 * 8 + c / 4) & 1) as i16 * 16;
        }
        parts
    }
}

impl BlockDot for Q6 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 3;
    const HALVES: bool = true;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32], planes: &[u32]) -> [i16; BLOCK] {
        let mut parts = Q4::parts(words, &[]);
        for c in 0..BLOCK {
            let upper = planes[c / 16] >> (c % 4 * 8 + c % 16 / 4 * 2) & 3;
            parts[place(c)] = (parts[place(c)] | (upper as i16 * 16)) - 32;
        }
        parts
    }
}

impl BlockDot for Q8 {
    const WORDS: usize = 8;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32]) -> [i16; BLOCK] {
        let mut parts = [0; BLOCK];
        for (i, pair) in bytemuck::cast_slice::<u32, i16>(words).iter().enumerate() {
            let at = i / 8 * 16 + i % 8;
            parts[at] = pair << 8 >> 8;
            parts[at + 8] = pair >> 8;
        }
        parts
    }
}

#[inline(always)]
pub fn dot<P: Dot>(parts: P, x: &[i16], at: usize) -> (I, I) {
    match x[at..].first_chunk() {
        Some(x) => parts.dot(x),
        None => ([0; 4], [0; 4]),
    }
}

#[inline(always)]
pub fn add(a: I, b: I) -> I {
    core::array::from_fn(|i| a[i] + b[i])
}

#[inline(always)]
pub fn convert(v: I) -> V {
    v.map(|v| v as f32)
}

/// d and m of four blocks.
#[inline(always)]
pub fn scales(dm: &[u32; 4]) -> (V, V) {
    (
        dm.map(|w| f16_to_f32(w & 0xffff)),
        dm.map(|w| f16_to_f32(w >> 16)),
    )
}

#[inline(always)]
pub fn load(from: &[f32], at: usize) -> V {
    from[at..].first_chunk().copied().unwrap_or(ZERO)
}

#[inline(always)]
pub fn splat(v: V, lane: usize) -> V {
    [v[lane]; 4]
}

#[inline(always)]
pub fn mul(a: V, b: V) -> V {
    core::array::from_fn(|i| a[i] * b[i])
}

#[inline(always)]
pub fn add_product(acc: V, a: V, b: V) -> V {
    core::array::from_fn(|i| acc[i] + a[i] * b[i])
}

#[inline(always)]
pub fn sum(v: V) -> f32 {
    v.iter().sum()
}
