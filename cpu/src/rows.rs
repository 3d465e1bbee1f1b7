//! Rows of a block-quantised weight against several tokens.

use crate::dot::{BLOCK, BlockDot, Row, dot, lanes};

/// Calls `put(token, row, value)` with W[row] . x[token] for the rows of `rows`, four tokens at a time.
///
/// `quants`: [rows of the weight, blocks, F::WORDS], `scales`: [rows of the weight, blocks].
pub fn product<F: BlockDot>(
    x: &[Row<'_>],
    quants: &[u32],
    scales: &[u32],
    rows: core::ops::Range<usize>,
    mut put: impl FnMut(usize, usize, f32),
) where
    F::Parts: lanes::Dot,
{
    let Some(first) = x.first() else { return };
    let blocks = first.q.len() / BLOCK;
    let (fours, rest) = x.as_chunks::<4>();
    for r in rows {
        let quants = &quants[r * blocks * F::WORDS..(r + 1) * blocks * F::WORDS];
        let scales = &scales[r * blocks..(r + 1) * blocks];
        for (i, four) in fours.iter().enumerate() {
            let y = dot::<F, 4>(quants, scales, *four);
            for (t, y) in y.into_iter().enumerate() {
                put(4 * i + t, r, y);
            }
        }
        for (t, x) in rest.iter().enumerate() {
            let [y] = dot::<F, 1>(quants, scales, [*x]);
            put(4 * fours.len() + t, r, y);
        }
    }
}
