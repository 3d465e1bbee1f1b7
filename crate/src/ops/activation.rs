//! Activations, including the gated one of the feed-forward block: y = activation(gate) * up.
//!
//! - `gate_up`: [T, 2 * d_ff], the gate in the first half of a row. Result [T, d_ff], d_ff a multiple of 4.
//! - With the up values in a slice of another tensor: `gate`: [T, n], `up`: [T, >= n], of which the columns from
//!   n * `at`[0] on are taken. Result [T, n]. `at` is a tensor, so that layers share a pipeline.
//! - GPU: one thread per four columns. Source: Shazeer 2020, arXiv:2002.05202; Hendrycks & Gimpel 2016,
//!   arXiv:1606.08415.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::gate::Gate;
use hearth_cpu::math::exp_all;

use crate::ops::flex;
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use hearth_modelfile::cost::Counters;

pub use hearth_modelfile::families::Activation;

/// Why xIELU is not among the activations here: a family that has it has no gates, and [`crate::ops::bias`] applies it.
const NO_GATE: &str = "xIELU takes parameters";

/// An activation on the CPU.
pub(in crate::ops) trait Activate {
    /// Replaces values by their activations.
    fn apply_all(self, values: &mut [f32]);
    /// Returns the exponent of e in the activation of `v`.
    fn exponent(self, v: f32) -> f32;
    /// Returns the activation of `v`, where `e` is e raised to [`Activate::exponent`].
    fn of(self, v: f32, e: f32) -> f32;
    /// Returns the gated value: activation(gate) * up.
    fn gated(self, gate: f32, e: f32, up: f32) -> f32;
    /// Returns the gate that this is, if the CPU's threads know it.
    fn gate(self) -> Option<Gate>;
}

impl Activate for Activation {
    fn apply_all(self, values: &mut [f32]) {
        let mut powers = [0.0; 256];
        for values in values.chunks_mut(powers.len()) {
            let powers = &mut powers[..values.len()];
            for (e, v) in powers.iter_mut().zip(&*values) {
                *e = self.exponent(*v);
            }
            exp_all(powers, 0.0);
            for (v, e) in values.iter_mut().zip(&*powers) {
                *v = self.of(*v, *e);
            }
        }
    }

    fn exponent(self, v: f32) -> f32 {
        match self {
            Activation::Silu => Gate::Silu.exponent(v),
            Activation::Gelu => Gate::Gelu.exponent(v),
            Activation::GeluErf => -0.5 * v * v,
            Activation::Clamped => -1.702 * v.min(7.0),
            Activation::SquaredRelu => 0.0,
            Activation::QuickGelu => Gate::QuickGelu.exponent(v),
            Activation::Xielu => unreachable!("{NO_GATE}"),
        }
    }

    fn of(self, v: f32, e: f32) -> f32 {
        match self {
            Activation::Silu | Activation::Gelu | Activation::QuickGelu => v / (1.0 + e),
            Activation::GeluErf => 0.5 * v * (1.0 + erf(v * std::f32::consts::FRAC_1_SQRT_2, e)),
            Activation::Clamped => v.min(7.0) / (1.0 + e),
            Activation::SquaredRelu => v.max(0.0) * v.max(0.0),
            Activation::Xielu => unreachable!("{NO_GATE}"),
        }
    }

    fn gated(self, gate: f32, e: f32, up: f32) -> f32 {
        let up = match self {
            Activation::Clamped => up.clamp(-7.0, 7.0) + 1.0,
            _ => up,
        };
        self.of(gate, e) * up
    }

    fn gate(self) -> Option<Gate> {
        match self {
            Activation::Silu => Some(Gate::Silu),
            Activation::Gelu => Some(Gate::Gelu),
            Activation::QuickGelu => Some(Gate::QuickGelu),
            _ => None,
        }
    }
}

/// Returns erf(v) within 1.5e-7, where `e` is e^-v^2: Abramowitz & Stegun 1964, 7.1.26.
fn erf(v: f32, e: f32) -> f32 {
    const P: [f32; 5] = [
        1.061_405_4,
        -1.453_152,
        1.421_413_8,
        -0.284_496_74,
        0.254_829_6,
    ];
    let x = v.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let p = P.iter().fold(0.0, |sum, p| (sum + p) * t);
    (1.0 - p * e).copysign(v)
}

/// Backend extension: the gate on each backend.
#[backend_extension(Cube, Flex)]
pub trait GateOp: Backend {
    /// Applies the gated activation, see the module's documentation.
    fn gate(gate_up: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    /// Applies the gated activation to a gate and a slice of another tensor.
    fn gate_slice(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        at: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

fn slice_kernel(cols4: u32, up_cols4: u32, activation: Activation) -> Kernel {
    Kernel::new(&modules::GATE_SLICE, 64)
        .module(&modules::GATE)
        .u32s([
            ("COLS4", cols4),
            ("UP_COLS4", up_cols4),
            ("ACTIVATION", activation as u32),
        ])
}

pub(in crate::ops) fn kernel(d_ff4: u32, activation: Activation) -> Kernel {
    Kernel::new(&modules::GATED, 64)
        .module(&modules::GATE)
        .u32s([("D_FF4", d_ff4), ("ACTIVATION", activation as u32)])
}

fn grid(t: usize, cols4: u32) -> Grid {
    (cols4.div_ceil(64), t as u32, 1)
}

/// Describes the launch for a [t, 2 d_ff] tensor.
pub(in crate::ops) fn describe(t: usize, cols: usize, activation: Activation) -> Launch {
    let d_ff4 = cols as u32 / 8;
    let counters = Counters {
        prologue_bytes: 4 * (t * cols) as u64,
        trips: 1,
        ..Counters::default()
    };
    Launch::new("gate", kernel(d_ff4, activation), grid(t, d_ff4), counters)
}

/// Describes the launch for a gate of [t, cols] and a slice of `up_cols` columns.
pub(in crate::ops) fn describe_slice(
    t: usize,
    cols: usize,
    up_cols: usize,
    activation: Activation,
) -> Launch {
    let cols4 = cols as u32 / 4;
    let counters = Counters {
        prologue_bytes: 8 * (t * cols) as u64,
        // The slice's number, its columns.
        trips: 2,
        ..Counters::default()
    };
    let kernel = slice_kernel(cols4, up_cols as u32 / 4, activation);
    Launch::new("gate_slice", kernel, grid(t, cols4), counters)
}

/// Every activation without parameters, for [`crate::ops::registry`].
pub(in crate::ops) const ALL: [Activation; 6] = [
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluErf,
    Activation::Clamped,
    Activation::SquaredRelu,
    Activation::QuickGelu,
];

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let alone = ALL.map(|activation| kernel(16, activation));
    let slices = ALL.map(|activation| slice_kernel(16, 64, activation));
    alone.into_iter().chain(slices).collect()
}

impl GateOp for CubeBackend {
    fn gate(gate_up: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let [t, cols] = gate_up.meta.shape().dims();
        let y = empty_f32(&gate_up, [t, cols / 2]);
        let d_ff4 = cols as u32 / 8;
        launch(kernel(d_ff4, activation), grid(t, d_ff4), &[&gate_up, &y]);
        y
    }

    fn gate_slice(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        at: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let [t, cols] = gate.meta.shape().dims();
        let [_, up_cols] = up.meta.shape().dims();
        let y = empty_f32(&gate, [t, cols]);
        let cols4 = cols as u32 / 4;
        let kernel = slice_kernel(cols4, up_cols as u32 / 4, activation);
        launch(kernel, grid(t, cols4), &[&gate, &up, &at, &y]);
        y
    }
}

impl GateOp for Flex {
    fn gate(gate_up: FlexTensor, activation: Activation) -> FlexTensor {
        let [t, cols] = gate_up.layout().shape().dims();
        let mut y = vec![0.0; t * cols / 2];
        gate_cpu(gate_up.storage(), cols / 2, &mut y, activation);
        flex::tensor(y, [t, cols / 2])
    }

    fn gate_slice(
        gate: FlexTensor,
        up: FlexTensor,
        at: FlexTensor,
        activation: Activation,
    ) -> FlexTensor {
        let [t, cols] = gate.layout().shape().dims();
        let [_, up_cols] = up.layout().shape().dims();
        let first = at.storage::<f32>()[0] as usize * cols;
        let rows = gate.storage::<f32>().chunks_exact(cols);
        let both = rows.zip(up.storage::<f32>().chunks_exact(up_cols));
        let rows: Vec<f32> = both
            .flat_map(|(gate, up)| [gate, &up[first..first + cols]])
            .flatten()
            .copied()
            .collect();
        let mut y = vec![0.0; t * cols];
        gate_cpu(&rows, cols, &mut y, activation);
        flex::tensor(y, [t, cols])
    }
}

/// Applies the gated activation, the CPU twin: `gate_up`: [T, 2 * d_ff], `y`: [T, d_ff].
pub fn gate_cpu(gate_up: &[f32], d_ff: usize, y: &mut [f32], activation: Activation) {
    for (row, y) in gate_up.chunks_exact(2 * d_ff).zip(y.chunks_exact_mut(d_ff)) {
        let (gate, up) = row.split_at(d_ff);
        for (y, gate) in y.iter_mut().zip(gate) {
            *y = activation.exponent(*gate);
        }
        exp_all(y, 0.0);
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            *y = activation.gated(*gate, *y, *up);
        }
    }
}
