//! The decoder: embedding, n layers of attention and feed-forward, norm, lm_head. Written once, over ops.

use burn::tensor::{Int, Tensor};

use super::ModelConfig;
use crate::ops::{AttentionSpec, KvType, LayerCache, Ops, Weight};

/// The weights of one layer.
pub struct Layer {
    /// [1, d_model]; not in every family, like the other norms.
    pub attn_norm: Option<Tensor<2>>,
    /// q, k and v: [(n_heads + 2 n_kv_heads) * head_dim, d_model]
    pub qkv_proj: Weight,
    /// [1, ..], see [`AttentionSpec::extras`]; a dummy where there are none.
    pub qkv_extras: Tensor<2>,
    /// [d_model, n_heads * head_dim]
    pub o_proj: Weight,
    /// [1, d_model]
    pub post_attn_norm: Option<Tensor<2>>,
    /// [1, d_model]
    pub ffn_norm: Option<Tensor<2>>,
    /// gate and up: [2 d_ff, d_model]
    pub gate_up_proj: Weight,
    /// [d_model, d_ff]
    pub down_proj: Weight,
    /// [1, d_model]
    pub post_ffn_norm: Option<Tensor<2>>,
    /// How it attends.
    pub attention: AttentionSpec,
    /// [1, n_ctx * rope_dim], see [`super::rope::Rope::table`]; layers of a kind share it.
    pub rope: Tensor<2>,
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
    /// Positions in the KV cache.
    pub n_ctx: usize,
    /// What the KV cache is kept in.
    pub kv: KvType,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
}

impl Decoder {
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
        let activation = self.config.spec.activation;
        let mut x = ops.embed(&self.token_embd, state, t);
        for (layer, cache) in self.layers.iter().zip(cache) {
            let qkv = match &layer.attn_norm {
                Some(norm) => ops.norm_linear(&x, norm, &layer.qkv_proj, state, eps),
                None => ops.linear(&x, &layer.qkv_proj, state),
            };
            let spec = layer.attention;
            let q = ops.rope_append(qkv, &layer.rope, &layer.qkv_extras, state, cache, spec);
            x = match &layer.post_attn_norm {
                Some(norm) => {
                    let a = ops.attention_linear(q, cache, &layer.o_proj, state, spec);
                    ops.rms_norm_add(&a, norm, state, x, eps)
                }
                None => ops.attention_linear_add(q, cache, &layer.o_proj, state, x, spec),
            };
            let norm = layer.ffn_norm.as_ref();
            let a = ops.norm_gated(&x, norm, &layer.gate_up_proj, state, eps, activation);
            x = match &layer.post_ffn_norm {
                Some(norm) => {
                    let y = ops.linear(&a, &layer.down_proj, state);
                    ops.rms_norm_add(&y, norm, state, x, eps)
                }
                None => ops.linear_add(&a, &layer.down_proj, state, x),
            };
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
