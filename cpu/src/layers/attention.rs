//! Attention over keys and values that were made once, and over those that grow by a row a token.

use std::vec;
use std::vec::Vec;

use super::elementwise::softmax;
use crate::dot::dot_f32;
use crate::gemm::{PANEL, Rows, add_panel};

/// Rows of queries whose scores are held at once.
const QUERIES: usize = 96;

/// Keys and values of all heads as panels, made once and read by every query: the encoder's own, or those that the decoder's
/// cross attention has of the encoder.
pub struct Memory {
    /// [heads][positions / 8 rounded up, head_dim]
    keys: Vec<[f32; PANEL]>,
    /// [heads][head_dim / 8, positions]
    values: Vec<[f32; PANEL]>,
    heads: usize,
    head_dim: usize,
    positions: usize,
}

impl Memory {
    /// Packs `keys` and `values`: [positions, heads * head_dim].
    pub fn new(keys: &[f32], values: &[f32], heads: usize, head_dim: usize) -> Self {
        let d = heads * head_dim;
        let positions = keys.len() / d.max(1);
        let groups = positions.div_ceil(PANEL);
        let parts = head_dim.div_ceil(PANEL);
        let mut memory = Self {
            keys: vec![[0.0; PANEL]; heads * groups * head_dim],
            values: vec![[0.0; PANEL]; heads * parts * positions],
            heads,
            head_dim,
            positions,
        };
        for (p, (keys, values)) in keys.chunks_exact(d).zip(values.chunks_exact(d)).enumerate() {
            for h in 0..heads {
                let of_head = h * head_dim..(h + 1) * head_dim;
                let from = (h * groups + p / PANEL) * head_dim;
                for (to, v) in memory.keys[from..].iter_mut().zip(&keys[of_head.clone()]) {
                    to[p % PANEL] = *v;
                }
                for (part, values) in values[of_head].chunks(PANEL).enumerate() {
                    let to = &mut memory.values[(h * parts + part) * positions + p];
                    to[..values.len()].copy_from_slice(values);
                }
            }
        }
        memory
    }

    /// Returns the number of positions.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Returns the attention of `queries` [rows, heads * head_dim], already scaled, to all positions. `seen` is called with
    /// the head, the first row and the weights [rows, positions] of some rows.
    pub fn attend(&self, queries: &[f32], seen: impl FnMut(usize, usize, &[f32])) -> Vec<f32> {
        self.attend_biased(queries, |_, _, _| {}, seen)
    }

    /// Does as [`Memory::attend`]; `bias` may add to the scores before their softmax, with the same arguments as `seen`.
    pub fn attend_biased(
        &self,
        queries: &[f32],
        mut bias: impl FnMut(usize, usize, &mut [f32]),
        mut seen: impl FnMut(usize, usize, &[f32]),
    ) -> Vec<f32> {
        let d = self.heads * self.head_dim;
        let rows = queries.len() / d.max(1);
        let mut out = vec![0.0; rows * d];
        let mut scores = vec![0.0; QUERIES.min(rows) * self.positions];
        for h in 0..self.heads {
            for first in (0..rows).step_by(QUERIES) {
                let count = QUERIES.min(rows - first);
                let scores = &mut scores[..count * self.positions];
                self.scores(&queries[first * d + h * self.head_dim..], d, h, scores);
                bias(h, first, scores);
                for row in scores.chunks_exact_mut(self.positions.max(1)) {
                    softmax(row);
                }
                seen(h, first, scores);
                let x = Rows {
                    values: scores,
                    stride: self.positions,
                };
                let parts = self.head_dim.div_ceil(PANEL);
                for part in 0..parts {
                    let from = (h * parts + part) * self.positions;
                    let panel = &self.values[from..from + self.positions];
                    let column = h * self.head_dim + part * PANEL;
                    let columns = PANEL.min(self.head_dim - part * PANEL);
                    add_panel(&x, count, panel, &mut out[first * d + column..], d, columns);
                }
            }
        }
        out
    }

    /// Fills `scores` [rows, positions] with a head's products.
    fn scores(&self, queries: &[f32], stride: usize, h: usize, scores: &mut [f32]) {
        let x = Rows {
            values: queries,
            stride,
        };
        let rows = scores.len() / self.positions.max(1);
        scores.fill(0.0);
        let groups = self.positions.div_ceil(PANEL);
        for group in 0..groups {
            let from = (h * groups + group) * self.head_dim;
            let panel = &self.keys[from..from + self.head_dim];
            let column = group * PANEL;
            let columns = PANEL.min(self.positions - column);
            add_panel(
                &x,
                rows,
                panel,
                &mut scores[column..],
                self.positions,
                columns,
            );
        }
    }
}

/// Keys and values of the tokens so far, which each token sees and adds to.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// [tokens, heads * head_dim]
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Past {
    /// Returns the attention of new rows `queries` [rows, heads * head_dim], already scaled, to themselves and those before,
    /// and keeps their `keys` and `values`. `bias` may add to the scores of a head and of the token at a position, one
    /// for each token up to itself.
    pub fn attend(
        &mut self,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        (heads, head_dim): (usize, usize),
        mut bias: impl FnMut(usize, usize, &mut [f32]),
    ) -> Vec<f32> {
        let d = heads * head_dim;
        let before = self.keys.len() / d.max(1);
        self.keys.extend(keys);
        self.values.extend(values);
        let mut out = vec![0.0; queries.len()];
        let rows = queries
            .chunks_exact(d.max(1))
            .zip(out.chunks_exact_mut(d.max(1)));
        let mut weights = Vec::new();
        for (r, (queries, out)) in rows.enumerate() {
            let seen = before + r + 1;
            let of_heads = queries
                .chunks_exact(head_dim)
                .zip(out.chunks_exact_mut(head_dim));
            for (h, (query, out)) in of_heads.enumerate() {
                let of_head = |row: usize| row * d + h * head_dim..row * d + (h + 1) * head_dim;
                weights.clear();
                weights.extend((0..seen).map(|row| dot_f32(query, &self.keys[of_head(row)])));
                bias(h, seen - 1, &mut weights);
                softmax(&mut weights);
                for (row, weight) in weights.iter().enumerate() {
                    for (out, value) in out.iter_mut().zip(&self.values[of_head(row)]) {
                        *out += weight * value;
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_is_a_weighted_mean() {
        let (heads, head_dim, positions, rows) = (2, 12, 11, 5);
        let d = heads * head_dim;
        let number = |i: usize, step: usize| ((i * step) % 13) as f32 / 6.0 - 1.0;
        let keys: Vec<f32> = (0..positions * d).map(|i| number(i, 3)).collect();
        let values: Vec<f32> = (0..positions * d).map(|i| number(i, 5)).collect();
        let queries: Vec<f32> = (0..rows * d).map(|i| number(i, 7)).collect();
        let memory = Memory::new(&keys, &values, heads, head_dim);
        let mut calls = 0;
        let out = memory.attend(&queries, |_, _, weights| {
            calls += 1;
            for row in weights.chunks(positions) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        });
        assert_eq!(calls, heads);
        for r in 0..rows {
            for h in 0..heads {
                let q = &queries[r * d + h * head_dim..][..head_dim];
                let mut weights: Vec<f32> = (0..positions)
                    .map(|p| {
                        let k = &keys[p * d + h * head_dim..][..head_dim];
                        q.iter().zip(k).map(|(q, k)| q * k).sum()
                    })
                    .collect();
                softmax(&mut weights);
                for c in 0..head_dim {
                    let wanted: f32 = (0..positions)
                        .map(|p| weights[p] * values[p * d + h * head_dim + c])
                        .sum();
                    assert!((out[r * d + h * head_dim + c] - wanted).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn rows_see_themselves_and_those_before() {
        let (heads, head_dim, tokens) = (2, 4, 6);
        let d = heads * head_dim;
        let number = |i: usize, step: usize| ((i * step) % 13) as f32 / 6.0 - 1.0;
        let all: Vec<f32> = (0..tokens * d).map(|i| number(i, 3)).collect();
        let bias = |h: usize, at: usize, scores: &mut [f32]| {
            for (j, score) in scores.iter_mut().enumerate() {
                *score += (h + 1) as f32 * (at - j) as f32 / 8.0;
            }
        };
        let mut whole = Past::default();
        let whole = whole.attend(&all, &all, &all, (heads, head_dim), bias);
        let mut past = Past::default();
        for (r, row) in all.chunks(d).enumerate() {
            let one = past.attend(row, row, row, (heads, head_dim), bias);
            assert_eq!(one, whole[r * d..(r + 1) * d]);
            // Attention over all keys so far gives as much.
            let seen = &all[..(r + 1) * d];
            let wanted = Memory::new(seen, seen, heads, head_dim).attend_biased(
                row,
                |h, _, scores| bias(h, r, scores),
                |_, _, _| {},
            );
            for (got, wanted) in one.iter().zip(wanted) {
                assert!((got - wanted).abs() < 1e-5, "{got} {wanted}");
            }
        }
    }
}
