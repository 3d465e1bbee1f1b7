//! Linear projection of several tokens by a (quantised) weight: y[t, offset + r] = sum_c W[r, c] * x[t, c].
//!
//! - `x`: [T, cols] f32, `y`: [T, stride] f32, `W`: [rows, cols] in one of the [`Packing`]s.
//! - With `add`, the product is added to `y`: the residual stream is updated in place.
//! - With a bias as the spec's `end`, `bias`: [1, stride] is added to each sum, and an activation may follow: y = activation(W x + bias).
//! - GPU grid: (rows / 4, T / 8), see `linear.wgsl`, or with `shared_tile` its rows and tokens instead, see
//!   `linear_shared.wgsl` and `linear_integers.wgsl`; rows past the state's N_TOKENS are left alone.
//! - With `integers`, `x` is [T, cols / 32 * 20] words as [`crate::ops::projection::quantise`] makes them.
//! - CPU: 16-bit activations against the packed weights ([`hearth_cpu`]).
//!
//! The weight is never expanded: an element is unpacked in registers where it is multiplied.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, grid_xz, launch, modules};
use crate::ops::outline::Grid;
use crate::ops::pool::Pooled;
use crate::ops::projection::by_expert::{Grouped, grouped_cpu};
use crate::ops::projection::cpu::{biased_cpu, linear_cpu};
use crate::ops::projection::packing::{PACKINGS, weight_buffers};
use crate::ops::projection::shape::{TileShape, TileSize};
use crate::ops::projection::weight::Scaling;
use crate::ops::state;
use hearth_modelfile::families::Activation;
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
    pub threads_per_tile: u32,
    /// Whether the threads of a tile are summed within a subgroup. Needs the device feature, and subgroups that passed the check
    /// of `crate::device::tune`.
    pub subgroups: bool,
    /// Size of a tile that goes through workgroup memory; `None` for the tile in registers.
    pub shared_tile: Option<TileSize>,
    /// Whether `x` is integers as [`crate::ops::projection::quantise`] makes them, for tiles in workgroup memory whose
    /// packing [`multiplies_integers`].
    pub integers: bool,
    /// Grouping by expert. The weight then holds several experts with `rows` rows each, and each slot is multiplied
    /// by its own expert: [`Grouped`] defines the rows of `x`, and `y` has one row per slot. On a GPU this requires
    /// `shared_tile`.
    pub grouped: Option<Grouped>,
    pub scaling: Scaling,
    /// Work that follows the sums.
    pub end: LinearEnd,
    /// Location of the weight if the CPU's threads keep it; the tensors are dummies then.
    pub pooled: Option<Pooled>,
}

/// Work that follows the sums of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinearEnd {
    /// Nothing.
    Plain,
    /// A bias for each row, and an activation, which does not go with adding to `y`.
    Biased(Option<Activation>),
}

/// Backend extension: the projection on each backend.
#[backend_extension(Cube, Flex)]
pub trait LinearOp: Backend {
    /// Returns `y` with columns `offset .. offset + rows` of every live token written. If the spec is grouped,
    /// `state` holds the groups instead; `bias` is read only if the spec has one.
    fn linear(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        bias: FloatTensor<Self>,
        y: FloatTensor<Self>,
        spec: LinearSpec,
    ) -> FloatTensor<Self>;
}

const WG: u32 = 64;
/// Rows and tokens of a tile in registers.
const TILE_ROWS: u32 = 4;
pub const TILE_TOKENS: u32 = 8;

/// Columns of a tile in workgroup memory that are there at once.
pub(super) const WIDE_DEPTH: u32 = 32;
/// Minimum number of tokens for which the shared tile pays off: below it, the tile in registers unpacks a weight at
/// most twice.
pub const SHARED_TILE_FROM: usize = 24;

/// Returns whether tiles in workgroup memory can multiply a weight of this packing as integers: only if its quants are
/// bytes with one scale, or one for each half of a block.
pub(in crate::ops) const fn multiplies_integers(packing: Packing) -> bool {
    use Packing::{Q4, Q4K, Q4S, Q6, Q8};
    matches!(packing, Q4 | Q4S | Q4K | Q6 | Q8)
}

/// Returns the tokens of a tile of slots of one expert that fits this much workgroup memory.
pub fn expert_tile_tokens(workgroup_bytes: usize) -> u32 {
    TileShape::Square.fitting(false, workgroup_bytes).tokens
}

/// Returns the tile of so many slots of one expert.
pub(in crate::ops) fn expert_tile(tokens: u32) -> TileSize {
    TileSize {
        tokens,
        ..TileShape::Square.size(false)
    }
}

pub(in crate::ops) fn kernel(spec: LinearSpec) -> Kernel {
    let kernel = match spec.shared_tile {
        None => Kernel::new(&modules::LINEAR, WG)
            // Software adapters, which have one thread a tile, keep a block in memory anyway.
            .adds_blocks(
                spec.packing,
                spec.rows,
                spec.cols,
                spec.threads_per_tile > 1,
            )
            .reduces(spec.subgroups)
            .module(&modules::LINEAR_FLOATS)
            .u32s([("THREADS_PER_TILE", spec.threads_per_tile)]),
        Some(tile) if spec.integers => integers(spec, tile),
        Some(tile) => through_workgroup_memory(spec, tile),
    };
    let kernel = match spec.end {
        LinearEnd::Plain => kernel.module(&modules::LINEAR_OUTPUT),
        LinearEnd::Biased(activation) => kernel
            .module(&modules::LINEAR_OUTPUT_BIASED)
            .module(&modules::GATE)
            .u32s([("ACTIVATION", activation.map_or(0, |which| which as u32))])
            .bools([("ACTIVE", activation.is_some())]),
    };
    kernel
        .module(&state::WGSL)
        .scales(spec.scaling)
        .u32s([
            ("ROWS", spec.rows),
            ("COLS4", spec.cols / 4),
            ("OFFSET", spec.offset),
            ("STRIDE", spec.stride),
        ])
        .bools([("ADD", spec.add)])
}

fn through_workgroup_memory(spec: LinearSpec, tile: TileSize) -> Kernel {
    let kernel = Kernel::new(&modules::LINEAR_SHARED, tile.threads(false))
        .stores_blocks(spec.packing, spec.all_rows(), spec.cols)
        .module(&modules::LINEAR_FLOATS);
    tiled(kernel, spec, tile)
}

fn integers(spec: LinearSpec, tile: TileSize) -> Kernel {
    let kernel = Kernel::new(&modules::LINEAR_INTEGERS, tile.threads(true))
        .unpacks(spec.packing, spec.all_rows(), spec.cols)
        .module(match spec.packing {
            Packing::Q8 => &modules::INTEGERS_Q8,
            Packing::Q6 => &modules::INTEGERS_Q6,
            _ => &modules::INTEGERS_Q4,
        })
        .module(&modules::LINEAR_BLOCKS);
    tiled(kernel, spec, tile)
}

/// Adds the modules and constants that tiles in workgroup memory share.
fn tiled(kernel: Kernel, spec: LinearSpec, tile: TileSize) -> Kernel {
    let kernel = kernel
        .module(&modules::SHARED_ROWS)
        .u32s([("TILE_ROWS", tile.rows), ("TOKENS", tile.tokens)]);
    match spec.grouped {
        None => kernel.module(&modules::SHARED_IN_ORDER),
        Some(grouped) => kernel
            .module(&modules::SHARED_BY_EXPERT)
            .u32s(grouped.consts()),
    }
}

impl LinearSpec {
    /// Returns the rows of the weight's tensors: those of all experts in this part, if it has several.
    fn all_rows(&self) -> u32 {
        self.grouped.map_or(1, |grouped| grouped.count) * self.rows
    }
}

/// Returns the grid for `t` tokens.
pub(super) fn grid(spec: LinearSpec, t: u32) -> Grid {
    let (groups, tokens) = match spec.shared_tile {
        None => {
            let threads = spec.rows.div_ceil(TILE_ROWS) * spec.threads_per_tile;
            (threads.div_ceil(WG), TILE_TOKENS)
        }
        Some(tile) => (spec.rows.div_ceil(tile.rows), tile.tokens),
    };
    let (x, z) = grid_xz(groups);
    let tiles = match spec.grouped {
        None => t.div_ceil(tokens),
        Some(grouped) => grouped.tiles,
    };
    (x, tiles, z)
}

/// Returns the bytes of input that a tile in workgroup memory reads.
pub(super) fn input_bytes(spec: LinearSpec) -> u64 {
    let block_bytes = match spec.integers {
        true => 80,
        false => 128,
    };
    let tokens = spec.shared_tile.map_or(0, |tile| tile.tokens);
    u64::from(tokens) * u64::from(spec.cols.div_ceil(WIDE_DEPTH)) * block_bytes
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let grouped = Grouped {
        tiles: 8,
        share: 2,
        first: 0,
        count: 4,
    };
    let mut all = Vec::new();
    for packing in PACKINGS {
        let mut ways = vec![
            (1, false, None, None, false),
            (16, false, None, None, false),
            (16, true, None, None, false),
        ];
        for integers in [false, true] {
            if integers && !multiplies_integers(packing) {
                continue;
            }
            let tiles = TileShape::ALL.map(|shape| (shape.size(integers), None));
            let of_experts = [32, 64].map(|tokens| (expert_tile(tokens), Some(grouped)));
            let all = tiles.into_iter().chain(of_experts);
            ways.extend(all.map(|(tile, grouped)| (1, false, Some(tile), grouped, integers)));
        }
        for (threads_per_tile, subgroups, shared_tile, grouped, integers) in ways {
            for (add, scaling) in Scaling::EXAMPLES {
                all.push(kernel(LinearSpec {
                    packing,
                    rows: 8,
                    cols: 64,
                    offset: 0,
                    stride: 8,
                    add,
                    threads_per_tile,
                    subgroups,
                    shared_tile,
                    integers,
                    grouped,
                    scaling,
                    end: LinearEnd::Plain,
                    pooled: None,
                }));
            }
            // (what adds to the output, or has no activation, is a branch of the same modules)
            if grouped.is_none() {
                all.push(kernel(LinearSpec {
                    packing,
                    rows: 8,
                    cols: 64,
                    offset: 0,
                    stride: 8,
                    add: false,
                    threads_per_tile,
                    subgroups,
                    shared_tile,
                    integers,
                    grouped,
                    scaling: Scaling::NONE,
                    end: LinearEnd::Biased(Some(Activation::Gelu)),
                    pooled: None,
                }));
            }
        }
    }
    all
}

impl LinearOp for CubeBackend {
    fn linear(
        x: FloatTensor<Self>,
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        bias: FloatTensor<Self>,
        y: FloatTensor<Self>,
        spec: LinearSpec,
    ) -> FloatTensor<Self> {
        let t = x.meta.shape()[0] as u32;
        let mut tensors = vec![&quants];
        tensors.extend((weight_buffers(spec.packing) == 2).then_some(&scales));
        tensors.extend([&x, &y, &state]);
        tensors.extend((spec.end != LinearEnd::Plain).then_some(&bias));
        launch(kernel(spec), grid(spec, t), &tensors);
        y
    }
}

impl LinearOp for Flex {
    fn linear(
        x: FlexTensor,
        quants: FlexTensor,
        scales: FlexTensor,
        state: FlexTensor,
        bias: FlexTensor,
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
                if let LinearEnd::Biased(activation) = spec.end {
                    biased_cpu(bias.storage(), out, n, spec, activation);
                }
            }
        }
        y
    }
}
