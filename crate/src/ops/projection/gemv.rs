//! Projection of one token by a (quantised) weight, fused with the steps before and after it into one dispatch.
//!
//! y = W f(x), where f is the identity or RMSNorm ([`Input`]), and the result is stored, added to the residual stream, or
//! gated ([`Output`]). A decode step is built from these.
//!
//! - `x`: see [`Input`]; `y`: [1, outputs of all parts]; `W`: [rows, cols] in one of the [`Packing`]s.
//! - GPU grid: see `gemv.wgsl`. CPU: runs the fused ops one after another.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::norm::rms_norm;

use crate::ops::activation::{self, Activation, gate_cpu};
use crate::ops::kernel::{Kernel, grid_xz, launch, modules};
use crate::ops::outline::Grid;
use crate::ops::pool::Pooled;
use crate::ops::projection::by_expert::{Routed, routed_cpu};
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::packing::{PACKINGS, copied_grid_bytes, weight_buffers};
use crate::ops::projection::pooled::gated_pooled;
use crate::ops::projection::tile::LinearSpec;
use crate::ops::projection::weight::Scaling;
use crate::ops::recurrent::gated_norm::{GatedNormSpec, finish_cpu};
use crate::ops::state;
use hearth_modelfile::quant::Packing;

/// The vector that the weight is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input {
    /// x: [1, cols]
    Plain,
    /// RMSNorm of the step's last token in x: [T, cols]; `eps` holds the bits of the norm's epsilon.
    Norm { eps: u32 },
    /// Output of a gated delta net for one token, not normed yet, see [`crate::ops::recurrent::delta`].
    GatedNorm(GatedNormSpec),
    /// x: [T, cols] or [T * n_used, cols], multiplied by the experts each token was routed to. Supports only
    /// [`Output::Store`].
    Routed(Routed),
}

/// The destination of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// y = product
    Store,
    /// y += product
    Add,
    /// y = activation(gate) * up, where the first half of the rows are gates and the second half ups
    Gated(Activation),
}

impl Output {
    const fn activation(self) -> Activation {
        match self {
            Output::Gated(activation) => activation,
            Output::Store | Output::Add => Activation::Silu,
        }
    }
}

/// Arithmetic in which the weights of a block format are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    F32,
    /// f32, with the quants converted via f16, which is exact and needs no device feature.
    F16,
    /// Integers (`dot4I8Packed`) against an input of 15 bits, which is as accurate as f32 for any model.
    I15,
}

impl Arithmetic {
    /// Returns the bytes of a staged input value; 0 for f32, which need not be staged.
    const fn bytes(self) -> usize {
        match self {
            Arithmetic::F32 | Arithmetic::F16 => 0,
            Arithmetic::I15 => 2,
        }
    }

    /// Returns whether a weight of this packing is multiplied as integers: only if its quants are whole bytes or
    /// nibbles.
    pub(in crate::ops) const fn is_integer(self, packing: Packing) -> bool {
        self.bytes() > 0 && has_whole_quants(packing)
    }
}

/// Returns whether a packing's quants are whole bytes or nibbles.
const fn has_whole_quants(packing: Packing) -> bool {
    use Packing::{Q4, Q4K, Q4S, Q8};
    matches!(packing, Q4 | Q4S | Q4K | Q8)
}

/// Shape and placement of one projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GemvSpec {
    /// Packing of the weight.
    pub packing: Packing,
    /// Rows of the weight.
    pub rows: u32,
    /// Input features, a multiple of the packing's block.
    pub cols: u32,
    /// First output column.
    pub offset: u32,
    pub input: Input,
    pub output: Output,
    /// Threads that share four rows; a power of two, at most the workgroup size.
    pub threads_per_tile: u32,
    /// Whether the threads of a tile are summed within a subgroup; see [`LinearSpec::subgroups`].
    pub subgroups: bool,
    /// Arithmetic for the block formats; the others multiply floats.
    pub arithmetic: Arithmetic,
    pub scaling: Scaling,
    /// See [`LinearSpec::pooled`].
    pub pooled: Option<Pooled>,
}

/// Backend extension: the projection on each backend.
#[backend_extension(Cube, Flex)]
pub trait GemvOp: Backend {
    /// Returns `y` with the weight's outputs written. `aux` is the weight of [`Input::Norm`], the routes of
    /// [`Input::Routed`], or the projections with the gates of [`Input::GatedNorm`].
    fn gemv(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        aux: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: GemvSpec,
    ) -> FloatTensor<Self>;
}

/// Place in which the input of a projection is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staging {
    /// Registers of each tile, as it goes.
    None,
    /// Workgroup memory, once, as floats.
    F32,
    /// Workgroup memory, once, as integers.
    I15,
}

impl Staging {
    /// Returns the place for a tile of several threads or of one. Tiles of one thread are many in a workgroup, and
    /// each would compute the norm of all columns alone; a column of a gated norm takes a loop.
    const fn of(input: Input, packing: Packing, arithmetic: Arithmetic, threads: u32) -> Self {
        match input {
            _ if arithmetic.is_integer(packing) => Staging::I15,
            Input::GatedNorm(_) => Staging::F32,
            Input::Norm { .. } if threads == 1 => Staging::F32,
            _ => Staging::None,
        }
    }

    /// Returns the threads of a workgroup: with what is staged, as many as share it for 16 rows.
    const fn workgroup(self, threads_per_tile: u32) -> u32 {
        match self {
            Staging::F32 | Staging::I15 if threads_per_tile > 16 => 4 * threads_per_tile,
            _ => WG,
        }
    }
}

/// Returns the bytes of workgroup memory that a projection needs on a GPU.
pub fn workgroup_bytes(
    input: Input,
    packing: Packing,
    cols: usize,
    arithmetic: Arithmetic,
    threads_per_tile: u32,
) -> usize {
    let staging = Staging::of(input, packing, arithmetic, threads_per_tile);
    let staged = match staging {
        Staging::I15 => cols * arithmetic.bytes() + cols / 32 * 8,
        Staging::F32 => cols * 4,
        Staging::None => 0,
    };
    let threads = staging.workgroup(threads_per_tile) as usize;
    let squares = 4 * (threads + 8);
    let sums = 4 * 5 * threads;
    let table = copied_grid_bytes(packing).max(4 * 16);
    staged + squares + sums + table
}

/// Threads of a workgroup whose input is not staged, and at least.
const WG: u32 = 64;

impl GemvSpec {
    pub(super) fn staging(&self) -> Staging {
        let threads = self.threads_per_tile;
        Staging::of(self.input, self.packing, self.arithmetic, threads)
    }

    pub(super) fn workgroup(&self) -> u32 {
        self.staging().workgroup(self.threads_per_tile)
    }
}

pub(in crate::ops) fn kernel(spec: GemvSpec) -> Kernel {
    let kernel = Kernel::new(&modules::GEMV, spec.workgroup())
        .unpacks(spec.packing, all_rows(spec), spec.cols)
        .module(&modules::GATE)
        .scales(spec.scaling)
        .reduces(spec.subgroups)
        .u32s([
            ("ROWS", spec.rows),
            ("COLS4", spec.cols / 4),
            ("OFFSET", spec.offset),
            ("GROUPS", groups(spec)),
            ("THREADS_PER_TILE", spec.threads_per_tile),
            ("ACTIVATION", spec.output.activation() as u32),
        ])
        .bools([
            ("ADD", spec.output == Output::Add),
            ("GATED", matches!(spec.output, Output::Gated(_))),
        ]);
    with_input(with_product(kernel, spec), spec.input)
}

/// Returns the rows of the weight's tensors: those of all experts in this part, if it has several.
fn all_rows(spec: GemvSpec) -> u32 {
    match spec.input {
        Input::Routed(routed) => routed.count * spec.rows,
        _ => spec.rows,
    }
}

/// Adds the modules that multiply a block of the weight by a block of input, and those that compute the input: once
/// for the workgroup, or at each use.
fn with_product(kernel: Kernel, spec: GemvSpec) -> Kernel {
    if spec.arithmetic.is_integer(spec.packing) {
        return kernel
            .module(&modules::BLOCK_I15)
            .module(&modules::STAGE_I15)
            .module(match spec.packing {
                Packing::Q8 => &modules::DOT_I15_Q8,
                _ => &modules::DOT_I15_Q4,
            });
    }
    let kernel = kernel.module(match spec.staging() {
        Staging::F32 => &modules::STAGE_F32,
        Staging::None | Staging::I15 => &modules::STAGE_NONE,
    });
    let block = match (spec.packing, spec.arithmetic) {
        (Packing::F32, _) => return kernel.module(&modules::DOT_F32_X4),
        (Packing::F16 | Packing::BF16, _) => return kernel.module(&modules::DOT_F32_X8),
        (Packing::Q2, _) => &modules::DOT_F32_Q2,
        (Packing::Q3, _) => &modules::DOT_F32_Q3,
        (Packing::Q4 | Packing::Q4S | Packing::Q4K, Arithmetic::F16) => &modules::DOT_F16_Q4,
        (Packing::Q4 | Packing::Q4S | Packing::Q4K, _) => &modules::DOT_F32_Q4,
        (Packing::Iq4 | Packing::Fp4, _) => &modules::DOT_F32_TABLE,
        (Packing::Nvfp4, _) => &modules::DOT_F32_NVFP4,
        (Packing::Q5, _) => &modules::DOT_F32_Q5,
        (Packing::Q6, _) => &modules::DOT_F32_Q6,
        (Packing::Q8, Arithmetic::F16) => &modules::DOT_F16_Q8,
        (Packing::Q8, _) => &modules::DOT_F32_Q8,
        (Packing::Q1, _) => &modules::DOT_F32_Q1,
        (Packing::Q2S, _) => &modules::DOT_F32_Q2S,
        (
            Packing::Iq2Xxs
            | Packing::Iq2Xs
            | Packing::Iq2S
            | Packing::Iq3Xxs
            | Packing::Iq3S
            | Packing::Iq1,
            _,
        ) => &modules::DOT_F32_GRID,
    };
    kernel.module(&modules::DOT_F32_X32).module(block)
}

/// Adds the prologue, which computes the input, and the place of a slot's output.
fn with_input(kernel: Kernel, input: Input) -> Kernel {
    match input {
        Input::Plain => kernel
            .module(&modules::PLACE_ONE)
            .module(&modules::GEMV_PLAIN)
            .module(&modules::GEMV_UNSCALED),
        Input::Norm { eps } => kernel
            .module(&state::WGSL)
            .module(&modules::PLACE_ONE)
            .module(&modules::GEMV_NORM)
            .f32s([("EPS", f32::from_bits(eps))]),
        Input::GatedNorm(norm) => kernel
            .module(&modules::PLACE_ONE)
            .module(&modules::GEMV_GATED_NORM)
            .module(&modules::GEMV_UNSCALED)
            .u32s([
                ("HEAD_DIM4", norm.head_dim as u32 / 4),
                ("FIRST4", norm.first as u32 / 4),
            ])
            .f32s([("EPS", norm.eps)]),
        Input::Routed(routed) => kernel
            .module(&state::WGSL)
            .module(&modules::GEMV_ROUTED)
            .module(&modules::GEMV_UNSCALED)
            .u32s(routed.consts()),
    }
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let routed = Routed {
        n_used: 2,
        share: 2,
        first: 0,
        count: 4,
        stride: 8,
    };
    let mut outputs = vec![Output::Store, Output::Add];
    outputs.extend(activation::ALL.map(Output::Gated));
    let mut ends = vec![(Input::Routed(routed), Output::Store)];
    for input in [Input::Plain, Input::Norm { eps: 0 }] {
        ends.extend(outputs.iter().map(|output| (input, *output)));
    }
    let norm = GatedNormSpec {
        eps: 1e-6,
        head_dim: 16,
        columns: 192,
        first: 128,
    };
    ends.push((Input::GatedNorm(norm), Output::Add));
    let mut all = Vec::new();
    for packing in PACKINGS {
        for arithmetic in [Arithmetic::F32, Arithmetic::F16, Arithmetic::I15] {
            if arithmetic != Arithmetic::F32 && !has_whole_quants(packing) {
                continue;
            }
            for (threads_per_tile, subgroups) in [(1, false), (16, false), (64, true)] {
                for (_, scaling) in Scaling::EXAMPLES {
                    all.extend(ends.iter().map(|(input, output)| {
                        kernel(GemvSpec {
                            packing,
                            rows: 8,
                            cols: 64,
                            offset: 0,
                            input: *input,
                            output: *output,
                            threads_per_tile,
                            subgroups,
                            arithmetic,
                            scaling,
                            pooled: None,
                        })
                    }));
                }
            }
        }
    }
    all
}

/// Returns the number of groups of four rows: neighbours, or two gates with their ups.
pub(super) fn groups(spec: GemvSpec) -> u32 {
    match spec.output {
        Output::Gated(_) => (spec.rows / 2).div_ceil(2),
        Output::Store | Output::Add => spec.rows.div_ceil(4),
    }
}

/// Returns the grid for the slots of a token's experts; 1 for any other input.
pub(super) fn grid(spec: GemvSpec, slots: u32) -> Grid {
    let threads = groups(spec) * spec.threads_per_tile;
    let (x, z) = grid_xz(threads.div_ceil(spec.workgroup()));
    (x, slots, z)
}

impl GemvOp for CubeBackend {
    fn gemv(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        aux: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: GemvSpec,
    ) -> FloatTensor<Self> {
        let mut tensors = vec![&quants];
        tensors.extend((weight_buffers(spec.packing) == 2).then_some(&scales));
        tensors.extend([&x, &y]);
        match spec.input {
            Input::Plain => {}
            Input::GatedNorm(_) => tensors.push(&aux),
            Input::Norm { .. } | Input::Routed(_) => tensors.extend([&aux, &state]),
        }
        let slots = match spec.input {
            Input::Routed(_) => y.meta.shape()[0] as u32,
            _ => 1,
        };
        launch(kernel(spec), grid(spec, slots), &tensors);
        y
    }
}

impl GemvOp for Flex {
    fn gemv(
        x: FlexTensor,
        quants: FlexTensor,
        scales: FlexTensor,
        aux: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        spec: GemvSpec,
    ) -> FlexTensor {
        let cols = spec.cols as usize;
        let (x, state) = (x.storage::<f32>(), state.storage::<u32>());
        let mut made = Vec::new();
        let input = match spec.input {
            Input::Plain => x,
            Input::Norm { eps } => {
                let last = (state[state::N_TOKENS] as usize).max(1) - 1;
                made.resize(cols, 0.0);
                let row = &x[last * cols..(last + 1) * cols];
                rms_norm(row, aux.storage(), f32::from_bits(eps), &mut made);
                &made
            }
            Input::GatedNorm(norm) => {
                made.resize(cols, 0.0);
                finish_cpu(x, aux.storage(), norm, &mut made);
                &made
            }
            Input::Routed(routed) => {
                let live = state[state::N_TOKENS] as usize * routed.n_used as usize;
                let routes = &aux.storage::<f32>()[..2 * live];
                let weight = (quants.storage(), scales.storage());
                routed_cpu(x, weight, routes, y.storage_mut(), spec, routed);
                return y;
            }
        };
        let gates = matches!(spec.output, Output::Gated(_));
        let linear = LinearSpec::of_one(spec, if gates { 0 } else { spec.offset });
        let (quants, scales) = (quants.storage(), scales.storage());
        if gates {
            let d_ff = spec.rows as usize / 2;
            let activation = spec.output.activation();
            let y = &mut y.storage_mut::<f32>()[spec.offset as usize..][..d_ff];
            if !gated_pooled(input, y, linear, activation) {
                let mut gate_up = vec![0.0; spec.rows as usize];
                linear_cpu(input, quants, scales, &mut gate_up, 1, linear);
                gate_cpu(&gate_up, d_ff, y, activation);
            }
        } else {
            linear_cpu(input, quants, scales, y.storage_mut(), 1, linear);
        }
        y
    }
}
