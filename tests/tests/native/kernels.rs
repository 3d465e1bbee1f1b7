//! Every op except projections, attention and the sampler, on both backends against plain f64 arithmetic, over odd
//! shapes.
//!
//! The shapes are drawn by proptest with a fixed seed: the same cases on every machine.

use hearth::Device;
use hearth::ops::buffer::read_f32;
use hearth::ops::{Activation, Norm, NormSpec, Ops, state};
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

#[test]
fn embed_is_exact_on_every_backend() {
    let shapes = (0..12usize, 1..70usize, 1..4usize, 1..20usize);
    for_all(20, shapes, |(dtype, rows, blocks, n)| {
        let cols = columns(DTYPES[dtype], blocks);
        let packed = Packed::new(DTYPES[dtype], 3 + rows as u64, rows, cols);
        let ids: Vec<u32> = (0..n).map(|i| ((i * 31) % rows) as u32).collect();
        let dense = packed.dense();
        let expected: Vec<f32> = (ids.iter())
            .flat_map(|id| dense[*id as usize * cols..(*id as usize + 1) * cols].to_vec())
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let weight = packed.upload(&ops, rows.div_ceil(3));
            let words = [(state::POS, vec![0, n as u32]), (state::IDS, ids.clone())];
            let x = ops.embed(&weight, &state_with(&ops, &words), n);
            let y = block_on(read_f32(&x)).unwrap();
            assert_close("embed", &y, &expected, 1e-7);

            // Learned positions: rows pos .. pos + n of the same table are added.
            let (pos, n) = (rows / 3, n.min(rows - rows / 3));
            let state = live(&ops, pos, n);
            let y = block_on(read_f32(&ops.add_positions(&weight, &state, x))).unwrap();
            let sum: Vec<f32> = (expected.iter().zip(&dense[pos * cols..]))
                .map(|(a, b)| a + b)
                .collect();
            assert_close("add_positions", &y[..n * cols], &sum[..n * cols], 1e-6);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

#[test]
fn norms_match_plain_arithmetic_on_every_backend() {
    for_all(
        24,
        (1..300usize, 1..12usize, any::<[bool; 3]>()),
        |(cols4, n, [last, centred, add])| {
            let cols = 4 * cols4;
            let offset = if centred { 3.0 } else { 0.0 };
            let x: Vec<f32> = values(1, n * cols).iter().map(|x| x + offset).collect();
            let w = values(2, if centred { 2 * cols } else { cols });
            let eps = 1e-5;
            let before = values(3, n * cols);
            let row = |t: usize| {
                let x = &x[t * cols..(t + 1) * cols];
                let x = || x.iter().map(|v| f64::from(*v));
                let centre = if centred {
                    x().sum::<f64>() / cols as f64
                } else {
                    0.0
                };
                let mean = x().map(|v| (v - centre).powi(2)).sum::<f64>() / cols as f64;
                let scale = 1.0 / (mean + f64::from(eps)).sqrt();
                let normed = x().enumerate().map(|(c, x)| {
                    let bias = if centred { f64::from(w[cols + c]) } else { 0.0 };
                    ((x - centre) * scale * f64::from(w[c]) + bias) as f32
                });
                normed.collect::<Vec<_>>()
            };
            let mut expected: Vec<f32> = if last && !add {
                row(n - 1)
            } else {
                (0..n).flat_map(row).collect()
            };
            if add {
                expected.iter_mut().zip(&before).for_each(|(e, b)| *e += b);
            }
            let run = |device: &Device| {
                let ops = Ops::new(&device.handle, tuning(1));
                let x = tensor(device, &x, [n, cols]);
                let norm = Norm {
                    weight: tensor(device, &w, [1, w.len()]),
                    spec: NormSpec {
                        centred,
                        ..NormSpec::rms(eps)
                    },
                };
                let state = live(&ops, 0, n);
                let y = match add {
                    true => ops.norm_add(&x, &norm, &state, tensor(device, &before, [n, cols])),
                    false => ops.norm(&x, &norm, &state, last),
                };
                assert_close("norm", &block_on(read_f32(&y)).unwrap(), &expected, 1e-5);
            };
            run(&cpu());
            if let Some(gpu) = gpu() {
                run(gpu);
            }
        },
    );
}

#[test]
fn groups_of_columns_are_normed_added_and_scaled() {
    for_all(
        8,
        (1..80usize, 1..12usize, 1..7usize),
        |(cols4, n, groups)| {
            let cols = 4 * cols4;
            let x = values(1, n * groups * cols);
            let before = values(3, n * groups * cols);
            let mut w = values(2, cols + 4);
            w[cols] = 0.7;
            let rows = x.chunks_exact(cols).zip(before.chunks_exact(cols));
            let expected: Vec<f32> = rows
                .flat_map(|(x, before)| {
                    let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / cols as f64;
                    let scale = 1.0 / (mean + 1e-5).sqrt();
                    let all = x.iter().zip(before).zip(&w);
                    all.map(move |((x, before), w)| {
                        let sum = f64::from(*before) + f64::from(*x) * scale * f64::from(*w);
                        (sum * f64::from(0.7f32)) as f32
                    })
                })
                .collect();
            let run = |device: &Device| {
                let ops = Ops::new(&device.handle, tuning(1));
                let shape = [n, groups * cols];
                let norm = Norm {
                    weight: tensor(device, &w, [1, w.len()]),
                    spec: NormSpec {
                        scaled: true,
                        ..NormSpec::rms(1e-5)
                    },
                };
                let residual = tensor(device, &before, shape);
                let state = live(&ops, 0, n);
                let y = ops.norm_add(&tensor(device, &x, shape), &norm, &state, residual);
                let found = block_on(read_f32(&y)).unwrap();
                assert_close("norm of groups", &found, &expected, 1e-5);
            };
            run(&cpu());
            if let Some(gpu) = gpu() {
                run(gpu);
            }
        },
    );
}

/// As before the last projection of a selective scan: each group by itself, with weights of its own.
#[test]
fn groups_of_columns_are_normed_apart() {
    let all = (1..80usize, 1..12usize, 2..5usize, any::<bool>());
    for_all(8, all, |(cols4, n, groups, last)| {
        let cols = 4 * cols4;
        let x = values(1, n * groups * cols);
        let w = values(2, groups * cols);
        let normed = x.chunks_exact(cols).enumerate().flat_map(|(i, x)| {
            let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / cols as f64;
            let scale = 1.0 / (mean + 1e-5).sqrt();
            let w = &w[i % groups * cols..][..cols];
            let all = x.iter().zip(w);
            all.map(move |(x, w)| (f64::from(*x) * scale * f64::from(*w)) as f32)
        });
        let skipped = if last { (n - 1) * groups * cols } else { 0 };
        let expected: Vec<f32> = normed.skip(skipped).collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let norm = Norm {
                weight: tensor(device, &w, [1, w.len()]),
                spec: NormSpec {
                    groups,
                    ..NormSpec::rms(1e-5)
                },
            };
            let x = tensor(device, &x, [n, groups * cols]);
            let y = ops.norm(&x, &norm, &live(&ops, 0, n), last);
            let found = block_on(read_f32(&y)).unwrap();
            assert_close("norm of groups", &found, &expected, 1e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

#[test]
fn a_gate_is_applied_to_a_slice_of_another_tensor() {
    let all = (1..80usize, 1..12usize, 1..7usize, any::<u8>());
    for_all(8, all, |(cols4, t, slices, seed)| {
        let (cols, at) = (4 * cols4, seed as usize % slices);
        let gate = values(1, t * cols);
        let up = values(2, t * slices * cols);
        let expected: Vec<f32> = (0..t * cols)
            .map(|i| {
                let up = up[(i / cols * slices + at) * cols + i % cols];
                (reference(Activation::Gelu, f64::from(gate[i])) * f64::from(up)) as f32
            })
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let at = tensor(device, &[at as f32, 9.0, 9.0, 9.0], [1, 4]);
            let y = ops.gate_slice(
                &tensor(device, &gate, [t, cols]),
                &tensor(device, &up, [t, slices * cols]),
                &at,
                Activation::Gelu,
            );
            let found = block_on(read_f32(&y)).unwrap();
            assert_close("gate and slice", &found, &expected, 1e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

/// Computes activations in f64; erf by its series.
pub fn reference(activation: Activation, v: f64) -> f64 {
    let silu = |v: f64| v / (1.0 + (-v).exp());
    match activation {
        Activation::Silu | Activation::Clamped => silu(v),
        Activation::SquaredRelu => v.max(0.0).powi(2),
        Activation::QuickGelu => v / (1.0 + (-1.702 * v).exp()),
        Activation::Xielu => {
            let [alpha_p, alpha_n, beta, eps] = XIELU.map(f64::from);
            beta * v
                + match v > 0.0 {
                    true => alpha_p * v * v,
                    false => alpha_n * (v.min(eps).exp_m1() - v),
                }
        }
        Activation::Gelu => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v.powi(3));
            v / 2.0 * (1.0 + u.tanh())
        }
        Activation::GeluErf => {
            let x = v / 2f64.sqrt();
            let mut term = x;
            let mut sum = x;
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            let erf = 2.0 / std::f64::consts::PI.sqrt() * sum;
            v / 2.0 * (1.0 + if x.abs() > 4.0 { x.signum() } else { erf })
        }
    }
}

/// Parameters of xIELU: alpha_p, alpha_n, beta, eps; this one far larger than the usual, so that it counts.
const XIELU: [f32; 4] = [0.4, 1.2, 0.5, -0.125];

/// Activations that a bias may have behind it.
const BENT: [Activation; 6] = [
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluErf,
    Activation::SquaredRelu,
    Activation::QuickGelu,
    Activation::Xielu,
];

const ACTIVATIONS: [Activation; 6] = [
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluErf,
    Activation::Clamped,
    Activation::SquaredRelu,
    Activation::QuickGelu,
];

#[test]
fn gates_match_plain_arithmetic_on_every_backend() {
    let shapes = (1..200usize, 1..10usize, 0..ACTIVATIONS.len());
    for_all(24, shapes, |(d_ff4, t, drawn)| {
        let (d_ff, activation) = (4 * d_ff4, ACTIVATIONS[drawn]);
        let x: Vec<f32> = values(8, t * 2 * d_ff).iter().map(|v| v * 20.0).collect();
        let expected: Vec<f32> = (0..t * d_ff)
            .map(|i| {
                let (t, c) = (i / d_ff, i % d_ff);
                let gate = f64::from(x[t * 2 * d_ff + c]);
                let up = f64::from(x[t * 2 * d_ff + d_ff + c]);
                let gated = match activation {
                    Activation::Clamped => {
                        let g = gate.min(7.0);
                        (up.clamp(-7.0, 7.0) + 1.0) * g / (1.0 + (-1.702 * g).exp())
                    }
                    activation => reference(activation, gate) * up,
                };
                gated as f32
            })
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let y = ops.gate(tensor(device, &x, [t, 2 * d_ff]), activation);
            assert_close("gate", &block_on(read_f32(&y)).unwrap(), &expected, 1e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

#[test]
fn biases_match_plain_arithmetic_on_every_backend() {
    let shapes = (1..200usize, 1..10usize, 0..=BENT.len());
    for_all(28, shapes, |(cols4, n, drawn)| {
        let cols = 4 * cols4;
        let activation = BENT.get(drawn).copied();
        let x: Vec<f32> = values(8, n * cols).iter().map(|v| v * 4.0).collect();
        let bias = values(9, cols);
        let expected: Vec<f32> = (x.iter().enumerate())
            .map(|(i, x)| {
                let v = f64::from(*x) + f64::from(bias[i % cols]);
                activation.map_or(v, |activation| reference(activation, v)) as f32
            })
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let row = [&bias[..], &XIELU].concat();
            let bias = match activation {
                Some(Activation::Xielu) => tensor(device, &row, [1, row.len()]),
                _ => tensor(device, &bias, [1, cols]),
            };
            let y = tensor(device, &x, [n, cols]);
            let y = ops.bias(y, &bias, &live(&ops, 0, n), activation);
            assert_close("bias", &block_on(read_f32(&y)).unwrap(), &expected, 1e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}
