//! The transformer: embedding, n layers of mixer and feed-forward, norm, lm_head. It is written only once, over ops.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::model::feed_forward::FeedForward;
use crate::model::mixer::Mixer;
use crate::model::state::LayerState;
use crate::ops::{KvType, Norm, Ops, SamplerTables, StepState, Weight};
use hearth_modelfile::config::{ModelConfig, Similarity};
use hearth_modelfile::families::{ModelSpec, PostNorm};

/// One layer: a mixer and a feed-forward block, one after the other, or side by side behind the mixer's norm. Norms have
/// d_model columns and are absent in some families; few families have biases.
pub struct Layer {
    pub mixer_norm: Option<Norm>,
    pub mixer: Mixer,
    pub mixer_end: BlockEnd,
    pub ffn_norm: Option<Norm>,
    pub feed_forward: FeedForward,
    pub ffn_end: BlockEnd,
    pub per_layer: Option<PerLayer>,
}

impl Layer {
    /// Returns the hidden states after the layer, [t, d_model], in the memory of `x`; `per_layer` are the embeddings by layer, if the
    /// model has them. Moves `state` on by the step's tokens.
    pub fn forward(
        &self,
        ops: &Ops,
        spec: &ModelSpec,
        mut x: Tensor<2>,
        per_layer: Option<&Tensor<2>>,
        step: &StepState,
        state: &mut LayerState,
    ) -> Tensor<2> {
        let activation = spec.activation;
        let norm = self.mixer_norm.as_ref();
        if spec.parallel {
            // (before the mixer's output is added in the memory of x)
            let h = (self.feed_forward).hidden(ops, &x, norm, step, activation);
            x = (self.mixer_end).add(ops, spec, x, step, |x, add| {
                self.mixer.forward(ops, x, norm, step, state, add)
            });
            return (self.ffn_end).add(ops, spec, x, step, |x, add| {
                self.feed_forward.project(ops, &h, x, step, add)
            });
        }
        x = (self.mixer_end).add(ops, spec, x, step, |x, add| {
            self.mixer.forward(ops, x, norm, step, state, add)
        });
        let norm = self.ffn_norm.as_ref();
        x = (self.ffn_end).add(ops, spec, x, step, |x, add| {
            (self.feed_forward).forward(ops, x, norm, step, activation, add)
        });
        if let (Some(own), Some(all)) = (&self.per_layer, per_layer) {
            let gate = ops.linear(&x, &own.gate, step);
            let gated = ops.gate_slice(&gate, all, &own.index, activation);
            let y = ops.linear(&gated, &own.proj, step);
            x = ops.norm_add(&y, &own.norm, step, x);
        }
        x
    }
}

/// A layer's use of its own embedding e: x + norm(proj(activation(gate x) * e)).
pub struct PerLayer {
    /// [per_layer_dim, d_model]
    pub gate: Weight,
    /// [d_model, per_layer_dim]
    pub proj: Weight,
    pub norm: Norm,
    /// [1, 4], the layer's number
    pub index: Tensor<2>,
}

/// Embeddings by layer: (table[id] + norm(proj x)) / sqrt(2), where x is the ordinary embedding and the norm is that of each
/// layer's columns.
pub struct PerLayerEmbedding {
    /// [vocab, n_layers * per_layer_dim]
    pub table: Weight,
    /// [n_layers * per_layer_dim, d_model]
    pub proj: Weight,
    pub norm: Norm,
}

/// Bias and norm that follow a block's last projection.
pub struct BlockEnd {
    /// [1, d_model]
    pub bias: Option<Tensor<2>>,
    pub norm: Option<Norm>,
}

impl BlockEnd {
    /// Adds a block's output, with its bias and post-norm, to the residual `x`. `run(x, add)` returns the output, or
    /// `x` plus the output.
    fn add(
        &self,
        ops: &Ops,
        spec: &ModelSpec,
        x: Tensor<2>,
        step: &StepState,
        run: impl FnOnce(Tensor<2>, bool) -> Tensor<2>,
    ) -> Tensor<2> {
        let biased = |y: Tensor<2>| match &self.bias {
            Some(bias) => ops.bias(y, bias, step, None),
            None => y,
        };
        match (&self.norm, spec.post_norm) {
            (Some(norm), PostNorm::Block) => {
                let y = biased(run(x.clone(), false));
                ops.norm_add(&y, norm, step, x)
            }
            (Some(norm), _) => ops.norm(&biased(run(x, true)), norm, step, false),
            (None, _) => biased(run(x, true)),
        }
    }
}

/// Embedding tables, and the bias and norm before the first layer.
pub struct Embedding {
    /// [vocab, d_model]
    pub tokens: Weight,
    /// [n_ctx_train, d_model]
    pub positions: Option<Weight>,
    /// [1, types * d_model], one row for each type of tokens
    pub bias: Option<Tensor<2>>,
    pub norm: Option<Norm>,
}

/// Head of a model that ranks documents: a pooled hidden state goes through a projection, if there is one, then to the outputs.
pub struct RankHead {
    pub dense: Option<RankDense>,
    /// [outputs, d_model]
    pub output: Vec<f32>,
    /// [outputs]
    pub output_bias: Vec<f32>,
}

/// Projection of a [`RankHead`]: norm(gelu(weight x + bias)), or tanh(weight x + bias) if there is no norm.
pub struct RankDense {
    /// [d_model, d_model]
    pub weight: Weight,
    /// [1, d_model]
    pub bias: Tensor<2>,
    pub norm: Option<Norm>,
}

/// A model's weights on a device.
pub struct Transformer {
    pub config: ModelConfig,
    pub ops: Ops,
    pub embedding: Embedding,
    pub per_layer: Option<PerLayerEmbedding>,
    pub layers: Vec<Layer>,
    /// Absent in encoders whose layers end with a norm.
    pub output_norm: Option<Norm>,
    /// Projections of a pooled embedding, one after the other.
    pub dense: Vec<(Weight, Option<Tensor<2>>)>,
    /// Terms of probabilities from embeddings of pictures and texts, in models that make both.
    pub similarity: Option<Similarity>,
    pub rank_head: Option<RankHead>,
    /// [vocab, d_model]; shares the embedding's memory if tied.
    pub lm_head: Weight,
    /// [1, vocab]
    pub lm_head_bias: Option<Tensor<2>>,
    /// The token that stands for a row of a picture, in models that see.
    pub row_token: u32,
    /// Positions in the KV cache.
    pub n_ctx: usize,
    /// Storage type of the KV cache.
    pub kv: KvType,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
}

impl Transformer {
    /// Returns the number of layers up to the last that keeps anything of a token; those behind it read other layers' caches only.
    pub fn layers_with_state(&self) -> usize {
        let last = (self.config.layers.iter()).rposition(|layer| layer.kv_of.is_none());
        last.map_or(0, |last| last + 1)
    }

    /// Allocates the state of an empty sequence, one entry per layer.
    pub fn new_states(&self) -> Vec<LayerState> {
        (self.layers.iter())
            .map(|layer| layer.mixer.new_state(&self.ops, self.n_ctx, self.kv))
            .collect()
    }

    /// Runs the step's tokens through all layers and returns the hidden states [t, d_model].
    ///
    /// `t` is the number of rows computed, at least the step's N_TOKENS.
    pub fn forward(&self, step: &StepState, states: &mut [LayerState], t: usize) -> Tensor<2> {
        let x = self.embed(step, t);
        let per_layer = self.embed_per_layer(&x, step);
        self.run_layers(x, per_layer.as_ref(), 0..self.layers.len(), step, states)
    }

    /// Runs some of the layers on the hidden states of the preceding ones, [t, d_model], with the embeddings by layer, if the model
    /// has them.
    pub fn run_layers(
        &self,
        mut x: Tensor<2>,
        per_layer: Option<&Tensor<2>>,
        layers: Range<usize>,
        step: &StepState,
        states: &mut [LayerState],
    ) -> Tensor<2> {
        let (ops, spec) = (&self.ops, self.config.spec);
        let mut projected = None;
        for i in layers.clone() {
            let layer = &self.layers[i];
            let state = &mut states[self.config.layers[i].kv_of.unwrap_or(i)];
            let next = self.layers.get(i + 1).filter(|_| i + 1 < layers.end);
            (x, projected) = match (layer.in_jobs(ops, spec, &x, next), state) {
                (Some(jobs), LayerState::Kv(cache)) => {
                    jobs.forward(ops, &x, projected, step, cache)
                }
                (_, state) => (layer.forward(ops, spec, x, per_layer, step, state), None),
            };
        }
        x
    }

    /// Returns the embeddings of the step's tokens, the input of the first layer: [t, d_model].
    pub fn embed(&self, step: &StepState, t: usize) -> Tensor<2> {
        let (ops, embedding) = (&self.ops, &self.embedding);
        let mut x = ops.embed(&embedding.tokens, step, t);
        if let Some(positions) = &embedding.positions {
            x = ops.add_positions(positions, step, x);
        }
        if let Some(bias) = &embedding.bias {
            x = match step.types() {
                Some(types) => ops.bias_of(x, bias, types, step),
                None => ops.bias(x, bias, step, None),
            };
        }
        match &embedding.norm {
            Some(norm) => ops.norm(&x, norm, step, false),
            None => x,
        }
    }

    /// Returns the embeddings by layer of the step's tokens, [t, n_layers * per_layer_dim], if the model has them; `x` is
    /// their ordinary embedding.
    pub fn embed_per_layer(&self, x: &Tensor<2>, step: &StepState) -> Option<Tensor<2>> {
        let (ops, own) = (&self.ops, self.per_layer.as_ref()?);
        let projected = ops.linear(x, &own.proj, step);
        let looked_up = ops.embed(&own.table, step, x.dims()[0]);
        Some(ops.norm_add(&projected, &own.norm, step, looked_up))
    }

    /// Runs a step that computes `rows` tokens and samples: after each of them, with their logits in the memory of
    /// `draft_logits`, or if there is none after the last.
    pub fn sampled_step(
        &self,
        step: &mut StepState,
        states: &mut [LayerState],
        tables: &mut SamplerTables,
        rows: usize,
        draft_logits: Option<Tensor<2>>,
    ) {
        let x = self.forward(step, states, rows);
        let logits = match draft_logits {
            None => self.logits(&x, step),
            Some(y) => self.all_logits(&x, step, y),
        };
        self.ops.sample(logits, step, tables);
    }

    /// Returns the final hidden state of every token of the step: [t, d_model].
    pub fn hidden(&self, x: &Tensor<2>, step: &StepState) -> Tensor<2> {
        match &self.output_norm {
            Some(norm) => self.ops.norm(x, norm, step, false),
            None => x.clone(),
        }
    }

    /// Returns the logits of every token of the step, in the memory of `y`: [t, vocab].
    pub fn all_logits(&self, x: &Tensor<2>, step: &StepState, y: Tensor<2>) -> Tensor<2> {
        let h = self.hidden(x, step);
        let logits = self.ops.linear_into(&h, &self.lm_head, step, y, false);
        self.biased(logits, step)
    }

    /// Returns the logits of the step's last token: [1, vocab].
    pub fn logits(&self, x: &Tensor<2>, step: &StepState) -> Tensor<2> {
        let logits = match &self.output_norm {
            Some(norm) => self.ops.norm_linear_last(x, norm, &self.lm_head, step),
            None => self.ops.linear(x, &self.lm_head, step),
        };
        self.biased(logits, step)
    }

    /// Returns logits plus the head's bias, if it has one, in their memory.
    fn biased(&self, logits: Tensor<2>, step: &StepState) -> Tensor<2> {
        match &self.lm_head_bias {
            Some(bias) => self.ops.bias(logits, bias, step, None),
            None => logits,
        }
    }
}
