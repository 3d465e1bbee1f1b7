//! The inner loops of the CPU path.
//!
//! Activations are quantised to 16 bits per block of 32 (error about 2^-16 of the block's largest value, far below
//! that of the weights), so that a block of 4- or 8-bit weights needs four integer dot instructions:
//! `i32x4.dot_i16x8_s` in WebAssembly SIMD128, or `pmaddwd` on x86, to which the plain loop compiles.

use crate::formats::GROUP;
use crate::lanes;

/// Weights in a quantised block.
pub const BLOCK: usize = 32;
/// Columns of half a block, which some formats scale apart.
pub const HALF: usize = BLOCK / 2;

/// A row of activations as 16-bit integers: x ~ scale * q, per block of 32.
///
/// Within a block, q is in the order in which shifting a word of weights yields its columns:
/// columns 0, 2, .. 14; 1, 3, .. 15; 16, 18, .. 30; 17, 19, .. 31.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// [cols]
    pub q: &'a [i16],
    /// [padded(cols / 32)]
    pub scale: &'a [f32],
    /// [padded(cols / 32)], the sum of each block's x, which is multiplied by the minimum of the affine formats
    pub sum: &'a [f32],
    /// [padded(cols / 32)], the sum of each block's first half, for formats whose halves have separate minima
    pub first: &'a [f32],
}

/// Returns the number of blocks rounded up to whole groups; the padding holds zeros.
pub const fn padded(blocks: usize) -> usize {
    blocks.next_multiple_of(GROUP)
}

impl Row<'_> {
    /// A row without columns.
    pub const EMPTY: Self = Row {
        q: &[],
        scale: &[],
        sum: &[],
        first: &[],
    };
}

/// Quantises `x`, whose length is a multiple of 32, into the slices of a [`Row`].
pub fn quantise(x: &[f32], q: &mut [i16], scale: &mut [f32], sum: &mut [f32], first: &mut [f32]) {
    for values in [&mut *scale, &mut *sum, &mut *first] {
        values[x.len() / BLOCK..].fill(0.0);
    }
    let blocks = x.as_chunks::<BLOCK>().0.iter();
    let numbers = q.as_chunks_mut::<BLOCK>().0.iter_mut().zip(scale);
    for ((x, (q, scale)), (sum, first)) in blocks.zip(numbers).zip(sum.iter_mut().zip(first)) {
        let halves = x
            .as_chunks::<HALF>()
            .0
            .iter()
            .zip(q.as_chunks_mut::<HALF>().0);
        let (mut largest, mut sums) = (lanes::ZERO, [lanes::ZERO; 2]);
        for (x, sum) in x.as_chunks::<HALF>().0.iter().zip(&mut sums) {
            for four in x.as_chunks().0 {
                let four = lanes::load(four);
                largest = lanes::larger(largest, lanes::abs(four));
                *sum = lanes::plus(*sum, four);
            }
        }
        let max = lanes::largest(largest);
        let inverse = if max > 0.0 { 32767.0 / max } else { 0.0 };
        for (x, q) in halves {
            lanes::integers(x, inverse, q);
        }
        *scale = max / 32767.0;
        *first = lanes::sum(sums[0]);
        *sum = *first + lanes::sum(sums[1]);
    }
}

/// Returns the f32 value of an f16, for finite inputs: two shifts and an exact multiplication instead of a table or
/// branches (the exponent is rebased by 2^112; subnormals are correct because the product normalises).
#[inline(always)]
pub fn f16_to_f32(h: u32) -> f32 {
    let magnitude = f32::from_bits((h & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | ((h & 0x8000) << 16))
}

/// Returns the dot product of two equally long f32 slices.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let (many_a, rest_a) = a.as_chunks::<16>();
    let (many_b, rest_b) = b.as_chunks::<16>();
    let mut sums = [lanes::ZERO; 4];
    for (a, b) in many_a.iter().zip(many_b) {
        let fours = a.as_chunks().0.iter().zip(b.as_chunks().0);
        for (sum, (a, b)) in sums.iter_mut().zip(fours) {
            *sum = lanes::add_product(*sum, lanes::load(a), lanes::load(b));
        }
    }
    let [p, q, r, s] = sums;
    let sum = lanes::sum(lanes::plus(lanes::plus(p, q), lanes::plus(r, s)));
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sum + rest
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
