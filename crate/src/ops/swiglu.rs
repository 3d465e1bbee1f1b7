//! The gated activation of the feed-forward block: y = silu(gate) * up, silu(v) = v / (1 + e^-v).
//!
//! - `gate_up`: [T, 2 * d_ff], the gate in the first half of a row. Result [T, d_ff], d_ff a multiple of 4.
//! - GPU: a thread for four columns. Source: Shazeer 2020, arXiv:2002.05202.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::cpu;
use super::gpu::{Kernel, empty_f32, launch, wgsl};

/// Backend extension: SwiGLU on each backend.
#[backend_extension(Cube, Flex)]
pub trait SwigluOp: Backend {
    /// See the module's documentation.
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SwigluOp for CubeBackend {
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let [t, cols] = gate_up.meta.shape().dims();
        let y = empty_f32(&gate_up, [t, cols / 2]);
        let d_ff4 = cols as u32 / 8;
        let kernel = Kernel {
            name: "swiglu",
            source: wgsl!("swiglu"),
            variant: "",
            prelude: vec![],
            consts: vec![("D_FF4", d_ff4)],
            texts: &[],
            float: None,
            workgroup: 64,
        };
        launch(kernel, (d_ff4.div_ceil(64), t as u32, 1), &[&gate_up, &y]);
        y
    }
}

impl SwigluOp for Flex {
    fn swiglu(gate_up: FlexTensor) -> FlexTensor {
        let [t, cols] = gate_up.layout().shape().dims();
        let mut y = vec![0.0; t * cols / 2];
        swiglu_cpu(gate_up.storage(), cols / 2, &mut y);
        cpu::tensor(y, [t, cols / 2])
    }
}

/// The CPU twin: `gate_up`: [T, 2 * d_ff], `y`: [T, d_ff].
pub fn swiglu_cpu(gate_up: &[f32], d_ff: usize, y: &mut [f32]) {
    for (row, y) in gate_up.chunks_exact(2 * d_ff).zip(y.chunks_exact_mut(d_ff)) {
        let (gate, up) = row.split_at(d_ff);
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            *y = gate / (1.0 + (-gate).exp()) * up;
        }
    }
}
