//! Projections on both backends against sums in f64. All kernels, by weight type, arithmetic and lanes, are
//! enumerated, so that each has cases by construction; only shapes are drawn.

use hearth::Device;
use hearth::ops::buffer::read_f32;
use hearth::ops::{Activation, Arithmetic, Ops, Shapes, TileShape, Tuning};
use hearth_modelfile::quant::Packing;
use hearth_tests::kernels::*;
use pollster::block_on;

use crate::kernels::reference;

/// A projection of `n` tokens: the weight's type and shape, and the tuning.
#[derive(Debug, Clone, Copy)]
struct Linear {
    /// The type's place in [`DTYPES`].
    dtype: usize,
    rows: usize,
    blocks: usize,
    n: usize,
    add: bool,
    /// Whether a bias is added, and followed by an activation where nothing is added to.
    biased: bool,
    /// Whether the weight is in two tensors.
    halves: bool,
    tuning: Tuning,
}

impl Linear {
    /// Draws case `number` of a kernel: one in three has several workgroups of one lane, another one in three a
    /// weight in two parts; one in two has more blocks than lanes, and a few of those more than a workgroup has
    /// threads.
    fn drawn(number: usize, dtype: usize, n: usize, tuning: Tuning) -> Self {
        let seed = |what: u64| 64 * number as u64 + what;
        let rows = if number.is_multiple_of(3) {
            260..420
        } else {
            1..150
        };
        let blocks = match number % 6 {
            0 | 4 => 17..41,
            // More than a workgroup has threads, each of which stages a block.
            2 => 65..80,
            _ => 1..17,
        };
        let rows = pick(seed(0), rows);
        Self {
            dtype,
            rows,
            blocks: pick(seed(1), blocks),
            n,
            add: pick(seed(2), 0..2) == 1,
            biased: pick(seed(3), 0..2) == 1 && (n > 1 || rows.is_multiple_of(4)),
            halves: number % 3 == 1,
            tuning,
        }
    }

    /// Whether integers are multiplied: in a step of one token, and in tiles through workgroup memory.
    fn is_integer(&self, packing: Packing) -> bool {
        use Packing::{Q4, Q4K, Q4S, Q6, Q8};
        let multiplies = match self.n {
            1 => matches!(packing, Q4 | Q4S | Q4K | Q8),
            n => {
                // (a step's tensors have whole eights of rows)
                let in_tiles = self.tuning.shared_tile && n > 16;
                in_tiles && matches!(packing, Q4 | Q4S | Q4K | Q6 | Q8)
            }
        };
        multiplies && self.tuning.arithmetic == Arithmetic::I15
    }

    fn check(&self, errors: &Errors) {
        let Self {
            rows,
            n,
            add,
            biased,
            ..
        } = *self;
        let activation = (!add && n % 2 == 1).then_some(Activation::Gelu);
        let cols = columns(DTYPES[self.dtype], self.blocks);
        let packed = Packed::new(DTYPES[self.dtype], rows as u64, rows, cols);
        let t = if n == 1 { 1 } else { n.next_multiple_of(8) };
        let x = values(n as u64 + 99, t * cols);
        let before = values(5, t * rows);
        let bias = values(6, rows);
        let dense = packed.dense();
        let expected: Vec<f32> = (x.chunks_exact(cols).take(n))
            .flat_map(|x| dense.chunks_exact(cols).map(move |row| dot(row, x)))
            .zip(&before)
            .enumerate()
            .map(|(i, (sum, before))| {
                let biased = sum
                    + if biased {
                        f64::from(bias[i % rows])
                    } else {
                        0.0
                    };
                let sum = match activation.filter(|_| self.biased) {
                    Some(activation) => reference(activation, biased),
                    None => biased,
                };
                sum as f32 + if add { *before } else { 0.0 }
            })
            .collect();
        let parts = rows.div_ceil(if self.halves { 2 } else { 1 });
        let run = |device: &Device, what: &'static str, tolerance: f32| {
            let ops = Ops::new(&device.handle, self.tuning);
            let mut weight = packed.upload(&ops, parts);
            if biased {
                weight = weight.with_bias(tensor(device, &bias, [1, rows]), activation);
            }
            let state = live(&ops, 0, n);
            let x = tensor(device, &x, [t, cols]);
            let y = if add {
                ops.linear_add(&x, &weight, &state, tensor(device, &before, [t, rows]))
            } else {
                ops.linear(&x, &weight, &state)
            };
            let y = block_on(read_f32(&y)).unwrap();
            errors.check((device, what), self, (&y[..n * rows], &expected), tolerance);
        };
        run(&cpu(), "16 bit", 1e-4);
        if let Some(gpu) = gpu() {
            match self.is_integer(packed.packing) {
                true => run(gpu, "integers", 1.5e-4),
                false => run(gpu, "floats", 3e-6),
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}

/// Returns the widest tile instead of 16 lanes in every second case.
fn sometimes_64(lanes: u32, number: usize) -> u32 {
    match lanes {
        16 if number % 2 == 1 => 64,
        lanes => lanes,
    }
}

/// Decode: each type in each arithmetic that makes a difference for it, with each number of lanes.
#[test]
fn one_token_is_projected_by_every_kernel() {
    let errors = Errors::default();
    let kernels =
        (0..DTYPES.len()).flat_map(|dtype| arithmetics(dtype).into_iter().map(move |a| (dtype, a)));
    for (kernel, (dtype, arithmetic)) in kernels.enumerate() {
        for (way, (lanes, subgroups)) in ways().into_iter().enumerate() {
            let tuning = Tuning {
                subgroups,
                arithmetic,
                ..tuning(sometimes_64(lanes, kernel))
            };
            Linear::drawn(kernel + way, dtype, 1, tuning).check(&errors);
        }
    }
}

/// Projects a prompt's tokens, in register tiles, with the kernels of every third type from `first` on.
fn several_tokens(first: usize) {
    let errors = Errors::default();
    for dtype in (first..DTYPES.len()).step_by(3) {
        for (way, (lanes, subgroups)) in ways().into_iter().enumerate() {
            let tuning = Tuning {
                subgroups,
                ..tuning(lanes)
            };
            // (not the type alone: each test has a different third of the types)
            let number = dtype / 3 + dtype + way;
            let n = pick(number as u64, 2..20);
            Linear::drawn(number, dtype, n, tuning).check(&errors);
        }
    }
}

// Three tests: these kernels take the longest to compile.

#[test]
fn several_tokens_are_projected_by_every_kernel_from_f32_on() {
    several_tokens(0);
}

#[test]
fn several_tokens_are_projected_by_every_kernel_from_f16_on() {
    several_tokens(1);
}

#[test]
fn several_tokens_are_projected_by_every_kernel_from_bf16_on() {
    several_tokens(2);
}

/// Each type through workgroup memory, in tiles of 32 and of 64 tokens, and also steps that are too short for tiles.
#[test]
fn wide_tiles_match_plain_arithmetic_on_every_backend() {
    let errors = Errors::default();
    for number in 0..2 * DTYPES.len() {
        let tuning = Tuning {
            shared_tile: true,
            workgroup_bytes: (16 << 10) << (number / DTYPES.len()),
            ..tuning(1)
        };
        let n = pick(number as u64, 17..140);
        let mut linear = Linear::drawn(number, number % DTYPES.len(), n, tuning);
        linear.blocks = linear.blocks.div_ceil(4);
        linear.check(&errors);
    }
}

/// Returns choices that give every matrix one tile.
fn in_tiles(tile: TileShape) -> Shapes {
    Shapes {
        tile,
        few_rows_tile: tile,
        ..Shapes::alike(1, false)
    }
}

/// Compares every tile that a device may choose, as floats and as integers, for one storage type of each kind of block: plain
/// floats, halves, one scale and a minimum, one scale, two scales.
#[test]
fn tiles_of_every_shape_match_plain_arithmetic() {
    let errors = Errors::default();
    // F32, F16, Q4_0, Q8_0, Q6_K
    for (number, dtype) in [0, 1, 3, 5, 11].into_iter().enumerate() {
        for (at, tile) in TileShape::ALL.into_iter().enumerate() {
            for arithmetic in [Arithmetic::F32, Arithmetic::I15] {
                // (floats have no integers)
                if arithmetic == Arithmetic::I15 && dtype < 2 {
                    continue;
                }
                let tuning = Tuning {
                    shared_tile: true,
                    arithmetic,
                    shapes: in_tiles(tile),
                    workgroup_bytes: 32 << 10,
                    ..tuning(1)
                };
                let seed = 8 * number + at;
                let n = pick(seed as u64, 17..140);
                let mut linear = Linear::drawn(seed, dtype, n, tuning);
                linear.blocks = linear.blocks.div_ceil(4);
                linear.check(&errors);
            }
        }
    }
}

/// Compares tiles of integers: each packing whose bytes they take, a step of so few tokens that there are no tiles,
/// and a packing that is multiplied as floats.
#[test]
fn wide_tiles_of_integers_match_plain_arithmetic() {
    let errors = Errors::default();
    // Q4_0, Q4_1, Q8_0, Q6_K, Q5_1
    for (number, dtype) in [3, 4, 5, 11, 3, 5, 11, 4, 10, 11].into_iter().enumerate() {
        let tuning = Tuning {
            shared_tile: true,
            arithmetic: Arithmetic::I15,
            workgroup_bytes: (16 << 10) << (number % 2),
            ..tuning(1)
        };
        let n = match number {
            9 => 14,
            _ => pick(number as u64, 17..140),
        };
        let mut linear = Linear::drawn(number, dtype, n, tuning);
        linear.blocks = linear.blocks.div_ceil(4);
        linear.check(&errors);
    }
}

/// A vocabulary slightly larger than Gemma's: with 64 lanes that takes more workgroups than the 65,535 that a grid
/// may have in one dimension.
#[test]
fn a_large_vocabulary_needs_more_than_a_row_of_workgroups() {
    Linear {
        dtype: 5, // Q8_0
        rows: 4 * 65_537 + 1,
        blocks: 1,
        n: 1,
        add: false,
        biased: false,
        halves: false,
        tuning: tuning(64),
    }
    .check(&Errors::default());
}

/// A projection with what decode fuses around it: the norm of the step's last token before it, the gate after it.
#[derive(Debug)]
struct Fused {
    dtype: usize,
    d_ff: usize,
    blocks: usize,
    /// Number of tokens, of which the last one counts.
    n: usize,
    activation: Activation,
    tuning: Tuning,
}

impl Fused {
    fn check(&self, errors: &Errors) {
        let (d_ff, n) = (self.d_ff, self.n);
        let cols = columns(DTYPES[self.dtype], self.blocks);
        let rows = 2 * d_ff;
        let packed = Packed::new(DTYPES[self.dtype], rows as u64, rows, cols);
        let (x, norm) = (values(n as u64 + 9, n * cols), values(4, cols));
        let eps = 1e-5f32; // of `rms`
        let last = &x[(n - 1) * cols..];
        let mean = last.iter().map(|v| f64::from(v * v)).sum::<f64>() / cols as f64;
        let scale = 1.0 / (mean + f64::from(eps)).sqrt();
        let scaled: Vec<f64> = (last.iter().zip(&norm))
            .map(|(x, norm)| f64::from(*x) * f64::from(*norm) * scale)
            .collect();
        let dense = packed.dense();
        let product: Vec<f64> = (dense.chunks_exact(cols))
            .map(|row| {
                row.iter()
                    .zip(&scaled)
                    .map(|(w, x)| f64::from(*w) * x)
                    .sum()
            })
            .collect();
        let gated: Vec<f32> = (product[..d_ff].iter().zip(&product[d_ff..]))
            .map(|(gate, up)| (reference(self.activation, *gate) * up) as f32)
            .collect();
        let product: Vec<f32> = product.iter().map(|v| *v as f32).collect();
        let integers =
            self.tuning.arithmetic == Arithmetic::I15 && arithmetics(self.dtype).len() > 1;
        // If the norm does not fit into workgroup memory, it is a separate launch.
        let fits = self.tuning.workgroup_bytes > 0;
        let run = |device: &Device, what: [&'static str; 2], tolerance: [f32; 2]| {
            let ops = Ops::new(&device.handle, self.tuning);
            let state = live(&ops, 0, n);
            let upload = |x: &[f32]| tensor(device, x, [x.len() / cols, cols]);
            let norm = rms(upload(&norm));
            let halves = packed.upload(&ops, rows.div_ceil(2));
            let y = ops.norm_linear_last(&upload(&x), &norm, &halves, &state);
            let y = block_on(read_f32(&y)).unwrap();
            errors.check((device, what[0]), self, (&y, &product), tolerance[0]);

            let state = live(&ops, 0, 1);
            let whole = packed.upload(&ops, rows);
            for (weight, launches) in [(&whole, 1), (&halves, 3)] {
                let before = ops.dispatches();
                let y = ops.norm_gated(&upload(last), Some(&norm), weight, &state, self.activation);
                if fits {
                    assert_eq!(ops.dispatches() - before, launches);
                }
                let y = block_on(read_f32(&y)).unwrap();
                errors.check((device, what[1]), self, (&y, &gated), tolerance[1]);
            }
        };
        run(&cpu(), ["16 bit", "16 bit, gated"], [2e-4, 1e-3]);
        if let Some(gpu) = gpu() {
            match integers {
                true => run(gpu, ["integers", "integers, gated"], [4e-4, 1.5e-3]),
                false => run(gpu, ["floats", "floats, gated"], [3e-6, 3e-6]),
            }
        }
    }
}

/// Runs the fused projections with every second type from `first` on: types for which the arithmetic makes a
/// difference with each number of lanes, the others with one.
fn fused(first: usize) {
    let errors = Errors::default();
    let ways = ways();
    for dtype in (first..DTYPES.len()).step_by(2) {
        let kernels = arithmetics(dtype);
        let some = if kernels.len() > 1 { ways.len() } else { 1 };
        for (kernel, arithmetic) in kernels.into_iter().enumerate() {
            for way in 0..some {
                let (lanes, subgroups) = ways[(dtype + way) % ways.len()];
                let seed = |what: usize| (64 * (9 * dtype + 3 * kernel + way) + what) as u64;
                Fused {
                    dtype,
                    d_ff: 4 * pick(seed(0), 1..50),
                    blocks: pick(seed(1), 1..41),
                    n: pick(seed(2), 1..4),
                    activation: GLU[(kernel + way) % GLU.len()],
                    tuning: Tuning {
                        subgroups,
                        arithmetic,
                        // For one type of floats and one of blocks, too little workgroup memory for the norm.
                        workgroup_bytes: if [1, 10].contains(&dtype) {
                            0
                        } else {
                            16 << 10
                        },
                        ..tuning(sometimes_64(lanes, kernel + dtype / 2))
                    },
                }
                .check(&errors);
            }
        }
    }
}

// Two tests, so that two cores have something to compile.

#[test]
fn fused_projections_match_plain_arithmetic_for_even_types() {
    fused(0);
}

#[test]
fn fused_projections_match_plain_arithmetic_for_odd_types() {
    fused(1);
}

/// Gated activations, except gpt-oss's, whose experts have separate gates.
const GLU: [Activation; 3] = [Activation::Silu, Activation::Gelu, Activation::GeluErf];
