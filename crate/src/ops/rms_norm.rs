//! Root mean square normalisation: y = x / sqrt(mean(x^2) + eps) * weight, per token.
//!
//! - `x`: [T, cols], `weight`: [cols], cols a multiple of 4. Result [T, cols], or with `last` [1, cols]: the
//!   step's last token alone.
//! - GPU: one workgroup of 64 threads a token. Source: Zhang & Sennrich 2019, arXiv:1910.07467.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::gpu::{Kernel, empty_f32, launch, wgsl};
use super::{cpu, state};

/// Backend extension: RMSNorm on each backend.
#[backend_extension(Cube, Flex)]
pub trait RmsNormOp: Backend {
    /// See the module's documentation.
    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        eps: f32,
        last: bool,
    ) -> FloatTensor<Self>;

    /// The norm of every token added to `y`: [T, cols].
    fn rms_norm_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self>;
}

fn kernel(cols: usize, eps: f32, last: bool, add: bool) -> Kernel {
    Kernel {
        name: "rms_norm",
        source: wgsl!("rms_norm"),
        variant: "",
        prelude: vec![],
        consts: vec![
            ("COLS4", cols as u32 / 4),
            ("LAST", last as u32),
            ("ADD", add as u32),
        ],
        texts: &[],
        floats: vec![("EPS", eps)],
        workgroup: 64,
    }
}

impl RmsNormOp for CubeBackend {
    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        eps: f32,
        last: bool,
    ) -> FloatTensor<Self> {
        let [t, cols] = x.meta.shape().dims();
        let rows = if last { 1 } else { t };
        let y = empty_f32(&x, [rows, cols]);
        let count = (rows as u32, 1, 1);
        let kernel = kernel(cols, eps, last, false);
        launch(kernel, count, &[&x, &weight, &state, &y]);
        y
    }

    fn rms_norm_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self> {
        let [t, cols] = x.meta.shape().dims();
        let kernel = kernel(cols, eps, false, true);
        launch(kernel, (t as u32, 1, 1), &[&x, &weight, &state, &y]);
        y
    }
}

impl RmsNormOp for Flex {
    fn rms_norm(
        x: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        eps: f32,
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
        rms_norm_cpu(rows, weight.storage(), eps, &mut y);
        cpu::tensor(y, [if last { 1 } else { t }, cols])
    }

    fn rms_norm_add(
        x: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        eps: f32,
    ) -> FlexTensor {
        let [t, cols] = x.layout().shape().dims();
        let n = (state.storage::<u32>()[state::N_TOKENS] as usize).clamp(1, t);
        let mut normed = vec![0.0; n * cols];
        let x = &x.storage::<f32>()[..n * cols];
        rms_norm_cpu(x, weight.storage(), eps, &mut normed);
        for (y, v) in y.storage_mut::<f32>().iter_mut().zip(normed) {
            *y += v;
        }
        y
    }
}

/// The CPU twin: `x`: [n, cols], `weight`: [cols], `y`: [>= n, cols].
pub fn rms_norm_cpu(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32]) {
    let cols = weight.len();
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
        let mean = hearth_cpu::dot::dot_f32(x, x) / cols as f32;
        let scale = 1.0 / (mean + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * w;
        }
    }
}
