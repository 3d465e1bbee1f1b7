//! The transformer: embedding, n layers of mixer and feed-forward, norm, lm_head. It is written only once, over ops.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::model::feed_forward::FeedForward;
use crate::model::mixer::Mixer;
use crate::model::state::LayerState;
use crate::ops::{KvType, Norm, Ops, StepState, Weight};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::families::PostNorm;

/// One layer: a mixer and a feed-forward block, one after the other, or side by side behind the mixer's norm. Norms have d_model columns and are absent in some families; few
/// families have biases.
pub struct Layer {
    pub mixer_norm: Option<Norm>,
    pub mixer: Mixer,
    pub mixer_end: BlockEnd,
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

/// A model's weights on a device.
pub struct Transformer {
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

impl Transformer {
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
        self.run_layers(x, 0..self.layers.len(), step, states)
    }

    /// Runs some of the layers on the hidden states of the preceding ones: [t, d_model].
    pub fn run_layers(
        &self,
        mut x: Tensor<2>,
        layers: Range<usize>,
        step: &StepState,
        states: &mut [LayerState],
    ) -> Tensor<2> {
        let ops = &self.ops;
        let activation = self.config.spec.activation;
        for i in layers {
            let (layer, state) = (&self.layers[i], &mut states[i]);
            let norm = layer.mixer_norm.as_ref();
            if self.config.spec.parallel {
                // (before the mixer's output is added in the memory of x)
                let h = (layer.feed_forward).hidden(ops, &x, norm, step, activation);
                x = self.block(x, &layer.mixer_end, step, |x, add| {
                    layer.mixer.forward(ops, x, norm, step, state, add)
                });
                x = self.block(x, &layer.ffn_end, step, |x, add| {
                    layer.feed_forward.project(ops, &h, x, step, add)
                });
                continue;
            }
            x = self.block(x, &layer.mixer_end, step, |x, add| {
                layer.mixer.forward(ops, x, norm, step, state, add)
            });
            let norm = layer.ffn_norm.as_ref();
            x = self.block(x, &layer.ffn_end, step, |x, add| {
                (layer.feed_forward).forward(ops, x, norm, step, activation, add)
            });
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
            x = ops.bias(x, bias, step, None);
        }
        match &embedding.norm {
            Some(norm) => ops.norm(&x, norm, step, false),
            None => x,
        }
    }

    /// Adds a block's output, with its bias and post-norm, to the residual `x`. `run(x, add)` returns the output, or
    /// `x` plus the output.
    fn block(
        &self,
        x: Tensor<2>,
        end: &BlockEnd,
        step: &StepState,
        run: impl FnOnce(Tensor<2>, bool) -> Tensor<2>,
    ) -> Tensor<2> {
        let ops = &self.ops;
        let biased = |y: Tensor<2>| match &end.bias {
            Some(bias) => ops.bias(y, bias, step, None),
            None => y,
        };
        match (&end.norm, self.config.spec.post_norm) {
            (Some(norm), PostNorm::Block) => {
                let y = biased(run(x.clone(), false));
                ops.norm_add(&y, norm, step, x)
            }
            (Some(norm), _) => ops.norm(&biased(run(x, true)), norm, step, false),
            (None, _) => biased(run(x, true)),
        }
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
        self.ops.linear_into(&h, &self.lm_head, step, y, false)
    }

    /// Returns the logits of the step's last token: [1, vocab].
    pub fn logits(&self, x: &Tensor<2>, step: &StepState) -> Tensor<2> {
        match &self.output_norm {
            Some(norm) => self.ops.norm_linear_last(x, norm, &self.lm_head, step),
            None => self.ops.linear(x, &self.lm_head, step),
        }
    }
}
