//! Counters of the projections' launches.

use crate::ops::outline::Launch;
use crate::ops::projection::gemv::{self, Arithmetic, GemvSpec, Input, Staging};
use crate::ops::projection::packing::{copied_grid_bytes, kernel_block};
use crate::ops::projection::tile::{self, LinearSpec};
use crate::ops::projection::weight::Source;
use hearth_modelfile::cost::Counters;
use hearth_modelfile::layer_spec::BLOCK_VALUES;
use hearth_modelfile::quant::Packing;

/// Slots of a projection by experts, or one token without experts.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Multiplied {
    /// Number that the grid has.
    pub launched: u32,
    /// Number whose rows the part has, if a token's experts are spread evenly.
    pub live: u64,
    /// Experts of the part; 1 without.
    pub experts: u64,
}

impl Multiplied {
    pub(in crate::ops) const ONE: Self = Self {
        launched: 1,
        live: 1,
        experts: 1,
    };
}

/// Lanes of a subgroup that is assumed; threads of a tile that are further apart meet in workgroup memory.
const SUBGROUP: u32 = 32;

/// Describes the launch of a projection of one token.
pub(in crate::ops) fn describe_gemv(spec: GemvSpec, source: &Source, slots: Multiplied) -> Launch {
    let (cols, lanes, threads) = (spec.cols as usize, spec.threads_per_tile, spec.workgroup());
    let (integer, staged) = (
        spec.staging() == Staging::I15,
        spec.staging() != Staging::None,
    );
    let block = kernel_block(spec.packing);
    let blocks = spec.cols / block;
    let rounds = blocks.div_ceil(lanes);
    let grid = gemv::grid(spec, slots.launched);
    let workgroups = u64::from(grid.0) * u64::from(grid.2) * slots.live;
    let input = workgroups * 4 * cols as u64;
    // The first weights, and the reduction; what is staged is read before, and followed by a barrier.
    let (mut trips, mut barriers) = (2 + u32::from(staged), u32::from(staged));
    let mut prologue_bytes = input;
    match spec.input {
        Input::Plain => {}
        // The state, the norm's weights, and once for the workgroup the sum of squares, which takes two barriers.
        Input::Norm { .. } => {
            prologue_bytes = 2 * input;
            trips += 1 + u32::from(staged);
            barriers += if staged { 2 } else { 0 };
        }
        // Sums of squares, and the gates.
        Input::GatedNorm(_) => prologue_bytes = 2 * input + input / BLOCK_VALUES as u64,
        // The state and the routes.
        Input::Routed(_) => trips += 2,
    }
    barriers += match spec.subgroups {
        true => 2 * (lanes / SUBGROUP).max(1).ilog2(),
        false => lanes.ilog2(),
    };
    // A table or a grid is copied to workgroup memory first.
    let grid_bytes = copied_grid_bytes(spec.packing) as u64;
    prologue_bytes += workgroups * grid_bytes;
    trips += u32::from(grid_bytes > 0);
    let looks_up = matches!(spec.packing, Packing::Iq4 | Packing::Fp4 | Packing::Nvfp4);
    barriers += u32::from(grid_bytes > 0 || looks_up);
    // Lanes are a block apart, so that all of them meet in one bank; two bytes a column halve that.
    let reads = u64::from(gemv::groups(spec)) * u64::from(blocks * block / 4) * slots.live;
    let conflicts = reads * u64::from(lanes.min(32)) / if integer { 128 } else { 32 };
    let (input, packing, arithmetic) = (spec.input, spec.packing, spec.arithmetic);
    let counters = Counters {
        weight_bytes: slots.live * weight_bytes(packing, spec.rows, cols),
        file_bytes: source.file_bytes / slots.experts * slots.live,
        prologue_bytes,
        bytes_in_flight: 4 * threads * quant_bytes(packing),
        rounds,
        idle: 1.0 - blocks as f32 / (lanes * rounds) as f32,
        workgroup_memory: gemv::workgroup_bytes(input, packing, cols, arithmetic, lanes) as u32,
        bank_rounds: if staged { conflicts } else { 0 },
        barriers,
        trips,
        instructions: products(packing, integer, arithmetic, spec.rows, cols)
            .saturating_mul(slots.live),
        ..Counters::default()
    };
    let name = name(source, packing);
    let mut launch = Launch::new(&name, gemv::kernel(spec), grid, counters);
    launch.counters.workgroups = workgroups;
    launch
}

/// Describes the launch of a projection of `t` tokens; tiles in registers have the counters of weights only.
pub(in crate::ops) fn describe_tile(spec: LinearSpec, source: &Source, t: u32) -> Launch {
    let mut counters = Counters {
        weight_bytes: weight_bytes(spec.packing, spec.rows, spec.cols as usize),
        file_bytes: source.file_bytes,
        ..Counters::default()
    };
    let grid = tile::grid(spec, t);
    if let Some(size) = spec.shared_tile {
        let products = u64::from(t) * u64::from(spec.rows) * u64::from(spec.cols);
        let tiles = u64::from(grid.0) * u64::from(grid.1) * u64::from(grid.2);
        counters.prologue_bytes = tiles * tile::input_bytes(spec);
        counters.workgroup_memory = size.bytes(spec.integers) as u32;
        counters.barriers = 1 + 2 * spec.cols.div_ceil(tile::WIDE_DEPTH);
        counters.instructions = products * tile_hundredths(spec) / 100;
    }
    let name = name(source, spec.packing);
    Launch::new(&name, tile::kernel(spec), grid, counters)
}

/// Returns the instructions of a thread for 100 products of a tile in workgroup memory, as counted in the code that AMD's
/// compiler makes of the loop over columns; unpacking, which a tile's tokens share, is not in them.
fn tile_hundredths(spec: LinearSpec) -> u64 {
    match (spec.integers, spec.packing) {
        (false, _) => 120,
        (true, Packing::Q8) => 80,
        (true, Packing::Q4 | Packing::Q4S | Packing::Q4K) => 86,
        (true, _) => 96,
    }
}

fn name(source: &Source, packing: Packing) -> String {
    format!("{} {}", source.name, packing.name())
}

fn weight_bytes(packing: Packing, rows: u32, cols: usize) -> u64 {
    let words = packing.quant_words_per_block() + packing.scale_words_per_block();
    4 * u64::from(rows) * (packing.blocks_per_row(cols) * words) as u64
}

/// Returns the bytes of quants that a thread requests at once of a row.
pub(in crate::ops) fn quant_bytes(packing: Packing) -> u32 {
    let words = packing.quant_words_per_block() as u32;
    4 * words * kernel_block(packing) / packing.block_len() as u32
}

/// Returns the instructions of all threads for the products. Those of Q4 and Q6 a weight were counted in the code that
/// AMD's compiler makes; the others are estimates from them.
fn products(
    packing: Packing,
    integer: bool,
    arithmetic: Arithmetic,
    rows: u32,
    cols: usize,
) -> u64 {
    let hundredths = match (packing, arithmetic) {
        _ if integer => 119,
        (Packing::F32, _) => 100,
        (Packing::F16 | Packing::BF16, _) => 200,
        (Packing::Q4 | Packing::Q4S | Packing::Q4K, Arithmetic::F16) => 330,
        (Packing::Q4 | Packing::Q4S | Packing::Q4K, _) => 373,
        (Packing::Q8, _) => 290,
        (Packing::Q6, _) => 520,
        _ => 450,
    };
    u64::from(rows) * cols as u64 * hundredths / 100
}
