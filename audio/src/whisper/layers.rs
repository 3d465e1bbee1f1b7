//! Layers that encoder and decoder share: normalisation, GELU, attention over keys and values.
//!
//! Source: Radford et al. 2022, arXiv:2212.04356; openai/whisper `model.py`.

use hearth_cpu::gemm::{PANEL, Rows, add_panel};
use hearth_cpu::math::{exp, exp_all};

use super::matrix::Matrix;

/// Epsilon of all of Whisper's normalisations.
const EPS: f32 = 1e-5;
/// Rows of queries whose scores are held at once.
const QUERIES: usize = 96;

/// LayerNorm with scale and shift [d].
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Norm {
    /// Returns the normalised rows of `x`: [rows, d].
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        let d = self.scale.len();
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(d.max(1)) {
            let mean = row.iter().sum::<f32>() / d as f32;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / d as f32;
            let inverse = 1.0 / (variance + EPS).sqrt();
            let scaled = row.iter().zip(self.scale.iter().zip(&self.shift));
            out.extend(scaled.map(|(v, (scale, shift))| (v - mean) * inverse * scale + shift));
        }
        out
    }
}

/// A projection with its bias, which Whisper's keys lack.
pub struct Linear {
    pub weight: Matrix,
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// Returns x W^T + b for rows `x`.
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        self.weight.times(x, self.bias.as_deref())
    }
}

/// Feed-forward block: d -> 4 d -> d with GELU between.
pub struct FeedForward {
    pub norm: Norm,
    pub up: Linear,
    pub down: Linear,
}

impl FeedForward {
    /// Adds the block's result to `x`: [rows, d].
    pub fn add_to(&self, x: &mut [f32]) {
        let mut hidden = self.up.of(&self.norm.of(x));
        gelu(&mut hidden);
        add(x, &self.down.of(&hidden));
    }
}

/// Projections of one attention.
pub struct Attention {
    pub norm: Norm,
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub out: Linear,
}

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

    /// Returns the attention of `queries` [rows, heads * head_dim], already scaled, to all positions. `seen` is called with
    /// the head, the first row and the weights [rows, positions] of some rows.
    pub fn attend(&self, queries: &[f32], mut seen: impl FnMut(usize, usize, &[f32])) -> Vec<f32> {
        let d = self.heads * self.head_dim;
        let rows = queries.len() / d.max(1);
        let mut out = vec![0.0; rows * d];
        let mut scores = vec![0.0; QUERIES.min(rows) * self.positions];
        for h in 0..self.heads {
            for first in (0..rows).step_by(QUERIES) {
                let count = QUERIES.min(rows - first);
                let scores = &mut scores[..count * self.positions];
                self.weights(&queries[first * d + h * self.head_dim..], d, h, scores);
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

    /// Fills `scores` [rows, positions] with the softmax of a head's products.
    fn weights(&self, queries: &[f32], stride: usize, h: usize, scores: &mut [f32]) {
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
        for row in scores.chunks_exact_mut(self.positions.max(1)) {
            softmax(row);
        }
    }
}

/// Replaces values by their softmax.
pub fn softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let inverse = 1.0 / exp_all(row, max);
    for v in row {
        *v *= inverse;
    }
}

/// Adds `more` to `x`.
pub fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}

/// Multiplies queries by head_dim^-0.5.
pub fn scale(queries: &mut [f32], head_dim: usize) {
    let factor = 1.0 / (head_dim as f32).sqrt();
    for v in queries {
        *v *= factor;
    }
}

/// Applies GELU with the error function (Hendrycks & Gimpel 2016, arXiv:1606.08415) in place.
pub fn gelu(values: &mut [f32]) {
    for v in values {
        *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// Returns erf(v) within 1.5e-7: Abramowitz & Stegun 1964, 7.1.26.
#[allow(clippy::excessive_precision)] // constants as published
fn erf(v: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * v.abs());
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (1.0 - polynomial * exp(-v * v)).copysign(v)
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
    fn gelu_of_known_points() {
        let mut values = [-3.0, -1.0, 0.0, 0.5, 2.0];
        gelu(&mut values);
        let wanted = [-0.004_049_7, -0.158_655_25, 0.0, 0.345_731_23, 1.954_499_7];
        for (got, wanted) in values.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
        }
    }
}
