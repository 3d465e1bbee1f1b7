//! The simplest mixer whose state cannot be cut: the sum of all tokens so far. It exists to test the seams that
//! recurrent layers need, on the CPU.

use burn::tensor::Tensor;

use crate::ops::state::N_TOKENS;
use crate::ops::{Norm, Ops, StepState};

/// Returns y[t] = scale * (x[0] + ... + x[t]).
pub struct RunningSum {
    pub d_model: usize,
    pub scale: f32,
}

/// The sum of the tokens so far: [1, d_model].
pub struct SumState(Tensor<2>);

impl SumState {
    pub fn keep(&mut self, ops: &Ops, n: usize) {
        if n == 0 {
            self.0 = ops.upload_row(&vec![0.0; self.0.dims()[1]]);
        }
    }

    pub fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}

impl RunningSum {
    pub fn new_state(&self, ops: &Ops) -> SumState {
        SumState(ops.upload_row(&vec![0.0; self.d_model]))
    }

    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        state: &mut SumState,
        add: bool,
    ) -> Tensor<2> {
        let h = norm.map_or_else(|| x.clone(), |norm| ops.norm(&x, norm, step, false));
        // The CPU computes at once, so the read does not wait.
        let live = pollster::block_on(step.read(N_TOKENS, 1)).unwrap()[0];
        let mut rows = Vec::new();
        for t in 0..h.dims()[0] {
            if t < live as usize {
                state.0 = state.0.clone() + h.clone().narrow(0, t, 1);
            }
            rows.push(state.0.clone() * self.scale);
        }
        let y = Tensor::cat(rows, 0);
        if add { x + y } else { y }
    }
}
