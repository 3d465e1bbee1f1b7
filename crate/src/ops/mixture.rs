//! A mixture of experts over the ops of [`super::experts`].

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use super::bias::BiasSpec;
use super::experts::{ExpertsOp, Routed};
use super::gemv::{Arithmetic, GemvOp, GemvSpec, Input, Output};
use super::{Ops, Weight};

impl Ops {
    /// The `n_used` best experts of each token by the router's logits [t, n_experts]: routes, see [`super::experts`].
    pub fn route(&self, logits: Tensor<2>, state: &Tensor<2, Int>, n_used: usize) -> Tensor<2> {
        self.count(1);
        self.keep(Tensor::from_dispatch(Dispatch::route(
            logits.into_dispatch(),
            state.clone().into_dispatch(),
            n_used,
        )))
    }

    /// x W^T by the experts that each token was routed to, one weight after the other in a row of the result: [t *
    /// n_used, rows of all weights]. `x` has a row a token, or one a slot.
    ///
    /// `weights`: each [n_experts * rows, cols].
    pub fn routed_linear(
        &self,
        x: &Tensor<2>,
        weights: &[&Weight],
        n_experts: usize,
        routes: &Tensor<2>,
        state: &Tensor<2, Int>,
    ) -> Tensor<2> {
        let [t, n_used2] = routes.dims();
        let n_used = n_used2 / 2;
        let stride = weights.iter().map(|w| w.rows / n_experts).sum();
        let y = Tensor::empty([t * n_used, stride], &self.anchor.device());
        let mut y: Tensor<2> = y;
        let lanes = self.tuning.decode_lanes;
        let mut offset = 0;
        for weight in weights {
            let rows = weight.rows / n_experts;
            for part in &weight.parts {
                let routed = Routed {
                    n_used: n_used as u32,
                    share: (t * n_used / x.dims()[0]) as u32,
                    first: (part.first_row / rows) as u32,
                    count: (part.rows / rows) as u32,
                    stride: stride as u32,
                };
                let spec = GemvSpec {
                    packing: part.packing,
                    rows: rows as u32,
                    cols: weight.cols as u32,
                    offset,
                    input: Input::Routed(routed),
                    output: Output::Store,
                    lanes,
                    subgroups: self.tuning.subgroups && lanes > 1,
                    // Integers would have each workgroup make its input of them first.
                    arithmetic: match self.tuning.arithmetic {
                        Arithmetic::I15 => Arithmetic::F32,
                        other => other,
                    },
                    scaling: weight.scaling,
                    pooled: part.pooled,
                };
                y = Tensor::from_dispatch(Dispatch::gemv(
                    x.clone().into_dispatch(),
                    part.quants.clone().into_dispatch(),
                    part.scales.clone().into_dispatch(),
                    routes.clone().into_dispatch(),
                    state.clone().into_dispatch(),
                    y.into_dispatch(),
                    spec,
                ));
            }
            self.count(weight.parts.len());
            offset += rows as u32;
        }
        self.keep(y)
    }

    /// y + its expert's bias for every slot, in the memory of `y`; `bias`: [1, n_experts * cols].
    pub fn routed_bias(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        routes: &Tensor<2>,
        state: &Tensor<2, Int>,
    ) -> Tensor<2> {
        let spec = BiasSpec {
            per_token: routes.dims()[1] as u32 / 2,
            routed: true,
            activation: None,
        };
        self.bias_as(y, bias, routes, state, spec)
    }

    /// residual + the slots of each token by their weights, in the memory of `residual`.
    pub fn combine(
        &self,
        slots: Tensor<2>,
        routes: &Tensor<2>,
        state: &Tensor<2, Int>,
        residual: Tensor<2>,
    ) -> Tensor<2> {
        self.count(1);
        Tensor::from_dispatch(Dispatch::combine(
            slots.into_dispatch(),
            routes.clone().into_dispatch(),
            state.clone().into_dispatch(),
            residual.into_dispatch(),
        ))
    }
}
