//! Plain loops over four lanes, which the compiler turns into vector instructions (`pmaddwd` and so on).
use crate::dot::{BLOCK, BlockDot, Q4, Q8, f16_to_f32};

/// Four f32.
pub type V = [f32; 4];
pub const ZERO: V = [0.0; 4];

/// Integers of a block in the order of [`crate::dot::Row`].
pub trait Dot: Copy {
    /// The block's dot product, spread over four lanes.
    fn dot(self, x: &[i16; BLOCK]) -> V;
}

impl Dot for [i16; BLOCK] {
    #[inline(always)]
    fn dot(self, x: &[i16; BLOCK]) -> V {
        let mut sum = 0i32;
        for i in 0..BLOCK {
            sum += self[i] as i32 * x[i] as i32;
        }
        [sum as f32, 0.0, 0.0, 0.0]
    }
}

impl BlockDot for Q4 {
    const WORDS: usize = 4;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32]) -> [i16; BLOCK] {
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

impl BlockDot for Q8 {
    const WORDS: usize = 8;
    type Parts = [i16; BLOCK];

    #[inline(always)]
    fn parts(words: &[u32]) -> [i16; BLOCK] {
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
pub fn dot<P: Dot>(parts: P, x: &[i16], at: usize) -> V {
    match x[at..].first_chunk() {
        Some(x) => parts.dot(x),
        None => ZERO,
    }
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
