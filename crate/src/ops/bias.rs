//! y[t] = activation(y[t] + bias), in place, for projections with a bias, which few families have.
//!
//! - `y`: [T, cols], `bias`: [1, cols], cols a multiple of 4; [1, cols + 4] with the parameters of xIELU behind it. With
//!   `routes` (see [`super::experts`]) `y` is [T * n_used, cols], `bias` [1, n_experts * cols], and each row takes the bias of
//!   its expert; or, with one row a token, that of its type.
//! - GPU: one thread per four columns.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::activation::{self, Activate as _, Activation};
use super::kernel::{Kernel, launch, modules};
use super::outline::{Grid, Launch};
use super::state;
use super::xielu::xielu_cpu;
use hearth_modelfile::cost::Counters;

/// Shape and kind of the addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BiasSpec {
    /// Rows of `y` that belong to one token.
    pub per_token: u32,
    /// Whether each row takes the bias of its expert.
    pub routed: bool,
    pub activation: Option<Activation>,
}

/// Backend extension: the bias on each backend.
#[backend_extension(Cube, Flex)]
pub trait BiasOp: Backend {
    /// Adds the bias, see the module's documentation; `routes` is read only if `spec.routed`.
    fn bias(
        y: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: BiasSpec,
    ) -> FloatTensor<Self>;
}

fn grid(rows: usize, cols4: u32) -> Grid {
    (cols4.div_ceil(64), rows as u32, 1)
}

/// Describes the launch for a [rows, cols] tensor.
pub(super) fn describe(rows: usize, cols: usize, spec: BiasSpec) -> Launch {
    let cols4 = cols as u32 / 4;
    let counters = Counters {
        prologue_bytes: 8 * (rows * cols) as u64,
        trips: 2 + u32::from(spec.routed),
        ..Counters::default()
    };
    Launch::new("bias", kernel(cols4, spec), grid(rows, cols4), counters)
}

fn kernel(cols4: u32, spec: BiasSpec) -> Kernel {
    let activation = spec.activation.unwrap_or(Activation::Silu);
    Kernel::new(&modules::BIAS, 64)
        .module(&state::WGSL)
        .module(match activation {
            Activation::Xielu => &modules::XIELU,
            _ => &modules::GATE,
        })
        .module(match spec.routed {
            true => &modules::BIAS_ROUTED,
            false => &modules::BIAS_ONE,
        })
        .u32s([
            ("COLS4", cols4),
            ("PER_TOKEN", spec.per_token),
            ("ACTIVATION", activation as u32),
        ])
        .bools([("ACTIVE", spec.activation.is_some())])
}

/// Returns every variant of the kernel.
pub(super) fn variants() -> Vec<Kernel> {
    let activations = activation::ALL.map(Some).into_iter().chain([None]);
    let specs = activations.flat_map(|activation| {
        [(1, false), (2, false), (1, true), (2, true)].map(|(per_token, routed)| BiasSpec {
            per_token,
            routed,
            activation,
        })
    });
    let bent = BiasSpec {
        per_token: 1,
        routed: false,
        activation: Some(Activation::Xielu),
    };
    specs.chain([bent]).map(|spec| kernel(16, spec)).collect()
}

impl BiasOp for CubeBackend {
    fn bias(
        y: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: BiasSpec,
    ) -> FloatTensor<Self> {
        let [rows, cols] = y.meta.shape().dims();
        let cols4 = cols as u32 / 4;
        let mut tensors = vec![&y, &bias, &state];
        tensors.extend(spec.routed.then_some(&routes));
        launch(kernel(cols4, spec), grid(rows, cols4), &tensors);
        y
    }
}

impl BiasOp for Flex {
    fn bias(
        mut y: FlexTensor,
        bias: FlexTensor,
        routes: FlexTensor,
        state: FlexTensor,
        spec: BiasSpec,
    ) -> FlexTensor {
        let [_, cols] = y.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize * spec.per_token as usize;
        let (bias, routes) = (bias.storage::<f32>(), routes.storage::<f32>());
        let rows = y.storage_mut::<f32>().chunks_exact_mut(cols).take(n);
        for (i, row) in rows.enumerate() {
            let first = if spec.routed {
                routes[2 * i] as usize * cols
            } else {
                0
            };
            for (y, b) in row.iter_mut().zip(&bias[first..]) {
                *y += b;
            }
            match spec.activation {
                None => {}
                Some(Activation::Xielu) => {
                    let params = std::array::from_fn(|at| bias[cols + at]);
                    row.iter_mut().for_each(|y| *y = xielu_cpu(*y, params));
                }
                Some(activation) => activation.apply_all(row),
            }
        }
        y
    }
}
