//! Recurrent layers: their ops on both backends against plain f64 arithmetic, however a sequence is cut into steps, and
//! engines whose sequences go back to earlier positions.

use burn::tensor::Tensor;
use hearth::Device;
use hearth::ops::Ops;
use hearth::ops::buffer::read_f32;
use hearth::ops::in_place::InPlace;
use hearth::ops::recurrent::conv::ConvSpec;
use hearth::ops::recurrent::gated_norm::GatedNormSpec;
use hearth::ops::recurrent::{DeltaNet, Scan};
use hearth_modelfile::layer_spec::{DeltaShape, HISTORY, MambaShape};
use hearth_tests::kernels::*;
use pollster::block_on;

/// A step of `n` tokens in `rows` rows, of which the first `kept` turn out right.
#[derive(Clone, Copy)]
struct Step {
    rows: usize,
    n: usize,
    kept: usize,
}

/// Returns steps of every kind: tokens one by one, chunks shorter and longer than the history, drafts of which 0 to all
/// are right.
fn steps(seed: u64) -> Vec<Step> {
    let mut steps: Vec<Step> = [1, 2, 3, 7, 1, 37, 1, 16, 17, 20, 1, 1]
        .map(|n| Step {
            rows: if n == 1 { 1 } else { n },
            n,
            kept: n,
        })
        .into();
    for kept in 1..=8 {
        let n = pick(seed + kept as u64, kept..9);
        steps.push(Step { rows: 8, n, kept });
        if kept % 3 == 0 {
            steps.push(Step {
                rows: 1,
                n: 1,
                kept: 1,
            });
        }
    }
    steps.push(Step {
        rows: 24,
        n: 21,
        kept: 21,
    });
    steps
}

/// Runs `run(position, inputs, rows, n)` over steps whose inputs are `width` values a token, wrong ones after those kept;
/// returns the inputs that were kept, and their outputs of `out` values each.
fn sequence(
    seed: u64,
    width: usize,
    out: usize,
    mut run: impl FnMut(usize, Vec<f32>, usize, usize) -> Vec<f32>,
) -> (Vec<f32>, Vec<f32>) {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut position = 0;
    for (i, step) in steps(seed).into_iter().enumerate() {
        let x = values(seed * 100 + i as u64, step.rows * width);
        inputs.extend_from_slice(&x[..step.kept * width]);
        let y = run(position, x, step.rows, step.n);
        outputs.extend_from_slice(&y[..step.kept * out]);
        position += step.kept;
    }
    (inputs, outputs)
}

/// Convolves a whole sequence with its beginning: `inputs`: [n, channels], `weight`: [taps, channels].
fn convolved(inputs: &[f64], weight: &[f32], channels: usize) -> Vec<f64> {
    let taps = weight.len() / channels;
    let n = inputs.len() / channels;
    let of = |t: usize, c: usize| {
        let terms = (0..taps).filter(|i| t + i + 1 >= taps).map(|i| {
            f64::from(weight[i * channels + c]) * inputs[(t + i + 1 - taps) * channels + c]
        });
        terms.sum()
    };
    (0..n * channels)
        .map(|i| of(i / channels, i % channels))
        .collect()
}

fn silu(v: f64) -> f64 {
    v / (1.0 + (-v).exp())
}

#[test]
fn convolutions_do_not_depend_on_the_steps() {
    for (seed, channels, taps, gated, bias) in [
        (1, 4, 3, true, false),
        (2, 260, 3, true, false),
        (3, 36, 4, false, false),
        (4, 8, 1, false, true),
        (5, 24, 9, true, false),
        (6, 300, 7, false, true),
    ] {
        let stride = if gated { 3 * channels } else { channels + 12 };
        let first = if bias { 8 } else { 0 };
        let spec = ConvSpec {
            channels,
            taps,
            stride,
            first,
            gated,
            bias,
        };
        let all = values(seed + 50, (taps + usize::from(bias)) * channels);
        let (weight, added) = all.split_at(taps * channels);
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let w = tensor(device, &all, [1, all.len()]);
            // The history before the first token must not matter.
            let garbage = values(9, HISTORY * channels);
            let mut history = InPlace::new(tensor(device, &garbage, [1, HISTORY * channels]));
            let (u, y) = sequence(seed, stride, channels, |position, u, rows, n| {
                let u = tensor(device, &u, [rows, stride]);
                let y = ops.conv(&u, &w, &live(&ops, position, n), &mut history, spec);
                block_on(read_f32(&y)).unwrap()
            });
            let at = |t: usize, c: usize| f64::from(u[t * stride + c]);
            let n = u.len() / stride;
            let inputs: Vec<f64> = (0..n * channels)
                .map(|i| match (i / channels, i % channels) {
                    (t, c) if gated => at(t, c) * at(t, 2 * channels + c),
                    (t, c) => at(t, first + c),
                })
                .collect();
            let expected: Vec<f32> = (convolved(&inputs, weight, channels).into_iter().enumerate())
                .map(|(i, sum)| match gated {
                    true => (sum * at(i / channels, channels + i % channels)) as f32,
                    false => {
                        let added = added.get(i % channels).copied().unwrap_or(0.0);
                        silu(sum + f64::from(added)) as f32
                    }
                })
                .collect();
            assert_close("conv", &y, &expected, 1e-6);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    }
}

/// Computes the rule in f64 over a whole sequence: `c`: [n, channels], `u`: [n, columns].
fn delta_rule(c: &[f32], u: &[f32], params: &[f32], shape: DeltaShape) -> Vec<f32> {
    let (d, heads) = (shape.head_dim, shape.value_heads);
    let mut s = vec![0.0f64; shape.state()];
    let mut out = Vec::new();
    let rows = c
        .chunks_exact(shape.channels())
        .zip(u.chunks_exact(shape.columns()));
    for (c, u) in rows {
        let head = |at: usize| {
            c[at..at + d]
                .iter()
                .map(|v| f64::from(*v))
                .collect::<Vec<_>>()
        };
        let normed = |x: Vec<f64>| {
            let norm = (x.iter().map(|v| v * v).sum::<f64>() + 1e-6).sqrt();
            x.into_iter().map(|v| v / norm).collect::<Vec<_>>()
        };
        for j in 0..heads {
            let i = match shape.grouped {
                true => j / (heads / shape.key_heads),
                false => j % shape.key_heads,
            };
            let q = normed(head(i * d));
            let k = normed(head((shape.key_heads + i) * d));
            let v = head((2 * shape.key_heads + j) * d);
            let [b, a] = [2 * heads, heads].map(|back| f64::from(u[u.len() - back + j]));
            let beta = 1.0 / (1.0 + (-b).exp());
            let step = (a + f64::from(params[heads + j])).exp().ln_1p();
            let decay = (f64::from(params[j]) * step).exp();
            for (row, v) in s[j * d * d..].chunks_exact_mut(d).zip(v) {
                row.iter_mut().for_each(|s| *s *= decay);
                let known: f64 = row.iter().zip(&k).map(|(s, k)| s * k).sum();
                let by = beta * (v - known);
                row.iter_mut().zip(&k).for_each(|(s, k)| *s += by * k);
                let o: f64 = row.iter().zip(&q).map(|(s, q)| s * q).sum();
                out.push((o / (d as f64).sqrt()) as f32);
            }
        }
    }
    out
}

#[test]
fn the_delta_rule_does_not_depend_on_the_steps() {
    for (seed, key_heads, value_heads, head_dim, grouped) in [
        (1, 2, 4, 16, false),
        (2, 2, 4, 32, true),
        (3, 4, 4, 48, false),
        (4, 1, 8, 128, true),
        (5, 2, 4, 256, false),
    ] {
        let shape = DeltaShape {
            key_heads,
            value_heads,
            head_dim,
            taps: 4,
            grouped,
        };
        let (channels, columns) = (shape.channels(), shape.columns());
        let mut params: Vec<f32> = values(seed + 70, 2 * value_heads + head_dim);
        params[..value_heads].iter_mut().for_each(|a| *a = -a.abs());
        let taps = values(seed + 80, shape.taps * channels);
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let net = DeltaNet {
                shape,
                taps: tensor(device, &taps, [1, taps.len()]),
                params: tensor(device, &params, [1, params.len()]),
                norm: tensor(device, &params[2 * value_heads..], [1, head_dim]),
                eps: 1e-6,
            };
            // History and matrices before the first token must not matter.
            let at = shape.offsets();
            let mut garbage = vec![7.0; at.end];
            garbage[at.updates..].fill(0.0);
            let mut state = InPlace::new(tensor(device, &garbage, [1, at.end]));
            let (u, o) = sequence(seed, columns, shape.value_dim(), |position, u, rows, n| {
                let u: Vec<f32> = u.iter().map(|v| 3.0 * v).collect();
                let u = tensor(device, &u, [rows, columns]);
                let step = live(&ops, position, n);
                let o = ops.delta(&u, &net, &step, &mut state, false);
                block_on(read_f32(&o)).unwrap()
            });
            let u: Vec<f32> = u.iter().map(|v| 3.0 * v).collect();
            let inputs = u.chunks_exact(columns).flat_map(|row| &row[..channels]);
            let inputs: Vec<f64> = inputs.map(|v| f64::from(*v)).collect();
            let c = convolved(&inputs, &taps, channels).into_iter();
            let c: Vec<f32> = c.map(|v| silu(v) as f32).collect();
            let expected = delta_rule(&c, &u, &params, shape);
            assert_close("delta", &o, &expected, 2e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    }
}

/// Computes the scan in f64 over a whole sequence: `c`: [n, channels], `u`: [n, columns].
fn selective_scan(c: &[f32], u: &[f32], params: &[f32], shape: MambaShape) -> Vec<f32> {
    let (d, wide, heads) = (shape.head_dim, shape.state_dim, shape.heads);
    let param = |at: usize| f64::from(params[at]);
    let mut s = vec![0.0f64; shape.state()];
    let mut out = Vec::new();
    let rows = c
        .chunks_exact(shape.channels())
        .zip(u.chunks_exact(shape.columns()));
    for (c, u) in rows {
        let c = |at: usize| f64::from(c[at]);
        for row in 0..heads * d {
            let j = row / d;
            let b = heads * d + j / (heads / shape.groups) * wide;
            let a = param(3 * heads + 1) * f64::from(u[u.len() - heads + j]);
            let dt = (a + param(heads + j)).exp().ln_1p();
            let decay = (param(j) * dt).exp();
            let mut sum = param(2 * heads + j) * c(row);
            for (n, s) in s[row * wide..][..wide].iter_mut().enumerate() {
                *s = decay * *s + dt * c(row) * c(b + n);
                sum += *s * c(b + shape.groups * wide + n);
            }
            out.push((sum * silu(param(3 * heads) * f64::from(u[row]))) as f32);
        }
    }
    out
}

#[test]
fn the_selective_scan_does_not_depend_on_the_steps() {
    for (seed, heads, head_dim, groups, state_dim) in [
        (1, 4, 16, 1, 16),
        (2, 8, 32, 2, 48),
        (3, 12, 80, 4, 16),
        (4, 4, 64, 1, 128),
        (5, 4, 16, 4, 256),
    ] {
        let shape = MambaShape {
            heads,
            head_dim,
            groups,
            state_dim,
            taps: 4,
        };
        let (channels, columns, inner) = (shape.channels(), shape.columns(), shape.inner());
        let mut params: Vec<f32> = values(seed + 70, 3 * heads + 2);
        params[..heads].iter_mut().for_each(|a| *a = -a.abs());
        params[3 * heads..].copy_from_slice(&[0.8, 1.3]);
        let taps = values(seed + 80, (shape.taps + 1) * channels);
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let scan = Scan {
                shape,
                taps: tensor(device, &taps, [1, taps.len()]),
                params: tensor(device, &params, [1, params.len()]),
                norm: None,
            };
            // History and matrices before the first token must not matter.
            let at = shape.offsets();
            let mut garbage = vec![7.0; at.end];
            garbage[at.updates..].fill(0.0);
            let mut state = InPlace::new(tensor(device, &garbage, [1, at.end]));
            let (u, y) = sequence(seed, columns, inner, |position, u, rows, n| {
                let u: Vec<f32> = u.iter().map(|v| 3.0 * v).collect();
                let u = tensor(device, &u, [rows, columns]);
                let y = ops.scan(&u, &scan, &live(&ops, position, n), &mut state);
                block_on(read_f32(&y)).unwrap()
            });
            let u: Vec<f32> = u.iter().map(|v| 3.0 * v).collect();
            let inputs = u
                .chunks_exact(columns)
                .flat_map(|row| &row[inner..inner + channels]);
            let inputs: Vec<f64> = inputs.map(|v| f64::from(*v)).collect();
            let (taps, bias) = taps.split_at(shape.taps * channels);
            let c = convolved(&inputs, taps, channels).into_iter().enumerate();
            let c: Vec<f32> = c
                .map(|(i, v)| silu(v + f64::from(bias[i % channels])) as f32)
                .collect();
            let expected = selective_scan(&c, &u, &params, shape);
            assert_close("scan", &y, &expected, 2e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    }
}

#[test]
fn gated_norms_match_plain_arithmetic() {
    for (seed, heads, dim, t) in [(1, 1, 4, 1), (2, 3, 36, 5), (3, 2, 128, 9), (4, 5, 256, 2)] {
        let spec = GatedNormSpec {
            eps: 1e-3,
            head_dim: dim,
            columns: heads * dim + 20,
            first: 8,
        };
        let o = values(seed, t * heads * dim);
        let u: Vec<f32> = values(seed + 1, t * spec.columns)
            .iter()
            .map(|v| v * 9.0)
            .collect();
        let w = values(seed + 2, dim);
        let mut expected = Vec::new();
        for (i, head) in o.chunks_exact(dim).enumerate() {
            let square = head.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / dim as f64;
            for (c, v) in head.iter().enumerate() {
                let z = u[i / heads * spec.columns + spec.first + i % heads * dim + c];
                let v = f64::from(*v) / (square + f64::from(spec.eps)).sqrt() * f64::from(w[c]);
                expected.push((v * silu(f64::from(z))) as f32);
            }
        }
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let tensor =
                |v: &[f32], cols: usize| -> Tensor<2> { tensor(device, v, [v.len() / cols, cols]) };
            let (o, u, w) = (
                tensor(&o, heads * dim),
                tensor(&u, spec.columns),
                tensor(&w, dim),
            );
            let y = ops.gated_norm(&o, &u, &w, &live(&ops, 0, t), spec);
            assert_close(
                "gated_norm",
                &block_on(read_f32(&y)).unwrap(),
                &expected,
                1e-5,
            );
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    }
}
