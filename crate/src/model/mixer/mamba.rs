//! Selective scan (Mamba 2), alone or beside attention.

use burn::tensor::Tensor;

use crate::model::mixer::AttentionMixer;
use crate::model::state::RecurrentState;
use crate::ops::recurrent::Scan;
use crate::ops::{KvCache, Norm, Ops, StepState, Weight};

/// A selective scan with its projections.
pub struct MambaMixer {
    /// z, x, B, C and the step: [columns, d_model]
    pub in_proj: Weight,
    pub scan: Scan,
    /// [d_model, heads * head_dim]
    pub out_proj: Weight,
}

impl MambaMixer {
    /// Allocates an empty state.
    pub fn new_state(&self, ops: &Ops) -> RecurrentState {
        RecurrentState::new(ops, self.scan.shape.offsets().end, None)
    }

    /// Returns out_proj of the scan of norm(x): [t, d_model]; see [`Mixer::forward`](super::Mixer::forward).
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
        let y = ops.scan(&u, &self.scan, step, &mut state.values);
        let (norm, residual) = (self.scan.norm.as_ref(), add.then_some(x));
        ops.norm_linear_onto(&y, norm, &self.out_proj, step, residual)
    }
}

/// Attention and a selective scan of the same input, whose outputs are added.
pub struct AttentionAndMamba {
    pub attention: AttentionMixer,
    pub mamba: MambaMixer,
}

impl AttentionAndMamba {
    /// Returns the sum of both mixers for norm(x): [t, d_model]; see [`Mixer::forward`](super::Mixer::forward).
    #[expect(clippy::too_many_arguments, reason = "there are two states")]
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        cache: &mut KvCache,
        state: &mut RecurrentState,
        add: bool,
    ) -> Tensor<2> {
        // (before the scan's output is added in the memory of x)
        let qkv = self.attention.project(ops, &x, norm, step);
        let x = self.mamba.forward(ops, x, norm, step, state, add);
        self.attention.attend(ops, &qkv, x, step, cache, true)
    }
}
