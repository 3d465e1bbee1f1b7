//! Positions of patches and of a picture's rows.
//!
//! Source: transformers `models/qwen3_vl/modeling_qwen3_vl.py`, `models/pixtral/modeling_pixtral.py`, `models/gemma4/modeling_gemma4.py`, `vision_utils.py`; Wang et al. 2024, arXiv:2409.12191 (rotation in three dimensions).

use super::layout::Span;

/// Returns row and column of each patch of a frame, square by square, within a square row by row: [patches, 2].
pub fn patch_places([height, width]: [usize; 2], merge: usize) -> Vec<[usize; 2]> {
    let mut all = Vec::with_capacity(height * width);
    for y in (0..height / merge * merge).step_by(merge) {
        for x in (0..width / merge * merge).step_by(merge) {
            for row in y..y + merge {
                all.extend((x..x + merge).map(|column| [row, column]));
            }
        }
    }
    all
}

/// Returns the patches of a frame window by window, both row by row, by their numbers in the order of [`patch_places`]; and for
/// each of them the first one of its window and the one behind the last: [patches, 2]. `side`: squares of `merge` by `merge` in a
/// window's side; windows at the right and at the bottom may have fewer.
pub fn windows(
    [height, width]: [usize; 2],
    merge: usize,
    side: usize,
) -> (Vec<usize>, Vec<[usize; 2]>) {
    let (high, wide, of) = (height / merge, width / merge, merge * merge);
    let (mut order, mut ranges) = (Vec::new(), Vec::new());
    for y in (0..high).step_by(side) {
        for x in (0..wide).step_by(side) {
            let first = order.len();
            for row in y..high.min(y + side) {
                let squares = row * wide + x..row * wide + wide.min(x + side);
                order.extend(squares.start * of..squares.end * of);
            }
            ranges.resize(order.len(), [first, order.len()]);
        }
    }
    (order, ranges)
}

/// Returns the learned positions of a frame's patches, interpolated bilinearly, corners on corners: [patches, cols]. `table`:
/// [side * side, cols].
pub fn interpolated(
    table: &[f32],
    side: usize,
    cols: usize,
    grid: [usize; 2],
    merge: usize,
) -> Vec<f32> {
    // Returns the two neighbours of place `i` of `n`, and the second one's weight.
    let between = |i: usize, n: usize| {
        let at = match n {
            0 | 1 => 0.0,
            _ => i as f32 * ((side - 1) as f32 / (n - 1) as f32),
        };
        let low = (at as usize).min(side - 1);
        (low, (low + 1).min(side - 1), at - low as f32)
    };
    let mut all = Vec::with_capacity(grid[0] * grid[1] * cols);
    for [row, column] in patch_places(grid, merge) {
        let (top, bottom, dy) = between(row, grid[0]);
        let (left, right, dx) = between(column, grid[1]);
        let corner = |y: usize, x: usize| &table[(y * side + x) * cols..][..cols];
        let corners = [
            (corner(top, left), (1.0 - dy) * (1.0 - dx)),
            (corner(top, right), (1.0 - dy) * dx),
            (corner(bottom, left), dy * (1.0 - dx)),
            (corner(bottom, right), dy * dx),
        ];
        all.extend((0..cols).map(|c| {
            let parts = corners.iter().map(|(values, weight)| values[c] * weight);
            parts.sum::<f32>()
        }));
    }
    all
}

/// Returns the learned positions of a frame's patches, row by row, interpolated bilinearly, edges on edges; where there are fewer patches
/// than positions, over as many as there are to each: [patches, cols]. `table`: [side * side, cols].
///
/// Source: `F.interpolate(mode="bilinear", align_corners=False, antialias=True)`.
pub fn resized(table: &[f32], side: usize, cols: usize, [height, width]: [usize; 2]) -> Vec<f32> {
    // Returns the weight of each position for each of `n` patches: [n, side].
    let weights = |n: usize| -> Vec<f32> {
        let scale = side as f32 / n as f32;
        let support = scale.max(1.0);
        let of_patch = |i: usize| {
            let centre = (i as f32 + 0.5) * scale - 0.5;
            let weight = |at: usize| (1.0 - (at as f32 - centre).abs() / support).max(0.0);
            let all: Vec<f32> = (0..side).map(weight).collect();
            let sum: f32 = all.iter().sum();
            all.into_iter().map(move |weight| weight / sum)
        };
        (0..n).flat_map(of_patch).collect()
    };
    let (rows, columns) = (weights(height), weights(width));
    let mut all = vec![0.0; height * width * cols];
    for (patch, out) in all.chunks_exact_mut(cols).enumerate() {
        let row = &rows[patch / width * side..][..side];
        let column = &columns[patch % width * side..][..side];
        for (y, by_row) in row.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            for (x, by_column) in column
                .iter()
                .enumerate()
                .filter(|(_, weight)| **weight > 0.0)
            {
                let values = &table[(y * side + x) * cols..][..cols];
                for (out, value) in out.iter_mut().zip(values) {
                    *out += by_row * by_column * value;
                }
            }
        }
    }
    all
}

/// Base of the frequencies by which patches turn.
pub(crate) const THETA: f32 = 10_000.0;

/// Base of the frequencies by which patches of Gemma 4 turn.
pub(crate) const GEMMA4_THETA: f32 = 100.0;

/// Returns the sum of the learned positions of each patch's column and row, row by row: [patches, cols]. `table`: those of columns, then
/// those of rows, [2 * side, cols].
pub fn of_axes(table: &[f32], side: usize, cols: usize, [height, width]: [usize; 2]) -> Vec<f32> {
    let (columns, rows) = table.split_at(side * cols);
    let mut all = Vec::with_capacity(height * width * cols);
    for row in rows.chunks_exact(cols).take(height) {
        for column in columns.chunks_exact(cols).take(width) {
            all.extend(column.iter().zip(row).map(|(column, row)| column + row));
        }
    }
    all
}

/// Returns cos and sin of each pair of a head for patches at `places`, row and column, of which half turn by the row and half by the
/// column: [patches, head_dim / 2, 2]. `apart`: the frequencies of columns lie between those of rows, otherwise they are the same.
pub fn patch_rotations(places: &[[usize; 2]], head_dim: usize, apart: bool) -> Vec<f32> {
    rotations(places, head_dim, apart, THETA)
}

/// Returns what [`patch_rotations`] returns for Gemma 4, where columns come first.
pub fn rotations_in_halves(places: &[[usize; 2]], head_dim: usize) -> Vec<f32> {
    let places: Vec<_> = places.iter().map(|[row, column]| [*column, *row]).collect();
    rotations(&places, head_dim, false, GEMMA4_THETA)
}

fn rotations(places: &[[usize; 2]], head_dim: usize, apart: bool, theta: f32) -> Vec<f32> {
    let half = head_dim / 4;
    let frequency = |i: usize, by_column: usize| {
        let i = 2 * i + by_column * usize::from(apart);
        f64::from(theta).powf(-(2.0 * i as f64) / head_dim as f64)
    };
    let mut all = Vec::with_capacity(places.len() * head_dim);
    for place in places {
        for (by_column, position) in place.iter().enumerate() {
            for i in 0..half {
                let (sin, cos) = (*position as f64 * frequency(i, by_column)).sin_cos();
                all.extend([cos as f32, sin as f32]);
            }
        }
    }
    all
}

/// Returns the positions of the first `n` places of a text in time, height and width; `grids`: height and width of each span in rows.
///
/// Positions of text are equal in all three; a picture begins at the next one and the text after it behind its longer side.
pub fn text_positions(spans: &[(Span, [usize; 2])], n: usize) -> Vec<[usize; 3]> {
    let mut all = Vec::with_capacity(n);
    let mut next = 0;
    for (span, [height, width]) in spans {
        while all.len() < span.start.min(n) {
            all.push([next; 3]);
            next += 1;
        }
        for row in 0..span.rows.min(n.saturating_sub(all.len())) {
            all.push([next, next + row / width, next + row % width]);
        }
        next += height.max(width);
    }
    while all.len() < n {
        all.push([next; 3]);
        next += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_on_behind_the_longer_side() {
        let span = Span {
            picture: 0,
            frame: 0,
            first: 0,
            start: 2,
            rows: 6,
        };
        let found = text_positions(&[(span, [2, 3])], 10);
        let expected = [
            [0; 3],
            [1; 3],
            [2, 2, 2],
            [2, 2, 3],
            [2, 2, 4],
            [2, 3, 2],
            [2, 3, 3],
            [2, 3, 4],
            [5; 3],
            [6; 3],
        ];
        assert_eq!(found, expected);
        assert_eq!(text_positions(&[], 2), [[0; 3], [1; 3]]);
    }

    #[test]
    fn windows_at_the_edges_are_smaller() {
        // Three by two squares of four patches, in windows of two by two.
        let (order, ranges) = windows([6, 4], 2, 2);
        assert_eq!(order, (0..24).collect::<Vec<_>>());
        assert_eq!(ranges[..16], [[0, 16]; 16]);
        assert_eq!(ranges[16..], [[16, 24]; 8]);
        // Two by three squares of one patch.
        let (order, ranges) = windows([2, 3], 1, 2);
        assert_eq!(order, [0, 1, 3, 4, 2, 5]);
        assert_eq!(ranges, [[0, 4], [0, 4], [0, 4], [0, 4], [4, 6], [4, 6]]);
    }

    #[test]
    fn positions_of_axes_are_added_row_by_row() {
        let table = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        assert_eq!(
            of_axes(&table, 3, 1, [2, 3]),
            [11.0, 12.0, 13.0, 21.0, 22.0, 23.0]
        );
    }

    #[test]
    fn halves_turn_by_column_and_then_by_row() {
        let found = rotations_in_halves(&[[0, 2]], 8);
        // Two pairs by the column, whose second one is slower by a root of the base, and two that stay.
        let expected = [2.0_f64, 0.2].map(|angle| [angle.cos() as f32, angle.sin() as f32]);
        assert_eq!(found[..4], expected.concat());
        assert_eq!(found[4..], [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn columns_may_turn_apart_from_rows() {
        let alike = patch_rotations(&[[3, 3]], 16, false);
        assert_eq!(alike[..8], alike[8..]);
        let apart = patch_rotations(&[[3, 3]], 16, true);
        assert_eq!(apart[..8], alike[..8]);
        // The first pair of the columns is the second one of a head whose pairs turn one after the other.
        let cos = (3.0 * 10_000.0_f64.powf(-2.0 / 16.0)).cos() as f32;
        assert!((apart[8] - cos).abs() < 1e-6);
    }

    #[test]
    fn corners_are_on_corners() {
        let table: Vec<f32> = (0..9).map(|v| v as f32).collect();
        let found = interpolated(&table, 3, 1, [2, 4], 2);
        // Squares of the first two columns, then of the last two.
        let thirds = 2.0 / 3.0;
        let expected = [
            0.0,
            thirds,
            6.0,
            6.0 + thirds,
            2.0 * thirds,
            2.0,
            6.0 + 2.0 * thirds,
            8.0,
        ];
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?}");
        }
        assert_eq!(interpolated(&table, 3, 1, [1, 1], 1), [0.0]);
    }
}
