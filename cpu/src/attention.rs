//! Scores and sums of attention for the query heads that share keys and values.
//!
//! Two or three heads are taken together, so that a key and a value are loaded once for all of them, and their sums stay in registers, of
//! which WebAssembly's targets have sixteen.

use crate::gemm::{COLUMNS as KEYS, products};
use crate::lanes;

/// Vectors of a value's columns that are summed at once.
const VECTORS: usize = 4;

/// A head's input and output: its query and its row of scores, or its row of weights and its row of the result.
pub type Head<'a> = (&'a [f32], &'a mut [f32]);

/// Computes scores[h, i] = scale * q[h] . keys[i].
///
/// `q`: [heads, head_dim], `keys`: [len, head_dim], `scores`: [heads, len].
pub fn scores(q: &[f32], keys: &[f32], head_dim: usize, scale: f32, scores: &mut [f32]) {
    let len = keys.len() / head_dim;
    let q = q.chunks_exact(head_dim);
    scores_of_heads(
        q.zip(scores.chunks_exact_mut(len.max(1))),
        keys,
        head_dim,
        scale,
    );
}

/// Computes [`scores`] of heads whose rows may lie anywhere.
pub fn scores_of_heads<'a>(
    mut heads: impl Iterator<Item = Head<'a>>,
    keys: &[f32],
    head_dim: usize,
    scale: f32,
) {
    while let Some(first) = heads.next() {
        match heads.next() {
            None => scores_of([first], keys, head_dim, scale),
            Some(second) => scores_of([first, second], keys, head_dim, scale),
        }
    }
}

/// Computes [`scores`] of `H` heads, each with its row of scores.
#[inline(never)]
fn scores_of<const H: usize>(mut heads: [Head<'_>; H], keys: &[f32], head_dim: usize, scale: f32) {
    for (at, keys) in keys.chunks(KEYS * head_dim).enumerate() {
        let live = keys.len() / head_dim;
        // The last keys stand in for those that are missing.
        let keys: [&[f32]; KEYS] =
            core::array::from_fn(|k| &keys[k.min(live - 1) * head_dim..][..head_dim]);
        let queries: [&[f32]; H] = core::array::from_fn(|h| &heads[h].0[..head_dim]);
        let sums = products(&queries, &keys);
        for ((_, scores), sums) in heads.iter_mut().zip(sums) {
            for (score, sum) in scores[at * KEYS..].iter_mut().zip(sums).take(live) {
                *score = scale * sum;
            }
        }
    }
}

/// Computes out[h, j] = sum of weights[h, i] * values[i, j].
///
/// `weights`: [heads, len], `values`: [len, head_dim], `out`: [heads, head_dim].
pub fn weighted_sums(weights: &[f32], values: &[f32], head_dim: usize, out: &mut [f32]) {
    let len = values.len() / head_dim;
    if len == 0 {
        return out.fill(0.0);
    }
    let weights = weights.chunks_exact(len);
    sums_of_heads(
        weights.zip(out.chunks_exact_mut(head_dim)),
        values,
        head_dim,
        0,
    );
}

/// Computes [`weighted_sums`] of heads whose rows may lie anywhere, for some columns from column `from` on: as many as the rows of
/// the result have, all of as many heads as there are.
pub fn sums_of_heads<'a>(
    heads: impl ExactSizeIterator<Item = Head<'a>>,
    values: &[f32],
    head_dim: usize,
    from: usize,
) {
    let mut heads = heads;
    loop {
        let n = if heads.len() == 4 {
            2
        } else {
            heads.len().min(3)
        };
        let mut of = || heads.next().unwrap_or_default();
        match n {
            0 => return,
            1 => sums_of([of()], values, head_dim, from),
            2 => sums_of([of(), of()], values, head_dim, from),
            _ => sums_of([of(), of(), of()], values, head_dim, from),
        }
    }
}

/// Computes [`sums_of_heads`] of `H` heads.
#[inline(never)]
fn sums_of<const H: usize>(mut heads: [Head<'_>; H], values: &[f32], head_dim: usize, from: usize) {
    const WIDE: usize = 4 * VECTORS;
    let columns_of = heads.first().map_or(0, |(_, out)| out.len());
    let wide = columns_of / WIDE * WIDE;
    let four = columns_of / 4 * 4;
    for at in (0..wide).step_by(WIDE) {
        columns::<H, VECTORS>(&mut heads, values, head_dim, from, at);
    }
    for at in (wide..four).step_by(4) {
        columns::<H, 1>(&mut heads, values, head_dim, from, at);
    }
    for (weights, out) in &mut heads {
        for (j, out) in out.iter_mut().enumerate().skip(four) {
            let rows = weights.iter().zip(values.chunks_exact(head_dim));
            *out = rows.map(|(weight, row)| weight * row[from + j]).sum();
        }
    }
}

/// Computes `N` vectors of columns from column `at` of those from column `from` on, a multiple of 4.
#[inline(always)]
fn columns<const H: usize, const N: usize>(
    heads: &mut [Head<'_>; H],
    values: &[f32],
    head_dim: usize,
    from: usize,
    at: usize,
) {
    let len = values.len() / head_dim;
    let weights: [&[f32]; H] = core::array::from_fn(|h| &heads[h].0[..len]);
    let mut sums = [[lanes::ZERO; N]; H];
    for (i, row) in values.chunks_exact(head_dim).enumerate() {
        let Some(row) = row.as_chunks::<4>().0[(from + at) / 4..].first_chunk::<N>() else {
            return;
        };
        for (sums, weights) in sums.iter_mut().zip(weights) {
            let weight = lanes::all(weights[i]);
            for (sum, four) in sums.iter_mut().zip(row) {
                *sum = lanes::add_product(*sum, weight, lanes::load(four));
            }
        }
    }
    for ((_, out), sums) in heads.iter_mut().zip(sums) {
        for (out, sum) in out[at..].as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            *out = lanes::to_array(sum);
        }
    }
}

/// Returns the largest of the values and of `least`, in lanes; NaN is passed over.
pub fn largest(values: &[f32], least: f32) -> f32 {
    let (fours, rest) = values.as_chunks::<4>();
    let of_fours = fours.iter().fold(lanes::all(least), |top, four| {
        lanes::larger(top, lanes::load(four))
    });
    let top = lanes::largest(of_fours);
    rest.iter()
        .fold(top, |top, v| if *v > top { *v } else { top })
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Whole numbers, so that the order of sums does not matter.
    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n)
            .map(|i| ((i * step + i / 7) % 17) as f32 - 8.0)
            .collect()
    }

    #[test]
    fn scores_and_sums_of_odd_shapes() {
        for heads in 1..=9 {
            for (len, head_dim) in [
                (1, 1),
                (2, 3),
                (3, 4),
                (4, 18),
                (5, 39),
                (7, 64),
                (9, 80),
                (33, 22),
            ] {
                let q = numbers(heads * head_dim, 5);
                let keys = numbers(len * head_dim, 3);
                let mut found = vec![f32::NAN; heads * len];
                scores(&q, &keys, head_dim, 0.5, &mut found);
                for (at, found) in found.iter().enumerate() {
                    let (h, i) = (at / len, at % len);
                    let exact: f32 = (0..head_dim)
                        .map(|j| q[h * head_dim + j] * keys[i * head_dim + j])
                        .sum();
                    assert_eq!(*found, 0.5 * exact, "{heads} heads, {len} x {head_dim}");
                }
                let weights = numbers(heads * len, 11);
                let mut found = vec![f32::NAN; heads * head_dim];
                weighted_sums(&weights, &keys, head_dim, &mut found);
                for (at, found) in found.iter().enumerate() {
                    let (h, j) = (at / head_dim, at % head_dim);
                    let exact: f32 = (0..len)
                        .map(|i| weights[h * len + i] * keys[i * head_dim + j])
                        .sum();
                    assert_eq!(*found, exact, "{heads} heads, {len} x {head_dim}");
                }
            }
        }
        // Some columns of heads that lie apart are those of all columns.
        let (weights, values) = (numbers(3 * 9, 5), numbers(9 * 40, 3));
        let mut all = vec![f32::NAN; 3 * 40];
        weighted_sums(&weights, &values, 40, &mut all);
        let mut some = vec![f32::NAN; 3 * 20];
        let rows = weights.chunks_exact(9).zip(some.chunks_exact_mut(20));
        sums_of_heads(rows, &values, 40, 12);
        for (some, all) in some.chunks_exact(20).zip(all.chunks_exact(40)) {
            assert_eq!(some, &all[12..32]);
        }
        let mut out = [f32::NAN; 6];
        weighted_sums(&[], &[], 3, &mut out);
        assert_eq!(out, [0.0; 6]);
    }

    #[test]
    fn the_largest_value_may_be_anywhere() {
        for n in 0..12 {
            for place in 0..n {
                let mut values = vec![-3.0; n];
                values[place] = -1.0;
                assert_eq!(largest(&values, -2.0), -1.0);
                assert_eq!(largest(&values, 4.0), 4.0);
                values[place] = f32::NAN;
                assert_eq!(largest(&values, -5.0), if n > 1 { -3.0 } else { -5.0 });
            }
        }
    }
}
