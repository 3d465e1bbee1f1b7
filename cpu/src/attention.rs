//! Scores and sums of attention for the query heads that share keys and values.
//!
//! Two or three heads are taken together, so that a key and a value are loaded once for all of them, and their sums stay in registers, of
//! which WebAssembly's targets have sixteen.

use crate::gemm::{COLUMNS as KEYS, ROWS, products};
use crate::lanes;

/// Vectors of a value's columns that are summed at once.
const VECTORS: usize = 4;

/// Computes scores[h, i] = scale * q[h] . keys[i].
///
/// `q`: [heads, head_dim], `keys`: [len, head_dim], `scores`: [heads, len].
pub fn scores(q: &[f32], keys: &[f32], head_dim: usize, scale: f32, scores: &mut [f32]) {
    let len = keys.len() / head_dim;
    if len == 0 {
        return;
    }
    let mut q = q.chunks_exact(head_dim);
    let mut out = scores.chunks_exact_mut(len);
    loop {
        let heads = q.len().min(ROWS);
        let mut of = || (q.next().unwrap_or_default(), out.next().unwrap_or_default());
        match heads {
            0 => return,
            1 => scores_of([of()], keys, head_dim, scale),
            _ => scores_of([of(), of()], keys, head_dim, scale),
        }
    }
}

/// Computes [`scores`] of `H` heads, each with its row of scores.
#[inline(never)]
fn scores_of<const H: usize>(
    mut heads: [(&[f32], &mut [f32]); H],
    keys: &[f32],
    head_dim: usize,
    scale: f32,
) {
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
    let mut weights = weights.chunks_exact(len);
    let mut out = out.chunks_exact_mut(head_dim);
    loop {
        let heads = if out.len() == 4 { 2 } else { out.len().min(3) };
        let mut of = || {
            (
                weights.next().unwrap_or_default(),
                out.next().unwrap_or_default(),
            )
        };
        match heads {
            0 => return,
            1 => sums_of([of()], values, head_dim),
            2 => sums_of([of(), of()], values, head_dim),
            _ => sums_of([of(), of(), of()], values, head_dim),
        }
    }
}

/// Computes [`weighted_sums`] of `H` heads, each with its row of the result.
#[inline(never)]
fn sums_of<const H: usize>(mut heads: [(&[f32], &mut [f32]); H], values: &[f32], head_dim: usize) {
    const WIDE: usize = 4 * VECTORS;
    let wide = head_dim / WIDE * WIDE;
    let four = head_dim / 4 * 4;
    for at in (0..wide).step_by(WIDE) {
        columns::<H, VECTORS>(&mut heads, values, head_dim, at);
    }
    for at in (wide..four).step_by(4) {
        columns::<H, 1>(&mut heads, values, head_dim, at);
    }
    for (weights, out) in &mut heads {
        for (j, out) in out.iter_mut().enumerate().skip(four) {
            let rows = weights.iter().zip(values.chunks_exact(head_dim));
            *out = rows.map(|(weight, row)| weight * row[j]).sum();
        }
    }
}

/// Computes `N` vectors of columns from column `at` on.
#[inline(always)]
fn columns<const H: usize, const N: usize>(
    heads: &mut [(&[f32], &mut [f32]); H],
    values: &[f32],
    head_dim: usize,
    at: usize,
) {
    let len = values.len() / head_dim;
    let weights: [&[f32]; H] = core::array::from_fn(|h| &heads[h].0[..len]);
    let mut sums = [[lanes::ZERO; N]; H];
    for (i, row) in values.chunks_exact(head_dim).enumerate() {
        let Some(row) = row.as_chunks::<4>().0[at / 4..].first_chunk::<N>() else {
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
