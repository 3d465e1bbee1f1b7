//! Gated short convolution (LFM2).

use burn::tensor::Tensor;

use crate::model::state::RecurrentState;
use crate::ops::recurrent::conv::ConvSpec;
use crate::ops::{Norm, Ops, StepState, Weight};
use hearth_modelfile::layer_spec::HISTORY;

/// A short convolution with its projections.
pub struct ShortConvMixer {
    /// b, c and x: [3 channels, d_model]
    pub in_proj: Weight,
    /// [taps, channels]
    pub weight: Tensor<2>,
    pub spec: ConvSpec,
    /// [d_model, channels]
    pub out_proj: Weight,
}

impl ShortConvMixer {
    /// Allocates an empty history.
    pub fn new_state(&self, ops: &Ops) -> RecurrentState {
        RecurrentState::new(ops, HISTORY * self.spec.channels, Some(self.spec.taps))
    }

    /// Returns out_proj(c * conv(b * x)) of norm(x): [t, d_model]; see [`Mixer::forward`](super::Mixer::forward).
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
        let y = ops.conv(&u, &self.weight, step, &mut state.values, self.spec);
        match add {
            true => ops.linear_add(&y, &self.out_proj, step, x),
            false => ops.linear(&y, &self.out_proj, step),
        }
    }
}
