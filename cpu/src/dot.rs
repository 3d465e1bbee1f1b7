//! The inner loops of the CPU path.
//!
//! Activations are quantised to 16 bits per block of 32 (error about 2^-16 of the block's largest value, far below
//! that of the weights), so that a block of 4- or 8-bit weights needs four integer dot instructions:
//! `i32x4.dot_i16x8_s` in WebAssembly SIMD128, or `pmaddwd` on x86, to which the plain loop compiles.

use crate::formats::{BlockDot, Factors, GROUP, MAX_SCALE_WORDS, Minimum};
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

/// Copies the scales of an incomplete last group; `last` keeps its zeros after them.
#[cold]
#[inline(never)]
fn pad(scales: &[u32], last: &mut [u32; GROUP * MAX_SCALE_WORDS]) {
    for (to, from) in last.iter_mut().zip(scales) {
        *to = *from;
    }
}

/// Returns `acc` plus the contribution of the minima of group `g`, and the factors of its blocks' sums.
///
/// # Safety
/// [`are_there`] must hold for these blocks.
#[inline(always)]
unsafe fn begin_group<F: BlockDot>(
    acc: lanes::V,
    factors: Factors,
    x: &Row<'_>,
    g: usize,
) -> (lanes::V, [lanes::V; 2]) {
    // SAFETY: the caller guarantees it.
    let of_group = |values: &[f32]| lanes::load(unsafe { &*values.as_ptr().add(g * GROUP).cast() });
    let scale = of_group(x.scale);
    let acc = match F::MINIMUM {
        Minimum::None => acc,
        Minimum::Block => lanes::add_product(acc, factors.m[0], of_group(x.sum)),
        Minimum::Half => {
            let first = of_group(x.first);
            let second = lanes::sub(of_group(x.sum), first);
            let of_first = lanes::mul(factors.m[0], first);
            lanes::plus(acc, lanes::add_product(of_first, factors.m[1], second))
        }
    };
    let [first, second] = factors.d;
    (acc, [lanes::mul(first, scale), lanes::mul(second, scale)])
}

/// Adds a block times the activations' block; the block's factors are the first lanes of `d`.
#[inline(always)]
fn add_block<F: BlockDot>(
    acc: lanes::V,
    parts: lanes::Parts,
    x: &[i16; BLOCK],
    d: [lanes::V; 2],
) -> lanes::V {
    let (first, second) = lanes::dot(parts, x);
    if F::HALVES {
        // Summed before adding to `acc`, since the dependency chain through `acc` is what a core waits for.
        let of_first = lanes::mul(lanes::convert(first), lanes::splat(d[0]));
        let of_both = lanes::add_product(of_first, lanes::convert(second), lanes::splat(d[1]));
        lanes::plus(acc, of_both)
    } else {
        let dot = lanes::convert(lanes::add(first, second));
        lanes::add_product(acc, dot, lanes::splat(d[0]))
    }
}

/// A row of weights: `quants`: [blocks, F::WORDS] words, `scales`: [units, F::SCALE_WORDS] words and any words after
/// them.
pub type Weights<'a> = (&'a [u32], &'a [u32]);

/// Returns whether `blocks` blocks of all inputs exist, which the loops below read unchecked.
fn are_there<F: BlockDot>(blocks: usize, (quants, scales): Weights<'_>, x: &[Row<'_>]) -> bool {
    let units = blocks.div_ceil(F::UNIT);
    quants.len() >= units * F::UNIT * F::WORDS
        && scales.len() >= units * F::SCALE_WORDS
        && x.iter().all(|x| {
            let floats = x.scale.len().min(x.sum.len()).min(x.first.len());
            x.q.len() >= blocks * BLOCK && floats >= padded(blocks)
        })
}

/// Adds the first `n` blocks of group `g`, for `T` tokens. The loop is not unrolled: rotating the factors by a lane
/// per block costs less than the download of four times the code.
///
/// # Safety
/// [`are_there`] must hold for these blocks.
#[inline(always)]
unsafe fn add_group<F: BlockDot, const T: usize>(
    mut acc: [lanes::V; T],
    &(quants, scales): &Weights<'_>,
    x: &[Row<'_>; T],
    g: usize,
    n: usize,
) -> [lanes::V; T] {
    // An incomplete last group reads scales past the row, which are multiplied by zeros, but may lie past the end of
    // the weight.
    let mut last = [0; GROUP * MAX_SCALE_WORDS];
    let begin = g * GROUP / F::UNIT * F::SCALE_WORDS;
    let end = begin + GROUP.div_ceil(F::UNIT) * F::SCALE_WORDS;
    // SAFETY: guaranteed by the caller, and by the check here for the end.
    let factors = unsafe {
        let words = quants.get_unchecked(g * GROUP * F::WORDS..(g * GROUP + n) * F::WORDS);
        let scales = if F::UNIT < GROUP && end > scales.len() {
            pad(scales.get_unchecked(begin..), &mut last);
            last.get_unchecked(..end - begin)
        } else {
            scales.get_unchecked(begin..end)
        };
        F::factors(words, scales, g % (F::UNIT / GROUP).max(1))
    };
    let mut d = [[lanes::ZERO; 2]; T];
    for t in 0..T {
        // SAFETY: the caller guarantees it.
        (acc[t], d[t]) = unsafe { begin_group::<F>(acc[t], factors, &x[t], g) };
    }
    for block in g * GROUP..g * GROUP + n {
        // SAFETY: the caller guarantees it.
        unsafe {
            let words = quants.get_unchecked(block * F::WORDS..(block + 1) * F::WORDS);
            let unit = block / F::UNIT * F::SCALE_WORDS;
            let scales = scales.get_unchecked(unit..unit + F::SCALE_WORDS);
            let parts = F::parts(words, scales, block % F::UNIT);
            for t in 0..T {
                let x = &*x[t].q.as_ptr().add(block * BLOCK).cast();
                acc[t] = add_block::<F>(acc[t], parts, x, d[t]);
                d[t] = [lanes::moved_on(d[t][0]), lanes::moved_on(d[t][1])];
            }
        }
    }
    acc
}

/// Returns the dot products of one row of weights with `T` rows of activations: y[t] = W . x[t]. Zeros if an input is
/// too short.
// Called once per row: inlining it into every loop over rows would only increase the download.
#[inline(never)]
pub fn dot<F: BlockDot, const T: usize>(weights: Weights<'_>, x: [Row<'_>; T]) -> [f32; T] {
    let blocks = x[0].q.len() / BLOCK;
    let mut acc = [lanes::ZERO; T];
    if are_there::<F>(blocks, weights, &x) {
        for g in 0..blocks.div_ceil(GROUP) {
            let n = (blocks - g * GROUP).min(GROUP);
            // SAFETY: checked above.
            acc = unsafe { add_group::<F, T>(acc, &weights, &x, g, n) };
        }
    }
    acc.map(lanes::sum)
}

/// Returns the dot products of `R` rows of weights with one row of activations. Zeros if an input is too short.
#[inline(never)]
pub fn dot_rows<F: BlockDot, const R: usize>(rows: [Weights<'_>; R], x: Row<'_>) -> [f32; R] {
    let (blocks, x) = (x.q.len() / BLOCK, [x]);
    let mut acc = [lanes::ZERO; R];
    if rows.iter().all(|row| are_there::<F>(blocks, *row, &x)) {
        for g in 0..blocks.div_ceil(GROUP) {
            let n = (blocks - g * GROUP).min(GROUP);
            for (acc, row) in acc.iter_mut().zip(&rows) {
                // SAFETY: checked above.
                [*acc] = unsafe { add_group::<F, 1>([*acc], row, &x, g, n) };
            }
        }
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
