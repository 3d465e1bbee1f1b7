//! Projection of one token by a (quantised) weight, fused with the steps before and after it into one dispatch.
//!
//! y = W f(x), where f is the identity, RMSNorm, or the merge of a split attention ([`Input`]), and the result is
//! stored, added to the residual stream, or gated ([`Output`]). A decode step is built from these.
//!
//! - `x`: see [`Input`]; `y`: [1, outputs of all parts]; `W`: [rows, cols] in one of the [`Packing`]s.
//! - GPU grid: see `wgsl/gemv.wgsl`. CPU: runs the fused ops one after another.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::activation::{Activation, gate_cpu};
use crate::ops::attention::merge_cpu;
use crate::ops::attention::rope_append::AttentionSpec;
use crate::ops::experts::{Routed, routed_cpu};
use crate::ops::gpu::{Kernel, grid_xz, launch, wgsl};
use crate::ops::norm::rms_norm_cpu;
use crate::ops::pool::Pooled;
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::tile::{LinearSpec, SHARED_TEXTS, SUBGROUP_TEXTS, weight_buffers};
use crate::ops::projection::weight::Scaling;
use crate::ops::state;
use crate::platform::SUBGROUP_DIRECTIVE;
use hearth_modelfile::quant::Packing;

/// The vector that the weight is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Input {
    /// x: [1, cols]
    Plain,
    /// RMSNorm of the step's last token in x: [T, cols]; `eps` holds the bits of the norm's epsilon.
    Norm { eps: u32 },
    /// Attention merged from the spans in x, see [`AttentionSpec::splits`].
    Merge(AttentionSpec),
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
    /// Returns the number of the output in `wgsl/gemv.wgsl`.
    const fn number(self) -> u32 {
        match self {
            Output::Store => 0,
            Output::Add => 1,
            Output::Gated(_) => 2,
        }
    }

    const fn activation(self) -> Activation {
        match self {
            Output::Gated(activation) => activation,
            Output::Store | Output::Add => Activation::Silu,
        }
    }
}

/// Arithmetic in which the weights of a block format are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
    const fn is_integer(self, packing: Packing) -> bool {
        self.bytes() > 0 && matches!(packing, Packing::Q4 | Packing::Q8)
    }
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
    pub lanes: u32,
    /// Whether the lanes are summed within a subgroup; see [`LinearSpec::subgroups`].
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
    /// Returns `y` with the weight's outputs written. `beside` is the weight of [`Input::Norm`], or the routes of
    /// [`Input::Routed`].
    fn gemv(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        beside: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: GemvSpec,
    ) -> FloatTensor<Self>;
}

/// Returns the bytes of workgroup memory that a projection needs on a GPU.
pub fn workgroup_bytes(
    input: Input,
    packing: Packing,
    cols: usize,
    arithmetic: Arithmetic,
) -> usize {
    let staged = match (arithmetic.is_integer(packing), input) {
        (true, _) => cols * arithmetic.bytes() + cols / 32 * 8,
        (false, Input::Plain | Input::Routed(_)) => 0,
        (false, Input::Norm { .. } | Input::Merge(_)) => cols * 4,
    };
    let squares = 4 * (WG as usize + 8);
    let sums = 4 * 4 * WG as usize;
    let table = 4 * 16;
    staged + squares + sums + table
}

const WG: u32 = 64;

fn kernel(spec: GemvSpec) -> Kernel {
    let buffers = weight_buffers(spec.packing);
    let bytes = spec.arithmetic.bytes();
    let integer = spec.arithmetic.is_integer(spec.packing);
    let mut kernel = Kernel {
        name: "gemv",
        source: wgsl!("gemv"),
        variant: spec.packing.name(),
        prelude: vec![
            weight_source(spec.packing, spec.arithmetic),
            wgsl!("scaling"),
            wgsl!("gate"),
            match spec.input {
                Input::Routed(_) => wgsl!("gemv_routed"),
                _ => wgsl!("place_one"),
            },
        ],
        consts: vec![
            ("B0", buffers),
            ("B1", buffers + 1),
            ("B2", buffers + 2),
            ("B3", buffers + 3),
            ("ROWS", spec.rows),
            ("COLS4", spec.cols / 4),
            ("OFFSET", spec.offset),
            ("GROUPS", groups(spec)),
            ("OUTPUT", spec.output.number()),
            ("ACTIVATION", spec.output.activation() as u32),
            ("LANES", spec.lanes),
            ("SUBGROUPS", spec.subgroups as u32),
            ("ARITHMETIC", spec.arithmetic as u32),
            ("BLOCKS", spec.cols / 32),
            ("STAGED", spec.cols / 16 * bytes as u32),
            // Values that are summed over lanes: those of four rows.
            ("SUMS", 4),
            ("PARTIAL", if spec.lanes > 1 { 4 * WG } else { 1 }),
        ],
        texts: SHARED_TEXTS.to_vec(),
        floats: spec.scaling.floats(),
        workgroup: WG,
    };
    if spec.subgroups {
        kernel.prelude.insert(0, SUBGROUP_DIRECTIVE);
        kernel.prelude.push(wgsl!("reduce_subgroup"));
        kernel.texts = SUBGROUP_TEXTS.to_vec();
    } else {
        kernel.prelude.push(wgsl!("reduce_shared"));
    }
    match spec.input {
        Input::Plain => {
            kernel.prelude.push(wgsl!("gemv_plain"));
            kernel.consts.push(("INPUT", 0));
        }
        Input::Norm { eps } => {
            kernel.prelude.push(wgsl!("gemv_norm"));
            kernel.consts.push(("INPUT", 1));
            kernel.floats.push(("EPS", f32::from_bits(eps)));
        }
        Input::Merge(attention) => {
            kernel.prelude.push(wgsl!("split_span"));
            kernel.prelude.push(wgsl!("gemv_merge"));
            kernel.consts.extend(attention.span_consts());
            kernel.consts.extend([
                ("INPUT", 2),
                ("HEAD_DIM4", attention.head_dim / 4),
                ("N_CTX", attention.n_ctx),
            ]);
        }
        Input::Routed(routed) => {
            kernel.consts.extend(routed.consts());
            kernel.consts.push(("INPUT", 3));
        }
    }
    if !integer {
        kernel.prelude.push(match spec.input {
            Input::Plain | Input::Routed(_) => wgsl!("stage_none"),
            Input::Norm { .. } | Input::Merge(_) => wgsl!("stage_f32"),
        });
    }
    kernel.with_table(spec.packing)
}

/// Returns the number of groups of four rows: neighbours, or two gates with their ups.
fn groups(spec: GemvSpec) -> u32 {
    match spec.output {
        Output::Gated(_) => (spec.rows / 2).div_ceil(2),
        Output::Store | Output::Add => spec.rows.div_ceil(4),
    }
}

/// Returns WGSL that multiplies a block of `packing` by a block of input.
fn weight_source(packing: Packing, arithmetic: Arithmetic) -> &'static str {
    macro_rules! source {
        ($packing:literal, $($part:literal),+) => {
            concat!(
                wgsl!("unpack_", $packing),
                $(wgsl!($part)),+
            )
        };
    }
    match (packing, arithmetic) {
        (Packing::F32, _) => source!("f32", "dot_f32_x4"),
        (Packing::F16, _) => source!("f16", "dot_f32_x8"),
        (Packing::BF16, _) => source!("bf16", "dot_f32_x8"),
        (Packing::Q4, Arithmetic::F32) => source!("q4", "dot_f32_x32", "dot_f32_q4"),
        (Packing::Q2, _) => source!("q2", "dot_f32_x32", "dot_f32_q2"),
        (Packing::Q3, _) => source!("q3", "dot_f32_x32", "dot_f32_q3"),
        (Packing::Iq4 | Packing::Fp4, _) => source!("table", "dot_f32_x32", "dot_f32_table"),
        (Packing::Q5, _) => source!("q5", "dot_f32_x32", "dot_f32_q5"),
        (Packing::Q6, _) => source!("q6", "dot_f32_x32", "dot_f32_q6"),
        (Packing::Q8, Arithmetic::F32) => source!("q8", "dot_f32_x32", "dot_f32_q8"),
        (Packing::Q4, Arithmetic::F16) => source!("q4", "dot_f32_x32", "dot_f16_q4"),
        (Packing::Q8, Arithmetic::F16) => source!("q8", "dot_f32_x32", "dot_f16_q8"),
        (Packing::Q4, Arithmetic::I15) => source!("q4", "stage_i15", "dot_i15_q4"),
        (Packing::Q8, Arithmetic::I15) => source!("q8", "stage_i15", "dot_i15_q8"),
    }
}

impl GemvOp for CubeBackend {
    fn gemv(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        beside: FloatTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: GemvSpec,
    ) -> FloatTensor<Self> {
        let (gx, gz) = grid_xz((groups(spec) * spec.lanes).div_ceil(WG));
        let mut tensors = vec![&quants];
        tensors.extend((weight_buffers(spec.packing) == 2).then_some(&scales));
        tensors.extend([&x, &y]);
        match spec.input {
            Input::Plain => {}
            Input::Norm { .. } | Input::Routed(_) => tensors.extend([&beside, &state]),
            Input::Merge(_) => tensors.push(&state),
        }
        let slots = match spec.input {
            Input::Routed(_) => y.meta.shape()[0] as u32,
            _ => 1,
        };
        launch(kernel(spec), (gx, slots, gz), &tensors);
        y
    }
}

impl GemvOp for Flex {
    fn gemv(
        x: FlexTensor,
        quants: FlexTensor,
        scales: FlexTensor,
        beside: FlexTensor,
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
                rms_norm_cpu(row, beside.storage(), f32::from_bits(eps), &mut made);
                &made
            }
            Input::Merge(attention) => {
                made.resize(cols, 0.0);
                merge_cpu(x, state[state::POS] as usize, &mut made, attention);
                &made
            }
            Input::Routed(routed) => {
                let live = state[state::N_TOKENS] as usize * routed.n_used as usize;
                let routes = &beside.storage::<f32>()[..2 * live];
                let weight = (quants.storage(), scales.storage());
                routed_cpu(x, weight, routes, y.storage_mut(), spec, routed);
                return y;
            }
        };
        let gates = matches!(spec.output, Output::Gated(_));
        let linear = LinearSpec::of_one(spec, if gates { 0 } else { spec.offset });
        let (quants, scales) = (quants.storage(), scales.storage());
        if gates {
            let mut gate_up = vec![0.0; spec.rows as usize];
            linear_cpu(input, quants, scales, &mut gate_up, 1, linear);
            let d_ff = spec.rows as usize / 2;
            let y = &mut y.storage_mut::<f32>()[spec.offset as usize..][..d_ff];
            gate_cpu(&gate_up, d_ff, y, spec.output.activation());
        } else {
            linear_cpu(input, quants, scales, y.storage_mut(), 1, linear);
        }
        y
    }
}
