//! RoPE, KV append and attention, and the projection that merges its spans, on both backends against f64 arithmetic.

use hearth::Device;
use hearth::ops::buffer::read_f32;
use hearth::ops::{
    Arithmetic, Attention, AttentionSpec, KvCache, KvSource, KvType, Ops, QkNorm, Shapes, Tuning,
};
use hearth_tests::attention::Context;
use hearth_tests::kernels::*;
use pollster::block_on;

/// Three steps: two of a prompt, whose tensors have more rows than there are tokens, and one of a single token that
/// fills the context. That token's attention is divided into spans, which the projection after it merges.
#[derive(Debug)]
struct Steps {
    spec: AttentionSpec,
    first: usize,
    second: usize,
    /// Weight type of the projection after the last step.
    dtype: usize,
    tuning: Tuning,
}

impl Steps {
    fn check(&self, errors: &Errors) {
        let Self { first, second, .. } = *self;
        let spec = AttentionSpec {
            n_ctx: (first + second + 1) as u32,
            ..self.spec
        };
        let n_ctx = spec.n_ctx as usize;
        let width = (spec.n_heads * spec.head_dim) as usize;
        // The parts of a layer that projects everything itself.
        let whole = AttentionSpec {
            kv_source: KvSource::Projected,
            ..spec
        };
        let all_cols = whole.qkv_cols();
        let angles = values(77, n_ctx * spec.rope_pairs as usize);
        let rope: Vec<f32> = (angles.iter())
            .flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()])
            .collect();
        let mut all = values(13, n_ctx * all_cols);
        if matches!(spec.kv_source, KvSource::KeysOnly | KvSource::KeysAlone) {
            for row in all.chunks_exact_mut(all_cols) {
                let kv = (all_cols - width) / 2;
                row.copy_within(width..width + kv, width + kv);
            }
        }
        let attn_params = values(14, spec.attn_params().max(1));
        let context = Context {
            qkv: &all,
            rope: &rope,
            attn_params: &attn_params,
            steps: &[first, first + second, n_ctx],
            spec,
        };
        let attended = context.attended();
        let (expected, last) = attended.split_at(attended.len() - width);
        let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
        let rows = 37;
        let weight = Packed::new(DTYPES[self.dtype], 21, rows, width);
        let before = values(3, rows);
        let merged: Vec<f32> = (weight.dense().chunks_exact(width).zip(&before))
            .map(|(row, before)| {
                let sum: f64 = row.iter().zip(last).map(|(w, x)| f64::from(*w) * x).sum();
                (sum + f64::from(*before)) as f32
            })
            .collect();

        let run = |device: &Device, what: [&'static str; 2], tolerance: [f32; 2]| {
            let ops = Ops::new(&device.handle, self.tuning);
            let rope = tensor(device, &rope, [1, rope.len()]);
            let attn_params = tensor(device, &attn_params, [1, attn_params.len()]);
            let (n_kv, head_dim) = (spec.n_kv_heads as usize, spec.head_dim as usize);
            let one = || ops.alloc_kv(n_kv * n_ctx, head_dim, spec.kv);
            let values = match spec.kv_source {
                KvSource::KeysAlone => ops.alloc_f32(1, 4),
                _ => one(),
            };
            let mut cache = KvCache::new(one(), values);
            let attention = Attention {
                spec,
                rope,
                attn_params,
            };
            let project = |attention: &Attention, pos: usize, n: usize, t: usize| {
                let cols = attention.spec.qkv_cols();
                let rows = all[pos * all_cols..(pos + n) * all_cols].chunks_exact(all_cols);
                let mut qkv: Vec<f32> = rows.flat_map(|row| &row[..cols]).copied().collect();
                // The contents of the rows after the tokens must not matter.
                qkv.resize(t * cols, 1e3);
                tensor(device, &qkv, [t, cols])
            };
            let owner = Attention {
                spec: whole,
                ..attention.clone()
            };
            let begin = |pos: usize, n: usize, t: usize, cache: &mut _| {
                let state = live(&ops, pos, n);
                if spec.kv_source == KvSource::Earlier {
                    let of_owner = project(&owner, pos, n, t);
                    ops.rope_append(of_owner, &owner, &state, cache);
                }
                (project(&attention, pos, n, t), state)
            };
            let mut found = Vec::new();
            for (pos, n) in [(0, first), (first, second)] {
                let t = if n == 1 { 1 } else { n.next_multiple_of(8) };
                let (qkv, state) = begin(pos, n, t, &mut cache);
                let q = ops.rope_append(qkv, &attention, &state, &mut cache);
                let a = ops.attention(q, &cache, &state, &attention);
                found.extend_from_slice(&block_on(read_f32(&a)).unwrap()[..n * width]);
            }
            errors.check((device, what[0]), self, (&found, &expected), tolerance[0]);

            let pos = first + second;
            let (qkv, state) = begin(pos, 1, 1, &mut cache);
            let queries = ops.queries(&qkv, &attention, &state, &mut cache);
            let y = ops.attention_linear_add(
                queries,
                &qkv,
                &mut cache,
                &weight.upload(&ops, rows),
                &state,
                tensor(device, &before, [1, rows]),
                &attention,
            );
            let y = block_on(read_f32(&y)).unwrap();
            errors.check((device, what[1]), self, (&y, &merged), tolerance[1]);
        };
        // A value that lies between two that the cache can store may become either.
        let (cache, tolerance) = match spec.kv {
            KvType::F32 => ("f32 cache", 2e-6),
            KvType::F16 => ("f16 cache", 1e-4),
            KvType::Q8 => ("q8 cache", 5e-3),
        };
        let run = |device: &Device, merged: &'static str, error: f32| {
            run(device, [cache, merged], [tolerance, error.max(tolerance)]);
        };
        run(&cpu(), "merged for 16 bit", 1.5e-4);
        if let Some(gpu) = gpu() {
            match self.tuning.arithmetic == Arithmetic::I15 {
                true => run(gpu, "merged for integers", 2e-4),
                false => run(gpu, "merged for floats", 2e-6),
            }
        }
    }
}

/// Places of types in [`DTYPES`].
const Q4_0: usize = 3;
const Q8_0: usize = 5;

/// Returns case `number` of 16. Windows, sinks and cache types occur in all combinations, any two of the other
/// properties in all of theirs; so do types and arithmetics of the projection with lanes.
fn case(number: usize) -> Steps {
    use Arithmetic::{F16, F32, I15};
    // Whether an odd number of these bits is set: for any two masks, all four results are equally frequent.
    let has = |mask: usize| (number & mask).count_ones() % 2 == 1;
    // Key heads, queries per key head, head width; the projection's type, arithmetic and lanes: Q4_0 and Q8_0 as
    // floats and as integers, with one lane and with 16, following caches that add little error; then all other
    // types.
    let cases = [
        (1, 8, 4, Q4_0, F32, 1),
        (2, 1, 64, Q4_0, I15, 1),
        (1, 10, 16, Q8_0, F32, 1),
        (3, 2, 32, Q8_0, I15, 1),
        (2, 4, 20, Q4_0, F32, 16),
        (1, 2, 128, Q4_0, I15, 16),
        (1, 7, 32, Q8_0, F32, 16),
        (2, 2, 256, Q8_0, I15, 16),
        (1, 5, 64, Q4_0, F16, 1),
        (3, 8, 12, Q4_0, F16, 16),
        (1, 3, 96, Q8_0, F16, 1),
        (2, 3, 80, Q8_0, F16, 16),
        (1, 4, 92, 0, F32, 1),
        (1, 6, 48, 1, F32, 16),
        (2, 8, 36, 9, F32, 1),
        (1, 1, 256, 11, F32, 16),
    ];
    let (n_kv, group, head_dim, dtype, arithmetic, lanes) = cases[number];
    let windowed = has(1);
    let (first, second) = (pick(number as u64, 1..170), pick(number as u64 + 99, 1..20));
    let ways = ways();
    let subgroups = lanes > 1 && ways.contains(&(lanes, true));
    let row = if has(2) {
        QkNorm::Row
    } else {
        QkNorm::CentredHead
    };
    Steps {
        spec: AttentionSpec {
            rope_pairs: if has(5) { head_dim / 4 } else { head_dim / 2 },
            neox: has(3),
            kv: [KvType::F32, KvType::F16, KvType::Q8, KvType::Q8][number / 4],
            bias: has(6),
            qk_norm: [QkNorm::None, QkNorm::Head, row, QkNorm::RotatedHead]
                [has(7) as usize + 2 * has(11) as usize],
            scale: 0.3,
            // The small softcap turns most scores into one of two numbers.
            softcap: [0.0, 1.5, 0.0, 0.02][has(9) as usize + 2 * has(13) as usize],
            window: if windowed {
                (1 + (first + second) / 3) as u32
            } else {
                0
            },
            causal: has(14),
            block: !has(14) && number % 4 < 3,
            sinks: has(2),
            temperature: if has(12) { 0.7 } else { 0.0 },
            temperature_ctx: 1 + (first + second) as u32 / 4,
            ..attention(n_kv * group, n_kv, head_dim, 0)
        },
        first,
        second,
        dtype,
        tuning: Tuning {
            subgroups,
            arithmetic,
            attention_workgroups: n_kv * if has(15) { 32 } else { 3 },
            ..tuning(lanes)
        },
    }
}

// Two tests, so that two cores have something to compile.

#[test]
fn attention_matches_plain_arithmetic_in_even_cases() {
    let errors = Errors::default();
    (0..16)
        .step_by(2)
        .for_each(|number| case(number).check(&errors));
}

#[test]
fn attention_matches_plain_arithmetic_in_odd_cases() {
    let errors = Errors::default();
    (1..16)
        .step_by(2)
        .for_each(|number| case(number).check(&errors));
}

/// Heads of up to 512 columns, values that are normed, that are keys, or that an earlier layer has.
#[test]
fn attention_of_gemma_4_matches_plain_arithmetic() {
    let errors = Errors::default();
    use KvSource::{Earlier, KeysOnly, Projected};
    use KvType::{F16, F32, Q8};
    for (number, (kv_source, kv, n_kv, group, head_dim, window)) in [
        (KeysOnly, F32, 1, 8, 512, 0),
        (Earlier, F16, 1, 4, 512, 0),
        (Projected, Q8, 2, 2, 512, 0),
        (KeysOnly, F16, 2, 3, 288, 0),
        (Earlier, Q8, 1, 8, 256, 150),
        (Earlier, F32, 2, 4, 16, 7),
        (KeysOnly, Q8, 1, 1, 384, 180),
    ]
    .into_iter()
    .enumerate()
    {
        Steps {
            spec: AttentionSpec {
                kv_source,
                kv,
                window,
                v_norm: true,
                qk_norm: QkNorm::Head,
                neox: true,
                scale: 0.1,
                ..attention(n_kv * group, n_kv, head_dim, 0)
            },
            // More positions than the 128 of a tile, so that there are spans to merge.
            first: pick(number as u64, 130..300),
            second: pick(number as u64 + 99, 1..20),
            dtype: Q8_0,
            tuning: Tuning {
                attention_workgroups: n_kv * if number % 2 == 0 { 3 } else { 32 },
                ..tuning([1, 16][number % 2])
            },
        }
        .check(&errors);
    }
}

/// One key for all heads that is their value too, as it is kept: part of it rotates, neighbours in pairs. The last cases are as wide
/// as those of DeepSeek, GLM and Youtu, whose other cache has no room for values.
#[test]
fn attention_over_latents_matches_plain_arithmetic() {
    let errors = Errors::default();
    use KvType::{F16, F32, Q8};
    for (number, (kv, heads, rotated, rank)) in [
        (F32, 5, 4, 8),
        (Q8, 7, 32, 252),
        (F32, 20, 64, 512),
        (F16, 16, 64, 512),
        (Q8, 9, 64, 512),
    ]
    .into_iter()
    .enumerate()
    {
        Steps {
            spec: AttentionSpec {
                kv_source: KvSource::KeysAlone,
                kv,
                rope_pairs: rotated / 2,
                scale: 0.1,
                ..attention(heads, 1, rotated + rank, 0)
            },
            // More positions than a tile has, so that there are spans to merge.
            first: pick(number as u64, 130..300),
            second: pick(number as u64 + 99, 1..20),
            dtype: if heads * (rotated + rank) % 32 == 0 {
                Q8_0
            } else {
                0
            },
            tuning: Tuning {
                attention_workgroups: if number % 2 == 0 { 3 } else { 32 },
                ..tuning([1, 16][number % 2])
            },
        }
        .check(&errors);
    }
}

/// Heads of which each half is rotated as a head of its own: those of Gemma 4's tower.
#[test]
fn heads_rotated_in_halves_match_plain_arithmetic() {
    let errors = Errors::default();
    for (number, (kv, head_dim)) in [
        (KvType::F32, 16),
        (KvType::F32, 72),
        (KvType::F16, 64),
        (KvType::Q8, 16),
    ]
    .into_iter()
    .enumerate()
    {
        Steps {
            spec: AttentionSpec {
                kv,
                v_norm: true,
                qk_norm: QkNorm::Head,
                neox: true,
                in_halves: true,
                scale: 0.2,
                ..attention(4, 4, head_dim, 0)
            },
            first: pick(number as u64, 20..60),
            second: pick(number as u64 + 99, 1..20),
            dtype: Q8_0,
            tuning: tuning([1, 16][number % 2]),
        }
        .check(&errors);
    }
}

/// Windows of several sizes, one after the other, in one step: each token sees its own window, as it would alone.
#[test]
fn ranges_match_plain_arithmetic_on_every_backend() {
    let errors = Errors::default();
    for (number, (heads, sizes)) in [
        (attention(2, 2, 16, 0), vec![16, 16, 8, 8, 4]),
        // Shorter than a workgroup's tokens, and longer than a tile.
        (attention(2, 2, 80, 0), vec![1, 2, 70, 3, 129, 64]),
        (attention(4, 2, 32, 0), vec![65, 1, 1, 40]),
        (attention(1, 1, 288, 0), vec![3, 130, 7]),
    ]
    .into_iter()
    .enumerate()
    {
        let n: usize = sizes.iter().sum();
        let spec = AttentionSpec {
            n_ctx: n as u32 + 5,
            neox: true,
            causal: false,
            ..heads
        };
        let (cols, pairs) = (spec.qkv_cols(), 2 * spec.rope_pairs as usize);
        let qkv = values(13 + number as u64, n * cols);
        let angles = values(77, n * spec.rope_pairs as usize);
        let rope: Vec<f32> = (angles.iter())
            .flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()])
            .collect();
        let (mut expected, mut ranges, mut at) = (Vec::new(), Vec::new(), 0);
        for size in &sizes {
            let alone = Context {
                qkv: &qkv[at * cols..(at + size) * cols],
                rope: &rope[at * pairs..],
                attn_params: &[0.0],
                steps: &[*size],
                spec,
            };
            expected.extend(alone.attended().into_iter().map(|v| v as f32));
            ranges.extend([at as f32, (at + size) as f32].repeat(*size));
            at += size;
        }
        let t = n.next_multiple_of(8);
        let run = |device: &Device| {
            let ops = Ops::new(&device.handle, tuning(1));
            let rows = (spec.n_kv_heads * spec.n_ctx) as usize;
            let one = || ops.alloc_kv(rows, spec.head_dim as usize, spec.kv);
            let mut cache = KvCache::new(one(), one());
            let attention = Attention {
                spec: AttentionSpec {
                    ranged: true,
                    ..spec
                },
                rope: tensor(device, &rope, [1, rope.len()]),
                attn_params: tensor(device, &[0.0], [1, 1]),
            };
            let (mut qkv, mut ranges) = (qkv.clone(), ranges.clone());
            qkv.resize(t * cols, 1e3);
            ranges.resize(t * 2, n as f32);
            let mut state = live(&ops, 0, n);
            state.set_ranges(tensor(device, &ranges, [t, 2]));
            let qkv = tensor(device, &qkv, [t, cols]);
            let q = ops.rope_append(qkv, &attention, &state, &mut cache);
            let found = ops.attention(q, &cache, &state, &attention);
            let found = &block_on(read_f32(&found)).unwrap()[..expected.len()];
            errors.check((device, "ranges"), &sizes, (found, &expected), 2e-6);
        };
        run(&cpu());
        if let Some(gpu) = gpu() {
            run(gpu);
        }
    }
}

/// Steps of so many tokens that a workgroup takes up to 32 queries: heads as in the cases above, with the queries of a
/// workgroup from 25 to 32.
#[test]
fn attention_with_many_queries_matches_plain_arithmetic() {
    let errors = Errors::default();
    for number in [0, 2, 4, 5, 6, 8, 10, 11, 12, 14] {
        let few = case(number);
        Steps {
            second: pick(number as u64 + 7, 20..90),
            tuning: Tuning {
                shapes: Shapes::alike(1, true),
                attention_workgroups: 1,
                workgroup_bytes: 32 << 10,
                ..few.tuning
            },
            ..few
        }
        .check(&errors);
    }
}

/// With 32 spans, a span is longer than a tile from 2048 positions on, and then there are fewer spans again. With 34
/// spans of a wide head, a thread of the merge takes several.
#[test]
fn a_long_context_has_spans_of_several_tiles() {
    let errors = Errors::default();
    for (kv, heads, window, sinks) in [
        (KvType::F32, attention(4, 2, 8, 0), 0, false),
        (KvType::Q8, attention(2, 1, 128, 0), 2070, true),
    ] {
        Steps {
            spec: AttentionSpec {
                kv,
                window,
                sinks,
                ..heads
            },
            first: 2110,
            second: 9,
            dtype: Q4_0,
            tuning: Tuning {
                attention_workgroups: 64,
                ..tuning(16)
            },
        }
        .check(&errors);
    }
}
