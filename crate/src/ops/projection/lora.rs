//! Low-rank changes of projections: y += B (A x), by the adapters of a request (LoRA).
//!
//! A x is a projection like any other, fused with the norm before it; what is here adds B times its result, or also applies
//! the gated activation behind it, so that an adapter costs two launches for each projection that it changes. W itself stays as it
//! is: quantised weights cannot take small changes.
//!
//! - `a`: [T, segments * rank], `b`: [rows, rank], rank a multiple of 4; `y`: [T, rows]. A segment is the rows of one of the
//!   tensors that form the weight, of which each has its own A.
//! - GPU: one thread per row, or per gate with its up. Source: Hu et al. 2021, arXiv:2106.09685.

use std::rc::Rc;

use burn::backend::Dispatch;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::activation::{self, Activation, gate_cpu};
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::projection::gemv::{Input, Output};
use crate::ops::{Norm, Ops, StepState, Weight, flex, state};
use hearth_modelfile::cost::Counters;

/// Rows of a weight that one tensor of the file provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// GGUF's name of the tensor.
    pub tensor: Rc<str>,
    pub first_row: usize,
    pub rows: usize,
}

/// Most segments of a weight that can be changed.
pub const MAX_SEGMENTS: usize = 3;

/// Change of a weight.
pub struct Lora {
    /// [segments * rank, columns of the weight]
    pub a: Weight,
    /// [rows of the weight, rank]
    pub b: Tensor<2>,
    pub spec: LoraSpec,
}

/// Shape of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoraSpec {
    /// Rows of the weight.
    pub rows: u32,
    pub segments: u32,
    /// First rows of the second and the third segment, `rows` if there are fewer.
    pub borders: [u32; 2],
    /// Rank of each segment, a multiple of 4.
    pub rank: u32,
}

impl LoraSpec {
    /// Returns the shape of a change of weights with these segments.
    pub fn new(rows: usize, segments: &[Segment], rank: usize) -> Self {
        let border = |at: usize| segments.get(at).map_or(rows, |segment| segment.first_row) as u32;
        Self {
            rows: rows as u32,
            segments: segments.len() as u32,
            borders: [border(1), border(2)],
            rank: rank as u32,
        }
    }

    fn kernel(self, module: &'static crate::ops::kernel::Module) -> Kernel {
        Kernel::new(module, WG)
            .module(&state::WGSL)
            .module(&modules::LORA_CHANGE)
            .u32s([
                ("ROWS", self.rows),
                ("SEGMENTS", self.segments),
                ("SECOND", self.borders[0]),
                ("THIRD", self.borders[1]),
                ("RANK4", self.rank / 4),
            ])
    }
}

/// Backend extension: changes of projections on each backend.
#[backend_extension(Cube, Flex)]
pub trait LoraOp: Backend {
    /// Adds the change to `y`, see the module's documentation.
    fn lora_add(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: LoraSpec,
    ) -> FloatTensor<Self>;

    /// Returns the gated activation of `gate_up` with the change: [T, rows / 2].
    fn lora_gated(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        state: IntTensor<Self>,
        gate_up: FloatTensor<Self>,
        spec: LoraSpec,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

const WG: u32 = 64;

fn add_kernel(spec: LoraSpec) -> Kernel {
    spec.kernel(&modules::LORA)
}

fn gated_kernel(spec: LoraSpec, activation: Activation) -> Kernel {
    spec.kernel(&modules::LORA_GATED)
        .module(&modules::GATE)
        .u32s([("ACTIVATION", activation as u32)])
}

fn grid(t: usize, rows: u32) -> Grid {
    (rows.div_ceil(WG), t as u32, 1)
}

fn describe(t: usize, rows: u32, kernel: Kernel, spec: LoraSpec) -> Launch {
    let counters = Counters {
        weight_bytes: 4 * u64::from(spec.rows) * u64::from(spec.rank),
        prologue_bytes: 4 * t as u64 * u64::from(spec.rank * spec.segments + 2 * spec.rows),
        trips: 2,
        ..Counters::default()
    };
    Launch::new("lora", kernel, grid(t, rows), counters)
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let spec = LoraSpec {
        rows: 64,
        segments: 3,
        borders: [32, 48],
        rank: 8,
    };
    let gated = activation::ALL.map(|activation| gated_kernel(spec, activation));
    gated.into_iter().chain([add_kernel(spec)]).collect()
}

impl LoraOp for CubeBackend {
    fn lora_add(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: LoraSpec,
    ) -> FloatTensor<Self> {
        let [t, _] = y.meta.shape().dims();
        launch(add_kernel(spec), grid(t, spec.rows), &[&a, &b, &state, &y]);
        y
    }

    fn lora_gated(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        state: IntTensor<Self>,
        gate_up: FloatTensor<Self>,
        spec: LoraSpec,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let [t, _] = gate_up.meta.shape().dims();
        let half = spec.rows / 2;
        let y = empty_f32(&gate_up, [t, half as usize]);
        let kernel = gated_kernel(spec, activation);
        launch(kernel, grid(t, half), &[&a, &b, &state, &gate_up, &y]);
        y
    }
}

impl LoraOp for Flex {
    fn lora_add(
        a: FlexTensor,
        b: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        spec: LoraSpec,
    ) -> FlexTensor {
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        add_cpu(a.storage(), b.storage(), y.storage_mut(), n, spec);
        y
    }

    fn lora_gated(
        a: FlexTensor,
        b: FlexTensor,
        state: FlexTensor,
        mut gate_up: FlexTensor,
        spec: LoraSpec,
        activation: Activation,
    ) -> FlexTensor {
        let [t, _] = gate_up.layout().shape().dims();
        let n = state.storage::<u32>()[state::N_TOKENS] as usize;
        add_cpu(a.storage(), b.storage(), gate_up.storage_mut(), n, spec);
        let half = spec.rows as usize / 2;
        let mut y = vec![0.0; t * half];
        gate_cpu(gate_up.storage(), half, &mut y, activation);
        flex::tensor(y, [t, half])
    }
}

/// Adds the change of `n` tokens, the CPU twin.
fn add_cpu(a: &[f32], b: &[f32], y: &mut [f32], n: usize, spec: LoraSpec) {
    let (rows, rank) = (spec.rows as usize, spec.rank as usize);
    let tokens = a.chunks_exact(spec.segments as usize * rank);
    for (a, y) in tokens.zip(y.chunks_exact_mut(rows)).take(n) {
        for (row, (b, y)) in b.chunks_exact(rank).zip(y).enumerate() {
            let passed = spec.borders.iter().filter(|first| row >= **first as usize);
            let a = &a[passed.count() * rank..][..rank];
            *y += hearth_cpu::dot::dot_f32(b, a);
        }
    }
}

impl Ops {
    /// Adds what an adapter changes of the product with `x`, one token, to `y`; `input` and `aux` as in the projection itself.
    pub(super) fn add_change(
        &self,
        x: &Tensor<2>,
        lora: &Lora,
        aux: &Tensor<2>,
        state: &StepState,
        y: Tensor<2>,
        input: Input,
    ) -> Tensor<2> {
        let a = self.empty(1, lora.a.rows);
        let a = self.keep(self.gemv(x, &lora.a, aux, state, a, input, Output::Store));
        self.add_product(a, lora, state, y)
    }

    /// Adds B times `a` to `y`.
    pub(super) fn add_product(
        &self,
        a: Tensor<2>,
        lora: &Lora,
        state: &StepState,
        y: Tensor<2>,
    ) -> Tensor<2> {
        let spec = lora.spec;
        if self.describes(|_| describe(y.dims()[0], spec.rows, add_kernel(spec), spec)) {
            return y;
        }
        Tensor::from_dispatch(Dispatch::lora_add(
            a.into_dispatch(),
            lora.b.clone().into_dispatch(),
            state.words().into_dispatch(),
            y.into_dispatch(),
            spec,
        ))
    }

    /// Returns activation(gate) * up of norm(x), or of x, by a weight with gate and up that an adapter changes: [t, rows / 2].
    pub(super) fn gated_change(
        &self,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        weight: &Weight,
        lora: &Lora,
        state: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        let plain = weight.unchanged();
        let alone = norm.filter(|_| x.dims()[0] == 1);
        let fused = alone.and_then(|norm| Some((norm, self.fused_norm(norm, weight)?)));
        let (gate_up, a) = match fused {
            Some((norm, input)) => {
                let project = |weight: &Weight| {
                    let y = self.empty(1, weight.rows);
                    let aux = &norm.weight;
                    self.keep(self.gemv(x, weight, aux, state, y, input, Output::Store))
                };
                (project(&plain), project(&lora.a))
            }
            None => {
                let normed = norm.map(|norm| self.norm(x, norm, state, false));
                let h = normed.as_ref().unwrap_or(x);
                (
                    self.linear(h, &plain, state),
                    self.linear(h, &lora.a, state),
                )
            }
        };
        let spec = lora.spec;
        let (t, half) = (x.dims()[0], spec.rows / 2);
        if self.describes(|_| describe(t, half, gated_kernel(spec, activation), spec)) {
            return self.empty(t, half as usize);
        }
        self.keep(Tensor::from_dispatch(Dispatch::lora_gated(
            a.into_dispatch(),
            lora.b.clone().into_dispatch(),
            state.words().into_dispatch(),
            gate_up.into_dispatch(),
            spec,
            activation,
        )))
    }
}
