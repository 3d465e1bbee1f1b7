//! Gate of attention's output: y = a * sigmoid(gate).
//!
//! - `a`: [T, n_heads * D], `qkv`: [T, qkv_cols()]. Interleaved, 2h D .. are the query of head h and the D after it its gate; per head,
//!   the last n_heads columns are the gates. Result in the memory of `a`.
//! - GPU: one thread per four columns.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::math::exp;

use crate::ops::attention::spec::AttentionSpec;
use crate::ops::kernel::{Kernel, launch, modules};
use crate::ops::outline::{Grid, Launch};
use hearth_modelfile::cost::Counters;
use hearth_modelfile::families::AttentionGate;

/// Backend extension: the gate on each backend.
#[backend_extension(Cube, Flex)]
pub trait GateHeadsOp: Backend {
    /// Gates `a`, see the module's documentation.
    fn gate_heads(
        a: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self>;
}

fn kernel(spec: AttentionSpec) -> Kernel {
    let kernel = Kernel::new(&modules::GATE_HEADS, 64).u32s([("HEAD_DIM4", spec.head_dim / 4)]);
    gated(kernel, spec, 1)
}

/// Adds the gate to a kernel with the constant `HEAD_DIM4`; `qkv` is its binding.
pub(super) fn gated(kernel: Kernel, spec: AttentionSpec, qkv: u32) -> Kernel {
    let module = match spec.gate {
        AttentionGate::None => return kernel.module(&modules::GATE_NONE),
        AttentionGate::Interleaved => &modules::GATE_VALUES,
        AttentionGate::PerHead => &modules::GATE_EACH_HEAD,
    };
    kernel.module(module).u32s([
        ("N_HEADS", spec.n_heads),
        ("COLS4", spec.qkv_cols() as u32 / 4),
        ("QKV", qkv),
    ])
}

fn grid(t: usize, spec: AttentionSpec) -> Grid {
    let cols4 = spec.n_heads * spec.head_dim / 4;
    (cols4.div_ceil(64), t as u32, 1)
}

/// Describes the launch for `t` tokens.
pub(in crate::ops) fn describe(t: usize, spec: AttentionSpec) -> Launch {
    let cols = (spec.n_heads * spec.head_dim) as usize;
    let counters = Counters {
        prologue_bytes: 8 * (t * cols) as u64,
        trips: 1,
        ..Counters::default()
    };
    Launch::new("gate_heads", kernel(spec), grid(t, spec), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let with = |gate| {
        kernel(AttentionSpec {
            gate,
            ..AttentionSpec::EXAMPLE
        })
    };
    vec![
        with(AttentionGate::Interleaved),
        with(AttentionGate::PerHead),
    ]
}

impl GateHeadsOp for CubeBackend {
    fn gate_heads(
        a: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self> {
        let [t, _] = a.meta.shape().dims();
        launch(kernel(spec), grid(t, spec), &[&a, &qkv]);
        a
    }
}

impl GateHeadsOp for Flex {
    fn gate_heads(mut a: FlexTensor, qkv: FlexTensor, spec: AttentionSpec) -> FlexTensor {
        let [_, cols] = a.layout().shape().dims();
        let rows = qkv.storage::<f32>().chunks_exact(spec.qkv_cols());
        let rows = a.storage_mut::<f32>().chunks_exact_mut(cols).zip(rows);
        rows.for_each(|(a, qkv)| gate_cpu(a, qkv, spec));
        a
    }
}

/// Gates a token, the CPU twin: `a`: [n_heads * D], `qkv`: as in the module's documentation.
pub(in crate::ops) fn gate_cpu(a: &mut [f32], qkv: &[f32], spec: AttentionSpec) {
    let d = spec.head_dim as usize;
    if spec.gate == AttentionGate::PerHead {
        let gates = &qkv[spec.qkv_cols() - spec.n_heads as usize..];
        for (a, gate) in a.chunks_exact_mut(d).zip(gates) {
            let divisor = 1.0 + exp(-gate);
            a.iter_mut().for_each(|a| *a /= divisor);
        }
        return;
    }
    for (a, head) in a.chunks_exact_mut(d).zip(qkv.chunks_exact(2 * d)) {
        for (a, gate) in a.iter_mut().zip(&head[d..]) {
            *a /= 1.0 + exp(-gate);
        }
    }
}
