//! RMSNorm of each value head, gated: y = norm(o) * weight * silu(z).
//!
//! - `o`: [T, heads * D], `weight`: [1, D], z: columns `first` .. of `u`: [T, columns]; D a multiple of 4 up to 256.
//! - GPU: a workgroup for each head of a token.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::math::exp;
use hearth_cpu::norm::rms_norm;
use hearth_modelfile::cost::Counters;
use hearth_modelfile::layer_spec::BLOCK_VALUES;

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::Launch;
use crate::ops::{flex, state};

/// Shape of a gated norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GatedNormSpec {
    pub eps: f32,
    /// Width of a head.
    pub head_dim: usize,
    /// Columns of a row of `u`, a multiple of 4.
    pub columns: usize,
    /// First column of z, a multiple of 4.
    pub first: usize,
}

/// Backend extension: gated norms on each backend.
#[backend_extension(Cube, Flex)]
pub trait GatedNormOp: Backend {
    /// Returns the gated norm of every token, see the module's documentation.
    fn gated_norm(
        o: FloatTensor<Self>,
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: GatedNormSpec,
    ) -> FloatTensor<Self>;
}

const WG: u32 = 64;

/// Describes the launch for `t` tokens of `cols` columns.
pub(in crate::ops) fn describe(t: usize, cols: usize, spec: GatedNormSpec) -> Launch {
    let heads = cols / spec.head_dim;
    let counters = Counters {
        // Input, weights and gates; the sum of 64 threads takes seven barriers.
        prologue_bytes: 12 * (t * cols) as u64,
        workgroup_memory: 4 * WG,
        barriers: 7,
        // The state, the input, the gates.
        trips: 3,
        ..Counters::default()
    };
    let kernel = kernel(spec.head_dim, heads, spec);
    Launch::new("gated_norm", kernel, (heads as u32, t as u32, 1), counters)
}

fn kernel(dim: usize, heads: usize, spec: GatedNormSpec) -> Kernel {
    Kernel::new(&modules::GATED_NORM, WG)
        .module(&state::WGSL)
        .u32s([
            ("DIM4", dim as u32 / 4),
            ("HEADS", heads as u32),
            ("COLUMNS4", spec.columns as u32 / 4),
            ("FIRST4", spec.first as u32 / 4),
        ])
        .f32s([("EPS", spec.eps)])
}

/// Finishes the norm of one token's output and gates it, for the CPU: `o` as [`crate::ops::recurrent::delta`] leaves it.
pub(in crate::ops) fn finish_cpu(o: &[f32], u: &[f32], spec: GatedNormSpec, y: &mut [f32]) {
    let (o, sums) = o.split_at(y.len());
    let sums = sums.chunks_exact(spec.head_dim / BLOCK_VALUES);
    let z = u[spec.first..].chunks_exact(spec.head_dim);
    let heads = y
        .chunks_exact_mut(spec.head_dim)
        .zip(o.chunks_exact(spec.head_dim));
    for (((y, o), sums), z) in heads.zip(sums).zip(z) {
        let mean = sums.iter().sum::<f32>() / spec.head_dim as f32;
        let scale = 1.0 / (mean + spec.eps).sqrt();
        for ((y, o), z) in y.iter_mut().zip(o).zip(z) {
            *y = scale * o * z / (1.0 + exp(-z));
        }
    }
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let spec = GatedNormSpec {
        eps: 1e-6,
        head_dim: 16,
        columns: 96,
        first: 32,
    };
    vec![kernel(16, 2, spec)]
}

impl GatedNormOp for CubeBackend {
    fn gated_norm(
        o: FloatTensor<Self>,
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: GatedNormSpec,
    ) -> FloatTensor<Self> {
        let [t, cols] = o.meta.shape().dims();
        let dim = spec.head_dim;
        let y = empty_f32(&o, [t, cols]);
        let grid = ((cols / dim) as u32, t as u32, 1);
        let kernel = kernel(dim, cols / dim, spec);
        launch(kernel, grid, &[&o, &u, &weight, &state, &y]);
        y
    }
}

impl GatedNormOp for Flex {
    fn gated_norm(
        o: FlexTensor,
        u: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        spec: GatedNormSpec,
    ) -> FlexTensor {
        let [t, cols] = o.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        let mut y = vec![0.0; t * cols];
        rms_norm(
            &o.storage::<f32>()[..n * cols],
            weight.storage(),
            spec.eps,
            &mut y,
        );
        let rows = u.storage::<f32>().chunks_exact(spec.columns);
        for (y, u) in y.chunks_exact_mut(cols).zip(rows).take(n) {
            for (y, z) in y.iter_mut().zip(&u[spec.first..]) {
                *y *= z / (1.0 + exp(-z));
            }
        }
        flex::tensor(y, [t, cols])
    }
}
