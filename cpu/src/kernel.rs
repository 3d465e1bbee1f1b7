//! Dot products of rows of block-quantised weights with rows of activations.
//!
//! The factors of a row's blocks are computed first, four at once, then the integers of one block after another are
//! multiplied. Each of these loops fits the registers of a core, and rows of weights share what they read of the
//! activations.

use core::mem::MaybeUninit;
use core::ops::Range;

use crate::dot::{BLOCK, Row, padded};
use crate::formats::{BlockDot, Factors, GROUP, MAX_SCALE_WORDS, Minimum};
use crate::lanes;

/// Blocks of a row whose factors are computed before its integers are multiplied.
const AHEAD: usize = 32;

/// Factors of [`AHEAD`] blocks, times the scales of the activations' blocks: of the first halves, then of the second ones.
#[repr(C, align(16))]
struct Ahead([[f32; AHEAD]; 2]);

/// A weight: `quants`: [rows, words of a row], `scales`: [rows, words of its scales], see [`row_words`]; both may be longer.
pub struct Weight<'a> {
    pub quants: &'a [u32],
    pub scales: &'a [u32],
    pub rows: usize,
}

impl Weight<'_> {
    /// Returns whether all rows exist, and as much of all activations as they are multiplied by.
    pub fn fits<F: BlockDot>(&self, x: &[Row<'_>]) -> bool {
        let blocks = blocks_of(x);
        let (words, scale_words) = row_words::<F>(blocks);
        self.quants.len() >= self.rows * words
            && self.scales.len() >= self.rows * scale_words
            && x.iter().all(|x| {
                let floats = x.scale.len().min(x.sum.len()).min(x.first.len());
                x.q.len() / BLOCK == blocks && floats >= padded(blocks)
            })
    }
}

/// Returns the blocks of a row.
fn blocks_of(x: &[Row<'_>]) -> usize {
    x.first().map_or(0, |x| x.q.len() / BLOCK)
}

/// Returns the words of quants and of scales in a row, which is whole units.
pub fn row_words<F: BlockDot>(blocks: usize) -> (usize, usize) {
    let units = blocks.div_ceil(F::UNIT);
    (units * F::UNIT * F::WORDS, units * F::SCALE_WORDS)
}

/// Returns the dot products of `R` rows of a weight with `T` rows of activations: y[r][t] = W[rows[r]] . x[t].
///
/// # Safety
/// [`Weight::fits`] must hold for these activations, and the rows must be the weight's.
// A function of its own for each format: inlined into every loop over rows it would only increase the download.
#[inline(never)]
pub unsafe fn dots<F: BlockDot, const R: usize, const T: usize>(
    weight: &Weight<'_>,
    rows: [usize; R],
    x: &[Row<'_>; T],
) -> [[f32; T]; R] {
    let blocks = blocks_of(x);
    let (words, scale_words) = row_words::<F>(blocks);
    // SAFETY: the caller guarantees it. Scales run past the row.
    let rows = rows.map(|r| unsafe {
        (
            weight.quants.get_unchecked(r * words..(r + 1) * words),
            weight.scales.get_unchecked(r * scale_words..),
        )
    });
    let mut sums = [[lanes::ZERO; T]; R];
    let mut ahead = MaybeUninit::<[[Ahead; T]; R]>::uninit();
    for first in (0..blocks).step_by(AHEAD) {
        let n = (blocks - first).min(AHEAD);
        // SAFETY: the caller guarantees that these blocks exist, and `look_ahead` writes the factors of all of them.
        unsafe {
            look_ahead::<F, R, T>(&rows, x, first..first + n, &mut sums, ahead.as_mut_ptr());
            let factors = ahead.as_ptr().cast::<f32>();
            // A copy stays in registers: a reference to it was passed on.
            let mut acc = sums;
            for i in 0..n {
                for r in 0..R {
                    let parts = parts::<F>(rows[r], first + i);
                    for t in 0..T {
                        let factors = factors.add(i).add((r * T + t) * 2 * AHEAD);
                        let x = &*x[t].q.as_ptr().add((first + i) * BLOCK).cast();
                        acc[r][t] = add_block::<F>(acc[r][t], parts, x, factors);
                    }
                }
            }
            sums = acc;
        }
    }
    sums.map(|sums| sums.map(lanes::sum))
}

/// Words of quants of a row, and of its scales and any words after them.
type Words<'a> = (&'a [u32], &'a [u32]);

/// Computes the factors of some blocks from the first of a group on, and adds the contribution of their minima to `sums`.
///
/// # Safety
/// The blocks must exist, and be at most [`AHEAD`].
#[inline(never)]
unsafe fn look_ahead<F: BlockDot, const R: usize, const T: usize>(
    rows: &[Words<'_>; R],
    x: &[Row<'_>; T],
    blocks: Range<usize>,
    sums: &mut [[lanes::V; T]; R],
    ahead: *mut [[Ahead; T]; R],
) {
    let (first, end) = (blocks.start / GROUP, blocks.end.div_ceil(GROUP));
    let mut acc = *sums;
    let mut add = |r: usize, g: usize, factors: Factors| {
        for t in 0..T {
            // SAFETY: the caller guarantees it.
            unsafe {
                let scaled;
                (acc[r][t], scaled) = begin_group::<F>(acc[r][t], factors, &x[t], g);
                let to = ahead.cast::<Ahead>().add(r * T + t).cast::<lanes::V>();
                to.add(g - first).write(scaled[0]);
                if F::HALVES {
                    to.add(AHEAD / GROUP + g - first).write(scaled[1]);
                }
            }
        }
    };
    // An incomplete group reads scales past the row, which are multiplied by zeros, but none past the end of the weight.
    let there = |(_, scales): &Words<'_>| scales.len() / F::SCALE_WORDS * F::UNIT / GROUP;
    let whole = match F::UNIT < GROUP {
        true => rows.iter().map(there).fold(end, usize::min),
        false => end,
    };
    for g in first..whole {
        for (r, row) in rows.iter().enumerate() {
            // SAFETY: the caller guarantees it, and the scales of groups before `whole` exist.
            add(r, g, unsafe { factors::<F>(*row, g) });
        }
    }
    if whole < end {
        for (r, (_, scales)) in rows.iter().enumerate() {
            add(r, whole, last_factors::<F>(scales, whole));
        }
    }
    *sums = acc;
}

/// Returns where the scales of group `g` are among those of a row.
#[inline(always)]
fn scales_of<F: BlockDot>(g: usize) -> Range<usize> {
    let begin = g * GROUP / F::UNIT * F::SCALE_WORDS;
    begin..begin + GROUP.div_ceil(F::UNIT) * F::SCALE_WORDS
}

/// Returns the factors of group `g` of a row.
///
/// # Safety
/// The group's scales must exist, and, where a unit is whole groups, its blocks.
#[inline(always)]
unsafe fn factors<F: BlockDot>((quants, scales): Words<'_>, g: usize) -> Factors {
    // SAFETY: the caller guarantees it.
    unsafe {
        let words = match F::UNIT < GROUP {
            true => &[],
            false => quants.get_unchecked(g * GROUP * F::WORDS..(g + 1) * GROUP * F::WORDS),
        };
        let scales = scales.get_unchecked(scales_of::<F>(g));
        F::factors(words, scales, g % (F::UNIT / GROUP).max(1))
    }
}

/// Returns the factors of the incomplete last group of a weight, whose missing scales are zeros.
#[cold]
#[inline(never)]
fn last_factors<F: BlockDot>(scales: &[u32], g: usize) -> Factors {
    let all = scales_of::<F>(g);
    let mut last = [0; GROUP * MAX_SCALE_WORDS];
    for (to, from) in last.iter_mut().zip(scales.iter().skip(all.start)) {
        *to = *from;
    }
    F::factors(&[], &last[..all.len()], 0)
}

/// Returns `acc` plus the contribution of the minima of group `g`, and the factors of its blocks times the activations'
/// scales.
///
/// # Safety
/// The group must exist.
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

/// Returns the integers of a block.
///
/// # Safety
/// The block must exist.
#[inline(always)]
unsafe fn parts<F: BlockDot>((quants, scales): Words<'_>, block: usize) -> lanes::Parts {
    // SAFETY: the caller guarantees it.
    unsafe {
        let words = quants.get_unchecked(block * F::WORDS..(block + 1) * F::WORDS);
        let unit = block / F::UNIT * F::SCALE_WORDS;
        let scales = scales.get_unchecked(unit..unit + F::SCALE_WORDS);
        F::parts(words, scales, block % F::UNIT)
    }
}

/// Adds a block times the activations' block.
///
/// # Safety
/// `factors` must be the block's place in an [`Ahead`].
#[inline(always)]
unsafe fn add_block<F: BlockDot>(
    acc: lanes::V,
    parts: lanes::Parts,
    x: &[i16; BLOCK],
    factors: *const f32,
) -> lanes::V {
    let (first, second) = lanes::dot(parts, x);
    // SAFETY: the caller guarantees it.
    let factor = |half: usize| lanes::all(unsafe { *factors.add(half * AHEAD) });
    if F::HALVES {
        // Summed before adding to `acc`, since the dependency chain through `acc` is what a core waits for.
        let of_first = lanes::mul(lanes::convert(first), factor(0));
        let of_both = lanes::add_product(of_first, lanes::convert(second), factor(1));
        lanes::plus(acc, of_both)
    } else {
        let dot = lanes::convert(lanes::add(first, second));
        lanes::add_product(acc, dot, factor(0))
    }
}
