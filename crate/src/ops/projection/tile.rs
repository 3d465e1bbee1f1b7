//! Linear projection of several tokens by a (quantised) weight: y[t, offset + r] = sum_c W[r, c] * x[t, c].
//!
//! - `x`: [T, cols] f32, `y`: [T, stride] f32, `W`: [rows, cols] in one of the [`Packing`]s.
//! - With `add`, the product is added to `y`: the residual stream is updated in place.
//! - GPU grid: (rows / 4, T / 8), see `wgsl/linear.wgsl`, or with `wide` (rows / 64, T / wide), see
//!   `wgsl/linear_wide.wgsl`; rows past the state's N_TOKENS are left alone.
//! - CPU: 16-bit activations against the packed weights ([`hearth_cpu`]).
//!
//! The weight is never expanded: an element is unpacked in registers where it is multiplied.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::formats::{FP4_TABLE, IQ4_TABLE};

use crate::ops::experts::group::{Grouped, grouped_cpu};
use crate::ops::gpu::{Kernel, grid_xz, launch, wgsl};
use crate::ops::pool::Pooled;
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::weight::Scaling;
use crate::ops::state;
use crate::platform::SUBGROUP_DIRECTIVE;
use hearth_modelfile::quant::Packing;

/// Shape and placement of one projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearSpec {
    /// Packing of the weight.
    pub packing: Packing,
    /// Output features.
    pub rows: u32,
    /// Input features, a multiple of the packing's block.
    pub cols: u32,
    /// First output column.
    pub offset: u32,
    /// Columns of `y`.
    pub stride: u32,
    /// Whether to add to `y` instead of overwriting it.
    pub add: bool,
    /// Threads that share four rows, a power of two <= 64: 1 on software adapters, where a barrier costs more than it
    /// saves.
    pub lanes: u32,
    /// Whether the lanes are summed within a subgroup. Needs the device feature, and subgroups that passed the check
    /// of `crate::device::tune`.
    pub subgroups: bool,
    /// Tokens of a tile that goes through workgroup memory, see [`wide_tokens`]; 0 for the tile in registers.
    pub wide: u32,
    /// Grouping by expert. The weight then holds several experts with `rows` rows each, and each slot is multiplied
    /// by its own expert: [`Grouped`] defines the rows of `x`, and `y` has one row per slot. On a GPU this requires
    /// `wide`.
    pub grouped: Option<Grouped>,
    pub scaling: Scaling,
    /// Location of the weight if the CPU's threads keep it; the tensors are dummies then.
    pub pooled: Option<Pooled>,
}

/// Backend extension: the projection on each backend.
#[backend_extension(Cube, Flex)]
pub trait LinearOp: Backend {
    /// Returns `y` with columns `offset .. offset + rows` of every live token written. If the spec is grouped,
    /// `state` holds the groups instead.
    fn linear(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: LinearSpec,
    ) -> FloatTensor<Self>;
}

/// Returns the number of columns that the kernels take at once; a row must be a multiple of it.
pub const fn kernel_block(packing: Packing) -> u32 {
    match packing {
        Packing::F32 => 4,
        Packing::F16 | Packing::BF16 => 8,
        _ => 32,
    }
}

/// The use a kernel makes of an unpacked block.
#[derive(Clone, Copy)]
pub(in crate::ops) enum BlockUse {
    /// `add_block(sums, i, at)`: multiplies four rows' blocks by the input.
    Tile,
    /// `store_block(w, at)`: writes to `y`.
    Store,
}

macro_rules! block_source {
    ($packing:literal, $vecs:literal, $use:expr) => {
        match $use {
            BlockUse::Tile => concat!(wgsl!("unpack_", $packing), wgsl!("tile_block", $vecs)),
            BlockUse::Store => concat!(wgsl!("unpack_", $packing), wgsl!("store_block", $vecs)),
        }
    };
}

/// Returns WGSL that unpacks a block of `packing` and uses it.
pub(in crate::ops) fn unpack_source(packing: Packing, usage: BlockUse) -> &'static str {
    match packing {
        Packing::F32 => block_source!("f32", "1", usage),
        Packing::F16 => block_source!("f16", "2", usage),
        Packing::BF16 => block_source!("bf16", "2", usage),
        Packing::Q2 => block_source!("q2", "8", usage),
        Packing::Q3 => block_source!("q3", "8", usage),
        Packing::Q4 => block_source!("q4", "8", usage),
        Packing::Iq4 | Packing::Fp4 => block_source!("table", "8", usage),
        Packing::Q5 => block_source!("q5", "8", usage),
        Packing::Q6 => block_source!("q6", "8", usage),
        Packing::Q8 => block_source!("q8", "8", usage),
    }
}

/// Returns the number of buffers that a weight binds: quants, and scales if the packing has them.
pub(in crate::ops) const fn weight_buffers(packing: Packing) -> u32 {
    1 + (packing.scale_words_per_block() > 0) as u32
}

impl Kernel {
    /// Adds the table of `packing`, if it has one: the call that prepares it before blocks are unpacked, and its
    /// values.
    pub(in crate::ops) fn with_table(mut self, packing: Packing) -> Self {
        const NAMES: [&str; 16] = [
            "T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13",
            "T14", "T15",
        ];
        let table = match packing {
            Packing::Iq4 => Some(IQ4_TABLE),
            Packing::Fp4 => Some(FP4_TABLE),
            _ => None,
        };
        let prepare = table.map_or("", |_| "prepare_table(lid);");
        self.texts.push(("PREPARE", prepare));
        let values = table.into_iter().flatten().map(f32::from);
        self.floats.extend(NAMES.into_iter().zip(values));
        self
    }
}

const WG: u32 = 64;
/// Rows and tokens of a tile in registers.
const TILE_ROWS: u32 = 4;
pub const TILE_TOKENS: u32 = 8;

/// Rows of a tile in workgroup memory, and the bytes per row or token there: 36 numbers.
const WIDE_ROWS: u32 = 64;
const WIDE_PITCH: usize = 144;
/// Minimum number of tokens for which the shared tile pays off: below it, the tile in registers unpacks a weight at
/// most twice.
pub const WIDE_FROM: usize = 24;

/// Returns the tokens of a tile that fits this much workgroup memory. WebGPU's minimum is enough for one tile.
pub fn wide_tokens(workgroup_bytes: usize) -> u32 {
    const TABLE_BYTES: usize = 64;
    let needed = |tokens: u32| (WIDE_ROWS + tokens) as usize * WIDE_PITCH + TABLE_BYTES;
    if needed(64) <= workgroup_bytes {
        64
    } else {
        32
    }
}

/// Placeholder names, each with its text.
type Texts = [(&'static str, &'static str); 2];
/// Texts for subgroups. The subgroup's size is a builtin of the entry point that exists only if the feature is
/// enabled.
pub(in crate::ops) const SUBGROUP_TEXTS: Texts = [
    (
        "SUBGROUP_ARG",
        "@builtin(subgroup_size) subgroup_size: u32,",
    ),
    ("SUBGROUP_SIZE", "subgroup_size"),
];
pub(in crate::ops) const SHARED_TEXTS: Texts = [("SUBGROUP_ARG", ""), ("SUBGROUP_SIZE", "1u")];

fn kernel(spec: LinearSpec) -> Kernel {
    let buffers = weight_buffers(spec.packing);
    let kernel = Kernel {
        name: "linear",
        source: wgsl!("linear"),
        variant: spec.packing.name(),
        prelude: vec![wgsl!("scaling"), wgsl!("linear_output")],
        consts: vec![
            ("B0", buffers),
            ("B1", buffers + 1),
            ("B2", buffers + 2),
            ("ROWS", spec.rows),
            ("COLS4", spec.cols / 4),
            ("OFFSET", spec.offset),
            ("STRIDE", spec.stride),
            ("ADD", spec.add as u32),
        ],
        texts: vec![],
        floats: spec.scaling.floats(),
        workgroup: WG,
    };
    let kernel = match spec.wide {
        0 => in_registers(kernel, spec),
        tokens => through_workgroup_memory(kernel, spec, tokens),
    };
    kernel.with_table(spec.packing)
}

fn in_registers(mut kernel: Kernel, spec: LinearSpec) -> Kernel {
    let sums = TILE_ROWS * TILE_TOKENS;
    kernel
        .prelude
        .insert(0, unpack_source(spec.packing, BlockUse::Tile));
    kernel.consts.extend([
        ("LANES", spec.lanes),
        ("SUBGROUPS", spec.subgroups as u32),
        // Values that are summed over lanes.
        ("SUMS", sums),
        ("PARTIAL", if spec.lanes > 1 { WG * sums } else { 1 }),
    ]);
    if spec.subgroups {
        kernel.prelude.insert(0, SUBGROUP_DIRECTIVE);
        kernel.prelude.push(wgsl!("reduce_subgroup"));
        kernel.texts = SUBGROUP_TEXTS.to_vec();
    } else {
        kernel.prelude.push(wgsl!("reduce_shared"));
        kernel.texts = SHARED_TEXTS.to_vec();
    }
    kernel
}

fn through_workgroup_memory(mut kernel: Kernel, spec: LinearSpec, tokens: u32) -> Kernel {
    kernel.name = "linear_wide";
    kernel.source = wgsl!("linear_wide");
    kernel
        .prelude
        .insert(0, unpack_source(spec.packing, BlockUse::Store));
    kernel.consts.extend([
        ("TOKENS", tokens),
        ("INPUTS", tokens * (WIDE_PITCH / 16) as u32),
    ]);
    kernel.prelude.push(match spec.grouped {
        None => wgsl!("wide_in_order"),
        Some(grouped) => {
            kernel.name = "linear_by_expert";
            kernel.consts.extend(grouped.consts());
            wgsl!("wide_by_expert")
        }
    });
    // Eight threads along the rows, with eight rows each, and one thread per four tokens.
    kernel.workgroup = 2 * tokens;
    kernel
}

impl LinearOp for CubeBackend {
    fn linear(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: LinearSpec,
    ) -> FloatTensor<Self> {
        let t = x.meta.shape()[0] as u32;
        let (groups, tokens) = match spec.wide {
            0 => {
                let threads = spec.rows.div_ceil(TILE_ROWS) * spec.lanes;
                (threads.div_ceil(WG), TILE_TOKENS)
            }
            tokens => (spec.rows.div_ceil(WIDE_ROWS), tokens),
        };
        let (gx, gz) = grid_xz(groups);
        let tiles = match spec.grouped {
            None => t.div_ceil(tokens),
            Some(grouped) => grouped.tiles,
        };
        let count = (gx, tiles, gz);
        let mut tensors = vec![&quants];
        tensors.extend((weight_buffers(spec.packing) == 2).then_some(&scales));
        tensors.extend([&x, &y, &state]);
        launch(kernel(spec), count, &tensors);
        y
    }
}

impl LinearOp for Flex {
    fn linear(
        x: FlexTensor,
        quants: FlexTensor,
        scales: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        spec: LinearSpec,
    ) -> FlexTensor {
        let (x, state) = (x.storage(), state.storage::<u32>());
        let weight = (quants.storage(), scales.storage());
        let out = y.storage_mut();
        match spec.grouped {
            Some(grouped) => grouped_cpu(x, weight, state, out, spec, grouped),
            None => {
                let n = state[state::N_TOKENS] as usize;
                linear_cpu(x, weight.0, weight.1, out, n, spec);
            }
        }
        y
    }
}
