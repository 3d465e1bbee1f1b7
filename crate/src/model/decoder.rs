//! The decoder: embedding, n layers of attention and feed-forward, norm, lm_head. It is written only once, over ops.

use std::ops::Range;

use burn::tensor::{Int, Tensor};

use super::feed_forward::FeedForward;
use crate::ops::{Attention, KvType, LayerCache, Norm, Ops, Weight};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::families::PostNorm;

/// The weights of one layer. Norms have d_model columns and are absent in some families; few families have biases.
pub struct Layer {
    pub attn_norm: Option<Norm>,
    /// q, k and v: [(n_heads + 2 n_kv_heads) * head_dim, d_model]
    pub qkv_proj: Weight,
    pub attention: Attention,
    /// [d_model, n_heads * head_dim]
    pub o_proj: Weight,
    pub attn_end: BlockEnd,
    pub ffn_norm: Option<Norm>,
    pub feed_forward: FeedForward,
    pub ffn_end: BlockEnd,
}

/// Bias and norm that follow a block's last projection.
pub struct BlockEnd {
    /// [1, d_model]
    pub bias: Option<Tensor<2>>,
    pub norm: Option<Norm>,
}

/// Embedding tables, and the bias and norm before the first layer.
pub struct Embedding {
    /// [vocab, d_model]
    pub tokens: Weight,
    /// [n_ctx_train, d_model]
    pub positions: Option<Weight>,
    /// [1, d_model]
    pub bias: Option<Tensor<2>>,
    pub norm: Option<Norm>,
}

/// A decoder's weights on a device.
pub struct Decoder {
    pub config: ModelConfig,
    pub ops: Ops,
    pub embedding: Embedding,
    pub layers: Vec<Layer>,
    /// Absent in encoders.
    pub output_norm: Option<Norm>,
    /// [vocab, d_model]; shares the embedding's memory if tied.
    pub lm_head: Weight,
    /// Positions in the KV cache.
    pub n_ctx: usize,
    /// Storage type of the KV cache.
    pub kv: KvType,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
}

impl Decoder {
    /// Creates an empty KV cache, one entry per layer.
    pub fn new_cache(&self) -> Vec<LayerCache> {
        let c = &self.config;
        let rows = c.n_kv_heads * self.n_ctx;
        let one = || self.ops.alloc_kv(rows, c.head_dim, self.kv);
        (0..c.n_layers)
            .map(|_| LayerCache::new(one(), one()))
            .collect()
    }

    /// Runs the state's tokens through all layers and returns the hidden states [t, d_model].
    ///
    /// `t` is the number of rows computed, at least the state's N_TOKENS.
    pub fn forward(&self, state: &Tensor<2, Int>, cache: &mut [LayerCache], t: usize) -> Tensor<2> {
        let x = self.embed(state, t);
        self.run_layers(x, 0..self.layers.len(), state, cache)
    }

    /// Runs some of the layers on the hidden states of the preceding ones: [t, d_model].
    pub fn run_layers(
        &self,
        mut x: Tensor<2>,
        layers: Range<usize>,
        state: &Tensor<2, Int>,
        cache: &mut [LayerCache],
    ) -> Tensor<2> {
        let ops = &self.ops;
        let activation = self.config.spec.activation;
        for i in layers {
            let (layer, cache) = (&self.layers[i], &mut cache[i]);
            let qkv = match &layer.attn_norm {
                Some(norm) => ops.norm_linear(&x, norm, &layer.qkv_proj, state),
                None => ops.linear(&x, &layer.qkv_proj, state),
            };
            let attention = &layer.attention;
            let q = ops.rope_append(qkv, attention, state, cache);
            x = self.block(x, &layer.attn_end, state, |x, add| match add {
                true => ops.attention_linear_add(q, cache, &layer.o_proj, state, x, attention),
                false => ops.attention_linear(q, cache, &layer.o_proj, state, attention),
            });
            let norm = layer.ffn_norm.as_ref();
            x = self.block(x, &layer.ffn_end, state, |x, add| {
                (layer.feed_forward).forward(ops, x, norm, state, activation, add)
            });
        }
        x
    }

    /// Returns the embeddings of the state's tokens, the input of the first layer: [t, d_model].
    pub fn embed(&self, state: &Tensor<2, Int>, t: usize) -> Tensor<2> {
        let (ops, embedding) = (&self.ops, &self.embedding);
        let mut x = ops.embed(&embedding.tokens, state, t);
        if let Some(positions) = &embedding.positions {
            x = ops.add_positions(positions, state, x);
        }
        if let Some(bias) = &embedding.bias {
            x = ops.bias(x, bias, state, None);
        }
        match &embedding.norm {
            Some(norm) => ops.norm(&x, norm, state, false),
            None => x,
        }
    }

    /// Adds a block's output, with its bias and post-norm, to the residual `x`. `run(x, add)` returns the output, or
    /// `x` plus the output.
    fn block(
        &self,
        x: Tensor<2>,
        end: &BlockEnd,
        state: &Tensor<2, Int>,
        run: impl FnOnce(Tensor<2>, bool) -> Tensor<2>,
    ) -> Tensor<2> {
        let ops = &self.ops;
        let biased = |y: Tensor<2>| match &end.bias {
            Some(bias) => ops.bias(y, bias, state, None),
            None => y,
        };
        match (&end.norm, self.config.spec.post_norm) {
            (Some(norm), PostNorm::Block) => {
                let y = biased(run(x.clone(), false));
                ops.norm_add(&y, norm, state, x)
            }
            (Some(norm), _) => ops.norm(&biased(run(x, true)), norm, state, false),
            (None, _) => biased(run(x, true)),
        }
    }

    /// Returns the final hidden state of every token of the step: [t, d_model].
    pub fn hidden(&self, x: &Tensor<2>, state: &Tensor<2, Int>) -> Tensor<2> {
        match &self.output_norm {
            Some(norm) => self.ops.norm(x, norm, state, false),
            None => x.clone(),
        }
    }

    /// Returns the logits of every token of the step, in the memory of `y`: [t, vocab].
    pub fn all_logits(&self, x: &Tensor<2>, state: &Tensor<2, Int>, y: Tensor<2>) -> Tensor<2> {
        let h = self.hidden(x, state);
        self.ops.linear_into(&h, &self.lm_head, state, y, false)
    }

    /// Returns the logits of the step's last token: [1, vocab].
    pub fn logits(&self, x: &Tensor<2>, state: &Tensor<2, Int>) -> Tensor<2> {
        match &self.output_norm {
            Some(norm) => self.ops.norm_linear_last(x, norm, &self.lm_head, state),
            None => self.ops.linear(x, &self.lm_head, state),
        }
    }
}
