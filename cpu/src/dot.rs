//! The inner loops of the CPU path.
//!
//! Activations are quantised to 16 bits per block of 32 (error about 2^-16 of the block's largest value, far
//! below that of the weights), so that a block of 4- or 8-bit weights needs four integer dot instructions:
//! `i32x4.dot_i16x8_s` in WebAssembly SIMD128, `pmaddwd` on x86, which the plain loop below becomes.

use crate::lanes;

/// Weights in a quantised block.
pub const BLOCK: usize = 32;

/// A row of activations as 16-bit integers: x ~ scale * q, per block of 32.
///
/// Within a block, q is in the order in which a word of weights gives its columns when it is shifted apart:
/// columns 0, 2, .. 14; 1, 3, .. 15; 16, 18, .. 30; 17, 19, .. 31.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// [cols]
    pub q: &'a [i16],
    /// [cols / 32]
    pub scale: &'a [f32],
    /// [cols / 32], the sum of each block's x, which the affine formats' minimum multiplies
    pub sum: &'a [f32],
}

impl Row<'_> {
    /// No columns.
    pub const EMPTY: Self = Row {
        q: &[],
        scale: &[],
        sum: &[],
    };
}

/// Fills in what a [`Row`] refers to from `x`, whose length is a multiple of 32.
pub fn quantise(x: &[f32], q: &mut [i16], scale: &mut [f32], sum: &mut [f32]) {
    let blocks = x.as_chunks::<BLOCK>().0.iter();
    let results = q.as_chunks_mut::<BLOCK>().0.iter_mut().zip(scale).zip(sum);
    for (x, ((q, scale), sum)) in blocks.zip(results) {
        let max = x.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let inverse = if max > 0.0 { 32767.0 / max } else { 0.0 };
        for (i, pair) in x.as_chunks::<2>().0.iter().enumerate() {
            let at = i / 8 * 16 + i % 8;
            q[at] = round(pair[0] * inverse);
            q[at + 8] = round(pair[1] * inverse);
        }
        *scale = max / 32767.0;
        *sum = x.iter().sum();
    }
}

/// To the nearest integer, ties to even, for |v| < 2^22: in a float of that size the mantissa's end is the integer.
#[inline(always)]
fn round(v: f32) -> i16 {
    (v + 12_582_912.0).to_bits() as i16
}

/// The f32 value of an f16, for finite inputs: two shifts and an exact multiplication instead of a table or
/// branches (the exponent is rebased by 2^112; subnormals come out right because the product normalises).
#[inline(always)]
pub fn f16_to_f32(h: u32) -> f32 {
    let magnitude = f32::from_bits((h & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | ((h & 0x8000) << 16))
}

/// Dot product of two equally long f32 slices, in eight lanes.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// A weight format whose blocks the lanes below can multiply.
pub trait BlockDot {
    /// Words of quants in a block.
    const WORDS: usize;
    /// Words of scales in a block: first two f16, then what [`BlockDot::parts`] takes as `planes`.
    const SCALE_WORDS: usize = 1;
    /// The f16 are the scales of the block's halves, instead of scale and minimum of the whole.
    const HALVES: bool = false;
    /// The block's integers, taken apart once for all tokens that they meet.
    type Parts: Copy;
    /// Takes a block of `WORDS` words apart; `planes` are `SCALE_WORDS - 1` words of its numbers' upper bits.
    fn parts(words: &[u32], planes: &[u32]) -> Self::Parts;
}

/// 4-bit unsigned integers with scale and minimum.
pub struct Q4;
/// 5-bit unsigned integers with scale and minimum; the fifth bits are a plane.
pub struct Q5;
/// 6-bit integers less 32, with a scale for each half; the upper two bits are planes.
pub struct Q6;
/// 8-bit signed integers with a scale; the minimum is 0.
pub struct Q8;

/// Blocks whose scales are worked on as one vector.
const GROUP: usize = 4;

/// The first scale words of group `g`.
#[inline(always)]
fn group_scales<F: BlockDot>(scales: &[u32], g: usize) -> [u32; GROUP] {
    let scales = &scales[g * GROUP * F::SCALE_WORDS..(g + 1) * GROUP * F::SCALE_WORDS];
    core::array::from_fn(|b| scales[b * F::SCALE_WORDS])
}

/// Block `b` taken apart.
#[inline(always)]
fn parts_of<F: BlockDot>(quants: &[u32], scales: &[u32], b: usize) -> F::Parts {
    let words = &quants[b * F::WORDS..(b + 1) * F::WORDS];
    F::parts(
        words,
        &scales[b * F::SCALE_WORDS + 1..(b + 1) * F::SCALE_WORDS],
    )
}

/// One block times one block of activations, where `d` and `m` are the block's f16 times the activations' scale, or
/// the activations' sum has been taken care of.
#[inline(always)]
fn add_block<F: BlockDot>(
    acc: lanes::V,
    parts: F::Parts,
    x: Row<'_>,
    block: usize,
    [d, m]: [lanes::V; 2],
    lane: usize,
) -> lanes::V
where
    F::Parts: lanes::Dot,
{
    let (first, second) = lanes::dot(parts, x.q, block * BLOCK);
    if F::HALVES {
        let acc = lanes::add_product(acc, lanes::convert(first), lanes::splat(d, lane));
        lanes::add_product(acc, lanes::convert(second), lanes::splat(m, lane))
    } else {
        let dot = lanes::convert(lanes::add(first, second));
        lanes::add_product(acc, dot, lanes::splat(d, lane))
    }
}

/// The dot product of block `b` alone, for what is left of a row that is no multiple of four blocks.
#[inline(always)]
fn single<F: BlockDot>(quants: &[u32], scales: &[u32], b: usize, x: Row<'_>) -> f32
where
    F::Parts: lanes::Dot,
{
    let parts = parts_of::<F>(quants, scales, b);
    let (first, second) = lanes::dot(parts, x.q, b * BLOCK);
    let (first, second) = (
        lanes::sum(lanes::convert(first)),
        lanes::sum(lanes::convert(second)),
    );
    let dm = scales[b * F::SCALE_WORDS];
    let (d, m) = (f16_to_f32(dm & 0xffff), f16_to_f32(dm >> 16));
    if F::HALVES {
        x.scale[b] * (d * first + m * second)
    } else {
        d * x.scale[b] * (first + second) + m * x.sum[b]
    }
}

/// Dot products of one row of weights with `T` rows of activations: y[t] = W . x[t].
///
/// `quants`: [blocks, F::WORDS] words, `scales`: [blocks, F::SCALE_WORDS] words.
// Called once a row: inlining it into every loop over rows would only make the download larger.
#[inline(never)]
pub fn dot<F: BlockDot, const T: usize>(quants: &[u32], scales: &[u32], x: [Row<'_>; T]) -> [f32; T]
where
    F::Parts: lanes::Dot,
{
    let blocks = scales.len() / F::SCALE_WORDS;
    let groups = blocks / GROUP;
    let mut acc = [lanes::ZERO; T];
    for g in 0..groups {
        let (d, m) = lanes::scales(&group_scales::<F>(scales, g));
        let mut scale = [[lanes::ZERO; 2]; T];
        for t in 0..T {
            let x_scale = lanes::load(x[t].scale, g * GROUP);
            scale[t] = [lanes::mul(d, x_scale), lanes::mul(m, x_scale)];
            if !F::HALVES {
                acc[t] = lanes::add_product(acc[t], m, lanes::load(x[t].sum, g * GROUP));
            }
        }
        for b in 0..GROUP {
            let parts = parts_of::<F>(quants, scales, g * GROUP + b);
            for t in 0..T {
                acc[t] = add_block::<F>(acc[t], parts, x[t], g * GROUP + b, scale[t], b);
            }
        }
    }
    let mut y = acc.map(lanes::sum);
    for b in groups * GROUP..blocks {
        for t in 0..T {
            y[t] += single::<F>(quants, scales, b, x[t]);
        }
    }
    y
}

/// Dot products of `R` rows of weights, each quants and scales as in [`dot`], with one row of activations.
#[inline(never)]
pub fn dot_rows<F: BlockDot, const R: usize>(rows: [(&[u32], &[u32]); R], x: Row<'_>) -> [f32; R]
where
    F::Parts: lanes::Dot,
{
    let blocks = x.q.len() / BLOCK;
    let mut acc = [lanes::ZERO; R];
    for g in 0..blocks / GROUP {
        let x_scale = lanes::load(x.scale, g * GROUP);
        let x_sum = lanes::load(x.sum, g * GROUP);
        for (r, (quants, scales)) in rows.iter().enumerate() {
            let (d, m) = lanes::scales(&group_scales::<F>(scales, g));
            let scale = [lanes::mul(d, x_scale), lanes::mul(m, x_scale)];
            if !F::HALVES {
                acc[r] = lanes::add_product(acc[r], m, x_sum);
            }
            for b in 0..GROUP {
                let parts = parts_of::<F>(quants, scales, g * GROUP + b);
                acc[r] = add_block::<F>(acc[r], parts, x, g * GROUP + b, scale, b);
            }
        }
    }
    let mut y = acc.map(lanes::sum);
    for b in blocks / GROUP * GROUP..blocks {
        for (y, (quants, scales)) in y.iter_mut().zip(rows) {
            *y += single::<F>(quants, scales, b, x);
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_converts_exactly() {
        for h in 0..=0xffffu16 {
            let exact = half::f16::from_bits(h);
            if exact.is_finite() {
                assert_eq!(f16_to_f32(h as u32).to_bits(), exact.to_f32().to_bits());
            }
        }
    }
}
