//! Bounds of what projections take and make, in towers that were trained with them.

use burn::tensor::Tensor;

use crate::ops::inject::Place;
use crate::ops::{Ops, StepState, Weight};

/// Bounds of a projection, as [`Ops::affine`] takes them.
pub struct ProjectionBounds {
    /// [4, columns of the weight]
    pub taken: Tensor<2>,
    /// [4, rows of the weight]
    pub made: Tensor<2>,
}

impl ProjectionBounds {
    /// Returns the projection of `x` within bounds.
    pub fn linear(&self, ops: &Ops, x: &Tensor<2>, weight: &Weight, step: &StepState) -> Tensor<2> {
        let x = ops.affine(x, &self.taken);
        ops.affine(&ops.linear(&x, weight, step), &self.made)
    }

    /// Returns the projection of `x` within bounds; with `add` it is added to `residual`, in its memory.
    pub fn linear_to(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        weight: &Weight,
        step: &StepState,
        residual: Tensor<2>,
        add: bool,
    ) -> Tensor<2> {
        let y = self.linear(ops, x, weight, step);
        let n = residual.dims()[0];
        let place = Place { from: 0, to: 0, n };
        match add {
            true => ops.inject(residual, &y, place, true),
            false => y,
        }
    }
}
