//! The decoder: embedding, n layers of attention and feed-forward, norm, lm_head. Written once, over ops.

use burn::tensor::{Int, Tensor};

use super::ModelConfig;
use crate::ops::{AttentionSpec, KvType, LayerCache, Ops, Weight};

/// The weights of one layer.
pub struct Layer {
    /// [1, d_model]
    pub attn_norm: Tensor<2>,
    /// q, k and v: [(n_heads + 2 n_kv_heads) * head_dim, d_model]
    pub qkv_proj: Weight,
    /// [d_model, n_heads * head_dim]
    pub o_proj: Weight,
    /// [1, d_model]
    pub ffn_norm: Tensor<2>,
    /// gate and up: [2 d_ff, d_model]
    pub gate_up_proj: Weight,
    /// [d_model, d_ff]
    pub down_proj: Weight,
}

/// A decoder's weights on a device.
pub struct Decoder {
    pub config: ModelConfig,
    pub ops: Ops,
    /// [vocab, d_model]
    pub token_embd: Weight,
    pub layers: Vec<Layer>,
    /// [1, d_model]
    pub output_norm: Tensor<2>,
    /// [vocab, d_model]; shares the embedding's memory where tied.
    pub lm_head: Weight,
    /// [1, n_ctx * rope_dim], see [`ModelConfig::rope_table`]
    pub rope: Tensor<2>,
    /// Positions in the KV cache.
    pub n_ctx: usize,
    /// What the KV cache is kept in.
    pub kv: KvType,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
}

impl Decoder {
    /// Shapes of attention.
    pub fn attention(&self) -> AttentionSpec {
        let c = &self.config;
        AttentionSpec {
            n_heads: c.n_heads as u32,
            n_kv_heads: c.n_kv_heads as u32,
            head_dim: c.head_dim as u32,
            rope_pairs: c.rope_dim as u32 / 2,
            n_ctx: self.n_ctx as u32,
            neox: c.spec.rope_neox,
            kv: self.kv,
            splits: 1,
        }
    }

    /// An empty KV cache, one entry a layer.
    pub fn new_cache(&self) -> Vec<LayerCache> {
        let c = &self.config;
        let rows = c.n_kv_heads * self.n_ctx;
        let one = || self.ops.alloc_kv(rows, c.head_dim, self.kv);
        (0..c.n_layers)
            .map(|_| LayerCache::new(one(), one()))
            .collect()
    }

    /// Runs the state's tokens through all layers: the hidden states [t, d_model].
    ///
    /// `t` is the number of rows computed, at least the state's N_TOKENS.
    pub fn forward(&self, state: &Tensor<2, Int>, cache: &mut [LayerCache], t: usize) -> Tensor<2> {
        let ops = &self.ops;
        let eps = self.config.eps;
        let attention = self.attention();
        let mut x = ops.embed(&self.token_embd, state, t);
        for (layer, cache) in self.layers.iter().zip(cache) {
            let qkv = ops.norm_linear(&x, &layer.attn_norm, &layer.qkv_proj, state, eps);
            let q = ops.rope_append(qkv, &self.rope, state, cache, attention);
            x = ops.attention_linear_add(q, cache, &layer.o_proj, state, x, attention);
            let a = ops.norm_swiglu(&x, &layer.ffn_norm, &layer.gate_up_proj, state, eps);
            x = ops.linear_add(&a, &layer.down_proj, state, x);
        }
        x
    }

    /// The logits of every token of the step, in the memory of `y`: [t, vocab].
    pub fn all_logits(&self, x: &Tensor<2>, state: &Tensor<2, Int>, y: Tensor<2>) -> Tensor<2> {
        let h = (self.ops).rms_norm(x, &self.output_norm, state, self.config.eps, false);
        self.ops.linear_into(&h, &self.lm_head, state, y, false)
    }

    /// The logits of the step's last token: [1, vocab].
    pub fn logits(&self, x: &Tensor<2>, state: &Tensor<2, Int>) -> Tensor<2> {
        let eps = self.config.eps;
        self.ops
            .norm_linear_last(x, &self.output_norm, &self.lm_head, state, eps)
    }
}
