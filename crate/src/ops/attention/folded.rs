//! Attention of one token with rotation and append in the same launch.
//!
//! Formulas and shapes are those of [`super::rope_append`] and [`super::AttentionOp`]; there is no tensor of rotated queries between
//! the two.
//!
//! - GPU: each workgroup of `attention.wgsl` prepares its own queries. The one whose span has the new position writes that key and
//!   that value before it reads them, so no other workgroup of its key head may have that span, see [`AttentionSpec::folds`].

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::attention::kv::KvType;
use crate::ops::attention::rope_append::{self, RopeAppendOp};
use crate::ops::attention::spec::{AttentionSpec, KvSource, QkNorm};
use crate::ops::attention::{self, AttentionOp};
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Launch, Situation};
use hearth_modelfile::families::AttentionGate;

/// A step's queries.
#[expect(
    clippy::large_enum_variant,
    reason = "a layer's step has one, and nothing keeps it"
)]
pub enum Queries {
    /// [t, n_heads * head_dim], normed and rotated; their keys and values are in the cache.
    Ready(Tensor<2>),
    /// Still among what was projected, of one token: attention prepares them, and appends the key and the value beside them.
    Projected,
}

/// Backend extension: attention that rotates and appends, on each backend.
#[backend_extension(Cube, Flex)]
pub trait FoldedAttentionOp: Backend {
    /// Returns (attention, k_cache, v_cache).
    fn folded_attention(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        attn_params: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Threads that share the norm of a head: its partial sums, `SUMS` of `qkv_params.wgsl`.
const SUMS: u32 = 16;

impl AttentionSpec {
    /// Returns whether attention of `t` tokens can rotate and append by itself. Of several workgroups with queries of one key head
    /// some would read the new row while another one writes it; a row in bytes needs its largest value first; means of heads are
    /// summed nowhere but in a launch of their own. Encoders and blocks of pictures do not go token by token.
    pub fn folds(&self, t: usize) -> bool {
        let decodes = t == 1 && self.causal && !self.block && !self.ranged && self.alibi == 0.0;
        let writes_alone = self.kv != KvType::Q8 && self.heads() == self.n_heads / self.n_kv_heads;
        decodes
            && self.qk_norm != QkNorm::CentredHead
            && match self.kv_source {
                KvSource::Projected | KvSource::KeysOnly => writes_alone,
                KvSource::Earlier => true,
                KvSource::KeysAlone => false,
            }
    }

    /// Returns whether a head of queries, keys or values is normed.
    fn is_normed(&self) -> bool {
        self.v_norm || self.qk_norm != QkNorm::None
    }

    /// Returns whether the kernel has attn_params: what prepares queries, keys and values, or the sinks.
    fn has_any_params(&self) -> bool {
        self.has_params() || self.sinks
    }
}

/// Adds to the kernel of attention what prepares queries and appends.
pub(super) fn with_projected(kernel: Kernel, spec: AttentionSpec) -> Kernel {
    let kernel = kernel
        .module(&modules::QUERIES_PROJECTED)
        .module(match spec.kept_parts() {
            0 => &modules::APPEND_ROW_NONE,
            _ => &modules::APPEND_ROW,
        })
        .module(match spec.is_normed() {
            true => &modules::SHARED_NORMS,
            false => &modules::SHARED_NORMS_NONE,
        });
    rope_append::preparing(kernel, spec, spec.has_any_params())
}

/// Describes the launch.
pub(in crate::ops) fn describe(spec: AttentionSpec, now: Situation) -> Launch {
    let mut launch = attention::describe(1, spec, now);
    let counters = &mut launch.counters;
    if spec.kept_parts() > 0 {
        let new = spec.kept_parts() * spec.n_kv_heads * spec.head_dim;
        counters.prologue_bytes += 4 * u64::from(new);
        // Until the rows are written; their columns, before those of the queries.
        counters.barriers += 1;
        counters.trips += 1;
    }
    if spec.is_normed() {
        counters.barriers += 1;
        let normed = match spec.qk_norm {
            QkNorm::Row => spec.n_heads * spec.head_dim,
            _ => spec.head_dim,
        };
        // A thread's share of the squares, then the sums of all of them.
        counters.near_trips += normed.div_ceil(SUMS) + SUMS;
    }
    launch
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let folded = AttentionSpec {
        folded: true,
        ..AttentionSpec::EXAMPLE
    };
    let mut all = Vec::new();
    for kv in [KvType::F32, KvType::F16] {
        for qk_norm in [QkNorm::None, QkNorm::Head, QkNorm::Row, QkNorm::RotatedHead] {
            for bits in 0..16 {
                let is = |bit: u32| bits >> bit & 1 == 1;
                all.push(AttentionSpec {
                    kv,
                    qk_norm,
                    gate: match bits {
                        2 => AttentionGate::Interleaved,
                        3 => AttentionGate::PerHead,
                        _ => AttentionGate::None,
                    },
                    bias: is(0),
                    neox: is(1),
                    sinks: is(2),
                    temperature: if is(2) { 0.1 } else { 0.0 },
                    softcap: if is(3) { 50.0 } else { 0.0 },
                    window: if is(3) { 16 } else { 0 },
                    splits: if is(0) { 4 } else { 1 },
                    ..folded
                });
            }
        }
    }
    for kv in [KvType::F32, KvType::F16, KvType::Q8] {
        for kv_source in [KvSource::Projected, KvSource::KeysOnly, KvSource::Earlier] {
            all.push(AttentionSpec {
                kv,
                kv_source,
                head_dim: 512,
                n_heads: 8,
                qk_norm: QkNorm::Head,
                v_norm: true,
                neox: true,
                splits: 4,
                by_column: true,
                ..folded
            });
        }
    }
    let folds = all.into_iter().filter(|spec| spec.folds(1));
    folds.map(|spec| attention::kernel(spec, 1)).collect()
}

impl FoldedAttentionOp for CubeBackend {
    fn folded_attention(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        attn_params: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let out = empty_f32(&qkv, spec.out_shape(1));
        let mut tensors = vec![&qkv, &rope, &state, &out];
        tensors.extend(spec.has_any_params().then_some(&attn_params));
        tensors.extend([&k_cache, &v_cache]);
        let (tokens, grid) = attention::grid(1, spec);
        launch(attention::kernel(spec, tokens), grid, &tensors);
        (out, k_cache, v_cache)
    }
}

impl FoldedAttentionOp for Flex {
    fn folded_attention(
        qkv: FlexTensor,
        rope: FlexTensor,
        attn_params: FlexTensor,
        state: FlexTensor,
        k_cache: FlexTensor,
        v_cache: FlexTensor,
        spec: AttentionSpec,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (params, words) = (attn_params.clone(), state.clone());
        let (q, k, v) = Self::rope_append(qkv, rope, params, words, k_cache, v_cache, spec);
        let out = Self::attention(q, k.clone(), v.clone(), attn_params, state, spec);
        (out, k, v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_appends_where_one_workgroup_has_all_queries_of_a_key() {
        let heads = |n_heads, n_kv_heads, head_dim| AttentionSpec {
            n_heads,
            n_kv_heads,
            head_dim,
            ..AttentionSpec::EXAMPLE
        };
        let of = |spec: AttentionSpec| spec.folds(1);
        // SmolLM2 135M, Llama 3.1 8B, Qwen2.5 0.5B, gpt-oss, and heads that all have keys of their own.
        let alone = [
            (9, 3, 64),
            (32, 8, 128),
            (14, 2, 64),
            (64, 8, 64),
            (12, 12, 64),
        ];
        for (n_heads, n_kv_heads, head_dim) in alone {
            let spec = heads(n_heads, n_kv_heads, head_dim);
            assert!(of(spec), "{spec:?}");
            assert!(!spec.folds(2), "a step of two tokens");
        }
        // Falcon's 71 heads, 16 of one key head, and 8 whose width leaves room for four.
        let shared = [(71, 1, 64), (16, 1, 128), (8, 1, 512)];
        for (n_heads, n_kv_heads, head_dim) in shared {
            let spec = heads(n_heads, n_kv_heads, head_dim);
            assert!(!of(spec), "{spec:?}");
            let earlier = KvSource::Earlier;
            for kv in [KvType::F16, KvType::Q8] {
                let reads = AttentionSpec {
                    kv,
                    kv_source: earlier,
                    ..spec
                };
                assert!(of(reads), "{reads:?}");
            }
        }
        let one = heads(4, 2, 64);
        let refused: [fn(&mut AttentionSpec); 6] = [
            |spec| spec.kv = KvType::Q8,
            |spec| spec.qk_norm = QkNorm::CentredHead,
            |spec| spec.kv_source = KvSource::KeysAlone,
            |spec| spec.causal = false,
            |spec| spec.ranged = true,
            |spec| spec.alibi = 8.0,
        ];
        for change in refused {
            let mut spec = one;
            change(&mut spec);
            assert!(of(one) && !of(spec), "{spec:?}");
        }
    }

    /// The partial sums of the norms are where the scores will be.
    #[test]
    fn partial_sums_have_room() {
        for rows in 1..=8 {
            for head_dim in [4, 64, 128, 256, 512] {
                let spec = AttentionSpec {
                    head_dim,
                    ..AttentionSpec::EXAMPLE
                };
                assert!((rows + 2) * SUMS <= rows * spec.workgroup());
            }
        }
    }
}
