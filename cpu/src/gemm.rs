//! Products of f32 matrices, for many rows of activations or one.
//!
//! Weights lie in panels of [`PANEL`] rows, transposed: a panel is [k][PANEL], so that one activation meets a whole panel
//! in registers. Four rows of activations share each load of the panel: 8 sums of 4 lanes stay in registers.
//!
//! Weights whose rows lie as in the file are multiplied by rows: 2 by 4 at once, each product a sum of 4 lanes.

use crate::lanes;

/// Rows of a weight in one panel.
pub const PANEL: usize = 8;
/// Rows of activations that are computed together.
const TILE: usize = 4;

/// Rows of activations, or of results: row r begins at `r * stride`.
pub struct Rows<'a> {
    pub values: &'a [f32],
    pub stride: usize,
}

/// Adds `x` times a panel to the results: out[r][c] += sum over i of x[r][i] * panel[i][c], for c below `columns`, which is at
/// most [`PANEL`].
///
/// `x`: `rows` rows of at least `panel.len()` values. `out`: as many rows, each with at least `columns` values. Rows that a
/// slice is too short for are left as they are.
pub fn add_panel(
    x: &Rows<'_>,
    rows: usize,
    panel: &[[f32; PANEL]],
    out: &mut [f32],
    out_stride: usize,
    columns: usize,
) {
    let k = panel.len();
    let row = |r: usize| {
        let from = r * x.stride;
        x.values.get(from..from + k)
    };
    let mut write = |r: usize, sums: [lanes::V; 2]| {
        let from = r * out_stride;
        let Some(to) = out.get_mut(from..from + columns.min(PANEL)) else {
            return;
        };
        let [a, b] = sums.map(lanes::to_array);
        for (to, sum) in to.iter_mut().zip(a.into_iter().chain(b)) {
            *to += sum;
        }
    };
    let mut r = 0;
    while r + TILE <= rows {
        let (Some(a), Some(b), Some(c), Some(d)) = (row(r), row(r + 1), row(r + 2), row(r + 3))
        else {
            return;
        };
        let mut sums = [[lanes::ZERO; 2]; TILE];
        for ((((w, a), b), c), d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
            let w = halves(w);
            for (sums, x) in sums.iter_mut().zip([*a, *b, *c, *d]) {
                let x = lanes::all(x);
                sums[0] = lanes::add_product(sums[0], w[0], x);
                sums[1] = lanes::add_product(sums[1], w[1], x);
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            write(r + i, sums);
        }
        r += TILE;
    }
    for r in r..rows {
        if let Some(x) = row(r) {
            write(r, one_row(x, panel));
        }
    }
}

/// Returns one row times a panel. Two sums a lane shorten the chain of additions that a core would wait for.
fn one_row(x: &[f32], panel: &[[f32; PANEL]]) -> [lanes::V; 2] {
    let mut sums = [[lanes::ZERO; 2]; 2];
    let (pairs, rest) = panel.as_chunks::<2>();
    let (twos, last) = x.as_chunks::<2>();
    for (pair, two) in pairs.iter().zip(twos) {
        for (sums, (w, x)) in sums.iter_mut().zip(pair.iter().zip(two)) {
            let (w, x) = (halves(w), lanes::all(*x));
            sums[0] = lanes::add_product(sums[0], w[0], x);
            sums[1] = lanes::add_product(sums[1], w[1], x);
        }
    }
    for (w, x) in rest.iter().zip(last) {
        let (w, x) = (halves(w), lanes::all(*x));
        sums[0][0] = lanes::add_product(sums[0][0], w[0], x);
        sums[0][1] = lanes::add_product(sums[0][1], w[1], x);
    }
    let [a, b] = sums;
    [lanes::plus(a[0], b[0]), lanes::plus(a[1], b[1])]
}

/// Rows on the one and on the other side whose products are computed at once: eight sums of four lanes. With twelve, an engine keeps some in
/// memory, and is a quarter slower.
pub(crate) const ROWS: usize = 2;
pub(crate) const COLUMNS: usize = 4;

/// Adds products of rows: out[t][r] += w[r] . x[t], over the first `depth` values of each row.
///
/// `w`: `n` rows, `x`: `tokens` rows. `out`: [tokens, n]. A product is the same sum whatever stands beside it. Nothing is added where a
/// slice is too short.
pub fn add_products(
    w: &Rows<'_>,
    n: usize,
    x: &Rows<'_>,
    tokens: usize,
    depth: usize,
    out: &mut [f32],
) {
    for first in (0..n).step_by(ROWS) {
        let Some(w) = w.some::<ROWS>(first, n, depth) else {
            return;
        };
        for token in (0..tokens).step_by(COLUMNS) {
            let Some(x) = x.some::<COLUMNS>(token, tokens, depth) else {
                return;
            };
            let sums = products(&w, &x);
            let rows = out.chunks_exact_mut(n).take(tokens).skip(token);
            for (t, out) in rows.take(COLUMNS).enumerate() {
                for (to, sums) in out.iter_mut().skip(first).zip(&sums) {
                    *to += sums[t];
                }
            }
        }
    }
}

impl<'a> Rows<'a> {
    /// Returns `depth` values of some of `n` rows, from row `first` on; the last row stands in for those that are missing.
    fn some<const N: usize>(&self, first: usize, n: usize, depth: usize) -> Option<[&'a [f32]; N]> {
        let mut rows = [&self.values[..0]; N];
        for (i, row) in rows.iter_mut().enumerate() {
            let from = (first + i).min(n - 1) * self.stride;
            *row = self.values.get(from..from + depth)?;
        }
        Some(rows)
    }
}

/// Returns the products of rows of one length: a[i] . b[j].
#[inline(always)]
pub(crate) fn products<const N: usize>(
    a: &[&[f32]; N],
    b: &[&[f32]; COLUMNS],
) -> [[f32; COLUMNS]; N] {
    let len = b[0].len();
    let a_fours: [&[[f32; 4]]; N] = core::array::from_fn(|i| &a[i].as_chunks().0[..len / 4]);
    let b_fours: [&[[f32; 4]]; COLUMNS] = core::array::from_fn(|j| &b[j].as_chunks().0[..len / 4]);
    let mut sums = [[lanes::ZERO; COLUMNS]; N];
    for i in 0..len / 4 {
        // SAFETY: all slices were cut to this length. Checked here, the sums would be stored each time, for a panic to find them.
        let four = |row: &[[f32; 4]]| lanes::load(unsafe { row.get_unchecked(i) });
        let b = [
            four(b_fours[0]),
            four(b_fours[1]),
            four(b_fours[2]),
            four(b_fours[3]),
        ];
        for (sums, a) in sums.iter_mut().zip(&a_fours) {
            let a = four(a);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = lanes::add_product(*sum, a, b);
            }
        }
    }
    let rest = len / 4 * 4;
    // (a closure would have the sums in memory)
    let mut found = [[0.0; COLUMNS]; N];
    for ((found, sums), a) in found.iter_mut().zip(sums).zip(a) {
        *found = lanes::to_array(lanes::sums(sums));
        for (sum, b) in found.iter_mut().zip(b) {
            for (a, b) in a[rest..].iter().zip(&b[rest..]) {
                *sum += a * b;
            }
        }
    }
    found
}

#[inline(always)]
fn halves(row: &[f32; PANEL]) -> [lanes::V; 2] {
    let fours = row.as_chunks::<4>().0;
    [lanes::load(&fours[0]), lanes::load(&fours[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn products_of_rows_are_exact_sums_and_do_not_depend_on_those_beside_them() {
        // Whole numbers, so that the order of sums does not matter.
        let number = |i: usize, step: usize| ((i * step + i / 7) % 17) as f32 - 8.0;
        for (n, tokens) in [(1, 1), (2, 9), (3, 4), (4, 5), (7, 3), (12, 8)] {
            for depth in [1, 3, 4, 22, 64] {
                let (w_stride, x_stride) = (depth + 2, depth + 5);
                let w: Vec<f32> = (0..n * w_stride).map(|i| number(i, 5)).collect();
                let x: Vec<f32> = (0..tokens * x_stride).map(|i| number(i, 3)).collect();
                let before: Vec<f32> = (0..tokens * n).map(|i| number(i, 11)).collect();
                let rows = |values, stride| Rows { values, stride };
                let mut out = before.clone();
                add_products(
                    &rows(&w, w_stride),
                    n,
                    &rows(&x, x_stride),
                    tokens,
                    depth,
                    &mut out,
                );
                for (at, (got, before)) in out.iter().zip(&before).enumerate() {
                    let (t, r) = (at / n, at % n);
                    let exact: f32 = (0..depth)
                        .map(|i| w[r * w_stride + i] * x[t * x_stride + i])
                        .sum();
                    assert_eq!(*got, before + exact, "{n} x {tokens} x {depth} at {at}");
                }
                // A weight that is too short.
                let mut out = before.clone();
                let short = rows(&w[..depth - 1], w_stride);
                add_products(&short, n, &rows(&x, x_stride), tokens, depth, &mut out);
                assert_eq!(out, before);
            }
        }
        // Thirds are no exact numbers: sums in another order would differ.
        let third = |i: usize| number(i, 5) / 3.0;
        let (n, tokens, depth) = (5, 6, 50);
        let w: Vec<f32> = (0..n * depth).map(third).collect();
        let x: Vec<f32> = (0..tokens * depth).map(|i| third(i + 7)).collect();
        let rows = |values| Rows {
            values,
            stride: depth,
        };
        let mut all = vec![0.0; tokens * n];
        add_products(&rows(&w), n, &rows(&x), tokens, depth, &mut all);
        for (t, x) in x.chunks(depth).enumerate() {
            for (r, w) in w.chunks(depth).enumerate() {
                let mut alone = [0.0];
                add_products(&rows(w), 1, &rows(x), 1, depth, &mut alone);
                assert_eq!(alone[0], all[t * n + r]);
            }
        }
    }

    #[test]
    fn products_of_odd_shapes() {
        let number = |i: usize, step: usize| ((i * step) % 17) as f32 / 8.0 - 1.0;
        for rows in [1, 3, 4, 5, 9] {
            for k in [1, 2, 7, 64] {
                for columns in [1, 5, 8] {
                    let (stride, out_stride) = (k + 3, columns + 2);
                    let x: Vec<f32> = (0..rows * stride).map(|i| number(i, 5)).collect();
                    let panel: Vec<[f32; PANEL]> = (0..k)
                        .map(|i| core::array::from_fn(|c| number(i * PANEL + c, 7)))
                        .collect();
                    let mut out: Vec<f32> = (0..rows * out_stride).map(|i| number(i, 3)).collect();
                    let before = out.clone();
                    let x = Rows { values: &x, stride };
                    add_panel(&x, rows, &panel, &mut out, out_stride, columns);
                    for (at, (got, before)) in out.iter().zip(&before).enumerate() {
                        let (r, c) = (at / out_stride, at % out_stride);
                        let product: f32 = (0..k)
                            .map(|i| x.values[r * stride + i] * panel[i][c.min(PANEL - 1)])
                            .sum();
                        let wanted = before + if c < columns { product } else { 0.0 };
                        assert!(
                            (got - wanted).abs() < 1e-4,
                            "{rows} {k} {columns} at {at}: {got}, expected {wanted}"
                        );
                    }
                }
            }
        }
    }
}
