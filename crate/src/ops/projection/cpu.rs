//! The CPU twin of [`crate::ops::projection::tile`]: 16-bit activations against the packed weights ([`hearth_cpu`]),
//! on this thread or on those of the pool ([`super::pooled`]).

use hearth_cpu::dot;
use hearth_cpu::gemm::{Rows, add_products};
use hearth_cpu::rows::{Format, groups, product_of};

use crate::ops::activation::Activate as _;
use crate::ops::projection::gemv::{GemvSpec, Output};
use crate::ops::projection::pooled::linear_pooled;
use crate::ops::projection::tile::{LinearEnd, LinearSpec};
use hearth_modelfile::families::Activation;
use hearth_modelfile::quant::Packing;

impl LinearSpec {
    /// Returns the plain product within a one-token projection, before its output stage, written to columns from
    /// `offset` on.
    pub(in crate::ops) fn of_one(spec: GemvSpec, offset: u32) -> Self {
        Self {
            packing: spec.packing,
            rows: spec.rows,
            cols: spec.cols,
            offset,
            stride: 0,
            add: spec.output == Output::Add,
            threads_per_tile: 1,
            subgroups: false,
            shared_tile: None,
            integers: false,
            grouped: None,
            scaling: spec.scaling,
            end: LinearEnd::Plain,
            pooled: spec.pooled,
        }
    }

    /// Writes or adds a sum.
    #[inline(always)]
    pub(super) fn put(&self, out: &mut f32, sum: f32) {
        let value = self.scaling.apply(sum);
        *out = if self.add { *out + value } else { value };
    }
}

/// Multiplies tokens by a weight, the CPU twin: `x`: [>= n, cols], `y`: [>= n, stride].
pub fn linear_cpu(
    x: &[f32],
    quants: &[u32],
    scales: &[u32],
    y: &mut [f32],
    n: usize,
    spec: LinearSpec,
) {
    let (rows, cols) = (spec.rows as usize, spec.cols as usize);
    let (stride, offset) = (spec.stride as usize, spec.offset as usize);
    let rows_of_x = || x.chunks_exact(cols).take(n);
    if spec.pooled.is_some() {
        return linear_pooled(x, y, n, spec);
    }
    let put = |t: usize, r: usize, value: f32| {
        spec.put(&mut y[t * stride + offset + r], value);
    };
    if let Some(format) = spec.packing.cpu_format() {
        return linear_blocks(format, rows_of_x(), quants, scales, spec, put);
    }
    let weight = Floats {
        words: &quants[..rows * spec.packing.blocks_per_row(cols)],
        packing: spec.packing,
        cols,
    };
    weight.times(&x[..n * cols], put);
}

/// A weight of floats: [rows, blocks of a row] words.
struct Floats<'a> {
    words: &'a [u32],
    packing: Packing,
    cols: usize,
}

impl Floats<'_> {
    /// Rows that are unpacked together.
    const ROWS: usize = 12;
    /// Tokens that meet all of these rows before the next: with [`Self::DEPTH`] 96 KiB, part of a second-level cache.
    const TOKENS: usize = 32;
    /// Columns that are multiplied at once: two rows and four tokens are 18 KiB, part of a first-level cache.
    const DEPTH: usize = 768;

    /// Calls `put(token, row, product)` for each token of `x` and each row.
    fn times(&self, x: &[f32], mut put: impl FnMut(usize, usize, f32)) {
        let cols = self.cols;
        let words = self.packing.blocks_per_row(cols);
        let mut unpacked = Vec::new();
        let mut made = Vec::new();
        for (block, block_words) in self.words.chunks(Self::ROWS * words).enumerate() {
            let (first, n) = (block * Self::ROWS, block_words.len() / words);
            let w = match self.packing {
                Packing::F32 => bytemuck::cast_slice(block_words),
                _ => {
                    unpacked.resize(2 * block_words.len(), 0.0);
                    unpack_halves(self.packing, block_words, &mut unpacked);
                    &unpacked
                }
            };
            let width = w.len() / n;
            if x.len() == cols {
                for (r, w) in w.chunks_exact(width).enumerate() {
                    put(0, first + r, dot::dot_f32(&w[..cols], x));
                }
                continue;
            }
            for (piece, x) in x.chunks(Self::TOKENS * cols).enumerate() {
                let tokens = x.len() / cols;
                made.clear();
                made.resize(tokens * n, 0.0);
                for from in (0..cols).step_by(Self::DEPTH) {
                    let depth = Self::DEPTH.min(cols - from);
                    let w = Rows {
                        values: &w[from..],
                        stride: width,
                    };
                    let x = Rows {
                        values: &x[from..],
                        stride: cols,
                    };
                    add_products(&w, n, &x, tokens, depth, &mut made);
                }
                for (t, row) in made.chunks_exact(n).enumerate() {
                    for (r, value) in row.iter().enumerate() {
                        put(piece * Self::TOKENS + t, first + r, *value);
                    }
                }
            }
        }
    }
}

/// Adds the bias of each row to what [`linear_cpu`] has written, and applies the activation.
pub(in crate::ops) fn biased_cpu(
    bias: &[f32],
    y: &mut [f32],
    n: usize,
    spec: LinearSpec,
    activation: Option<Activation>,
) {
    let (rows, offset) = (spec.rows as usize, spec.offset as usize);
    for row in y.chunks_exact_mut(spec.stride as usize).take(n) {
        let own = row[offset..offset + rows].iter_mut();
        for (y, b) in own.zip(&bias[offset..]) {
            *y += b;
        }
        if let Some(activation) = activation {
            activation.apply_all(&mut row[offset..offset + rows]);
        }
    }
}

/// Multiplies every token by every row of a block format.
fn linear_blocks<'a>(
    format: Format,
    x: impl Iterator<Item = &'a [f32]>,
    quants: &[u32],
    scales: &[u32],
    spec: LinearSpec,
    put: impl FnMut(usize, usize, f32),
) {
    let cols = spec.cols as usize;
    let blocks = dot::padded(cols / dot::BLOCK);
    let made: Vec<_> = x
        .map(|x| {
            let (mut q, mut floats) = (vec![0; cols], [(); 3].map(|()| vec![0.0; blocks]));
            let [scale, sum, first] = &mut floats;
            dot::quantise(x, &mut q, scale, sum, first);
            (q, floats)
        })
        .collect();
    let rows: Vec<_> = (made.iter())
        .map(|(q, [scale, sum, first])| dot::Row {
            q,
            scale,
            sum,
            first,
        })
        .collect();
    let n = spec.rows as usize;
    product_of(format, &rows, quants, scales, n, 0..groups(n), put);
}

/// Unpacks rows of 16-bit floats to f32.
fn unpack_halves(packing: Packing, row: &[u32], out: &mut [f32]) {
    for (word, pair) in row.iter().zip(out.chunks_exact_mut(2)) {
        if packing == Packing::F16 {
            pair[0] = dot::f16_to_f32(word & 0xffff);
            pair[1] = dot::f16_to_f32(word >> 16);
        } else {
            pair[0] = f32::from_bits(word << 16);
            pair[1] = f32::from_bits(word & 0xffff_0000);
        }
    }
}
