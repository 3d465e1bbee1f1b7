//! Weights of a projection, in the panels that the CPU's matrix products read.

use std::vec;
use std::vec::Vec;

use half::f16;

use crate::dot::f16_to_f32;
use crate::gemm::{PANEL, Rows, add_panel};

/// Rows of activations that share one unpacking of a panel.
const BATCH: usize = 96;
/// Columns of a panel that are multiplied at once: with the panel's 8 rows 16 KiB, half of a small first-level cache.
const DEPTH: usize = 512;

/// Panel values as they are kept: [n / 8 rounded up, k, 8], with zeros for rows beyond n.
enum Panels {
    F32(Vec<[f32; PANEL]>),
    F16(Vec<[u16; PANEL]>),
}

/// A weight [n, k] of y = x W^T + b.
pub struct Matrix {
    n: usize,
    k: usize,
    panels: Panels,
}

impl Matrix {
    /// Packs the rows of a weight [n, k]. It is kept as f16 where no value loses anything by it, as in all published checkpoints,
    /// which were trained in f16.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn pack(values: &[f32], n: usize, k: usize) -> Result<Self, NoMemory> {
        Self::filled(values, n, k, Self::is_half(values))
    }

    /// Packs the rows of a weight [n, k], rounded to f16.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn halves(values: &[f32], n: usize, k: usize) -> Result<Self, NoMemory> {
        Self::filled(values, n, k, true)
    }

    fn filled(values: &[f32], n: usize, k: usize, is_half: bool) -> Result<Self, NoMemory> {
        let mut matrix = Self::zeros(n, k, is_half)?;
        for (r, row) in values.chunks_exact(k.max(1)).enumerate().take(n) {
            matrix.set_row(r, row);
        }
        Ok(matrix)
    }

    /// Returns whether no value loses anything in f16.
    pub fn is_half(values: &[f32]) -> bool {
        values.iter().all(|v| f16::from_f32(*v).to_f32() == *v)
    }

    /// Makes a weight [n, k] of zeros, in f16 or in f32, whose rows are to be set.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn zeros(n: usize, k: usize, is_half: bool) -> Result<Self, NoMemory> {
        let len = n.div_ceil(PANEL).saturating_mul(k);
        let panels = if is_half {
            Panels::F16(reserve([0; PANEL], len)?)
        } else {
            Panels::F32(reserve([0.0; PANEL], len)?)
        };
        Ok(Self { n, k, panels })
    }

    /// Sets row `r` [k]. A row that the weight has not is left out.
    pub fn set_row(&mut self, r: usize, row: &[f32]) {
        let (panel, c) = (r / PANEL * self.k, r % PANEL);
        let range = panel..panel + self.k;
        match &mut self.panels {
            Panels::F32(panels) => {
                let panels = panels.get_mut(range).into_iter().flatten();
                panels.zip(row).for_each(|(to, v)| to[c] = *v);
            }
            Panels::F16(panels) => {
                let panels = panels.get_mut(range).into_iter().flatten();
                panels
                    .zip(row)
                    .for_each(|(to, v)| to[c] = f16::from_f32(*v).to_bits());
            }
        }
    }

    /// Rows of the weight, that is outputs.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the weight, that is inputs.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Bytes of the panels.
    pub fn bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(panels) => size_of_val(panels.as_slice()),
            Panels::F16(panels) => size_of_val(panels.as_slice()),
        }
    }

    /// Returns x W^T + b: `x`: [rows, k], `bias`: [n] or none, result [rows, n].
    pub fn times(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let rows = x.len() / self.k.max(1);
        let mut out = match bias {
            Some(bias) => bias.repeat(rows),
            None => vec![0.0; rows * self.n],
        };
        let mut scratch = vec![[0.0; PANEL]; DEPTH.min(self.k)];
        for first in (0..rows).step_by(BATCH) {
            let batch = BATCH.min(rows - first);
            for from in (0..self.k).step_by(DEPTH) {
                let depth = DEPTH.min(self.k - from);
                let x = Rows {
                    values: &x[first * self.k + from..],
                    stride: self.k,
                };
                for (p, column) in (0..self.n).step_by(PANEL).enumerate() {
                    let at = p * self.k + from;
                    let panel = match &self.panels {
                        Panels::F32(panels) => &panels[at..at + depth],
                        Panels::F16(panels) => {
                            for (to, from) in scratch.iter_mut().zip(&panels[at..at + depth]) {
                                *to = from.map(|h| f16_to_f32(u32::from(h)));
                            }
                            &scratch[..depth]
                        }
                    };
                    let out = &mut out[first * self.n + column..];
                    add_panel(&x, batch, panel, out, self.n, PANEL.min(self.n - column));
                }
            }
        }
        out
    }

    /// Writes row `row` of the weight, as the embedding of a token.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (from, c) = (row / PANEL * self.k, row % PANEL);
        for (i, out) in out.iter_mut().enumerate().take(self.k) {
            *out = match &self.panels {
                Panels::F32(panels) => panels.get(from + i).map_or(0.0, |v| v[c]),
                Panels::F16(panels) => panels
                    .get(from + i)
                    .map_or(0.0, |v| f16_to_f32(u32::from(v[c]))),
            };
        }
    }
}

/// Memory that is not there: a module has 4 GiB at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory {
    /// Bytes that were asked for.
    pub needed: u64,
}

/// Returns `len` values, or an error where memory does not suffice.
///
/// # Errors
/// [`NoMemory`].
pub fn reserve<T: Clone>(value: T, len: usize) -> Result<Vec<T>, NoMemory> {
    let mut out = Vec::new();
    out.try_reserve_exact(len).map_err(|_| NoMemory {
        needed: (len as u64).saturating_mul(size_of::<T>() as u64),
    })?;
    out.resize(len, value);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_sums_and_rows_come_back() {
        for (rows, n, k, exact) in [(1, 3, 5, true), (100, 17, 520, false), (5, 8, 1, true)] {
            let number = |i: usize, step: usize| ((i * step) % 23) as f32 / 4.0 - 2.0;
            let w: Vec<f32> = (0..n * k)
                .map(|i| number(i, 7) + if exact { 0.0 } else { 1e-6 })
                .collect();
            let x: Vec<f32> = (0..rows * k).map(|i| number(i, 5)).collect();
            let bias: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let matrix = Matrix::pack(&w, n, k).unwrap();
            assert_eq!(matches!(matrix.panels, Panels::F16(_)), exact);
            let y = matrix.times(&x, Some(&bias));
            for (at, got) in y.iter().enumerate() {
                let (r, c) = (at / n, at % n);
                let wanted: f64 = (0..k)
                    .map(|i| f64::from(x[r * k + i]) * f64::from(w[c * k + i]))
                    .sum::<f64>()
                    + f64::from(bias[c]);
                assert!((f64::from(*got) - wanted).abs() < 2e-3, "{got} {wanted}");
            }
            let mut row = vec![0.0; k];
            matrix.row(n - 1, &mut row);
            assert_eq!(row, w[(n - 1) * k..]);
        }
    }
}
