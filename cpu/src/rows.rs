//! Products of the rows of a block-quantised weight with several tokens.
//!
//! Rows are taken in groups of [`STREAMS`] from equally many distant places of the weight. A core's prefetcher stops
//! at the end of a page, so a single stream waits for memory there, every 4 KiB, while several do not: measured in
//! WebAssembly on weights larger than the caches, four streams read 1.7 times as fast as one.

use core::ops::Range;

use crate::dot::Row;
use crate::formats::{BlockDot, Lookup, Nvfp4, Q1, Q2, Q2S, Q3, Q4, Q4K, Q4S, Q5, Q6, Q8};
use crate::grid_formats::{Grid, Iq1, Iq2S, Iq2Xs, Iq2Xxs, Iq3S, Iq3Xxs};
use crate::kernel::{Weight, dots, row_words};

/// Rows in a group.
pub const STREAMS: usize = 4;
/// Maximum number of tokens passed to the threads at once.
pub const MAX_TOKENS: usize = 128;

/// Returns the number of groups of a weight of `rows` rows.
pub const fn groups(rows: usize) -> usize {
    rows.div_ceil(STREAMS)
}

/// A [`BlockDot`] by its number, which is passed to the threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Format {
    Q4,
    Q5,
    Q6,
    Q8,
    Q2,
    Q3,
    Iq4,
    Fp4,
    Q1,
    Q2S,
    Iq2Xxs,
    Iq2Xs,
    Iq2S,
    Iq3Xxs,
    Iq3S,
    Iq1,
    Nvfp4,
    Q4S,
    Q4K,
}

/// Evaluates an expression with `$f` as the format's type.
macro_rules! by_format {
    ($format:expr, $f:ident => $body:expr) => {
        by_format!(@ $format, $f, $body,
            Q4 = Q4, Q5 = Q5, Q6 = Q6, Q8 = Q8, Q2 = Q2, Q3 = Q3, Iq4 = Lookup<false>, Fp4 = Lookup<true>,
            Q1 = Q1, Q2S = Q2S, Iq2Xxs = Grid<Iq2Xxs>, Iq2Xs = Grid<Iq2Xs>, Iq2S = Grid<Iq2S>,
            Iq3Xxs = Grid<Iq3Xxs>, Iq3S = Grid<Iq3S>, Iq1 = Grid<Iq1>, Nvfp4 = Nvfp4, Q4S = Q4S, Q4K = Q4K)
    };
    (@ $format:expr, $f:ident, $body:expr, $($name:ident = $type:ty),+) => {
        match $format {
            $(Format::$name => {
                type $f = $type;
                $body
            })+
        }
    };
}

impl Format {
    const ALL: [Self; 19] = [
        Self::Q4,
        Self::Q5,
        Self::Q6,
        Self::Q8,
        Self::Q2,
        Self::Q3,
        Self::Iq4,
        Self::Fp4,
        Self::Q1,
        Self::Q2S,
        Self::Iq2Xxs,
        Self::Iq2Xs,
        Self::Iq2S,
        Self::Iq3Xxs,
        Self::Iq3S,
        Self::Iq1,
        Self::Nvfp4,
        Self::Q4S,
        Self::Q4K,
    ];

    /// Returns the format with a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Returns the words of quants and of scales in a row of `blocks` blocks.
    pub fn row_words(self, blocks: usize) -> (usize, usize) {
        by_format!(self, F => row_words::<F>(blocks))
    }
}

/// Products buffered until they can be written contiguously: [tokens, STREAMS, at_once].
struct Kept {
    values: [f32; 4096],
    /// The first buffered group, and the number of groups.
    first: usize,
    at_once: usize,
}

impl Kept {
    fn put(&mut self, token: usize, stream: usize, group: usize, value: f32) {
        let at = (token * STREAMS + stream) * self.at_once + (group - self.first);
        if let Some(place) = self.values.get_mut(at) {
            *place = value;
        }
    }
}

/// Calls `put(token, row, value)` with W[row] . x[token] for the rows in `range` of all groups.
///
/// Tokens have rows of results of their own: if those are far apart, as in the logits of a large vocabulary, each number would
/// touch another cache line, and the lines of one column might even share a cache set. Some rows are therefore buffered and written
/// token by token.
///
/// `quants`: [rows, words of a row], `scales`: [rows, words of its scales], see [`Format::row_words`]; both may be
/// longer.
pub fn product_of(
    format: Format,
    x: &[Row<'_>],
    quants: &[u32],
    scales: &[u32],
    rows: usize,
    range: Range<usize>,
    mut put: impl FnMut(usize, usize, f32),
) {
    let weight = Weight {
        quants,
        scales,
        rows,
    };
    assert!(
        by_format!(format, F => weight.fits::<F>(x)),
        "rows that are not there"
    );
    if let [x] = x {
        return by_format!(format, F => for_one::<F>(x, &weight, range, |row, value| put(0, row, value)));
    }
    let dots: Dots = by_format!(format, F => (dots::<F, 1, 4>, dots::<F, 2, 1>));
    let stride = groups(rows);
    let mut kept = Kept {
        values: [0.0; 4096],
        first: 0,
        at_once: 0,
    };
    for (piece, x) in x.chunks(MAX_TOKENS).enumerate() {
        kept.at_once = (kept.values.len() / STREAMS / x.len()).clamp(1, 64);
        for first in range.clone().step_by(kept.at_once) {
            let last = range.end.min(first + kept.at_once);
            kept.first = first;
            product(x, &weight, dots, first..last, &mut kept);
            let all = kept.values.chunks(kept.at_once).enumerate();
            for (at, values) in all.take(x.len() * STREAMS) {
                let (t, k) = (at / STREAMS, at % STREAMS);
                for (r, value) in (first + k * stride..last + k * stride).zip(values) {
                    if r < rows {
                        put(piece * MAX_TOKENS + t, r, *value);
                    }
                }
            }
        }
    }
}

/// The products of a row with four tokens, and of two rows with one, in one format.
type Dots = (
    unsafe fn(&Weight<'_>, [usize; 1], &[Row<'_>; 4]) -> [[f32; 4]; 1],
    unsafe fn(&Weight<'_>, [usize; 2], &[Row<'_>; 1]) -> [[f32; 1]; 2],
);

/// Returns where the gates lie in the groups of `range`, for a weight whose first half of rows are gates of its second half:
/// two pairs of a first gate and the first row that it gates, each followed by as many rows as `range` has groups.
/// `rows` is a multiple of [`STREAMS`], so that each group has two gates and the two rows that they gate.
pub fn gates(rows: usize, range: &Range<usize>) -> [(usize, usize); STREAMS / 2] {
    let stride = groups(rows);
    core::array::from_fn(|k| {
        let gate = range.start + k * stride;
        (gate, gate + STREAMS / 2 * stride)
    })
}

/// Returns the rows of a group.
#[inline(always)]
fn group(rows: usize, i: usize) -> [usize; STREAMS] {
    core::array::from_fn(|k| i + k * groups(rows))
}

/// Returns the rows of a group, clamped to the last of a weight, so that an incomplete group exists.
#[inline(always)]
fn clamped(rows: usize, i: usize) -> [usize; STREAMS] {
    group(rows, i).map(|r| r.min(rows - 1))
}

/// Computes [`product_of`] in one format for one token, whose results are contiguous anyway.
fn for_one<F: BlockDot>(
    x: &Row<'_>,
    weight: &Weight<'_>,
    range: Range<usize>,
    mut put: impl FnMut(usize, f32),
) {
    for i in range {
        let [a, b, c, d] = clamped(weight.rows, i);
        // SAFETY: `product_of` has checked that it fits.
        let two = |rows| unsafe { dots::<F, 2, 1>(weight, rows, &[*x]) };
        let ([[a], [b]], [[c], [d]]) = (two([a, b]), two([c, d]));
        for (r, y) in group(weight.rows, i).into_iter().zip([a, b, c, d]) {
            if r < weight.rows {
                put(r, y);
            }
        }
    }
}

/// Computes [`product_of`] for some tokens, for as many groups as are buffered: the same code for all formats.
fn product(
    x: &[Row<'_>],
    weight: &Weight<'_>,
    (one_row, two_rows): Dots,
    range: Range<usize>,
    kept: &mut Kept,
) {
    // Four tokens stay in the first-level cache while the buffered rows pass, which come from the second level but for the first time.
    for (piece, x) in x.chunks(4).enumerate() {
        for i in range.clone() {
            let rows = clamped(weight.rows, i);
            if let Some(four) = x.first_chunk() {
                for (k, r) in rows.into_iter().enumerate() {
                    // SAFETY: `product_of` has checked that it fits.
                    let [y] = unsafe { one_row(weight, [r], four) };
                    for (n, y) in y.into_iter().enumerate() {
                        kept.put(4 * piece + n, k, i, y);
                    }
                }
                continue;
            }
            for (n, x) in x.iter().enumerate() {
                for (pair, rows) in rows.as_chunks().0.iter().enumerate() {
                    // SAFETY: `product_of` has checked that it fits.
                    let y = unsafe { two_rows(weight, *rows, &[*x]) };
                    for (k, [y]) in y.into_iter().enumerate() {
                        kept.put(4 * piece + n, 2 * pair + k, i, y);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn groups_hold_each_gate_beside_what_it_gates() {
        let rows = 24;
        let mut found = Vec::new();
        for range in [0..2, 2..5, 5..6] {
            let of_groups: Vec<usize> = range.clone().flat_map(|i| group(rows, i)).collect();
            for (gate, up) in gates(rows, &range) {
                for i in 0..range.len() {
                    assert!(of_groups.contains(&(gate + i)) && of_groups.contains(&(up + i)));
                    found.push((gate + i, up + i));
                }
            }
        }
        found.sort_unstable();
        assert!(found.into_iter().eq((0..12).map(|gate| (gate, gate + 12))));
    }
}
