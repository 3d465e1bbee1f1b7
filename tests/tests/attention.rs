//! RoPE, KV append and attention against f64 arithmetic, on every backend.

use hearth::Device;
use hearth::format::GgmlType;
use hearth::ops::words::read_f32;
use hearth::ops::{AttentionSpec, KvType, LayerCache, Ops};
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
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    for_all(
        24,
        shapes,
        |(kv, group, hd4, first, second, neox, partial, half)| {
            let head_dim = 4 * hd4;
            let spec = AttentionSpec {
                n_heads: kv * group,
                n_kv_heads: kv,
                head_dim,
                rope_pairs: if partial { hd4 } else { 2 * hd4 },
                n_ctx: (first + second + 4) as u32,
                neox,
                kv: if half { KvType::F16 } else { KvType::F32 },
                splits: 1,
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
            let expected = reference_attention(&all, &rope, spec);
            let run = |device: &Device| {
                let ops = Ops::new(&device.burn, tuning(1));
                let rope = tensor(device, &rope, [1, rope.len()]);
                let one = || ops.alloc_kv(nkv * n_ctx, hd, spec.kv);
                let mut cache = LayerCache::new(one(), one());
                let mut out = Vec::new();
                for (pos, n) in [(0, first), (first, second)] {
                    let qkv = tensor(device, &all[pos * cols..(pos + n) * cols], [n, cols]);
                    let state = live(&ops, pos, n);
                    let q = ops.rope_append(qkv, &rope, &state, &mut cache, spec);
                    let a = ops.attention(q, &cache, &state, spec);
                    out.extend(block_on(read_f32(&a)).unwrap());
                }
                let pos = first + second;
                let qkv = tensor(device, &all[pos * cols..], [1, cols]);
                let state = live(&ops, pos, 1);
                let q = ops.rope_append(qkv, &rope, &state, &mut cache, spec);
                let width = nh * hd;
                let before = values(3, width);
                let y = ops.attention_linear_add(
                    q,
                    &cache,
                    &identity(width).upload(&ops, width),
                    &state,
                    tensor(device, &before, [1, width]),
                    spec,
                );
                let y = block_on(read_f32(&y)).unwrap();
                out.extend(y.iter().zip(&before).map(|(y, before)| y - before));
                // f16 has 11 bits, and a value in the cache is below 2.
                assert_close("attention", &out, &expected, if half { 2e-3 } else { 2e-5 });
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

fn reference_attention(all: &[f32], rope: &[f32], spec: AttentionSpec) -> Vec<f32> {
    let (hd, nh, nkv) = (
        spec.head_dim as usize,
        spec.n_heads as usize,
        spec.n_kv_heads as usize,
    );
    let pairs = spec.rope_pairs as usize;
    let cols = (nh + 2 * nkv) * hd;
    let head = |t: usize, h: usize, rotate: bool| -> Vec<f64> {
        let at = t * cols + h * hd;
        let x: Vec<f64> = all[at..at + hd].iter().map(|v| f64::from(*v)).collect();
        let mut y = x.clone();
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
            let q = head(t, h, true);
            let scores: Vec<f64> = (0..=t)
                .map(|j| {
                    let k = head(j, nh + g, true);
                    q.iter().zip(&k).map(|(a, b)| a * b).sum::<f64>() / (hd as f64).sqrt()
                })
                .collect();
            let top = scores.iter().fold(f64::MIN, |m, s| m.max(*s));
            let sum: f64 = scores.iter().map(|s| (s - top).exp()).sum();
            let mut o = vec![0.0; hd];
            for (j, s) in scores.iter().enumerate() {
                for (o, v) in o.iter_mut().zip(head(j, nh + nkv + g, false)) {
                    *o += (s - top).exp() / sum * v;
                }
            }
            out.extend(o.iter().map(|v| *v as f32));
        }
    }
    out
}
