//! Softmax attention over a KV cache.

use burn::tensor::Tensor;

use crate::model::bounds::ProjectionBounds;
use crate::ops::{
    Attention, KvCache, KvSource, KvType, Norm, Ops, PooledKv, Queries, StepState, Weight,
};

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

    /// Allocates an empty KV cache: where the threads of a pool can read it, if there is one that has room and can compute this
    /// attention.
    pub fn new_cache(&self, ops: &Ops, n_ctx: usize, kv: KvType) -> KvCache {
        let spec = self.attention.spec;
        let (rows, dim) = (spec.n_kv_heads as usize * n_ctx, spec.head_dim as usize);
        if let Some(cache) = (spec.fits_pool())
            .then(|| PooledKv::new(ops, rows, dim))
            .flatten()
        {
            return KvCache::pooled(cache);
        }
        let one = || ops.alloc_kv(rows, dim, kv);
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
        let qkv = self.project(ops, &x, norm, step);
        self.attend(ops, &qkv, x, step, cache, add)
    }

    /// Returns what is projected of norm(x): [t, qkv_cols()].
    pub fn project(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
    ) -> Tensor<2> {
        match &self.bounds {
            None => ops.norm_linear(x, norm, &self.qkv_proj, step),
            Some(bounds) => {
                let h = norm.map_or_else(|| x.clone(), |norm| ops.norm(x, norm, step, false));
                bounds[0].linear(ops, &h, &self.qkv_proj, step)
            }
        }
    }

    /// Returns o_proj(attention) of what [`AttentionMixer::project`] returned: [t, d_model]; with `add` it is added to x, in the memory
    /// of x. Appends keys and values to the cache.
    pub fn attend(
        &self,
        ops: &Ops,
        qkv: &Tensor<2>,
        x: Tensor<2>,
        step: &StepState,
        cache: &mut KvCache,
        add: bool,
    ) -> Tensor<2> {
        let queries = ops.queries(qkv, &self.attention, step, cache);
        self.attend_with(ops, queries, qkv, x, step, cache, add)
    }

    /// Returns the same for queries of [`Ops::queries`] or [`Ops::rope_append`].
    #[expect(
        clippy::too_many_arguments,
        reason = "a tower's head has queries of its own"
    )]
    pub fn attend_with(
        &self,
        ops: &Ops,
        queries: Queries,
        qkv: &Tensor<2>,
        x: Tensor<2>,
        step: &StepState,
        cache: &mut KvCache,
        add: bool,
    ) -> Tensor<2> {
        let (attention, o_proj) = (&self.attention, &self.o_proj);
        if let Some(bounds) = &self.bounds {
            let a = ops.merged_attention(queries, qkv, cache, step, attention);
            return bounds[1].linear_to(ops, &a, o_proj, step, x, add);
        }
        match add {
            true => ops.attention_linear_add(queries, qkv, cache, o_proj, step, x, attention),
            false => ops.attention_linear(queries, qkv, cache, o_proj, step, attention),
        }
    }
}
