//! Ops on rows of pictures, on both backends against plain arithmetic.

use hearth::Device;
use hearth::ops::Ops;
use hearth::ops::buffer::read_f32;
use hearth::ops::inject::Place;
use hearth::ops::merge_rows::{MergeSpec, Merged};
use hearth_tests::kernels::*;
use pollster::block_on;

fn for_each_backend(run: impl Fn(&Device)) {
    run(&cpu());
    if let Some(gpu) = gpu() {
        run(gpu);
    }
}

/// Rows of pictures are written or added where they are wanted, and nowhere else.
#[test]
fn rows_are_injected_on_every_backend() {
    for_each_backend(|device| {
        let ops = Ops::new(&device.handle, tuning(1));
        for (t, cols, place) in [
            (1, 4, (0, 0, 1)),
            (5, 68, (2, 1, 3)),
            (70, 260, (0, 6, 64)),
            (9, 576, (3, 8, 1)),
        ] {
            let (from, to, n) = place;
            let (x, rows) = (values(3, t * cols), values(4, (from + n + 2) * cols));
            for add in [false, true] {
                let mut expected = x.clone();
                for (i, v) in rows[from * cols..(from + n) * cols].iter().enumerate() {
                    let at = to * cols + i;
                    expected[at] = if add { x[at] + v } else { *v };
                }
                let (x, rows) = (
                    tensor(device, &x, [t, cols]),
                    tensor(device, &rows, [from + n + 2, cols]),
                );
                let y = ops.inject(x, &rows, Place { from, to, n }, add);
                assert_eq!(
                    block_on(read_f32(&y)).unwrap(),
                    expected,
                    "{t} {cols} {add}"
                );
            }
        }
    });
}

/// Rows become one, side by side, column by column, or as their mean.
#[test]
fn rows_are_merged_on_every_backend() {
    for_each_backend(|device| {
        let ops = Ops::new(&device.handle, tuning(1));
        for (t, cols, rows, of) in [
            (4, 4, 1, 4),
            (36, 72, 4, 9),
            (64, 260, 16, 4),
            (7, 32, 7, 1),
            (27, 20, 3, 9),
        ] {
            let x = values(5, t * cols);
            // A permutation, so that no order passes by chance.
            let order: Vec<u32> = (0..rows * of).map(|i| ((7 * i + 3) % t) as u32).collect();
            for merged in [Merged::SideBySide, Merged::ByColumn, Merged::Mean] {
                let row = |at: usize| &x[order[at] as usize * cols..][..cols];
                let mut expected = Vec::new();
                for r in 0..rows {
                    match merged {
                        Merged::SideBySide => {
                            (0..of).for_each(|k| expected.extend_from_slice(row(r * of + k)));
                        }
                        Merged::ByColumn => (0..cols)
                            .for_each(|c| expected.extend((0..of).map(|k| row(r * of + k)[c]))),
                        Merged::Mean => expected.extend((0..cols).map(|c| {
                            let sum: f64 = (0..of).map(|k| f64::from(row(r * of + k)[c])).sum();
                            (sum / of as f64) as f32
                        })),
                    }
                }
                let y = ops.merge_rows(
                    &tensor(device, &x, [t, cols]),
                    order.clone(),
                    MergeSpec { rows, of, merged },
                );
                let found = block_on(read_f32(&y)).unwrap();
                assert_close("merge", &found[..expected.len()], &expected, 1e-5);
            }
        }
    });
}

/// Columns are multiplied, moved and kept within bounds.
#[test]
fn columns_are_mapped_on_every_backend() {
    for_each_backend(|device| {
        let ops = Ops::new(&device.handle, tuning(1));
        for (t, cols) in [(1, 4), (5, 68), (70, 260)] {
            let (x, factors, terms) = (values(3, t * cols), values(4, cols), values(5, cols));
            // Bounds that half of the values exceed, and none.
            let bound = |c: usize| {
                if c.is_multiple_of(3) {
                    f32::MAX
                } else {
                    0.1 + 0.01 * c as f32
                }
            };
            let (least, most): (Vec<f32>, Vec<f32>) =
                (0..cols).map(|c| (-bound(c), 0.5 * bound(c))).unzip();
            let expected: Vec<f32> = (x.iter().enumerate())
                .map(|(i, x)| {
                    let c = i % cols;
                    let y = f64::from(*x) * f64::from(factors[c]) + f64::from(terms[c]);
                    y.clamp(f64::from(least[c]), f64::from(most[c])) as f32
                })
                .collect();
            assert!(
                expected
                    .iter()
                    .enumerate()
                    .any(|(i, y)| *y == most[i % cols])
            );
            let columns = [factors, terms, least, most].concat();
            let y = ops.affine(
                &tensor(device, &x, [t, cols]),
                &tensor(device, &columns, [4, cols]),
            );
            assert_close("affine", &block_on(read_f32(&y)).unwrap(), &expected, 1e-6);
        }
    });
}
