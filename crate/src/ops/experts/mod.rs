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

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::{flex, state};

pub use hearth_modelfile::config::MAX_EXPERTS;

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
        flex::tensor(routes, [t, 2 * n_used])
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
