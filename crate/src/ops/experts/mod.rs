//! Mixture of experts: the choice of a token's experts, their projections, and the weighted sum of their outputs.
//!
//! - `routes`: [T, 2 n_used] f32: for each token its experts, best first, each with its weight. The router's logits
//!   are [T, n_experts]; weights are a softmax over the chosen experts, which equals a softmax over all divided by
//!   the sum of the chosen ones.
//! - A weight of experts is [n_experts * rows, cols], one expert after another; [`crate::ops::projection::gemv`]
//!   multiplies the rows of the experts that tokens were routed to and reads no others. A row of its result,
//!   [T * n_used, rows], is a *slot*.
//! - GPU: one workgroup routes a token; each thread counts the experts that rank ahead of its own.
//! - Source: Shazeer et al. 2017, arXiv:1701.06538; Jiang et al. 2024, arXiv:2401.04088.

pub mod group;
mod mixture;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::gpu::{Kernel, empty_f32, launch, modules};
use crate::ops::pool::Pooled;
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::gemv::GemvSpec;
use crate::ops::projection::tile::LinearSpec;
use crate::ops::{cpu, state};

pub use hearth_modelfile::config::MAX_EXPERTS;

/// A projection by experts, for all experts or those in one part of the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Routed {
    /// Experts per token.
    pub n_used: u32,
    /// Slots of a token that read the same input row: all of them, or 1.
    pub share: u32,
    /// The first expert in this part of the weight, and the number of experts in it.
    pub first: u32,
    pub count: u32,
    /// Columns of the result.
    pub stride: u32,
}

impl Routed {
    /// Returns the constants of `projection/gemv_routed.wgsl`.
    pub(in crate::ops) fn consts(&self) -> [(&'static str, u32); 5] {
        [
            ("N_USED", self.n_used),
            ("SHARE", self.share),
            ("FIRST_EXPERT", self.first),
            ("N_EXPERTS", self.count),
            ("STRIDE", self.stride),
        ]
    }
}

/// Backend extension: routing and summing on each backend.
#[backend_extension(Cube, Flex)]
pub trait ExpertsOp: Backend {
    /// Returns the routes to the best `n_used` experts by `logits`.
    fn route(logits: FloatTensor<Self>, state: IntTensor<Self>, n_used: usize)
    -> FloatTensor<Self>;

    /// Computes y[t] += sum_k weight[t, k] * slots[t * n_used + k].
    fn combine(
        slots: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

fn route_kernel(n_experts: u32, n_used: u32) -> Kernel {
    Kernel::new(&modules::ROUTE, 64)
        .module(&state::WGSL)
        .u32s([("N_EXPERTS", n_experts), ("N_USED", n_used)])
}

fn combine_kernel(cols4: u32, n_used: u32) -> Kernel {
    Kernel::new(&modules::COMBINE, 64)
        .module(&state::WGSL)
        .u32s([("COLS4", cols4), ("N_USED", n_used)])
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    vec![route_kernel(8, 2), combine_kernel(16, 2)]
}

impl ExpertsOp for CubeBackend {
    fn route(
        logits: FloatTensor<Self>,
        state: IntTensor<Self>,
        n_used: usize,
    ) -> FloatTensor<Self> {
        let [t, n_experts] = logits.meta.shape().dims();
        let routes = empty_f32(&logits, [t, 2 * n_used]);
        let kernel = route_kernel(n_experts as u32, n_used as u32);
        launch(kernel, (t as u32, 1, 1), &[&logits, &state, &routes]);
        routes
    }

    fn combine(
        slots: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [t, cols] = y.meta.shape().dims();
        let [_, n_used2] = routes.meta.shape().dims::<2>();
        let cols4 = cols as u32 / 4;
        let kernel = combine_kernel(cols4, n_used2 as u32 / 2);
        let count = (cols4.div_ceil(64), t as u32, 1);
        launch(kernel, count, &[&slots, &routes, &state, &y]);
        y
    }
}

impl ExpertsOp for Flex {
    fn route(logits: FlexTensor, state: FlexTensor, n_used: usize) -> FlexTensor {
        let [t, n_experts] = logits.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        let mut routes = vec![0.0; t * 2 * n_used];
        let rows = logits.storage::<f32>().chunks_exact(n_experts).take(n);
        for (logits, routes) in rows.zip(routes.chunks_exact_mut(2 * n_used)) {
            route_cpu(logits, routes);
        }
        cpu::tensor(routes, [t, 2 * n_used])
    }

    fn combine(
        slots: FlexTensor,
        routes: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
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
            for (y, v) in row.iter_mut().zip(values) {
                *y += route[1] * v;
            }
        }
        y
    }
}

/// Routes one token: `logits`: [n_experts], `routes`: [2 n_used].
fn route_cpu(logits: &[f32], routes: &mut [f32]) {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // The sort is stable, so the earlier of two equals comes first, as on the GPU.
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let top = order.first().map_or(0.0, |i| logits[*i]);
    let mut sum = 0.0;
    for (route, i) in routes.chunks_exact_mut(2).zip(order) {
        route[0] = i as f32;
        route[1] = (logits[i] - top).exp();
        sum += route[1];
    }
    for route in routes.chunks_exact_mut(2) {
        route[1] /= sum;
    }
}

/// Projects routed slots, the CPU twin: `x`: [slots / share, cols], `weight`: quants and scales of all experts of the
/// part, `routes`: [slots, 2], `y`: [>= slots, stride].
pub(in crate::ops) fn routed_cpu(
    x: &[f32],
    weight: (&[u32], &[u32]),
    routes: &[f32],
    y: &mut [f32],
    spec: GemvSpec,
    routed: Routed,
) {
    let (cols, stride) = (spec.cols as usize, routed.stride as usize);
    let all = LinearSpec::of_one(spec, spec.offset);
    for (slot, route) in routes.chunks_exact(2).enumerate() {
        let expert = (route[0] as u32).checked_sub(routed.first);
        let Some(expert) = expert.filter(|expert| *expert < routed.count) else {
            continue;
        };
        let x = &x[slot / routed.share as usize * cols..][..cols];
        let y = &mut y[slot * stride..][..stride];
        let ((quants, scales), spec) = of_expert(weight, all, expert as usize);
        linear_cpu(x, quants, scales, y, 1, spec);
    }
}

/// Returns the weight of expert `expert` among those in `weight`, and its spec.
pub(in crate::ops) fn of_expert<'a>(
    (quants, scales): (&'a [u32], &'a [u32]),
    all: LinearSpec,
    expert: usize,
) -> ((&'a [u32], &'a [u32]), LinearSpec) {
    let blocks = all.packing.blocks_per_row(all.cols as usize) * all.rows as usize;
    let words = blocks * all.packing.quant_words_per_block();
    let scale_words = blocks * all.packing.scale_words_per_block();
    // Weights in the pool have no local data.
    let of = |all: &'a [u32], n: usize| all.get(expert * n..(expert + 1) * n).unwrap_or(&[]);
    let spec = LinearSpec {
        pooled: all.pooled.map(|pooled| Pooled {
            quants: pooled.quants + (4 * expert * words) as u32,
            scales: pooled.scales + (4 * expert * scale_words) as u32,
        }),
        ..all
    };
    ((of(quants, words), of(scales, scale_words)), spec)
}
