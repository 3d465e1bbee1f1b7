//! Products of f32 matrices, for many rows of activations or one.
//!
//! Weights lie in panels of [`PANEL`] rows, transposed: a panel is [k][PANEL], so that one activation meets a whole panel
//! in registers. Four rows of activations share each load of the panel: 8 sums of 4 lanes stay in registers.

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

#[inline(always)]
fn halves(row: &[f32; PANEL]) -> [lanes::V; 2] {
    let fours = row.as_chunks::<4>().0;
    [lanes::load(&fours[0]), lanes::load(&fours[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

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
