//! Softmax attention over a KV cache.

use burn::tensor::Tensor;

use crate::model::bounds::ProjectionBounds;
use crate::ops::{Attention, KvCache, KvSource, KvType, Norm, Ops, StepState, Weight};

/// Attention with its projections.
pub struct AttentionMixer {
    /// q, with its gates if there are any, k and v, or as many of them as the layer projects: [qkv_cols(), d_model]
    pub qkv_proj: Weight,
    pub attention: Attention,
    /// [d_model, n_heads * head_dim]
    pub o_proj: Weight,
    /// Bounds of both projections.
    pub bounds: Option<Box<[ProjectionBounds; 2]>>,
}

impl AttentionMixer {
    /// Returns whether the layer reads an earlier layer's cache and has none itself.
    pub fn reads_earlier(&self) -> bool {
        self.attention.spec.kv_source == KvSource::Earlier
    }

    /// Allocates an empty KV cache.
    pub fn new_cache(&self, ops: &Ops, n_ctx: usize, kv: KvType) -> KvCache {
        let spec = self.attention.spec;
        let rows = spec.n_kv_heads as usize * n_ctx;
        let one = || ops.alloc_kv(rows, spec.head_dim as usize, kv);
        KvCache::new(one(), one())
    }

    /// Returns o_proj(attention(norm(x))): [t, d_model]; see [`Mixer::forward`](super::Mixer::forward).
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        cache: &mut KvCache,
        add: bool,
    ) -> Tensor<2> {
        let projected = self.project(ops, &x, norm, step, cache);
        self.attend(ops, projected, x, step, cache, add)
    }

    /// Returns q, ready for attention, and what was projected of norm(x); appends keys and values to the cache.
    pub fn project(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        cache: &mut KvCache,
    ) -> (Tensor<2>, Tensor<2>) {
        let qkv = match &self.bounds {
            None => ops.norm_linear(x, norm, &self.qkv_proj, step),
            Some(bounds) => {
                let h = norm.map_or_else(|| x.clone(), |norm| ops.norm(x, norm, step, false));
                bounds[0].linear(ops, &h, &self.qkv_proj, step)
            }
        };
        let q = ops.rope_append(qkv.clone(), &self.attention, step, cache);
        (q, qkv)
    }

    /// Returns o_proj(attention) of what [`AttentionMixer::project`] returned: [t, d_model]; with `add` it is added to x, in the memory
    /// of x.
    pub fn attend(
        &self,
        ops: &Ops,
        (q, qkv): (Tensor<2>, Tensor<2>),
        x: Tensor<2>,
        step: &StepState,
        cache: &KvCache,
        add: bool,
    ) -> Tensor<2> {
        let attention = &self.attention;
        if let Some(bounds) = &self.bounds {
            // (towers have no gates)
            let a = ops.attention(q, cache, step, attention);
            return bounds[1].linear_to(ops, &a, &self.o_proj, step, x, add);
        }
        match add {
            true => ops.attention_linear_add(q, &qkv, cache, &self.o_proj, step, x, attention),
            false => ops.attention_linear(q, &qkv, cache, &self.o_proj, step, attention),
        }
    }
}
