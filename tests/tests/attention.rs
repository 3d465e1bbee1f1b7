//! RoPE, KV append and attention against f64 arithmetic, on every backend.

use hearth::Device;
use hearth::format::GgmlType;
use hearth::ops::words::read_f32;
use hearth::ops::{Attention, AttentionSpec, KvType, LayerCache, Ops, QkNorm};
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

/// RoPE, append and attention together, in three steps, against a direct computation in f64. The last step is
/// one token, whose attention is split into spans and merged by the projection behind it, here the identity.
#[test]
fn attention_matches_plain_arithmetic_on_every_backend() {
    let shapes = (
        1..4u32,
        1..11u32,
        1..24u32,
        1..300usize,
        1..20usize,
        any::<[bool; 8]>(),
        (0..3usize, 0..3usize),
    );
    for_all(
        32,
        shapes,
        |(kv, group, hd4, first, second, drawn, (norm, kept))| {
            let [
                neox,
                partial,
                bias,
                capped,
                windowed,
                causal,
                sinks,
                tempered,
            ] = drawn;
            let head_dim = 4 * hd4;
            let n_ctx = (first + second + 4) as u32;
            let spec = AttentionSpec {
                rope_pairs: if partial { hd4 } else { 2 * hd4 },
                neox,
                kv: [KvType::F32, KvType::F16, KvType::Q8][kept],
                bias,
                qk_norm: [QkNorm::None, QkNorm::Head, QkNorm::Row][norm],
                scale: 0.3,
                softcap: if capped { 1.5 } else { 0.0 },
                // (encoders have no windows)
                window: if windowed && causal { 1 + n_ctx / 3 } else { 0 },
                causal,
                sinks,
                temperature: if tempered { 0.7 } else { 0.0 },
                temperature_ctx: 1 + n_ctx / 4,
                ..attention(kv * group, kv, head_dim, n_ctx)
            };
            let (hd, nh, nkv) = (
                head_dim as usize,
                spec.n_heads as usize,
                spec.n_kv_heads as usize,
            );
            let cols = (nh + 2 * nkv) * hd;
            let n_ctx = spec.n_ctx as usize;
            let pairs = spec.rope_pairs as usize;
            let angles = values(77, n_ctx * pairs);
            let rope: Vec<f32> = (angles.iter())
                .flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()])
                .collect();
            let all = values(13, (first + second + 1) * cols);
            let extras = values(14, spec.extras().max(1));
            let steps = [first, first + second, first + second + 1];
            let expected = reference_attention(&all, &rope, &extras, &steps, spec);
            let run = |device: &Device| {
                let ops = Ops::new(&device.burn, tuning(1));
                let rope = tensor(device, &rope, [1, rope.len()]);
                let extras = tensor(device, &extras, [1, extras.len()]);
                let one = || ops.alloc_kv(nkv * n_ctx, hd, spec.kv);
                let mut cache = LayerCache::new(one(), one());
                let attention = Attention { spec, rope, extras };
                let mut out = Vec::new();
                for (pos, n) in [(0, first), (first, second)] {
                    let qkv = tensor(device, &all[pos * cols..(pos + n) * cols], [n, cols]);
                    let state = live(&ops, pos, n);
                    let q = ops.rope_append(qkv, &attention, &state, &mut cache);
                    let a = ops.attention(q, &cache, &state, &attention);
                    out.extend(block_on(read_f32(&a)).unwrap());
                }
                let pos = first + second;
                let qkv = tensor(device, &all[pos * cols..], [1, cols]);
                let state = live(&ops, pos, 1);
                let q = ops.rope_append(qkv, &attention, &state, &mut cache);
                let width = nh * hd;
                let before = values(3, width);
                let y = ops.attention_linear_add(
                    q,
                    &cache,
                    &identity(width).upload(&ops, width),
                    &state,
                    tensor(device, &before, [1, width]),
                    &attention,
                );
                let y = block_on(read_f32(&y)).unwrap();
                out.extend(y.iter().zip(&before).map(|(y, before)| y - before));
                // f16 has 11 bits, a byte 8 with its sign; values in the cache are of the order of 2.
                let tolerance = [2e-5, 2e-3, 2e-2][kept];
                assert_close("attention", &out, &expected, tolerance);
            };
            run(&cpu());
            if let Some(gpu) = gpu() {
                run(gpu);
            }
        },
    );
}

/// The identity as an f32 weight.
fn identity(width: usize) -> Packed {
    let one = 1.0f32.to_bits();
    let words = (0..width * width).map(|i| if i % (width + 1) == 0 { one } else { 0 });
    Packed {
        quants: words.collect(),
        ..Packed::new(GgmlType::F32, 1, width, width)
    }
}

/// q, k and v with their bias, queries and keys normed, in f64.
fn prepared(all: &[f32], extras: &[f32], spec: AttentionSpec) -> Vec<f64> {
    let hd = spec.head_dim as usize;
    let (q, k) = (spec.n_heads as usize * hd, spec.n_kv_heads as usize * hd);
    let cols = q + 2 * k;
    let (bias, weights) = extras.split_at(if spec.bias { cols } else { 0 });
    let mut out = Vec::new();
    for row in all.chunks_exact(cols) {
        let mut row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
        for (v, b) in row.iter_mut().zip(bias) {
            *v += f64::from(*b);
        }
        let (widths, k_weights) = match spec.qk_norm {
            QkNorm::None => ([0, 0], 0),
            QkNorm::Head => ([hd, hd], hd),
            QkNorm::Row => ([q, k], q),
        };
        let (queries, rest) = row.split_at_mut(q);
        for ((part, width), weights) in [(queries, widths[0]), (&mut rest[..k], widths[1])]
            .into_iter()
            .zip([weights, &weights[k_weights.min(weights.len())..]])
        {
            for group in part.chunks_exact_mut(width.max(1)).filter(|_| width > 0) {
                let mean = group.iter().map(|v| v * v).sum::<f64>() / width as f64;
                let scale = 1.0 / (mean + f64::from(spec.eps)).sqrt();
                for (v, w) in group.iter_mut().zip(weights) {
                    *v *= scale * f64::from(*w);
                }
            }
        }
        out.extend(row);
    }
    out
}

/// `steps`: where each of the steps that the tokens come in ends.
fn reference_attention(
    all: &[f32],
    rope: &[f32],
    extras: &[f32],
    steps: &[usize],
    spec: AttentionSpec,
) -> Vec<f32> {
    let all = prepared(all, extras, spec);
    let (hd, nh, nkv) = (
        spec.head_dim as usize,
        spec.n_heads as usize,
        spec.n_kv_heads as usize,
    );
    let pairs = spec.rope_pairs as usize;
    let cols = (nh + 2 * nkv) * hd;
    let head = |t: usize, h: usize, rotate: bool| -> Vec<f64> {
        let at = t * cols + h * hd;
        let x = &all[at..at + hd];
        let mut y = x.to_vec();
        if rotate {
            for i in 0..pairs {
                let (a, b) = if spec.neox {
                    (i, i + pairs)
                } else {
                    (2 * i, 2 * i + 1)
                };
                let cos = f64::from(rope[(t * pairs + i) * 2]);
                let sin = f64::from(rope[(t * pairs + i) * 2 + 1]);
                y[a] = x[a] * cos - x[b] * sin;
                y[b] = x[a] * sin + x[b] * cos;
            }
        }
        y
    };
    let tokens = all.len() / cols;
    let mut out = Vec::new();
    for t in 0..tokens {
        for h in 0..nh {
            let g = h / (nh / nkv);
            let times = t / spec.temperature_ctx as usize;
            let grown = 1.0 + f64::from(spec.temperature) * (1.0 + times as f64).ln();
            let q = head(t, h, true).into_iter().map(|v| v * grown);
            let q: Vec<f64> = q.collect();
            let seen = match spec.window as usize {
                0 => 0,
                window => (t + 1).saturating_sub(window),
            };
            let step = steps.iter().find(|end| t < **end).copied();
            let end = if spec.causal { t + 1 } else { step.unwrap() };
            let scores: Vec<f64> = (seen..end)
                .map(|j| {
                    let k = head(j, nh + g, true);
                    let dot: f64 = q.iter().zip(&k).map(|(a, b)| a * b).sum();
                    let (score, cap) = (dot * f64::from(spec.scale), f64::from(spec.softcap));
                    if cap > 0.0 {
                        cap * (score / cap).tanh()
                    } else {
                        score
                    }
                })
                .collect();
            let top = scores.iter().fold(f64::MIN, |m, s| m.max(*s));
            let mut sum: f64 = scores.iter().map(|s| (s - top).exp()).sum();
            if spec.sinks {
                let sink = f64::from(extras[extras.len() - nh + h]);
                sum += (sink - top).exp();
            }
            let mut o = vec![0.0; hd];
            for (j, s) in scores.iter().enumerate() {
                for (o, v) in o.iter_mut().zip(head(seen + j, nh + nkv + g, false)) {
                    *o += (s - top).exp() / sum * v;
                }
            }
            out.extend(o.iter().map(|v| *v as f32));
        }
    }
    out
}
