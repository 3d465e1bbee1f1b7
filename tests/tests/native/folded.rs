//! Attention of one token that rotates and appends by itself, against f64 arithmetic and against the launches that it replaces, whose
//! caches it must leave bit by bit.

use burn::tensor::Tensor;
use hearth::Device;
use hearth::ops::buffer::{read_f32, read_pieces};
use hearth::ops::{
    Attention, AttentionSpec, KvCache, KvSource, KvType, Ops, QkNorm, Shapes, StepState, Tuning,
};
use hearth_modelfile::families::AttentionGate;
use hearth_tests::attention::Context;
use hearth_tests::kernels::*;
use pollster::block_on;

/// Positions of a cache: some more than three tiles of narrow heads have, and one of wide ones.
const N_CTX: usize = 200;

/// A layer whose last token is attended to both ways.
#[derive(Debug)]
struct Layer {
    spec: AttentionSpec,
    /// Whether the angles are the step's instead of the layer's.
    own_angles: bool,
    subgroups: bool,
}

/// Tensors of a layer on a device.
struct OnDevice<'a> {
    device: &'a Device,
    ops: Ops,
    attention: Attention,
    /// Whatever the layer projects: [N_CTX, qkv_cols()].
    rows: &'a [f32],
    angles: Option<&'a [f32]>,
}

impl OnDevice<'_> {
    fn state(&self, pos: usize, n: usize) -> StepState {
        let mut state = live(&self.ops, pos, n);
        if let Some(angles) = self.angles {
            state.set_rope(tensor(self.device, angles, [1, angles.len()]));
        }
        state
    }

    fn rows(&self, pos: usize, n: usize) -> Tensor<2> {
        let cols = self.rows.len() / N_CTX;
        // (a step behind the last position has the last row)
        let pos = pos.min(N_CTX - n);
        tensor(self.device, &self.rows[pos * cols..][..n * cols], [n, cols])
    }

    /// Returns a cache with the first `n` tokens.
    fn cache(&self, n: usize) -> KvCache {
        let spec = self.attention.spec;
        let rows = spec.n_kv_heads as usize * N_CTX;
        let one = || self.ops.alloc_kv(rows, spec.head_dim as usize, spec.kv);
        let mut cache = KvCache::new(one(), one());
        if n > 0 {
            let state = self.state(0, n);
            (self.ops).rope_append(self.rows(0, n), &self.attention, &state, &mut cache);
        }
        cache
    }
}

/// Returns the bits of both caches.
fn bits(cache: &KvCache) -> Vec<u32> {
    block_on(read_pieces(cache.rows(N_CTX, 0..N_CTX))).unwrap()
}

/// Returns rows of q, k and v with gates between them, which only the merge reads.
fn with_gates(rows: &[f32], spec: AttentionSpec) -> Vec<f32> {
    let (dim, heads) = (spec.head_dim as usize, spec.n_heads as usize);
    let (gate, gates) = (vec![1e3; dim], vec![1e3; heads]);
    let mut all = Vec::new();
    for row in rows.chunks_exact(rows.len() / N_CTX) {
        let (q, kv) = row.split_at(heads * dim);
        match spec.gate {
            AttentionGate::Interleaved => {
                for head in q.chunks_exact(dim) {
                    all.extend_from_slice(head);
                    all.extend_from_slice(&gate);
                }
            }
            AttentionGate::None | AttentionGate::PerHead => all.extend_from_slice(q),
        }
        all.extend_from_slice(kv);
        if spec.gate == AttentionGate::PerHead {
            all.extend_from_slice(&gates);
        }
    }
    all
}

impl Layer {
    fn check(&self, errors: &Errors) {
        let spec = AttentionSpec {
            n_ctx: N_CTX as u32,
            ..self.spec
        };
        assert!(spec.folds(1), "{spec:?}");
        let width = (spec.n_heads * spec.head_dim) as usize;
        let whole = AttentionSpec {
            kv_source: KvSource::Projected,
            gate: AttentionGate::None,
            ..spec
        };
        let all_cols = whole.qkv_cols();
        let angles = values(77, N_CTX * spec.rope_pairs as usize);
        let rope: Vec<f32> = (angles.iter())
            .flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()])
            .collect();
        let mut all = values(13, N_CTX * all_cols);
        if spec.kv_source == KvSource::KeysOnly {
            for row in all.chunks_exact_mut(all_cols) {
                let kv = (all_cols - width) / 2;
                row.copy_within(width..width + kv, width + kv);
            }
        }
        let attn_params = values(14, spec.attn_params().max(1));
        let steps: Vec<usize> = (1..=N_CTX).collect();
        let context = Context {
            qkv: &all,
            rope: &rope,
            attn_params: &attn_params,
            steps: &steps,
            spec: whole,
        };
        let expected: Vec<f32> = context.attended().iter().map(|v| *v as f32).collect();

        let projected = AttentionSpec {
            gate: AttentionGate::None,
            ..spec
        }
        .qkv_cols();
        let rows = all.chunks_exact(all_cols);
        let rows: Vec<f32> = rows.flat_map(|row| &row[..projected]).copied().collect();
        let rows = with_gates(&rows, spec);
        // A table of angles that is not read must not matter.
        let others = vec![9.0; rope.len()];
        let (of_layer, of_step) = match self.own_angles {
            true => (&others, Some(&rope[..])),
            false => (&rope, None),
        };
        let run = |device: &Device, what: &'static str, tolerance: f32| {
            let tuning = Tuning {
                subgroups: self.subgroups,
                shapes: Shapes::alike(1, true),
                ..tuning(1)
            };
            let on = |spec, rows| OnDevice {
                device,
                ops: Ops::new(&device.handle, tuning),
                attention: Attention {
                    spec,
                    rope: tensor(device, of_layer, [1, rope.len()]),
                    attn_params: tensor(device, &attn_params, [1, attn_params.len()]),
                },
                rows,
                angles: of_step,
            };
            let (layer, owner) = (on(spec, &rows[..]), on(whole, &all[..]));
            let (ops, attention) = (&layer.ops, &layer.attention);
            let tile = if spec.head_dim < 128 { 64 } else { 128 };
            for pos in [0, 1, tile - 1, tile, tile + 1, N_CTX - 1, N_CTX] {
                let before = |n: usize| match spec.kv_source {
                    // (the owner has appended the new token too)
                    KvSource::Earlier => owner.cache((n + 1).min(N_CTX)),
                    _ => layer.cache(n),
                };
                let state = layer.state(pos, 1);
                let qkv = layer.rows(pos, 1);
                let mut by_itself = before(pos.min(N_CTX));
                ops.rope_append(qkv.clone(), attention, &state, &mut by_itself);
                let mut cache = before(pos.min(N_CTX));
                let found = ops.folded_attention(&qkv, attention, &state, &mut cache);
                let found = match spec.splits {
                    1 => found,
                    _ => ops.merge_spans(
                        &found,
                        &qkv,
                        &state,
                        AttentionSpec {
                            gate: AttentionGate::None,
                            ..spec
                        },
                    ),
                };
                let (found_bits, expected_bits) = (bits(&cache), bits(&by_itself));
                let differs = found_bits
                    .iter()
                    .zip(&expected_bits)
                    .position(|(a, b)| a != b);
                assert_eq!(differs, None, "at {pos}: {self:?}");
                if pos < N_CTX {
                    let found = block_on(read_f32(&found)).unwrap();
                    let expected = &expected[pos * width..][..width];
                    let case = (pos, self);
                    errors.check((device, what), &case, (&found, expected), tolerance);
                }
            }
        };
        let (what, tolerance) = match spec.kv {
            KvType::F32 => ("f32 cache", 2e-6),
            KvType::F16 => ("f16 cache", 1e-4),
            KvType::Q8 => ("q8 cache", 5e-3),
        };
        run(&cpu(), what, tolerance);
        if let Some(gpu) = gpu() {
            run(gpu, what, tolerance);
        }
    }
}

/// Key heads, queries of each, columns of a head.
fn heads(n_kv: u32, group: u32, head_dim: u32) -> AttentionSpec {
    attention(n_kv * group, n_kv, head_dim, 0)
}

fn check(specs: impl IntoIterator<Item = AttentionSpec>) {
    let errors = Errors::default();
    let subgroups = ways().iter().any(|(_, subgroups)| *subgroups);
    for (number, spec) in specs.into_iter().enumerate() {
        let layer = Layer {
            spec: AttentionSpec {
                splits: [1, 3, 32][number % 3],
                ..spec
            },
            own_angles: number % 4 == 1,
            subgroups: subgroups && number % 2 == 1,
        };
        layer.check(&errors);
    }
}

/// Shapes of SmolLM2, Llama, Phi with a part of each head rotated, and Qwen2.5.
#[test]
fn heads_without_norms_append_by_themselves() {
    use KvType::{F16, F32};
    let plain = |kv, heads| AttentionSpec { kv, ..heads };
    check([
        plain(F32, heads(3, 3, 64)),
        plain(F16, heads(2, 4, 128)),
        AttentionSpec {
            rope_pairs: 24,
            neox: true,
            ..plain(F16, heads(2, 2, 96))
        },
        AttentionSpec {
            bias: true,
            neox: true,
            ..plain(F32, heads(1, 7, 64))
        },
        AttentionSpec {
            rope_pairs: 0,
            ..plain(F16, heads(3, 1, 20))
        },
    ]);
}

/// Norms of queries, keys and values in every way that heads have them, gates beside the queries, and a factor that grows.
#[test]
fn heads_with_norms_append_by_themselves() {
    use KvType::{F16, F32};
    let normed = |qk_norm, kv, heads| AttentionSpec {
        qk_norm,
        kv,
        neox: true,
        ..heads
    };
    check([
        normed(QkNorm::Head, F16, heads(2, 2, 128)),
        normed(QkNorm::Row, F32, heads(2, 2, 80)),
        AttentionSpec {
            temperature: 0.7,
            temperature_ctx: 40,
            bias: true,
            ..normed(QkNorm::RotatedHead, F32, heads(2, 3, 36))
        },
        AttentionSpec {
            gate: AttentionGate::Interleaved,
            rope_pairs: 32,
            ..normed(QkNorm::Head, F16, heads(1, 4, 256))
        },
        AttentionSpec {
            gate: AttentionGate::PerHead,
            ..normed(QkNorm::Head, F32, heads(2, 2, 64))
        },
        AttentionSpec {
            v_norm: true,
            ..normed(QkNorm::None, F32, heads(2, 2, 12))
        },
    ]);
}

/// Windows, sinks and soft caps, of heads that share a key and of heads that do not.
#[test]
fn windows_and_sinks_go_with_appending() {
    check([
        AttentionSpec {
            sinks: true,
            bias: true,
            window: 70,
            neox: true,
            ..heads(1, 8, 64)
        },
        AttentionSpec {
            sinks: true,
            kv: KvType::F16,
            ..heads(2, 2, 32)
        },
        AttentionSpec {
            qk_norm: QkNorm::Head,
            softcap: 1.5,
            window: 64,
            scale: 0.3,
            ..heads(1, 4, 256)
        },
    ]);
}

/// Layers that share what earlier ones keep, or their keys with their values.
#[test]
fn shared_caches_go_with_appending() {
    use KvType::{F16, F32, Q8};
    let gemma = |kv_source, kv, heads| AttentionSpec {
        kv_source,
        kv,
        qk_norm: QkNorm::Head,
        v_norm: true,
        neox: true,
        scale: 0.1,
        ..heads
    };
    check([
        gemma(KvSource::KeysOnly, F32, heads(1, 4, 512)),
        gemma(KvSource::KeysOnly, F16, heads(2, 3, 64)),
        gemma(KvSource::Earlier, Q8, heads(1, 8, 256)),
        gemma(KvSource::Earlier, F16, heads(1, 8, 512)),
    ]);
}
