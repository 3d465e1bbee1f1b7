//! Mixture of experts: the choice of a token's experts, their projections, and the weighted sum of their outputs.
//!
//! - `routes`: [T, 2 n_used] f32: for each token its experts, best first, each with its weight. The router's logits
//!   are [T, n_experts]; scores are their softmax or sigmoids. The best experts by score, or by score + bias [n_experts], are
//!   chosen; a weight is factor * score, divided by the sum of the chosen scores where weights are normalised (and then a softmax
//!   over all is one over the chosen). Some routers multiply it by a factor of the expert.
//! - A weight of experts is [n_experts * rows, cols], one expert after another; [`crate::ops::projection::gemv`]
//!   multiplies the rows of the experts that tokens were routed to and reads no others. A row of its result,
//!   [T * n_used, rows], is a *slot*.
//! - GPU: one workgroup routes a token; each thread counts the experts that rank ahead of its own.
//! - An expert that every token uses is a feed-forward block; if it has a gate, that is a router with one expert, whose
//!   sigmoid is its weight.
//! - Source: Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024, arXiv:2401.04088; the bias: Wang et al. 2024,
//!   arXiv:2408.15664; shared experts: Dai et al. 2024, arXiv:2401.06066.

pub mod group;
mod mixture;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::Launch;
use crate::ops::{flex, state};
use hearth_modelfile::cost::Counters;

pub use hearth_modelfile::config::MAX_EXPERTS;
pub use hearth_modelfile::router::{Gating, Router};
pub use mixture::Routes;

/// Parameters of the routing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouteSpec {
    pub router: Router,
    /// Experts per token.
    pub n_used: usize,
}

/// Backend extension: routing and summing on each backend.
#[backend_extension(Cube, Flex)]
pub trait ExpertsOp: Backend {
    /// Returns the routes to the best experts by `logits`; `of_experts` is the bias or the factors, if the router has one of them.
    fn route(
        logits: FloatTensor<Self>,
        of_experts: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: RouteSpec,
    ) -> FloatTensor<Self>;

    /// Computes y[t] += sum_k weight[t, k] * slots[t * n_used + k], or without `adds` y[t] = the sum.
    fn combine(
        slots: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        adds: bool,
    ) -> FloatTensor<Self>;
}

fn route_kernel(n_experts: u32, spec: RouteSpec) -> Kernel {
    let Router {
        gating,
        normalised,
        biased,
        factor,
        scaled,
    } = spec.router;
    let score = match (gating, normalised && !biased) {
        (Gating::Softmax, true) => &modules::SCORE_CHOSEN,
        (Gating::Softmax, false) => &modules::SCORE_SOFTMAX,
        (Gating::Sigmoid, _) => &modules::SCORE_SIGMOID,
    };
    let choice = match biased {
        true => &modules::CHOICE_BIASED,
        false => &modules::CHOICE_LOGIT,
    };
    // (both would be the fourth tensor, and no family has both)
    let own = match scaled && !biased {
        true => &modules::FACTOR_OWN,
        false => &modules::FACTOR_NONE,
    };
    Kernel::new(&modules::ROUTE, 64)
        .module(&state::WGSL)
        .module(score)
        .module(choice)
        .module(own)
        .u32s([("N_EXPERTS", n_experts), ("N_USED", spec.n_used as u32)])
        .bools([("NORMALISED", normalised)])
        .f32s([("FACTOR", factor)])
}

fn combine_kernel(cols4: u32, n_used: u32, adds: bool) -> Kernel {
    Kernel::new(&modules::COMBINE, 64)
        .module(&state::WGSL)
        .u32s([("COLS4", cols4), ("N_USED", n_used)])
        .bools([("ADDS", adds)])
}

/// Describes the routing of `t` tokens.
fn describe_route(t: usize, n_experts: usize, spec: RouteSpec) -> Launch {
    let counters = Counters {
        prologue_bytes: 4 * (t * n_experts) as u64,
        workgroup_memory: 4 * (n_experts + spec.n_used) as u32,
        barriers: 2,
        trips: 2,
        // Each thread compares its experts with all.
        near_trips: (n_experts * n_experts.div_ceil(64)) as u32,
        ..Counters::default()
    };
    let kernel = route_kernel(n_experts as u32, spec);
    Launch::new("route", kernel, (t as u32, 1, 1), counters)
}

/// Describes the sum of `t` tokens' slots.
fn describe_combine(t: usize, cols: usize, n_used: usize, adds: bool) -> Launch {
    let cols4 = cols as u32 / 4;
    let counters = Counters {
        prologue_bytes: 4 * (t * cols * (n_used + usize::from(adds))) as u64,
        trips: 3,
        ..Counters::default()
    };
    let kernel = combine_kernel(cols4, n_used as u32, adds);
    Launch::new(
        "combine",
        kernel,
        (cols4.div_ceil(64), t as u32, 1),
        counters,
    )
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = vec![combine_kernel(16, 2, true), combine_kernel(16, 2, false)];
    for gating in [Gating::Softmax, Gating::Sigmoid] {
        for (normalised, biased) in [(true, false), (true, true), (false, false), (false, true)] {
            let router = Router {
                gating,
                normalised,
                biased,
                factor: 1.0,
                scaled: false,
            };
            all.push(route_kernel(8, RouteSpec { router, n_used: 2 }));
        }
    }
    let router = Router {
        scaled: true,
        ..Router::PLAIN
    };
    all.push(route_kernel(8, RouteSpec { router, n_used: 2 }));
    all
}

impl ExpertsOp for CubeBackend {
    fn route(
        logits: FloatTensor<Self>,
        of_experts: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: RouteSpec,
    ) -> FloatTensor<Self> {
        let [t, n_experts] = logits.meta.shape().dims();
        let routes = empty_f32(&logits, [t, 2 * spec.n_used]);
        let mut tensors = vec![&logits, &state, &routes];
        let Router { biased, scaled, .. } = spec.router;
        tensors.extend((biased || scaled).then_some(&of_experts));
        let kernel = route_kernel(n_experts as u32, spec);
        launch(kernel, (t as u32, 1, 1), &tensors);
        routes
    }

    fn combine(
        slots: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        adds: bool,
    ) -> FloatTensor<Self> {
        let [t, cols] = y.meta.shape().dims();
        let [_, n_used2] = routes.meta.shape().dims::<2>();
        let cols4 = cols as u32 / 4;
        let kernel = combine_kernel(cols4, n_used2 as u32 / 2, adds);
        let count = (cols4.div_ceil(64), t as u32, 1);
        launch(kernel, count, &[&slots, &routes, &state, &y]);
        y
    }
}

impl ExpertsOp for Flex {
    fn route(
        logits: FlexTensor,
        of_experts: FlexTensor,
        state: FlexTensor,
        spec: RouteSpec,
    ) -> FlexTensor {
        let [t, n_experts] = logits.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        let of_token = 2 * spec.n_used;
        let mut routes = vec![0.0; t * of_token];
        let rows = logits.storage::<f32>().chunks_exact(n_experts).take(n);
        for (logits, routes) in rows.zip(routes.chunks_exact_mut(of_token)) {
            route_cpu(logits, of_experts.storage::<f32>(), routes, spec.router);
        }
        flex::tensor(routes, [t, of_token])
    }

    fn combine(
        slots: FlexTensor,
        routes: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        adds: bool,
    ) -> FlexTensor {
        let [_, cols] = y.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        let [_, n_used2] = routes.layout().shape().dims::<2>();
        let n_used = n_used2 / 2;
        let routes = routes.storage::<f32>().chunks_exact(2);
        let slots = slots.storage::<f32>().chunks_exact(cols);
        let rows = y.storage_mut::<f32>();
        for (slot, (values, route)) in slots.zip(routes).enumerate().take(n * n_used) {
            let row = &mut rows[slot / n_used * cols..][..cols];
            if !adds && slot.is_multiple_of(n_used) {
                row.fill(0.0);
            }
            for (y, v) in row.iter_mut().zip(values) {
                *y += route[1] * v;
            }
        }
        y
    }
}

/// Routes one token: `logits`: [n_experts], `of_experts` likewise, a bias or factors if the router has them, `routes`: [2 n_used].
fn route_cpu(logits: &[f32], of_experts: &[f32], routes: &mut [f32], router: Router) {
    let scores = scores_cpu(logits, router.gating);
    let biased: Vec<f32>;
    let choices = match router.biased {
        true => {
            biased = scores.iter().zip(of_experts).map(|(s, b)| s + b).collect();
            &biased
        }
        // (their order is that of the scores, and they are never rounded to the same number)
        false => logits,
    };
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // The sort is stable, so the earlier of two equals comes first, as on the GPU.
    order.sort_by(|a, b| choices[*b].total_cmp(&choices[*a]));
    let mut sum = 0.0;
    for (route, i) in routes.chunks_exact_mut(2).zip(order) {
        route[0] = i as f32;
        route[1] = router.factor * scores[i];
        sum += scores[i];
    }
    if router.normalised {
        for route in routes.chunks_exact_mut(2) {
            route[1] /= sum.max(1e-12);
        }
    }
    if router.scaled && !router.biased {
        for route in routes.chunks_exact_mut(2) {
            route[1] *= of_experts[route[0] as usize];
        }
    }
}

/// Returns a token's scores: [n_experts].
fn scores_cpu(logits: &[f32], gating: Gating) -> Vec<f32> {
    match gating {
        Gating::Sigmoid => logits.iter().map(|l| 1.0 / (1.0 + (-l).exp())).collect(),
        Gating::Softmax => {
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let scores: Vec<f32> = logits.iter().map(|l| (l - top).exp()).collect();
            let sum: f32 = scores.iter().sum();
            scores.iter().map(|s| s / sum).collect()
        }
    }
}
