//! WebAssembly SIMD128.
use core::arch::wasm32::*;

use crate::dot::{BLOCK, BlockDot, Q4, Q5, Q6, Q8};

/// Four f32.
pub type V = v128;
pub const ZERO: V = f32x4(0.0, 0.0, 0.0, 0.0);

/// Four i32.
pub type I = v128;

/// Integers of a block in the order of [`crate::dot::Row`].
pub trait Dot: Copy {
    /// The dot products of the block's halves, each spread over four lanes.
    fn dot(self, x: &[i16; BLOCK]) -> (I, I);
}

impl Dot for [v128; 4] {
    #[inline(always)]
    fn dot(self, x: &[i16; BLOCK]) -> (I, I) {
        // SAFETY: four times eight of the array's 32 values.
        let x = unsafe {
            let x = x.as_ptr().cast::<v128>();
            [
                v128_load(x),
                v128_load(x.add(1)),
                v128_load(x.add(2)),
                v128_load(x.add(3)),
            ]
        };
        (
            i32x4_add(
                i32x4_dot_i16x8(self[0], x[0]),
                i32x4_dot_i16x8(self[1], x[1]),
            ),
            i32x4_add(
                i32x4_dot_i16x8(self[2], x[2]),
                i32x4_dot_i16x8(self[3], x[3]),
            ),
        )
    }
}

impl BlockDot for Q4 {
    const WORDS: usize = 4;
    type Parts = [v128; 4];

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32]) -> [v128; 4] {
        let w = words128(words, 0);
        let low = u16x8_splat(15);
        [
            v128_and(w, low),
            v128_and(u16x8_shr(w, 8), low),
            v128_and(u16x8_shr(w, 4), low),
            u16x8_shr(w, 12),
        ]
    }
}

impl BlockDot for Q5 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 2;
    type Parts = [v128; 4];

    /// Column 4 p + k has its fifth bit at bit p of the plane's byte k. A half word holds those of an even column and
    /// of the odd one after it, in its two bytes.
    #[inline(always)]
    fn parts(words: &[u32], planes: &[u32]) -> [v128; 4] {
        let q = Q4::parts(words, &[]);
        let plane = u32x4_splat(planes[0]);
        let fifth = |q: v128, mask: v128| {
            let set = i16x8_eq(v128_and(plane, mask), mask);
            v128_or(q, v128_and(set, u16x8_splat(16)))
        };
        [
            fifth(q[0], u16x8(1, 1, 2, 2, 4, 4, 8, 8)),
            fifth(q[1], u16x8(256, 256, 512, 512, 1024, 1024, 2048, 2048)),
            fifth(q[2], u16x8(16, 16, 32, 32, 64, 64, 128, 128)),
            fifth(
                q[3],
                u16x8(4096, 4096, 8192, 8192, 16384, 16384, 32768, 32768),
            ),
        ]
    }
}

impl BlockDot for Q6 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 3;
    const HALVES: bool = true;
    type Parts = [v128; 4];

    /// Column 4 p + k of a half has its upper two bits at bits 2 p and 2 p + 1 of the byte k of the half's plane.
    #[inline(always)]
    fn parts(words: &[u32], planes: &[u32]) -> [v128; 4] {
        let q = Q4::parts(words, &[]);
        let upper = |q: v128, plane: v128| {
            // The two bits of each lane, brought to bits 6 and 7 and then down to 4 and 5.
            let mask = u16x8(3, 3, 12, 12, 48, 48, 192, 192);
            let up = u16x8(64, 64, 16, 16, 4, 4, 1, 1);
            let bits = u16x8_shr(i16x8_mul(v128_and(plane, mask), up), 2);
            i16x8_sub(v128_or(q, bits), i16x8_splat(32))
        };
        let (a, b) = (u32x4_splat(planes[0]), u32x4_splat(planes[1]));
        [
            upper(q[0], a),
            upper(q[1], u16x8_shr(a, 8)),
            upper(q[2], b),
            upper(q[3], u16x8_shr(b, 8)),
        ]
    }
}

impl BlockDot for Q8 {
    const WORDS: usize = 8;
    type Parts = [v128; 4];

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32]) -> [v128; 4] {
        let (a, b) = (words128(words, 0), words128(words, 4));
        [
            i16x8_shr(i16x8_shl(a, 8), 8),
            i16x8_shr(a, 8),
            i16x8_shr(i16x8_shl(b, 8), 8),
            i16x8_shr(b, 8),
        ]
    }
}

/// Words `at .. at + 4`.
#[inline(always)]
fn words128(words: &[u32], at: usize) -> v128 {
    let four = &words[at..at + 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
}

#[inline(always)]
pub fn dot<P: Dot>(parts: P, x: &[i16], at: usize) -> (I, I) {
    match x[at..].first_chunk() {
        Some(x) => parts.dot(x),
        None => (ZERO, ZERO),
    }
}

#[inline(always)]
pub fn add(a: I, b: I) -> I {
    i32x4_add(a, b)
}

#[inline(always)]
pub fn convert(v: I) -> V {
    f32x4_convert_i32x4(v)
}

/// d and m of four blocks.
///
/// Not as [`crate::dot::f16_to_f32`]: a subnormal f16 makes a subnormal f32 there on the way, which costs a core 150
/// cycles, and a file may be full of them.
#[inline(always)]
pub fn scales(dm: &[u32; 4]) -> (V, V) {
    const MIN_NORMAL: u32 = 113 << 23; // 2^-14
    let dm = words128(dm, 0);
    let widen = |h: v128| {
        let bits = u32x4_shl(v128_and(h, u32x4_splat(0x7fff)), 13);
        let normal = i32x4_add(bits, u32x4_splat(112 << 23));
        let small = i32x4_add(bits, u32x4_splat(MIN_NORMAL));
        let subnormal = f32x4_sub(small, u32x4_splat(MIN_NORMAL));
        let is_small = u32x4_lt(bits, u32x4_splat(1 << 23));
        let magnitude = v128_bitselect(subnormal, normal, is_small);
        v128_or(magnitude, u32x4_shl(v128_and(h, u32x4_splat(0x8000)), 16))
    };
    (widen(dm), widen(u32x4_shr(dm, 16)))
}

#[inline(always)]
pub fn load(from: &[f32], at: usize) -> V {
    let four = &from[at..at + 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
}

#[inline(always)]
pub fn splat(v: V, lane: usize) -> V {
    match lane {
        0 => i32x4_shuffle::<0, 0, 0, 0>(v, v),
        1 => i32x4_shuffle::<1, 1, 1, 1>(v, v),
        2 => i32x4_shuffle::<2, 2, 2, 2>(v, v),
        _ => i32x4_shuffle::<3, 3, 3, 3>(v, v),
    }
}

#[inline(always)]
pub fn mul(a: V, b: V) -> V {
    f32x4_mul(a, b)
}

#[inline(always)]
pub fn add_product(acc: V, a: V, b: V) -> V {
    f32x4_add(acc, f32x4_mul(a, b))
}

#[inline(always)]
pub fn sum(v: V) -> f32 {
    f32x4_extract_lane::<0>(v)
        + f32x4_extract_lane::<1>(v)
        + f32x4_extract_lane::<2>(v)
        + f32x4_extract_lane::<3>(v)
}
