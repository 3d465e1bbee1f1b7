//! One token's way through layers on the CPU's threads, in one job a layer where it is attention and a gated block alone: attention,
//! the projections behind it, and those before the next layer's.

use burn::tensor::Tensor;
use hearth_modelfile::families::ModelSpec;

use crate::model::feed_forward::FeedForward;
use crate::model::mixer::{AttentionMixer, Mixer};
use crate::model::transformer::{BlockEnd, Layer};
use crate::ops::{KvCache, LayerEnd, Norm, Ops, StepState, Weight};

/// A layer whose end is one job.
pub struct InJobs<'a> {
    norm: Option<&'a Norm>,
    attention: &'a AttentionMixer,
    end: LayerEnd<'a>,
}

impl Layer {
    /// Returns the parts of a layer whose end is one job for the token `x`, if it is: `next` is the layer behind it.
    pub fn in_jobs<'a>(
        &'a self,
        ops: &Ops,
        spec: &ModelSpec,
        x: &Tensor<2>,
        next: Option<&'a Self>,
    ) -> Option<InJobs<'a>> {
        let Self {
            mixer_norm,
            mixer: Mixer::Attention(attention),
            mixer_end:
                BlockEnd {
                    bias: None,
                    norm: None,
                },
            ffn_norm: Some(norm),
            feed_forward:
                FeedForward::Gated {
                    gate_up,
                    down,
                    bounds: None,
                },
            ffn_end:
                BlockEnd {
                    bias: None,
                    norm: None,
                },
            per_layer: None,
        } = self
        else {
            return None;
        };
        let end = LayerEnd {
            o_proj: &attention.o_proj,
            norm,
            gate_up,
            activation: spec.activation,
            down,
            next: next.and_then(Self::begin),
        };
        if x.dims()[0] != 1 || spec.parallel || attention.bounds.is_some() {
            return None;
        }
        let mut ends = [end, LayerEnd { next: None, ..end }].into_iter();
        let end = ends.find(|end| ops.ends_in_one_job(*end))?;
        Some(InJobs {
            norm: mixer_norm.as_ref(),
            attention,
            end,
        })
    }

    /// Returns the norm and the projection that a layer begins with, if these are all it does before attention.
    fn begin(&self) -> Option<(&Norm, &Weight)> {
        match (&self.mixer, &self.mixer_norm) {
            (Mixer::Attention(attention), Some(norm)) if attention.bounds.is_none() => {
                Some((norm, &attention.qkv_proj))
            }
            _ => None,
        }
    }
}

impl InJobs<'_> {
    /// Returns the hidden state behind the layer, [1, d_model], and what the next layer projects of it, if its end has that;
    /// `projected` is what the layer before has projected for this one.
    pub fn forward(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        projected: Option<Tensor<2>>,
        step: &StepState,
        cache: &mut KvCache,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        let Self {
            norm,
            attention,
            end,
        } = self;
        let qkv = projected.unwrap_or_else(|| attention.project(ops, x, *norm, step));
        let attended = ops.attended(&qkv, &attention.attention, step, cache);
        ops.end_layer(attended, x, *end)
    }
}
