//! Gated delta net (Qwen 3.5).

use burn::tensor::Tensor;

use crate::model::state::RecurrentState;
use crate::ops::recurrent::conv::ConvSpec;
use crate::ops::recurrent::gated_norm::GatedNormSpec;
use crate::ops::{Norm, Ops, StepState, Weight};
use hearth_modelfile::layer_spec::DeltaShape;

/// A gated delta net with its projections.
pub struct GatedDeltaMixer {
    pub shape: DeltaShape,
    /// Queries, keys and values, the output's gate, beta and the step: [columns, d_model]
    pub in_proj: Weight,
    /// [taps, channels]
    pub taps: Tensor<2>,
    /// Decay and bias of the step: [1, 2 value_heads]
    pub params: Tensor<2>,
    /// [1, head_dim]
    pub norm: Tensor<2>,
    pub eps: f32,
    /// [d_model, value_heads * head_dim]
    pub out_proj: Weight,
}

impl GatedDeltaMixer {
    /// Allocates an empty state.
    pub fn new_state(&self, ops: &Ops) -> RecurrentState {
        RecurrentState::new(ops, self.shape.offsets().end, None)
    }

    /// Returns out_proj of the gated net of norm(x): [t, d_model]; see [`Mixer::forward`](super::Mixer::forward).
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        state: &mut RecurrentState,
        add: bool,
    ) -> Tensor<2> {
        let shape = self.shape;
        let u = match norm {
            Some(norm) => ops.norm_linear(&x, norm, &self.in_proj, step),
            None => ops.linear(&x, &self.in_proj, step),
        };
        let conv = ConvSpec {
            channels: shape.channels(),
            taps: shape.taps,
            stride: shape.columns(),
            gated: false,
        };
        let c = ops.conv(&u, &self.taps, step, &mut state.values, conv);
        let o = ops.delta(&c, &u, &self.params, step, &mut state.values, shape);
        let gate = GatedNormSpec {
            eps: self.eps,
            columns: shape.columns(),
            first: shape.channels(),
        };
        let y = ops.gated_norm(&o, &u, &self.norm, step, gate);
        match add {
            true => ops.linear_add(&y, &self.out_proj, step, x),
            false => ops.linear(&y, &self.out_proj, step),
        }
    }
}
