//! Every op on the GPU against its CPU twin, and the twin against plain f64 arithmetic, over odd shapes.
//!
//! The shapes are drawn by proptest with a fixed seed: the same cases on every machine.

use std::sync::OnceLock;

use burn::tensor::{Int, Tensor};
use hearth::Device;
use hearth::format::GgmlType;
use hearth::ops::state::{self, STATE_WORDS};
use hearth::ops::words::{read_f32, read_words};
use hearth::ops::{AttentionSpec, LayerCache, Ops, Tuning, Weight, WeightPart};
use hearth::quant::{Packing, block_format, repack_rows, unpack_row};
use hearth_tests::{On, open};
use pollster::block_on;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One GPU for the file: opening one takes longer than a case.
fn gpu() -> Option<&'static Device> {
    static GPU: OnceLock<Option<Device>> = OnceLock::new();
    GPU.get_or_init(|| open(On::Gpu)).as_ref()
}

fn cpu() -> Device {
    open(On::Cpu).expect("the CPU always opens")
}

fn tuning(lanes: u32) -> Tuning {
    Tuning {
        decode_lanes: lanes,
        prefill_lanes: lanes,
        subgroups: false,
        prefill_tokens: 8,
        chunk: 16,
    }
}

/// Runs `case` on `n` drawn inputs.
fn for_all<S: Strategy>(n: u32, strategy: S, case: impl Fn(S::Value)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config {
        cases: n,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |value| {
            case(value);
            Ok(())
        })
        .unwrap();
}

/// Pseudo-random values in -1 .. 1.
fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn tensor(device: &Device, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(
        burn::tensor::TensorData::new(values.to_vec(), shape),
        &device.burn,
    )
}

fn state_with(ops: &Ops, words: &[(usize, Vec<u32>)]) -> Tensor<2, Int> {
    let mut tensor = ops.alloc_words(STATE_WORDS);
    for (at, words) in words {
        tensor = ops.write_words(tensor, *at, words.clone());
    }
    tensor
}

fn live(ops: &Ops, pos: usize, n: usize) -> Tensor<2, Int> {
    state_with(ops, &[(state::POS, vec![pos as u32, n as u32])])
}

/// A weight in GGML's blocks, as repacked words and as f32.
struct Packed {
    packing: Packing,
    rows: usize,
    cols: usize,
    quants: Vec<u32>,
    scales: Vec<u32>,
}

impl Packed {
    fn new(dtype: GgmlType, seed: u64, rows: usize, cols: usize) -> Self {
        let x = values(seed, rows * cols);
        let bytes: Vec<u8> = match dtype {
            GgmlType::Q4_0 => hearth::quant::quantize_q4_0(&x),
            GgmlType::Q4_1 => hearth::quant::quantize_q4_1(&x),
            GgmlType::Q8_0 => hearth::quant::quantize_q8_0(&x),
            GgmlType::F16 => (x.iter())
                .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
                .collect(),
            GgmlType::BF16 => (x.iter())
                .flat_map(|v| half::bf16::from_f32(*v).to_le_bytes())
                .collect(),
            _ => x.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let format = block_format(dtype, "test").unwrap();
        let (mut quants, mut scales) = (Vec::new(), Vec::new());
        repack_rows(format, cols, &bytes, &mut quants, &mut scales).unwrap();
        Self {
            packing: format.packing(),
            rows,
            cols,
            quants,
            scales,
        }
    }

    fn dense(&self) -> Vec<f32> {
        let (q, s) = (self.quants.len() / self.rows, self.scales.len() / self.rows);
        let mut out = vec![0.0; self.rows * self.cols];
        for (r, row) in out.chunks_exact_mut(self.cols).enumerate() {
            let quants = &self.quants[r * q..(r + 1) * q];
            unpack_row(self.packing, quants, &self.scales[r * s..(r + 1) * s], row);
        }
        out
    }

    /// On a device, in parts of `part_rows` rows.
    fn upload(&self, ops: &Ops, part_rows: usize) -> Weight {
        let (q, s) = (self.quants.len() / self.rows, self.scales.len() / self.rows);
        let mut parts = Vec::new();
        let mut first = 0;
        while first < self.rows {
            let rows = part_rows.min(self.rows - first);
            let words = |all: &[u32], per_row: usize| {
                let words = all[first * per_row..(first + rows) * per_row].to_vec();
                ops.write_words(ops.alloc_words(words.len()), 0, words)
            };
            parts.push(WeightPart {
                packing: self.packing,
                first_row: first,
                rows,
                quants: words(&self.quants, q),
                scales: if s == 0 {
                    ops.alloc_words(4)
                } else {
                    words(&self.scales, s)
                },
            });
            first += rows;
        }
        Weight {
            rows: self.rows,
            cols: self.cols,
            parts,
        }
    }
}

const DTYPES: [GgmlType; 6] = [
    GgmlType::F32,
    GgmlType::F16,
    GgmlType::BF16,
    GgmlType::Q4_0,
    GgmlType::Q4_1,
    GgmlType::Q8_0,
];

fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let error = (a - b).abs() / scale;
        assert!(error <= tolerance, "{what}[{i}]: {a} against {b}");
    }
}

#[test]
fn linear_matches_plain_arithmetic_on_every_backend() {
    let shapes = (
        0..6usize,
        1..150usize,
        1..5usize,
        1..20usize,
        0..4u32,
        any::<bool>(),
        any::<bool>(),
    );
    let with_subgroups = gpu().is_some_and(|gpu| gpu.info().features.contains(&"subgroups"));
    if !with_subgroups {
        eprintln!("SKIPPED: the subgroup variant, this device has no subgroups");
    }
    for_all(
        60,
        shapes,
        |(dtype, rows, blocks, n, lanes, subgroups, add)| {
            let cols = 32 * blocks;
            let packed = Packed::new(DTYPES[dtype], rows as u64, rows, cols);
            let t = if n == 1 { 1 } else { n.next_multiple_of(8) };
            let x = values(n as u64 + 99, t * cols);
            let before = values(5, t * rows);
            let dense = packed.dense();
            let expected: Vec<f32> = (0..n * rows)
                .map(|i| {
                    let (t, r) = (i / rows, i % rows);
                    let sum: f64 = (0..cols)
                        .map(|c| f64::from(dense[r * cols + c]) * f64::from(x[t * cols + c]))
                        .sum();
                    sum as f32 + if add { before[i] } else { 0.0 }
                })
                .collect();
            let run = |device: &Device, tolerance: f32| {
                let tuning = Tuning {
                    subgroups: subgroups && with_subgroups,
                    ..tuning(1 << (2 * lanes))
                };
                let ops = Ops::new(&device.burn, tuning);
                let weight = packed.upload(&ops, rows.div_ceil(2));
                let state = live(&ops, 0, n);
                let x = tensor(device, &x, [t, cols]);
                let y = if add {
                    ops.linear_add(&x, &weight, &state, tensor(device, &before, [t, rows]))
                } else {
                    ops.linear(&x, &weight, &state)
                };
                let y = block_on(read_f32(&y)).unwrap();
                assert_close("linear", &y[..n * rows], &expected, tolerance);
            };
            run(&cpu(), 1e-4);
            if let Some(gpu) = gpu() {
                run(gpu, 1e-5);
            }
        },
    );
}

#[test]
fn embed_is_exact_on_every_backend() {
    let shapes = (0..6usize, 1..70usize, 1..4usize, 1..20usize);
    for_all(20, shapes, |(dtype, rows, blocks, n)| {
        let cols = 32 * blocks;
        let packed = Packed::new(DTYPES[dtype], 3 + rows as u64, rows, cols);
        let ids: Vec<u32> = (0..n).map(|i| ((i * 31) % rows) as u32).collect();
        let dense = packed.dense();
        let expected: Vec<f32> = (ids.iter())
            .flat_map(|id| dense[*id as usize * cols..(*id as usize + 1) * cols].to_vec())
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.burn, tuning(1));
            let weight = packed.upload(&ops, rows.div_ceil(3));
            let words = [(state::POS, vec![0, n as u32]), (state::IDS, ids.clone())];
            let y = ops.embed(&weight, &state_with(&ops, &words), n);
            let y = block_on(read_f32(&y)).unwrap();
            assert_close("embed", &y, &expected, 1e-7);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

#[test]
fn rms_norm_matches_plain_arithmetic_on_every_backend() {
    for_all(
        20,
        (1..300usize, 1..12usize, any::<bool>()),
        |(cols4, n, last)| {
            let cols = 4 * cols4;
            let (x, w) = (values(1, n * cols), values(2, cols));
            let eps = 1e-5;
            let row = |t: usize| {
                let x = &x[t * cols..(t + 1) * cols];
                let mean = x.iter().map(|v| f64::from(v * v)).sum::<f64>() / cols as f64;
                let scale = 1.0 / (mean + f64::from(eps)).sqrt();
                (x.iter().zip(&w))
                    .map(|(x, w)| (f64::from(*x) * scale * f64::from(*w)) as f32)
                    .collect::<Vec<_>>()
            };
            let expected: Vec<f32> = if last {
                row(n - 1)
            } else {
                (0..n).flat_map(row).collect()
            };
            let run = |device: &Device| {
                let ops = Ops::new(&device.burn, tuning(1));
                let (x, w) = (tensor(device, &x, [n, cols]), tensor(device, &w, [1, cols]));
                let y = ops.rms_norm(&x, &w, &live(&ops, 0, n), eps, last);
                assert_close(
                    "rms_norm",
                    &block_on(read_f32(&y)).unwrap(),
                    &expected,
                    1e-5,
                );
            };
            run(&cpu());
            if let Some(gpu) = gpu() {
                run(gpu);
            }
        },
    );
}

#[test]
fn swiglu_matches_plain_arithmetic_on_every_backend() {
    for_all(12, (1..200usize, 1..10usize), |(d_ff4, t)| {
        let d_ff = 4 * d_ff4;
        let x: Vec<f32> = values(8, t * 2 * d_ff).iter().map(|v| v * 20.0).collect();
        let expected: Vec<f32> = (0..t * d_ff)
            .map(|i| {
                let (t, c) = (i / d_ff, i % d_ff);
                let gate = f64::from(x[t * 2 * d_ff + c]);
                let up = f64::from(x[t * 2 * d_ff + d_ff + c]);
                (gate / (1.0 + (-gate).exp()) * up) as f32
            })
            .collect();
        let run = |device: &Device| {
            let ops = Ops::new(&device.burn, tuning(1));
            let y = ops.swiglu(tensor(device, &x, [t, 2 * d_ff]));
            assert_close("swiglu", &block_on(read_f32(&y)).unwrap(), &expected, 1e-5);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    });
}

/// RoPE, append and attention together, in two steps, against a direct computation in f64.
#[test]
fn attention_matches_plain_arithmetic_on_every_backend() {
    let shapes = (
        1..4u32,
        1..4u32,
        1..24u32,
        1..90usize,
        1..20usize,
        any::<bool>(),
        any::<bool>(),
    );
    for_all(
        20,
        shapes,
        |(kv, group, hd4, first, second, neox, partial)| {
            let head_dim = 4 * hd4;
            let spec = AttentionSpec {
                n_heads: kv * group,
                n_kv_heads: kv,
                head_dim,
                rope_pairs: if partial { hd4 } else { 2 * hd4 },
                n_ctx: (first + second + 3) as u32,
                neox,
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
            let all = values(13, (first + second) * cols);
            let expected = reference_attention(&all, &rope, spec);
            let run = |device: &Device| {
                let ops = Ops::new(&device.burn, tuning(1));
                let rope = tensor(device, &rope, [1, rope.len()]);
                let one = || ops.alloc_f32(nkv * n_ctx, hd);
                let mut cache = LayerCache::new(one(), one());
                let mut out = Vec::new();
                for (pos, n) in [(0, first), (first, second)] {
                    let qkv = tensor(device, &all[pos * cols..(pos + n) * cols], [n, cols]);
                    let state = live(&ops, pos, n);
                    let q = ops.rope_append(qkv, &rope, &state, &mut cache, spec);
                    let a = ops.attention(q, &cache, &state, spec);
                    out.extend(block_on(read_f32(&a)).unwrap());
                }
                assert_close("attention", &out, &expected, 2e-5);
            };
            run(&cpu());
            if let Some(gpu) = gpu() {
                run(gpu);
            }
        },
    );
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

fn sampled(device: &Device, logits: &[f32], params: &[u32; 6]) -> Vec<u32> {
    let ops = Ops::new(&device.burn, tuning(1));
    let mut state = state_with(
        &ops,
        &[(state::POS, vec![10, 3]), (state::STEP, params.to_vec())],
    );
    let logits = tensor(device, logits, [1, logits.len()]);
    for _ in 0..5 {
        state = ops.sample(&logits, state);
    }
    let words = block_on(read_words(&state, 0, STATE_WORDS)).unwrap();
    let step = params[0];
    assert_eq!(words[state::POS], 10 + 3 + 4);
    assert_eq!(words[state::N_TOKENS], 1);
    assert_eq!(words[state::STEP], step + 5);
    let ids: Vec<u32> = (0..5)
        .map(|i| words[state::RING + (step as usize + i) % state::RING_LEN])
        .collect();
    assert_eq!(words[state::IDS], ids[4]);
    ids
}

#[test]
fn sampling_agrees_between_backends_and_respects_every_filter() {
    let params = (
        2..3000usize,
        0..4usize,
        0..60u32,
        0.0..1.2f32,
        0.0..0.3f32,
        any::<u32>(),
        0..100u32,
    );
    for_all(40, params, |(vocab, t, top_k, top_p, min_p, seed, step)| {
        let temperature: f32 = [0.0, 0.3, 1.0, 2.0][t];
        let logits: Vec<f32> = values(u64::from(seed), vocab)
            .iter()
            .map(|v| v * 8.0)
            .collect();
        let params = [
            step,
            temperature.to_bits(),
            top_k,
            top_p.to_bits(),
            min_p.to_bits(),
            seed,
        ];
        let allowed = allowed_ids(&logits, temperature, top_k, top_p, min_p);
        let on_cpu = sampled(&cpu(), &logits, &params);
        for id in &on_cpu {
            assert!(allowed.contains(id), "cpu: {id} is filtered out");
        }
        if let Some(gpu) = gpu() {
            let on_gpu = sampled(gpu, &logits, &params);
            for id in &on_gpu {
                assert!(allowed.contains(id), "gpu: {id} is filtered out");
            }
            // The same draw; a rounding of exp may move one boundary of the cumulated mass.
            let same = on_cpu.iter().zip(&on_gpu).filter(|(a, b)| a == b).count();
            assert!(same >= 4, "{on_cpu:?} {on_gpu:?}");
        }
    });
}

/// The ids that the filters leave, with a margin for rounding at the edges.
fn allowed_ids(logits: &[f32], temperature: f32, top_k: u32, top_p: f32, min_p: f32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if temperature == 0.0 {
        return vec![order[0] as u32];
    }
    let top = logits[order[0]];
    let weight = |i: usize| f64::from((logits[i] - top) / temperature).exp();
    let k = if top_k == 0 {
        logits.len()
    } else {
        top_k as usize
    };
    order.truncate(k);
    let total: f64 = order.iter().map(|i| weight(*i)).sum();
    let mut kept = Vec::new();
    let mut mass = 0.0;
    for i in order {
        if mass > f64::from(top_p) * total * (1.0 + 1e-4) + 1e-6 && !kept.is_empty() {
            break;
        }
        if weight(i) < f64::from(min_p) * (1.0 - 1e-4) {
            break;
        }
        mass += weight(i);
        kept.push(i as u32);
    }
    kept
}

/// The frequencies of many draws are the softmax.
#[test]
fn sampling_draws_from_the_distribution() {
    let logits = [1.0f32, 0.0, 2.0, -1.0, 0.5];
    let sum: f32 = logits.iter().map(|l| l.exp()).sum();
    let mut counts = [0usize; 5];
    let draws = 20_000;
    for step in 0..draws {
        let mut words = vec![0u32; STATE_WORDS];
        words[state::TEMPERATURE] = 1.0f32.to_bits();
        words[state::TOP_P] = 1.0f32.to_bits();
        words[state::SEED] = 42;
        words[state::STEP] = step;
        counts[hearth::ops::sample::sample_cpu(&logits, &words) as usize] += 1;
    }
    for (count, logit) in counts.iter().zip(logits) {
        let expected = logit.exp() / sum;
        let found = *count as f32 / draws as f32;
        assert!(
            (found - expected).abs() < 0.012,
            "{found} against {expected}"
        );
    }
}
