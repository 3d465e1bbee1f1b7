//! Feed-forward blocks: gated, plain, or several experts that tokens are routed to.

use burn::tensor::Tensor;

use crate::ops::{Activation, Norm, Ops, StepState, Weight};

/// A feed-forward block.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub enum FeedForward {
    /// down (activation(gate x) * up x)
    Gated {
        /// gate and up: [2 d_ff, d_model]
        gate_up: Weight,
        /// [d_model, d_ff]
        down: Weight,
    },
    /// down activation(up x + bias)
    Plain {
        /// [d_ff, d_model]
        up: Weight,
        /// [1, d_ff]
        up_bias: Tensor<2>,
        /// [d_model, d_ff]
        down: Weight,
    },
    Experts(Experts),
}

/// Experts and their router.
pub struct Experts {
    pub n_experts: usize,
    pub n_used: usize,
    /// [n_experts, d_model]
    pub router: Weight,
    /// [1, n_experts]
    pub router_bias: Option<Tensor<2>>,
    /// [n_experts * d_ff, d_model] each
    pub gate: Weight,
    pub up: Weight,
    /// [1, n_experts * 2 d_ff], gate before up for each expert
    pub gate_up_bias: Option<Tensor<2>>,
    /// [n_experts * d_model, d_ff]
    pub down: Weight,
    /// [1, n_experts * d_model]
    pub down_bias: Option<Tensor<2>>,
}

impl FeedForward {
    /// Returns the block's output for norm(x), or for x if there is no norm: [t, d_model]; with `add` it is added to
    /// x, in the memory of x.
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
        add: bool,
    ) -> Tensor<2> {
        if let FeedForward::Experts(experts) = self {
            return experts.forward(ops, x, norm, step, activation);
        }
        let h = self.hidden(ops, &x, norm, step, activation);
        self.project(ops, &h, x, step, add)
    }

    /// Returns the activations, the input of the last projection: [t, d_ff]. Experts have none, and return x.
    pub fn hidden(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        match self {
            FeedForward::Gated { gate_up, .. } => {
                ops.norm_gated(x, norm, gate_up, step, activation)
            }
            FeedForward::Plain { up, up_bias, .. } => {
                let a = ops.norm_linear(x, norm, up, step);
                ops.bias(a, up_bias, step, Some(activation))
            }
            FeedForward::Experts(_) => x.clone(),
        }
    }

    /// Returns the last projection of the activations `h`; with `add` it is added to x, in the memory of x.
    pub fn project(
        &self,
        ops: &Ops,
        h: &Tensor<2>,
        x: Tensor<2>,
        step: &StepState,
        add: bool,
    ) -> Tensor<2> {
        match (self, add) {
            (FeedForward::Gated { down, .. } | FeedForward::Plain { down, .. }, true) => {
                ops.linear_add(h, down, step, x)
            }
            (FeedForward::Gated { down, .. } | FeedForward::Plain { down, .. }, false) => {
                ops.linear(h, down, step)
            }
            (FeedForward::Experts(_), _) => x,
        }
    }
}

impl Experts {
    /// Returns x plus the experts' output for norm(x).
    fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let h = norm.map_or_else(|| x.clone(), |norm| ops.norm(&x, norm, step, false));
        let mut logits = ops.linear(&h, &self.router, step);
        if let Some(bias) = &self.router_bias {
            logits = ops.bias(logits, bias, step, None);
        }
        let routes = ops.route(logits, step, self.n_used);
        let linear = |x: &Tensor<2>, w: &[&Weight]| ops.routed_linear(x, w, &routes, step);
        let biased = |y: Tensor<2>, bias: &Option<Tensor<2>>| match bias {
            Some(bias) => ops.routed_bias(y, bias, &routes, step),
            None => y,
        };
        let gate_up = biased(linear(&h, &[&self.gate, &self.up]), &self.gate_up_bias);
        let a = ops.gate(gate_up, activation);
        let slots = biased(linear(&a, &[&self.down]), &self.down_bias);
        ops.combine(slots, &routes, step, x)
    }
}
