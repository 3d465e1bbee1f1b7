//! Products of a weight with rows of activations.

use core::ops::Range;

use super::{Shared, Taken};
use crate::dot::{BLOCK, Row, padded, quantise};
use crate::gate::Gate;
use crate::norm::rms_norm;
use crate::rows::{Format, MAX_TOKENS, gates, groups, product_of};

/// Stands for a norm's place where there is none.
pub const NO_NORM: u32 = u32::MAX;

/// The product y[t, r] = factor * W[r] . f(x[t]), where f is the identity or RMSNorm: activations are quantised, token by token, then
/// groups of rows are multiplied. Places count floats from the job's first.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Product {
    /// The number of a [`Format`].
    pub format: u32,
    pub rows: u32,
    pub cols: u32,
    /// Addresses of the words of [rows, cols / 32] blocks, and of their scales.
    pub quants: u32,
    pub scales: u32,
    /// Place of the activations, [tokens, cols].
    pub x: u32,
    /// Place of the norm's weights, [cols], or [`NO_NORM`].
    pub norm: u32,
    pub eps: f32,
    /// Place of the results, and how far a token's are from those of the next.
    pub y: u32,
    pub stride: u32,
    pub factor: f32,
    /// 1 if products are added to `y`, 0 if they replace it.
    pub adds: u32,
    /// The number of a [`Gate`], or 0. With a gate there is one token, and `rows` is a multiple of [`crate::rows::STREAMS`]; the
    /// first half of the results gate the second half, and are replaced by the products.
    pub gate: u32,
    /// Place of [`Product::scratch`] floats.
    pub scratch: u32,
}

impl Product {
    /// Returns the floats of scratch for `tokens` rows of `cols` activations: integers, scales, sums, first halves' sums, and what
    /// a norm returns.
    pub const fn scratch(tokens: usize, cols: usize, is_normed: bool) -> usize {
        let normed = if is_normed { cols } else { 0 };
        tokens * (cols / 2 + 3 * padded(cols / BLOCK) + normed)
    }

    /// Works on the product; see [`Shared::phase`].
    pub(super) unsafe fn run(&self, shared: Shared<'_>) -> bool {
        let Some(format) = Format::from_number(self.format) else {
            return true;
        };
        // SAFETY: the caller guarantees it.
        let prepare = |tokens: Range<usize>| unsafe {
            for t in tokens {
                self.quantise(shared, t);
            }
        };
        let multiply = |range| unsafe {
            if shared.tokens == 1 {
                return self.multiply(shared, format, &[self.row(shared, 0)], range);
            }
            let mut x = [Row::EMPTY; MAX_TOKENS];
            for (t, x) in x.iter_mut().enumerate().take(shared.tokens) {
                *x = self.row(shared, t);
            }
            self.multiply(shared, format, &x[..shared.tokens], range);
        };
        shared.phase(0, shared.tokens, Taken::Each, prepare)
            && shared.last_phase(1, groups(self.rows as usize), Taken::Fewer, multiply)
    }

    /// Returns the addresses of a token's integers, scales, sums and first halves' sums.
    unsafe fn quantised(&self, shared: Shared<'_>, t: usize) -> (*mut i16, [*mut f32; 3]) {
        let cols = self.cols as usize;
        let blocks = padded(cols / BLOCK);
        // SAFETY: within `Product::scratch`.
        unsafe {
            let q = shared.start.add(self.scratch as usize).cast::<i16>();
            let floats = q.add(shared.tokens * cols).cast::<f32>();
            let of_token = [0, 1, 2].map(|i| floats.add((i * shared.tokens + t) * blocks));
            (q.add(t * cols), of_token)
        }
    }

    /// Quantises a token's activations, or their norm.
    unsafe fn quantise(&self, shared: Shared<'_>, t: usize) {
        let cols = self.cols as usize;
        let blocks = padded(cols / BLOCK);
        // SAFETY: the caller guarantees it; scratch ends with a row for each token's norm.
        unsafe {
            let mut x = shared.floats(self.x as usize + t * cols, cols);
            if self.norm != NO_NORM {
                let before = Self::scratch(shared.tokens, cols, false);
                let place = self.scratch as usize + before + t * cols;
                let normed = shared.floats_mut(place, cols);
                rms_norm(x, shared.floats(self.norm as usize, cols), self.eps, normed);
                x = normed;
            }
            let (q, [scale, sum, first]) = self.quantised(shared, t);
            quantise(
                x,
                core::slice::from_raw_parts_mut(q, cols),
                core::slice::from_raw_parts_mut(scale, blocks),
                core::slice::from_raw_parts_mut(sum, blocks),
                core::slice::from_raw_parts_mut(first, blocks),
            );
        }
    }

    /// Returns a token's quantised activations.
    unsafe fn row<'a>(&self, shared: Shared<'a>, t: usize) -> Row<'a> {
        let cols = self.cols as usize;
        let blocks = padded(cols / BLOCK);
        // SAFETY: the caller guarantees it.
        unsafe {
            let (q, [scale, sum, first]) = self.quantised(shared, t);
            Row {
                q: core::slice::from_raw_parts(q, cols),
                scale: core::slice::from_raw_parts(scale, blocks),
                sum: core::slice::from_raw_parts(sum, blocks),
                first: core::slice::from_raw_parts(first, blocks),
            }
        }
    }

    /// Multiplies some groups of rows by all tokens.
    unsafe fn multiply(
        &self,
        shared: Shared<'_>,
        format: Format,
        x: &[Row<'_>],
        range: Range<usize>,
    ) {
        let (rows, stride) = (self.rows as usize, self.stride as usize);
        let (words, scale_words) = format.row_words(self.cols as usize / BLOCK);
        // SAFETY: the caller guarantees it.
        unsafe {
            let quants = shared.words(self.quants, rows * words);
            let scales = shared.words(self.scales, rows * scale_words);
            let y = shared.start.add(self.y as usize);
            let put = |t: usize, r: usize, value: f32| {
                let (y, value) = (y.add(t * stride + r), value * self.factor);
                y.write(if self.adds == 0 {
                    value
                } else {
                    y.read() + value
                });
            };
            let (pairs, n) = (gates(rows, &range), range.len());
            product_of(format, x, quants, scales, rows, range, put);
            let Some(gate) = Gate::from_number(self.gate) else {
                return;
            };
            for (of_gate, of_up) in pairs {
                let of = |at| self.y as usize + at;
                gate.apply(
                    shared.floats_mut(of(of_gate), n),
                    shared.floats(of(of_up), n),
                );
            }
        }
    }
}
