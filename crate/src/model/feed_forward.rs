//! Feed-forward blocks: gated, plain, or several experts that tokens are routed to, alone or beside a gated block.

use burn::tensor::Tensor;

use crate::model::bounds::ProjectionBounds;
use crate::ops::experts::Routes;
use crate::ops::{Activation, Norm, Ops, RouteSpec, StepState, Weight};

/// A feed-forward block.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub enum FeedForward {
    /// down (activation(gate x) * up x)
    Gated {
        /// gate and up: [2 d_ff, d_model]
        gate_up: Weight,
        /// [d_model, d_ff]
        down: Weight,
        /// Bounds of both projections, which towers alone have
        bounds: Option<Box<[ProjectionBounds; 2]>>,
    },
    /// down activation(up x + bias)
    Plain {
        /// [d_ff, d_model]
        up: Weight,
        /// [1, d_ff], followed by the parameters of the activation if it has some; in towers the projection has bias and activation
        up_bias: Option<Tensor<2>>,
        /// [d_model, d_ff]
        down: Weight,
    },
    Experts(Experts),
    Beside(BesideExperts),
    /// The layer is a mixer alone.
    None,
}

/// Experts and their router.
pub struct Experts {
    /// [n_experts, d_model]
    pub router: Weight,
    /// [1, n_experts], of the logits
    pub router_bias: Option<Tensor<2>>,
    pub route: RouteSpec,
    /// [1, n_experts]: the bias of the choice or the factors of the weights, as the router has them
    pub of_experts: Option<Tensor<2>>,
    /// gate and up, [n_experts * d_ff, d_model] each, or both in one, [n_experts * 2 d_ff, d_model]; up alone with `ungated`
    pub gate_up: Vec<Weight>,
    /// [1, n_experts * 2 d_ff], gate before up for each expert
    pub gate_up_bias: Option<Tensor<2>>,
    /// [1, d_ff] of zeros, if experts have no gate
    pub ungated: Option<Tensor<2>>,
    /// [n_experts * d_model, d_ff]
    pub down: Weight,
    /// [1, n_experts * d_model]
    pub down_bias: Option<Tensor<2>>,
    pub shared: Option<SharedExpert>,
}

/// A gated block and experts beside it: end(block(norm x)) + experts_end(experts(experts_norm x)), where x is routed by
/// router_norm x.
pub struct BesideExperts {
    /// gate and up: [2 d_ff, d_model]
    pub gate_up: Weight,
    /// [d_model, d_ff]
    pub down: Weight,
    pub end: Norm,
    /// Experts and their router, without one that every token uses.
    pub experts: Experts,
    pub router_norm: Norm,
    pub experts_norm: Norm,
    pub experts_end: Norm,
}

/// An expert that every token uses.
pub struct SharedExpert {
    /// [2 d_ff, d_model], or up alone, [d_ff, d_model], with `ungated`
    pub gate_up: Weight,
    /// [1, d_ff] of zeros, if experts have no gate
    pub ungated: Option<Tensor<2>>,
    /// [d_model, d_ff]
    pub down: Weight,
    /// [1, d_model]: the sigmoid of its product with a token weights the expert's output.
    pub gate: Option<Weight>,
}

impl FeedForward {
    /// Returns the block's output for norm(x), or for x if there is no norm: [t, d_model]; with `add` it is added to
    /// x, in the memory of x. Experts alone always add it, and those beside a block never do: their families have no norm after the
    /// former, and one after the latter.
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
        add: bool,
    ) -> Tensor<2> {
        match self {
            FeedForward::Experts(experts) => {
                return experts.forward(ops, x, norm, step, activation);
            }
            FeedForward::Beside(both) => return both.forward(ops, &x, norm, step, activation),
            FeedForward::None => return x,
            FeedForward::Gated { .. } | FeedForward::Plain { .. } => {}
        }
        let h = self.hidden(ops, &x, norm, step, activation);
        self.project(ops, &h, x, step, add)
    }

    /// Returns the activations, the input of the last projection: [t, d_ff]. Experts have none, and return x, as no block does.
    pub fn hidden(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        match self {
            FeedForward::Gated {
                gate_up,
                bounds: Some(bounds),
                ..
            } => {
                let h = norm.map_or_else(|| x.clone(), |norm| ops.norm(x, norm, step, false));
                ops.gate(bounds[0].linear(ops, &h, gate_up, step), activation)
            }
            FeedForward::Gated { gate_up, .. } => {
                ops.norm_gated(x, norm, gate_up, step, activation)
            }
            FeedForward::Plain { up, up_bias, .. } => {
                let a = ops.norm_linear(x, norm, up, step);
                match up_bias {
                    Some(bias) => ops.bias(a, bias, step, Some(activation)),
                    None => a,
                }
            }
            FeedForward::Experts(_) | FeedForward::Beside(_) | FeedForward::None => x.clone(),
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
        if let FeedForward::Gated {
            down,
            bounds: Some(bounds),
            ..
        } = self
        {
            return bounds[1].linear_to(ops, h, down, step, x, add);
        }
        match (self, add) {
            (FeedForward::Gated { down, .. } | FeedForward::Plain { down, .. }, true) => {
                ops.linear_add(h, down, step, x)
            }
            (FeedForward::Gated { down, .. } | FeedForward::Plain { down, .. }, false) => {
                ops.linear(h, down, step)
            }
            (FeedForward::Experts(_) | FeedForward::Beside(_) | FeedForward::None, _) => x,
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
        let logits = ops.linear(&h, &self.router, step);
        let routes = self.routes(ops, logits, step);
        let slots = self.slots(ops, &h, &routes, step, activation);
        let x = match &self.shared {
            Some(shared) => shared.forward(ops, &h, x, step, activation),
            None => x,
        };
        ops.combine(slots, &routes, step, x)
    }

    /// Returns each token's experts by the router's logits, [t, n_experts].
    fn routes(&self, ops: &Ops, mut logits: Tensor<2>, step: &StepState) -> Routes {
        if let Some(bias) = &self.router_bias {
            logits = ops.bias(logits, bias, step, None);
        }
        ops.route(logits, self.of_experts.as_ref(), step, self.route)
    }

    /// Returns the outputs of each token's experts for `h`: [t * n_used, d_model].
    fn slots(
        &self,
        ops: &Ops,
        h: &Tensor<2>,
        routes: &Routes,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let linear = |x: &Tensor<2>, w: &[&Weight]| ops.routed_linear(x, w, routes, step);
        let biased = |y: Tensor<2>, bias: &Option<Tensor<2>>| match bias {
            Some(bias) => ops.routed_bias(y, bias, routes, step),
            None => y,
        };
        let weights: Vec<&Weight> = self.gate_up.iter().collect();
        let gate_up = biased(linear(h, &weights), &self.gate_up_bias);
        let a = match &self.ungated {
            Some(zeros) => ops.activate_slots(gate_up, zeros, routes, step, activation),
            None => ops.gate(gate_up, activation),
        };
        biased(linear(&a, &[&self.down]), &self.down_bias)
    }
}

impl BesideExperts {
    /// Returns the sum of both outputs, as a new tensor.
    fn forward(
        &self,
        ops: &Ops,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let a = ops.norm_gated(x, norm, &self.gate_up, step, activation);
        let dense = ops.norm(&ops.linear(&a, &self.down, step), &self.end, step, false);
        let logits = ops.norm_linear(x, Some(&self.router_norm), &self.experts.router, step);
        let routes = self.experts.routes(ops, logits, step);
        let h = ops.norm(x, &self.experts_norm, step, false);
        let slots = self.experts.slots(ops, &h, &routes, step, activation);
        let y = ops.combine_alone(slots, &routes, step);
        ops.norm_add(&y, &self.experts_end, step, dense)
    }
}

impl SharedExpert {
    /// Returns x plus the expert's output for `h`.
    fn forward(
        &self,
        ops: &Ops,
        h: &Tensor<2>,
        x: Tensor<2>,
        step: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let a = match &self.ungated {
            Some(zeros) => {
                let up = ops.linear(h, &self.gate_up, step);
                ops.bias(up, zeros, step, Some(activation))
            }
            None => ops.norm_gated(h, None, &self.gate_up, step, activation),
        };
        let Some(gate) = &self.gate else {
            return ops.linear_add(&a, &self.down, step, x);
        };
        let routes = ops.gate_tokens(ops.linear(h, gate, step), step);
        let y = ops.linear(&a, &self.down, step);
        ops.combine(y, &routes, step, x)
    }
}
