//! Mixture of experts, built on the ops of [`crate::ops::experts`].

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};
use hearth_cpu::rows::MAX_TOKENS;

use crate::ops::attention::latent::HeadRoutes;
use crate::ops::bias::BiasSpec;
use crate::ops::experts::group::{self, GroupOp, GroupSpec};
use crate::ops::experts::{ExpertsOp, Gating, RouteSpec, Router, describe_combine, describe_route};
use crate::ops::projection::by_expert::{Grouped, Routed};
use crate::ops::projection::counters::{Multiplied, describe_gemv, describe_tile};
use crate::ops::projection::gemv::{Arithmetic, GemvOp, GemvSpec, Input, Output};
use crate::ops::projection::tile::{
    LinearEnd, LinearOp, LinearSpec, SHARED_TILE_FROM, expert_tile, expert_tile_tokens,
};
use crate::ops::{Activation, Ops, StepState, Weight, WeightPart};

/// Each token's experts, which projections by expert read besides inputs and weights.
pub struct Routes {
    /// See [`crate::ops::experts`].
    pub routes: Tensor<2>,
    n_experts: usize,
    /// The slots sorted by expert, if that pays off, see [`crate::ops::experts::group`].
    groups: Option<(Tensor<2, Int>, GroupSpec)>,
}

/// Layout shared by all parts of an expert weight.
#[derive(Clone, Copy)]
struct Slots {
    /// Slots of a token that read the same input row: all of them, or 1.
    share: u32,
    /// Rows of one expert.
    rows: u32,
    cols: u32,
    /// First column within a row of the result, which has `stride` columns.
    offset: u32,
    stride: u32,
}

impl Routes {
    /// Returns whether the slots of an expert are multiplied together.
    pub fn is_grouped(&self) -> bool {
        self.groups.is_some()
    }
}

impl Slots {
    /// Returns the first expert of a part and the number of experts in it.
    fn experts(self, part: &WeightPart) -> (u32, u32) {
        let rows = self.rows as usize;
        ((part.first_row / rows) as u32, (part.rows / rows) as u32)
    }
}

impl Ops {
    /// Returns the best experts of each token by the router's logits, [t, n_experts], and `of_experts`, [1, n_experts]: the bias of the
    /// choice or the factors of the weights, if the router has one of them.
    pub fn route(
        &self,
        logits: Tensor<2>,
        of_experts: Option<&Tensor<2>>,
        state: &StepState,
        spec: RouteSpec,
    ) -> Routes {
        let ([t, n_experts], n_used) = (logits.dims(), spec.n_used);
        let of_experts = of_experts.unwrap_or(&logits).clone();
        let routes = self.routes(logits, of_experts, state, spec);
        self.grouped(routes, [t, n_experts, n_used], state)
    }

    /// Returns routes of each of `t` tokens to all heads, for weights that have a matrix for each of them.
    pub fn head_routes(&self, routes: &HeadRoutes, t: usize, state: &StepState) -> Routes {
        let heads = routes.heads();
        self.grouped(routes.of(self, t), [t, heads, heads], state)
    }

    /// Returns routes with their slots sorted by expert, if that pays off.
    fn grouped(
        &self,
        routes: Tensor<2>,
        [t, n_experts, n_used]: [usize; 3],
        state: &StepState,
    ) -> Routes {
        let groups = self.tile_tokens(t, n_used, n_experts).map(|tokens| {
            let [slots, n_experts, n_used] = [t * n_used, n_experts, n_used].map(|n| n as u32);
            let spec = GroupSpec::new(slots, n_experts, n_used, tokens);
            if self.describes(|_| group::describe(spec)) {
                return (self.alloc_words(0), spec);
            }
            let groups = Dispatch::group(
                routes.clone().into_dispatch(),
                state.words().into_dispatch(),
                spec,
            );
            (Tensor::from_dispatch(groups), spec)
        });
        Routes {
            routes,
            n_experts,
            groups,
        }
    }

    /// Returns routes of each token to one expert, weighted by the sigmoid of its logit: [t, 1].
    pub fn gate_tokens(&self, logits: Tensor<2>, state: &StepState) -> Routes {
        let router = Router {
            gating: Gating::Sigmoid,
            normalised: false,
            ..Router::PLAIN
        };
        let spec = RouteSpec { router, n_used: 1 };
        Routes {
            routes: self.routes(logits.clone(), logits, state, spec),
            n_experts: 1,
            groups: None,
        }
    }

    fn routes(
        &self,
        logits: Tensor<2>,
        of_experts: Tensor<2>,
        state: &StepState,
        spec: RouteSpec,
    ) -> Tensor<2> {
        let [t, n_experts] = logits.dims();
        if self.describes(|_| describe_route(t, n_experts, spec)) {
            return self.empty(t, 2 * spec.n_used);
        }
        self.keep(Tensor::from_dispatch(Dispatch::route(
            logits.into_dispatch(),
            of_experts.into_dispatch(),
            state.words().into_dispatch(),
            spec,
        )))
    }

    /// Returns the slots per tile if `t` tokens are to be sorted by expert. On a GPU this requires that shared tiles
    /// are also faster for other projections and that an expert gets at least eight slots on average: a tile always
    /// multiplies its full capacity, filled or not.
    fn tile_tokens(&self, t: usize, n_used: usize, n_experts: usize) -> Option<u32> {
        const FROM: usize = 8;
        const NARROW: usize = 32;
        let slots = t * n_used;
        if self.is_on_cpu() {
            return (t > 1).then_some(MAX_TOKENS as u32);
        }
        let pays = self.tuning.shared_tile && t >= SHARED_TILE_FROM && slots >= FROM * n_experts;
        pays.then(|| match slots > NARROW * n_experts {
            true => expert_tile_tokens(self.tuning.workgroup_bytes),
            false => NARROW as u32,
        })
    }

    /// Returns x W^T by the experts that each token was routed to, with the outputs of all weights side by side in a
    /// row: [t * n_used, rows of all weights]. `x` has one row per token, or one per slot.
    ///
    /// `weights`: each [n_experts * rows, cols].
    pub fn routed_linear(
        &self,
        x: &Tensor<2>,
        weights: &[&Weight],
        routes: &Routes,
        state: &StepState,
    ) -> Tensor<2> {
        let [t, n_used2] = routes.routes.dims();
        let n_slots = t * n_used2 / 2;
        let rows_of = |weight: &Weight| weight.rows / routes.n_experts;
        let stride: usize = weights.iter().map(|w| rows_of(w)).sum();
        let mut y = self.empty(n_slots, stride);
        let integers =
            |part: &WeightPart| routes.is_grouped() && self.tuning.integer_tile(part.packing);
        let mut parts = weights.iter().flat_map(|weight| &weight.parts);
        let quantised = (parts.any(integers)).then(|| self.quantised(x, state, x.dims()[0] / t));
        let mut offset = 0;
        for weight in weights {
            let slots = Slots {
                share: (n_slots / x.dims()[0]) as u32,
                rows: rows_of(weight) as u32,
                cols: weight.cols as u32,
                offset,
                stride: stride as u32,
            };
            for part in &weight.parts {
                y = match &routes.groups {
                    Some((groups, spec)) => {
                        let quantised = quantised.as_ref().filter(|_| integers(part));
                        self.by_expert(x, quantised, weight, part, slots, groups, *spec, y)
                    }
                    None => self.by_slot(x, weight, part, slots, &routes.routes, state, y),
                };
            }
            offset += slots.rows;
        }
        self.keep(y)
    }

    /// Multiplies slots one by one by a part of a weight.
    #[expect(clippy::too_many_arguments, reason = "they are the op's operands")]
    fn by_slot(
        &self,
        x: &Tensor<2>,
        weight: &Weight,
        part: &WeightPart,
        slots: Slots,
        routes: &Tensor<2>,
        state: &StepState,
        y: Tensor<2>,
    ) -> Tensor<2> {
        let (first, count) = slots.experts(part);
        let routed = Routed {
            n_used: routes.dims()[1] as u32 / 2,
            share: slots.share,
            first,
            count,
            stride: slots.stride,
        };
        let input = Input::Routed(routed);
        // A token's slots are launched together.
        let rows = slots.rows as usize * y.dims()[0];
        let threads_per_tile =
            (self.tuning).decode_threads(input, part.packing, rows, slots.cols as usize);
        let spec = GemvSpec {
            packing: part.packing,
            rows: slots.rows,
            cols: slots.cols,
            offset: slots.offset,
            input,
            output: Output::Store,
            threads_per_tile,
            subgroups: self.tuning.subgroups && threads_per_tile > 1,
            // With integers, each workgroup would first convert its input.
            arithmetic: match self.tuning.arithmetic {
                Arithmetic::I15 => Arithmetic::F32,
                other => other,
            },
            scaling: weight.scaling,
            pooled: part.pooled,
        };
        let n_slots = y.dims()[0];
        let multiplied = Multiplied {
            launched: n_slots as u32,
            live: (n_slots * part.rows).div_ceil(weight.rows) as u64,
            experts: u64::from(count.max(1)),
        };
        if self.describes(|_| describe_gemv(spec, &part.source, multiplied)) {
            return y;
        }
        Tensor::from_dispatch(Dispatch::gemv(
            x.clone().into_dispatch(),
            part.quants.clone().into_dispatch(),
            part.scales.clone().into_dispatch(),
            routes.clone().into_dispatch(),
            state.words().into_dispatch(),
            y.into_dispatch(),
            spec,
        ))
    }

    /// Multiplies the slots of each expert together by a part of a weight.
    #[expect(clippy::too_many_arguments, reason = "they are the op's operands")]
    fn by_expert(
        &self,
        x: &Tensor<2>,
        quantised: Option<&Tensor<2>>,
        weight: &Weight,
        part: &WeightPart,
        slots: Slots,
        groups: &Tensor<2, Int>,
        grouping: GroupSpec,
        y: Tensor<2>,
    ) -> Tensor<2> {
        let (first, count) = slots.experts(part);
        let spec = LinearSpec {
            packing: part.packing,
            rows: slots.rows,
            cols: slots.cols,
            offset: slots.offset,
            stride: slots.stride,
            add: false,
            threads_per_tile: 1,
            subgroups: false,
            shared_tile: Some(expert_tile(grouping.tokens)),
            integers: quantised.is_some(),
            grouped: Some(Grouped {
                tiles: grouping.tiles,
                share: slots.share,
                first,
                count,
            }),
            scaling: weight.scaling,
            end: LinearEnd::Plain,
            pooled: part.pooled,
        };
        let t = x.dims()[0] as u32;
        if self.describes(|_| describe_tile(spec, &part.source, t)) {
            return y;
        }
        let x = quantised.unwrap_or(x);
        Tensor::from_dispatch(Dispatch::linear(
            x.clone().into_dispatch(),
            part.quants.clone().into_dispatch(),
            part.scales.clone().into_dispatch(),
            groups.clone().into_dispatch(),
            x.clone().into_dispatch(),
            y.into_dispatch(),
            spec,
        ))
    }

    /// Returns y + the bias of its expert for every slot, in the memory of `y`; `bias`: [1, n_experts * cols].
    pub fn routed_bias(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        routes: &Routes,
        state: &StepState,
    ) -> Tensor<2> {
        let routes = &routes.routes;
        let spec = BiasSpec {
            per_token: routes.dims()[1] as u32 / 2,
            routed: true,
            activation: None,
        };
        self.bias_as(y, bias, routes, state, spec)
    }

    /// Returns activation(y + bias) for every slot, in the memory of `y`; `bias`: [1, cols], that of all experts.
    pub fn activate_slots(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        routes: &Routes,
        state: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let spec = BiasSpec {
            per_token: routes.routes.dims()[1] as u32 / 2,
            routed: false,
            activation: Some(activation),
        };
        self.bias_as(y, bias, bias, state, spec)
    }

    /// Returns residual + each token's slots weighted by its routes, in the memory of `residual`.
    pub fn combine(
        &self,
        slots: Tensor<2>,
        routes: &Routes,
        state: &StepState,
        residual: Tensor<2>,
    ) -> Tensor<2> {
        self.combine_onto(slots, routes, state, residual, true)
    }

    /// Returns each token's slots weighted by its routes, as a new tensor.
    pub fn combine_alone(&self, slots: Tensor<2>, routes: &Routes, state: &StepState) -> Tensor<2> {
        let ([n_slots, cols], n_used) = (slots.dims(), routes.routes.dims()[1] / 2);
        let y = self.empty(n_slots / n_used, cols);
        self.keep(self.combine_onto(slots, routes, state, y, false))
    }

    /// Writes each token's slots weighted by its routes to `y`, or adds them.
    fn combine_onto(
        &self,
        slots: Tensor<2>,
        routes: &Routes,
        state: &StepState,
        y: Tensor<2>,
        adds: bool,
    ) -> Tensor<2> {
        let ([t, cols], n_used) = (y.dims(), routes.routes.dims()[1] / 2);
        if self.describes(|_| describe_combine(t, cols, n_used, adds)) {
            return y;
        }
        Tensor::from_dispatch(Dispatch::combine(
            slots.into_dispatch(),
            routes.routes.clone().into_dispatch(),
            state.words().into_dispatch(),
            y.into_dispatch(),
            adds,
        ))
    }
}
