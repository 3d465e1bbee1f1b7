//! Gated delta net (Qwen 3.5).

use burn::tensor::Tensor;

use crate::model::state::RecurrentState;
use crate::ops::recurrent::DeltaNet;
use crate::ops::{Norm, Ops, StepState, Weight};

/// A gated delta net with its projections.
pub struct GatedDeltaMixer {
    /// Queries, keys and values, the output's gate, beta and the step: [columns, d_model]
    pub in_proj: Weight,
    pub net: DeltaNet,
    /// [d_model, value_heads * head_dim]
    pub out_proj: Weight,
}

impl GatedDeltaMixer {
    /// Allocates an empty state.
    pub fn new_state(&self, ops: &Ops) -> RecurrentState {
        RecurrentState::new(ops, self.net.shape.offsets().end, None)
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
        let u = ops.norm_linear(&x, norm, &self.in_proj, step);
        let residual = add.then_some(x);
        ops.delta_linear(
            &u,
            &self.net,
            step,
            &mut state.values,
            &self.out_proj,
            residual,
        )
    }
}
