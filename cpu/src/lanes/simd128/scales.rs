//! Scales of blocks, four f16 at once.
use core::arch::wasm32::*;

use super::{V, loaded, words128};

/// Four f16 as the sign in the uppermost four bits, then exponent and mantissa as in an f32. Lower bits may be anything.
type Halves = v128;

/// Returns the lower and the upper f16 of four words.
#[inline(always)]
fn halves(dm: &[u32; 4]) -> [Halves; 2] {
    let dm = words128(dm, 0);
    [i32x4_shr(u32x4_shl(dm, 16), 3), i32x4_shr(dm, 3)]
}

/// Returns four f16 in a row.
#[inline(always)]
fn halves_in_a_row(words: &[u32; 2]) -> Halves {
    // SAFETY: `words` is 8 bytes.
    let words = unsafe { v128_load64_zero(words.as_ptr().cast()) };
    i32x4_shl(i32x4_extend_low_i16x8(words), 13)
}

/// Returns f16 times 2^-LESS.
///
/// Unlike [`crate::dot::f16_to_f32`], this creates no intermediate subnormal f32 from a subnormal f16: each costs a
/// core 150 cycles, and a file may be full of them.
#[inline(always)]
fn widen<const LESS: u32>(h: Halves) -> V {
    // An f16's exponent is that of an f32 minus 112, and its smallest normal value is 2^-14.
    let rebase = loaded(four!((112 - LESS) << 23));
    let min_normal = loaded(four!((113 - LESS) << 23));
    let (sign, rest) = (loaded(four!(0x8000_0000)), loaded(four!(0x0fff_e000)));
    // Right unless the exponent is 0: then it is (1 + m) 2^-15, and should be m 2^-14, which is less.
    let normal = i32x4_add(v128_and(h, rest), rebase);
    let subnormal = f32x4_sub(f32x4_add(normal, normal), min_normal);
    v128_or(f32x4_pmin(subnormal, normal), v128_and(h, sign))
}

/// Returns what [`widen`] does in half of its instructions, and slowly for subnormal f16.
#[inline(always)]
fn widen_normal(h: Halves) -> V {
    let rebase = loaded(four!((127 + 112) << 23));
    f32x4_mul(v128_and(h, loaded(four!(0x8fff_e000))), rebase)
}

/// Returns d and m of four blocks, times 2^-LESS.
#[inline(always)]
pub fn scales<const LESS: u32>(dm: &[u32; 4]) -> (V, V) {
    let [d, m] = halves(dm);
    (widen::<LESS>(d), widen::<LESS>(m))
}

/// Returns d and m of four blocks, fast for formats whose scales are rarely subnormal.
#[inline(always)]
pub fn normal_scales(dm: &[u32; 4]) -> (V, V) {
    let [d, m] = halves(dm);
    (widen_normal(d), widen_normal(m))
}

/// Returns d of four blocks, two in a word.
#[inline(always)]
pub fn scales_in_pairs(pairs: &[u32; 2]) -> V {
    widen::<0>(halves_in_a_row(pairs))
}

/// Returns d of four blocks, two in a word, fast for formats whose scales are rarely subnormal.
#[inline(always)]
pub fn normal_scales_in_pairs(pairs: &[u32; 2]) -> V {
    widen_normal(halves_in_a_row(pairs))
}
