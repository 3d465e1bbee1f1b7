//! The inner loops of the CPU path.
//!
//! Activations are quantised to 16 bits per block of 32 (error about 2^-16 of the block's largest value, far
//! below that of the weights), so that a block of 4- or 8-bit weights needs four integer dot instructions:
//! `i32x4.dot_i16x8_s` in WebAssembly SIMD128, `pmaddwd` on x86, which the plain loop below becomes.

use crate::formats::{BlockDot, Factors, GROUP, MAX_SCALE_WORDS, Minimum};
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
    /// [cols / 32], the sum of each block's first half, where halves have a minimum of their own
    pub first: &'a [f32],
}

impl Row<'_> {
    /// No columns.
    pub const EMPTY: Self = Row {
        q: &[],
        scale: &[],
        sum: &[],
        first: &[],
    };
}

/// Fills in what a [`Row`] refers to from `x`, whose length is a multiple of 32.
pub fn quantise(x: &[f32], q: &mut [i16], scale: &mut [f32], sum: &mut [f32], first: &mut [f32]) {
    let blocks = x.as_chunks::<BLOCK>().0.iter();
    let numbers = q.as_chunks_mut::<BLOCK>().0.iter_mut().zip(scale);
    for ((x, (q, scale)), (sum, first)) in blocks.zip(numbers).zip(sum.iter_mut().zip(first)) {
        let max = x.iter().fold(0.0f32, |max, v| max.max(v.abs()));
        let inverse = if max > 0.0 { 32767.0 / max } else { 0.0 };
        for (i, pair) in x.as_chunks::<2>().0.iter().enumerate() {
            let at = i / 8 * 16 + i % 8;
            q[at] = round(pair[0] * inverse);
            q[at + 8] = round(pair[1] * inverse);
        }
        *scale = max / 32767.0;
        *sum = x.iter().sum();
        *first = x[..BLOCK / 2].iter().sum();
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

/// Block `b` taken apart.
#[inline(always)]
fn parts_of<F: BlockDot>(quants: &[u32], scales: &[u32], b: usize) -> lanes::Parts {
    let words = &quants[b * F::WORDS..(b + 1) * F::WORDS];
    let planes = &scales[b * F::SCALE_WORDS + 1..(b + 1) * F::SCALE_WORDS];
    F::parts(words, planes)
}

/// Scales and minima of group `g`; past the end they are 0.
#[inline(always)]
fn factors_of<F: BlockDot>(scales: &[u32], g: usize) -> Factors {
    let scales = &scales[g * GROUP * F::SCALE_WORDS..];
    match scales.get(..GROUP * F::SCALE_WORDS) {
        Some(four) => F::factors(four),
        None => {
            let mut padded = [0; GROUP * MAX_SCALE_WORDS];
            padded[..scales.len()].copy_from_slice(scales);
            F::factors(&padded[..GROUP * F::SCALE_WORDS])
        }
    }
}

/// The values of group `g`; past the end they are 0.
#[inline(always)]
fn group_of(values: &[f32], g: usize) -> lanes::V {
    let values = &values[g * GROUP..];
    if values.len() >= GROUP {
        return lanes::load(values, 0);
    }
    let mut padded = [0.0; GROUP];
    padded[..values.len()].copy_from_slice(values);
    lanes::load(&padded, 0)
}

/// What the minima of group `g` add, and the factors of its blocks' sums.
#[inline(always)]
fn begin_group<F: BlockDot>(
    acc: lanes::V,
    factors: Factors,
    x: Row<'_>,
    g: usize,
) -> (lanes::V, [lanes::V; 2]) {
    let scale = group_of(x.scale, g);
    let acc = match F::MINIMUM {
        Minimum::None => acc,
        Minimum::Block => lanes::add_product(acc, factors.m[0], group_of(x.sum, g)),
        Minimum::Half => {
            let first = group_of(x.first, g);
            let second = lanes::sub(group_of(x.sum, g), first);
            let acc = lanes::add_product(acc, factors.m[0], first);
            lanes::add_product(acc, factors.m[1], second)
        }
    };
    (acc, factors.d.map(|d| lanes::mul(d, scale)))
}

/// Block `block`, which is `lane` of its group, times the activations' block.
#[inline(always)]
fn add_block<F: BlockDot>(
    acc: lanes::V,
    parts: lanes::Parts,
    x: Row<'_>,
    block: usize,
    d: [lanes::V; 2],
    lane: usize,
) -> lanes::V {
    let (first, second) = lanes::dot(parts, x.q, block * BLOCK);
    if F::HALVES {
        let acc = lanes::add_product(acc, lanes::convert(first), lanes::splat(d[0], lane));
        lanes::add_product(acc, lanes::convert(second), lanes::splat(d[1], lane))
    } else {
        let dot = lanes::convert(lanes::add(first, second));
        lanes::add_product(acc, dot, lanes::splat(d[0], lane))
    }
}

/// Dot products of one row of weights with `T` rows of activations: y[t] = W . x[t].
///
/// `quants`: [blocks, F::WORDS] words, `scales`: [blocks, F::SCALE_WORDS] words.
// Called once a row: inlining it into every loop over rows would only make the download larger.
#[inline(never)]
pub fn dot<F: BlockDot, const T: usize>(
    quants: &[u32],
    scales: &[u32],
    x: [Row<'_>; T],
) -> [f32; T] {
    let blocks = scales.len() / F::SCALE_WORDS;
    let mut acc = [lanes::ZERO; T];
    let mut group = |g: usize, n: usize| {
        let factors = factors_of::<F>(scales, g);
        let mut d = [[lanes::ZERO; 2]; T];
        for t in 0..T {
            (acc[t], d[t]) = begin_group::<F>(acc[t], factors, x[t], g);
        }
        for b in 0..n {
            let parts = parts_of::<F>(quants, scales, g * GROUP + b);
            for t in 0..T {
                acc[t] = add_block::<F>(acc[t], parts, x[t], g * GROUP + b, d[t], b);
            }
        }
    };
    for g in 0..blocks / GROUP {
        group(g, GROUP);
    }
    if !blocks.is_multiple_of(GROUP) {
        group(blocks / GROUP, blocks % GROUP);
    }
    acc.map(lanes::sum)
}

/// Dot products of `R` rows of weights, each quants and scales as in [`dot`], with one row of activations.
#[inline(never)]
pub fn dot_rows<F: BlockDot, const R: usize>(rows: [(&[u32], &[u32]); R], x: Row<'_>) -> [f32; R] {
    let blocks = x.q.len() / BLOCK;
    let mut acc = [lanes::ZERO; R];
    let mut group = |g: usize, n: usize| {
        for (acc, (quants, scales)) in acc.iter_mut().zip(rows) {
            let factors = factors_of::<F>(scales, g);
            let (mut sum, d) = begin_group::<F>(*acc, factors, x, g);
            for b in 0..n {
                let parts = parts_of::<F>(quants, scales, g * GROUP + b);
                sum = add_block::<F>(sum, parts, x, g * GROUP + b, d, b);
            }
            *acc = sum;
        }
    };
    for g in 0..blocks / GROUP {
        group(g, GROUP);
    }
    if !blocks.is_multiple_of(GROUP) {
        group(blocks / GROUP, blocks % GROUP);
    }
    acc.map(lanes::sum)
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
