//! Attention over latent vectors: one cache for keys and values of all heads.

use std::rc::Rc;

use burn::tensor::Tensor;

use crate::ops::attention::latent::{HeadColumns, HeadRoutes, JoinSpec};
use crate::ops::{Attention, KvCache, KvType, Norm, Ops, StepState, Weight};

/// Attention over latents with its projections; see [`crate::ops::attention::latent`].
pub struct LatentMixer {
    /// Projection that compresses a token for its queries, [query_rank, d_model], and the norm behind it.
    pub q_down: Option<(Weight, Norm)>,
    /// [heads * (plain + rotated), query_rank or d_model]
    pub q_up: Weight,
    /// Latent, then rotated part of the key: [rank + rotated, d_model]
    pub latent_proj: Weight,
    /// Weight of the latent's norm: [1, rank]
    pub latent_norm: Tensor<2>,
    /// Projection that makes each head's query comparable with latents: [heads * rank, plain]
    pub to_latent: Weight,
    /// Projection that makes each head's output of latents: [heads * value, rank]
    pub from_latent: Weight,
    pub join: JoinSpec,
    pub attention: Attention,
    pub routes: Rc<HeadRoutes>,
    /// [d_model, heads * value]
    pub o_proj: Weight,
}

impl LatentMixer {
    /// Allocates an empty cache.
    pub fn new_cache(&self, ops: &Ops, n_ctx: usize, kv: KvType) -> KvCache {
        let kept = self.join.shape.kept();
        // (there are no values beside the latents)
        KvCache::new(ops.alloc_kv(n_ctx, kept, kv), ops.alloc_f32(1, 4))
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
        let JoinSpec { heads, shape, .. } = self.join;
        let q = match &self.q_down {
            Some((down, down_norm)) => {
                let low = ops.norm_linear(&x, norm, down, step);
                ops.norm_linear(&low, Some(down_norm), &self.q_up, step)
            }
            None => ops.norm_linear(&x, norm, &self.q_up, step),
        };
        let kv = ops.norm_linear(&x, norm, &self.latent_proj, step);
        let routes = ops.head_routes(&self.routes, x.dims()[0], step);
        let plain = HeadColumns {
            heads,
            width: shape.query(),
            first: 0,
            cols: shape.plain,
        };
        let plain = ops.head_columns(&q, plain);
        let compared = ops.routed_linear(&plain, &[&self.to_latent], &routes, step);
        let qkv = ops.join_latent(&q, &compared, &kv, &self.latent_norm, self.join);
        let queries = ops.queries(&qkv, &self.attention, step, cache);
        let sums = ops.merged_attention(queries, &qkv, cache, step, &self.attention);
        let latents = HeadColumns {
            heads,
            width: shape.kept(),
            first: shape.rotated,
            cols: shape.rank,
        };
        let latents = ops.head_columns(&sums, latents);
        let values = ops.routed_linear(&latents, &[&self.from_latent], &routes, step);
        let values = ops.in_rows_of(&values, heads * shape.value);
        match add {
            true => ops.linear_add(&values, &self.o_proj, step, x),
            false => ops.linear(&values, &self.o_proj, step),
        }
    }
}
