//! Normalisation per token: RMSNorm x / sqrt(mean(x^2) + eps) * weight, or LayerNorm
//! (x - mean(x)) / sqrt(var(x) + eps) * weight + bias.
//!
//! - `x`: [T, cols], `weight`: [1, cols], for LayerNorm [1, 2 cols] with the bias after the weight; cols a multiple
//!   of 4. Result [T, cols], or with `last` [1, cols]: the step's last token only.
//! - With several [`NormSpec::groups`], each cols / groups columns are normalised by themselves.
//! - Added to a residual [T, groups * cols], rows of `x` may be several groups of cols, whose weight is the same; with
//!   [`NormSpec::scaled`], four more values follow the weight, the first of which multiplies the sum.
//! - GPU: one workgroup of 64 threads per token. Source: Zhang & Sennrich 2019, arXiv:1910.07467; Ba et al. 2016,
//!   arXiv:1607.06450.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::norm::rms_norm;

use super::kernel::{Kernel, empty_f32, launch, modules};
use super::outline::Launch;
use super::{flex, state};
use hearth_modelfile::cost::Counters;

/// A norm's kind and weights.
#[derive(Clone)]
pub struct Norm {
    /// See the module's documentation.
    pub weight: Tensor<2>,
    pub spec: NormSpec,
}

/// The kind of norm and its epsilon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSpec {
    pub eps: f32,
    /// Whether this is LayerNorm instead of RMSNorm.
    pub centred: bool,
    /// Whether the sum of the norm and a residual is scaled, see the module's documentation.
    pub scaled: bool,
    /// Groups of columns in the weight, 1 if it is centred or scaled.
    pub groups: usize,
}

impl NormSpec {
    /// Returns the columns that a weight of `len` values normalises together.
    fn cols(&self, len: usize) -> usize {
        match (self.centred, self.scaled) {
            (true, _) => len / 2,
            (false, true) => len - 4,
            (false, false) => len / self.groups,
        }
    }

    /// Returns the columns of a group, and the groups in a row of `width` columns.
    fn grouping(&self, width: usize, len: usize) -> (usize, usize) {
        let cols = self.cols(len);
        (cols, width / cols)
    }

    /// Returns whether this is an RMSNorm of whole rows.
    pub(in crate::ops) fn is_plain(&self) -> bool {
        !self.centred && !self.scaled && self.groups == 1
    }

    /// Creates the spec of an RMSNorm.
    pub const fn rms(eps: f32) -> Self {
        Self {
            eps,
            centred: false,
            scaled: false,
            groups: 1,
        }
    }
}

/// Backend extension: norms on each backend.
#[backend_extension(Cube, Flex)]
pub trait NormOp: Backend {
    /// Returns the norm of every token, or of the last, see the module's documentation.
    fn norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: NormSpec,
        last: bool,
    ) -> FloatTensor<Self>;

    /// Adds the norm of every token to `y`: [T, groups * cols].
    fn norm_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self>;
}

const WG: u32 = 64;

pub(in crate::ops) fn kernel(cols: usize, spec: NormSpec, last: bool, add: bool) -> Kernel {
    grouped(cols / spec.groups, spec.groups, spec, last, add)
}

fn grouped(cols: usize, groups: usize, spec: NormSpec, last: bool, add: bool) -> Kernel {
    Kernel::new(&modules::NORM, WG)
        .module(&state::WGSL)
        .u32s([("COLS4", cols as u32 / 4), ("GROUPS", groups as u32)])
        .bools([
            ("CENTRED", spec.centred),
            ("LAST", last),
            ("ADD", add),
            ("SCALED", spec.scaled && add),
            ("APART", spec.groups > 1),
        ])
        .f32s([("EPS", spec.eps)])
}

/// Describes the launch for `rows` rows of `width` columns, which are several groups if the norm is added.
pub(super) fn describe(rows: usize, width: usize, norm: &Norm, last: bool, add: bool) -> Launch {
    let spec = norm.spec;
    let (cols, groups) = match add {
        true => spec.grouping(width, norm.weight.dims()[1]),
        false => (width, 1),
    };
    let means = 1 + u32::from(spec.centred);
    let counters = Counters {
        // Input and weights; a mean of 64 threads takes seven barriers.
        prologue_bytes: 8 * (rows * width) as u64,
        workgroup_memory: 4 * WG,
        barriers: 7 * means + u32::from(spec.centred),
        trips: 2 + means,
        ..Counters::default()
    };
    let kernel = grouped(cols, groups, spec, last, add);
    let grid = (rows as u32, groups as u32, 1);
    Launch::new("norm", kernel, grid, counters)
}

/// Returns every variant of the kernels.
pub(super) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for centred in [false, true] {
        let spec = NormSpec {
            centred,
            ..NormSpec::rms(1e-5)
        };
        for (last, add) in [(false, false), (true, false), (false, true)] {
            all.push(kernel(64, spec, last, add));
        }
    }
    let spec = NormSpec {
        scaled: true,
        ..NormSpec::rms(1e-5)
    };
    all.push(grouped(64, 3, spec, false, true));
    let spec = NormSpec {
        groups: 2,
        ..NormSpec::rms(1e-5)
    };
    all.push(kernel(64, spec, false, false));
    all
}

impl NormOp for CubeBackend {
    fn norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: NormSpec,
        last: bool,
    ) -> FloatTensor<Self> {
        let [t, cols] = x.meta.shape().dims();
        let rows = if last { 1 } else { t };
        let y = empty_f32(&x, [rows, cols]);
        let count = (rows as u32, spec.groups as u32, 1);
        let kernel = kernel(cols, spec, last, false);
        launch(kernel, count, &[&x, &weight, &state, &y]);
        y
    }

    fn norm_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        let [t, width] = x.meta.shape().dims();
        let [_, len] = weight.meta.shape().dims();
        let (cols, groups) = spec.grouping(width, len);
        let kernel = grouped(cols, groups, spec, false, true);
        launch(
            kernel,
            (t as u32, groups as u32, 1),
            &[&x, &weight, &state, &y],
        );
        y
    }
}

impl NormOp for Flex {
    fn norm(
        x: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        spec: NormSpec,
        last: bool,
    ) -> FlexTensor {
        let [t, cols] = x.layout().shape().dims();
        let n = (state.storage::<u32>()[state::N_TOKENS] as usize).clamp(1, t);
        let x = x.storage::<f32>();
        let rows = if last {
            &x[(n - 1) * cols..n * cols]
        } else {
            &x[..n * cols]
        };
        let mut y = vec![0.0; if last { cols } else { t * cols }];
        norm_cpu(rows, weight.storage(), spec, &mut y);
        flex::tensor(y, [if last { 1 } else { t }, cols])
    }

    fn norm_add(
        x: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        spec: NormSpec,
    ) -> FlexTensor {
        let [t, cols] = x.layout().shape().dims();
        let n = (state.storage::<u32>()[state::N_TOKENS] as usize).clamp(1, t);
        let mut normed = vec![0.0; n * cols];
        let x = &x.storage::<f32>()[..n * cols];
        let weight = weight.storage::<f32>();
        norm_cpu(x, weight, spec, &mut normed);
        let factor = match spec.scaled {
            true => weight[spec.cols(weight.len())],
            false => 1.0,
        };
        for (y, v) in y.storage_mut::<f32>().iter_mut().zip(normed) {
            *y = (*y + v) * factor;
        }
        y
    }
}

/// Normalises tokens, the CPU twin: `x`: [n, cols], `weight` as in the module's documentation, `y`: [>= n, cols].
fn norm_cpu(x: &[f32], weight: &[f32], spec: NormSpec, y: &mut [f32]) {
    if spec.groups > 1 {
        let cols = spec.cols(weight.len());
        let groups = x.chunks_exact(cols).zip(y.chunks_exact_mut(cols));
        for ((x, y), weight) in groups.zip(weight.chunks_exact(cols).cycle()) {
            rms_norm(x, weight, spec.eps, y);
        }
        return;
    }
    if !spec.centred {
        return rms_norm(x, &weight[..spec.cols(weight.len())], spec.eps, y);
    }
    let cols = weight.len() / 2;
    let (weight, bias) = weight.split_at(cols);
    let mut centred = vec![0.0; cols];
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
        let mean = x.iter().sum::<f32>() / cols as f32;
        for (c, x) in centred.iter_mut().zip(x) {
            *c = x - mean;
        }
        rms_norm(&centred, weight, spec.eps, y);
        for (y, b) in y.iter_mut().zip(bias) {
            *y += b;
        }
    }
}
