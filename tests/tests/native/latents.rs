//! Attention over latents: what is done around it and the attention itself, on both backends against f64 arithmetic over odd
//! shapes.

use hearth::Device;
use hearth::ops::attention::latent::{HeadColumns, HeadRoutes, JoinSpec};
use hearth::ops::buffer::read_f32;
use hearth::ops::{Arithmetic, Ops, Tuning};
use hearth_modelfile::layer_spec::LatentShape;
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

#[test]
fn columns_of_heads_are_taken_exactly() {
    // Heads, tokens; in fours: the columns before those that are taken, these, and those behind.
    let shapes = (1..33usize, 1..20usize, 0..40usize, 1..140usize, 0..40usize);
    for_all(12, shapes, |(heads, t, before, taken, behind)| {
        let [first, cols, width] = [before, taken, before + taken + behind].map(|n| 4 * n);
        let spec = HeadColumns {
            heads,
            width,
            first,
            cols,
        };
        let x = values(1, t * heads * width);
        let expected: Vec<f32> = (x.chunks_exact(width))
            .flat_map(|head| &head[first..first + cols])
            .copied()
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let y = ops.head_columns(&tensor(device, &x, [t, heads * width]), spec);
            assert_eq!(y.dims(), [t * heads, cols]);
            assert_eq!(block_on(read_f32(&y)).unwrap(), expected, "{spec:?}");
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

/// Returns what the join of tokens makes, in f64.
fn joined(spec: JoinSpec, q: &[f32], a: &[f32], kv: &[f32], weight: &[f32]) -> Vec<f32> {
    let (shape, heads) = (spec.shape, spec.heads);
    let mut all = Vec::new();
    for (t, token) in kv.chunks_exact(shape.kept()).enumerate() {
        for head in t * heads..(t + 1) * heads {
            all.extend(&q[head * shape.query() + shape.plain..(head + 1) * shape.query()]);
            all.extend(&a[head * shape.rank..(head + 1) * shape.rank]);
        }
        let (latent, key) = token.split_at(shape.rank);
        all.extend(key);
        let squares: f64 = latent.iter().map(|v| f64::from(*v).powi(2)).sum();
        let scale = 1.0 / (squares / shape.rank as f64 + f64::from(spec.eps)).sqrt();
        let normed = latent.iter().zip(weight);
        all.extend(normed.map(|(v, w)| (f64::from(*v) * scale * f64::from(*w)) as f32));
    }
    all
}

#[test]
fn latents_are_joined_with_what_rotates_on_every_backend() {
    let errors = Errors::default();
    // Heads, tokens; in fours: a query's columns that do not rotate, those that do, those of a latent.
    let shapes = (1..33usize, 1..20usize, 1..50usize, 1..20usize, 1..129usize);
    for_all(12, shapes, |(heads, t, plain, rotated, rank)| {
        let shape = LatentShape {
            query_rank: 0,
            rank: 4 * rank,
            plain: 4 * plain,
            rotated: 4 * rotated,
            // (the join does not read it)
            value: 12,
        };
        let eps = 1e-5;
        let spec = JoinSpec { heads, shape, eps };
        let q = values(1, t * heads * shape.query());
        let a = values(2, t * heads * shape.rank);
        let mut kv = values(3, t * shape.kept());
        // Tokens of other sizes, the first so small that its epsilon counts.
        for (t, token) in kv.chunks_exact_mut(shape.kept()).enumerate() {
            token
                .iter_mut()
                .for_each(|v| *v *= 0.01 * (1 + 40 * t) as f32);
        }
        let weight = values(4, shape.rank);
        let expected = joined(spec, &q, &a, &kv, &weight);
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let y = ops.join_latent(
                &tensor(device, &q, [t, heads * shape.query()]),
                &tensor(device, &a, [t * heads, shape.rank]),
                &tensor(device, &kv, [t, shape.kept()]),
                &tensor(device, &weight, [1, shape.rank]),
                spec,
            );
            assert_eq!(y.dims(), [t, (heads + 1) * shape.kept()]);
            let found = block_on(read_f32(&y)).unwrap();
            // Token by token, so that a large one does not hide the errors of a small one.
            let cols = (heads + 1) * shape.kept();
            for (found, expected) in found.chunks_exact(cols).zip(expected.chunks_exact(cols)) {
                errors.check((device, "join"), &spec, (found, expected), 6e-7);
                let copied = heads * shape.kept() + shape.rotated;
                assert_eq!(found[..copied], expected[..copied], "{spec:?}");
            }
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

/// Each head's rows by that head's matrix: slot by slot, and by head in tiles of floats or integers.
#[test]
fn each_head_has_a_matrix_of_its_own() {
    // Type, heads; rows of a head in fours, blocks; whether in tiles; arithmetic.
    let shapes = (
        (0..12usize, 1..24usize),
        (1..20usize, 1..4usize),
        any::<bool>(),
        0..3usize,
    );
    for_all(
        6,
        shapes,
        |((dtype, heads), (rows4, blocks), tiles, drawn)| {
            let (rows, cols) = (4 * rows4, columns(DTYPES[dtype], blocks));
            let packed = Packed::new(DTYPES[dtype], 3, heads * rows, cols);
            let dense = packed.dense();
            let tuning = Tuning {
                shared_tile: tiles,
                arithmetic: ARITHMETIC[drawn],
                ..tuning([1, 4, 16][drawn])
            };
            let run = |device: &Device, tolerance: f32| {
                let ops = Ops::new(&device.handle, tuning);
                let routes = HeadRoutes::new(heads);
                // One after the other, more numbers of tokens than are kept, the first of them once more.
                for t in [3, 1, 30, 8, 2, 3] {
                    let x = values(t as u64, t * heads * cols);
                    let expected: Vec<f32> = (0..t * heads * rows)
                        .map(|i| {
                            let (slot, r) = (i / rows, i % rows);
                            let row = &dense[(slot % heads * rows + r) * cols..][..cols];
                            let products = row.iter().zip(&x[slot * cols..]);
                            let sum: f64 =
                                products.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                            sum as f32
                        })
                        .collect();
                    let state = live(&ops, 5, t);
                    let routes = ops.head_routes(&routes, t, &state);
                    if device.is_gpu() {
                        assert_eq!(routes.is_grouped(), tiles && t >= 24, "{t} tokens");
                    }
                    let weight = packed.upload(&ops, heads.div_ceil(3) * rows);
                    let x = tensor(device, &x, [t * heads, cols]);
                    let y = ops.routed_linear(&x, &[&weight], &routes, &state);
                    assert_close(
                        "heads",
                        &block_on(read_f32(&y)).unwrap(),
                        &expected,
                        tolerance,
                    );
                }
            };
            run(&cpu(), 1e-4);
            if let Some(gpu) = gpu() {
                let integers = tiles && tuning.arithmetic == Arithmetic::I15;
                run(gpu, if integers { 1.5e-4 } else { 1e-5 });
            }
        },
    );
}
