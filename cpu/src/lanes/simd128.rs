//! WebAssembly SIMD128.
use core::arch::wasm32::*;

use crate::dot::BLOCK;

/// Four f32.
pub type V = v128;
pub const ZERO: V = f32x4(0.0, 0.0, 0.0, 0.0);

/// Four i32.
pub type I = v128;

/// Integers of a block in the order of [`crate::dot::Row`].
pub type Parts = [v128; 4];

/// Four words of nibbles: byte j has column j in its low and j + 16 in its high nibble.
#[inline(always)]
pub fn nibbles(words: &[u32]) -> Parts {
    let w = words128(words, 0);
    let low = u16x8_splat(15);
    [
        v128_and(w, low),
        v128_and(u16x8_shr(w, 8), low),
        v128_and(u16x8_shr(w, 4), low),
        u16x8_shr(w, 12),
    ]
}

/// Two planes of two bits, shifted left by `up`. Column 4 p + k of a half has them at bits 2 p and 2 p + 1 of the byte k
/// of the half's plane.
#[inline(always)]
pub fn two_bits(planes: &[u32], up: u32) -> Parts {
    // Read as if it might change: of powers of two that it knows the compiler makes shifts, a lane after the other, since
    // WebAssembly has none by lane.
    static FACTOR: v128 = u16x8(64, 64, 16, 16, 4, 4, 1, 1);
    // SAFETY: it is what it says.
    let factor = unsafe { core::ptr::read_volatile(&FACTOR) };
    let bits = |plane: v128| {
        // The two bits of each lane, brought to bits 6 and 7 and then down.
        let mask = u16x8(3, 3, 12, 12, 48, 48, 192, 192);
        u16x8_shr(i16x8_mul(v128_and(plane, mask), factor), 6 - up)
    };
    let (a, b) = (u32x4_splat(planes[0]), u32x4_splat(planes[1]));
    [
        bits(a),
        bits(u16x8_shr(a, 8)),
        bits(b),
        bits(u16x8_shr(b, 8)),
    ]
}

/// Eight words of signed bytes.
#[inline(always)]
pub fn bytes(words: &[u32]) -> Parts {
    let (a, b) = (widened(words128(words, 0)), widened(words128(words, 4)));
    [a[0], a[1], b[0], b[1]]
}

/// Four words of nibbles that are places in a table.
#[inline(always)]
pub fn looked_up(words: &[u32], table: &[i8; 16]) -> Parts {
    let w = words128(words, 0);
    // SAFETY: the table is 16 bytes.
    let table = unsafe { v128_load(table.as_ptr().cast()) };
    let low = widened(i8x16_swizzle(table, v128_and(w, u8x16_splat(15))));
    let high = widened(i8x16_swizzle(table, u8x16_shr(w, 4)));
    [low[0], low[1], high[0], high[1]]
}

/// Sixteen signed bytes as even and odd ones.
#[inline(always)]
fn widened(v: v128) -> [v128; 2] {
    [i16x8_shr(i16x8_shl(v, 8), 8), i16x8_shr(v, 8)]
}

/// `value` added to those whose bit of a plane is set and which have room for it. Column 4 p + k has its bit at bit p of
/// the plane's byte k. A half word holds those of an even column and of the odd one after it, in its two bytes.
#[inline(always)]
pub fn with_plane(parts: Parts, plane: u32, value: i16) -> Parts {
    let plane = u32x4_splat(plane);
    let add = |q: v128, mask: v128| {
        let set = i16x8_eq(v128_and(plane, mask), mask);
        v128_or(q, v128_and(set, i16x8_splat(value)))
    };
    [
        add(parts[0], u16x8(1, 1, 2, 2, 4, 4, 8, 8)),
        add(parts[1], u16x8(256, 256, 512, 512, 1024, 1024, 2048, 2048)),
        add(parts[2], u16x8(16, 16, 32, 32, 64, 64, 128, 128)),
        add(
            parts[3],
            u16x8(4096, 4096, 8192, 8192, 16384, 16384, 32768, 32768),
        ),
    ]
}

#[inline(always)]
pub fn or(a: Parts, b: Parts) -> Parts {
    core::array::from_fn(|i| v128_or(a[i], b[i]))
}

/// The dot products of the block's halves with 32 integers, each spread over four lanes.
#[inline(always)]
pub fn dot(parts: Parts, x: &[i16; BLOCK]) -> (I, I) {
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
    let product = |i: usize| i32x4_dot_i16x8(parts[i], x[i]);
    (
        i32x4_add(product(0), product(1)),
        i32x4_add(product(2), product(3)),
    )
}

/// Words `at .. at + 4`.
#[inline(always)]
fn words128(words: &[u32], at: usize) -> v128 {
    let four = &words[at..at + 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
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
    const MIN_NORMAL: f32 = 1.0 / 16384.0; // 2^-14
    let dm = words128(dm, 0);
    // `h`: sign and, below three zeros, exponent and mantissa.
    let widen = |h: v128| {
        let bits = v128_and(h, u32x4_splat(0x0fff_e000));
        // Right but where the exponent is 0: there it is (1 + m) 2^-15, and should be m 2^-14.
        let normal = i32x4_add(bits, u32x4_splat(112 << 23));
        let more = f32x4_sub(normal, f32x4_splat(MIN_NORMAL));
        let is_small = i32x4_gt(u32x4_splat(1 << 23), bits);
        let magnitude = f32x4_add(normal, v128_and(more, is_small));
        v128_or(magnitude, v128_and(h, u32x4_splat(0x8000_0000)))
    };
    (
        widen(i32x4_shr(u32x4_shl(dm, 16), 3)),
        widen(i32x4_shr(dm, 3)),
    )
}

/// Words that are f32.
#[inline(always)]
pub fn floats(words: &[u32; 4]) -> V {
    words128(words, 0)
}

/// Small integers as f32.
#[inline(always)]
pub fn numbers(words: &[u32; 4]) -> V {
    f32x4_convert_i32x4(words128(words, 0))
}

#[inline(always)]
pub fn load(from: &[f32], at: usize) -> V {
    let four = &from[at..at + 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
}

/// The first lane in all of them.
#[inline(always)]
pub fn splat(v: V) -> V {
    i32x4_shuffle::<0, 0, 0, 0>(v, v)
}

/// Each lane where the one before it was.
#[inline(always)]
pub fn moved_on(v: V) -> V {
    i32x4_shuffle::<1, 2, 3, 0>(v, v)
}

#[inline(always)]
pub fn times(v: V, factor: f32) -> V {
    f32x4_mul(v, f32x4_splat(factor))
}

#[inline(always)]
pub fn mul(a: V, b: V) -> V {
    f32x4_mul(a, b)
}

#[inline(always)]
pub fn sub(a: V, b: V) -> V {
    f32x4_sub(a, b)
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
