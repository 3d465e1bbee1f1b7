//! Token embedding: y[t] = factor * W[ids[t]], with the ids from the state buffer; and learned position embedding:
//! y[t] += W[POS + t], or, where several texts share a step, y[t] += W[place of t in its text].
//!
//! - `W`: [rows, cols] packed, rows `first .. first + rows` of the table (a table larger than a binding is split by
//!   rows, and each part writes its own tokens). `y`: [T, cols] f32.
//! - GPU: each thread unpacks one block.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::kernel::{Kernel, launch, modules};
use super::outline::{Grid, Launch};
use super::pool::{self, Pooled};
use super::projection::counters::quant_bytes;
use super::projection::packing::{PACKINGS, kernel_block, weight_buffers};
use super::{Ops, StepState, Weight, state};
use hearth_modelfile::cost::Counters;
use hearth_modelfile::quant::{Packing, unpack_row};

/// The row of the table that a token reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The row of its id.
    Ids,
    /// The row of its position, added to `y`.
    Positions,
    /// The row of its place in its text, added to `y`: these stand where ids do.
    Places,
}

/// The rows of the table that a part holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmbedSpec {
    /// Packing of the table.
    pub packing: Packing,
    /// Rows in this part.
    pub rows: u32,
    /// Id of the part's first row.
    pub first: u32,
    /// Columns, a multiple of the packing's block.
    pub cols: u32,
    /// Factor that each value is multiplied by.
    pub factor: f32,
    pub by: Rows,
    /// See [`super::projection::tile::LinearSpec::pooled`].
    pub pooled: Option<Pooled>,
}

impl Ops {
    /// Embeds the state's ids into a new [t, d_model] tensor.
    pub fn embed(&self, weight: &Weight, state: &StepState, t: usize) -> Tensor<2> {
        let y = self.empty(t, weight.cols);
        self.keep(self.embed_into(weight, state, y, Rows::Ids))
    }

    /// Adds the embedding of the state's positions to `y`: [t, d_model].
    pub fn add_positions(&self, weight: &Weight, state: &StepState, y: Tensor<2>) -> Tensor<2> {
        match state.texts() {
            Some(texts) => self.embed_into(weight, &texts.places, y, Rows::Places),
            None => self.embed_into(weight, state, y, Rows::Positions),
        }
    }

    fn embed_into(&self, weight: &Weight, state: &StepState, y: Tensor<2>, by: Rows) -> Tensor<2> {
        let t = y.dims()[0];
        let mut y = y.into_dispatch();
        for part in &weight.parts {
            let spec = EmbedSpec {
                packing: part.packing,
                rows: part.rows as u32,
                first: part.first_row as u32,
                cols: weight.cols as u32,
                factor: weight.scaling.factor,
                by,
                pooled: part.pooled,
            };
            if self.describes(|_| describe(t, spec)) {
                continue;
            }
            y = Dispatch::embed(
                part.quants.clone().into_dispatch(),
                part.scales.clone().into_dispatch(),
                state.words().into_dispatch(),
                y,
                spec,
            );
        }
        Tensor::from_dispatch(y)
    }
}

/// Backend extension: embedding on each backend.
#[backend_extension(Cube, Flex)]
pub trait EmbedOp: Backend {
    /// Returns `y` with the rows of those tokens written that this part holds.
    fn embed(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: EmbedSpec,
    ) -> FloatTensor<Self>;
}

pub(in crate::ops) fn kernel(spec: EmbedSpec) -> Kernel {
    let add = spec.by != Rows::Ids;
    Kernel::new(&modules::EMBED, 64)
        .module(&state::WGSL)
        .stores_blocks(spec.packing, spec.rows, spec.cols)
        .u32s([
            ("ROWS", spec.rows),
            ("FIRST", spec.first),
            ("COLS4", spec.cols / 4),
        ])
        .bools([("BY_POSITION", spec.by == Rows::Positions), ("ADD", add)])
        .f32s([("FACTOR", spec.factor)])
}

fn grid(t: usize, spec: EmbedSpec) -> Grid {
    let blocks = spec.cols / kernel_block(spec.packing);
    (blocks.div_ceil(64), t as u32, 1)
}

/// Describes the launch for `t` tokens.
fn describe(t: usize, spec: EmbedSpec) -> Launch {
    let words = spec.packing.quant_words_per_block() + spec.packing.scale_words_per_block();
    let blocks = spec.packing.blocks_per_row(spec.cols as usize);
    let counters = Counters {
        weight_bytes: 4 * (t * blocks * words) as u64,
        bytes_in_flight: 64 * quant_bytes(spec.packing),
        // The state, the row.
        trips: 2,
        ..Counters::default()
    };
    Launch::new("embed", kernel(spec), grid(t, spec), counters)
}

/// Returns every variant of the kernel.
pub(super) fn variants() -> Vec<Kernel> {
    let specs = PACKINGS.into_iter().flat_map(|packing| {
        [Rows::Ids, Rows::Positions, Rows::Places].map(|by| EmbedSpec {
            packing,
            rows: 8,
            first: 0,
            cols: 64,
            factor: 1.0,
            by,
            pooled: None,
        })
    });
    specs.map(kernel).collect()
}

impl EmbedOp for CubeBackend {
    fn embed(
        quants: IntTensor<Self>,
        scales: IntTensor<Self>,
        state: IntTensor<Self>,
        y: FloatTensor<Self>,
        spec: EmbedSpec,
    ) -> FloatTensor<Self> {
        let buffers = weight_buffers(spec.packing);
        let [t, _] = y.meta.shape().dims();
        let count = grid(t, spec);
        if buffers == 2 {
            launch(kernel(spec), count, &[&quants, &scales, &state, &y]);
        } else {
            launch(kernel(spec), count, &[&quants, &state, &y]);
        }
        y
    }
}

impl EmbedOp for Flex {
    fn embed(
        quants: FlexTensor,
        scales: FlexTensor,
        state: FlexTensor,
        mut y: FlexTensor,
        spec: EmbedSpec,
    ) -> FlexTensor {
        let state = state.storage::<u32>();
        let (n, pos) = (state[state::N_TOKENS], state[state::POS]);
        let positions: Vec<u32>;
        let rows = match spec.by {
            Rows::Ids | Rows::Places => &state[state::IDS..state::IDS + n as usize],
            Rows::Positions => {
                positions = (pos..pos + n).collect();
                &positions
            }
        };
        embed_cpu(
            quants.storage(),
            scales.storage(),
            rows,
            y.storage_mut(),
            spec,
        );
        y
    }
}

/// Embeds ids, the CPU twin: `ids`: [n], `y`: [>= n, cols].
pub fn embed_cpu(quants: &[u32], scales: &[u32], ids: &[u32], y: &mut [f32], spec: EmbedSpec) {
    let blocks = spec.packing.blocks_per_row(spec.cols as usize);
    let words = blocks * spec.packing.quant_words_per_block();
    let scale_words = blocks * spec.packing.scale_words_per_block();
    let mut values = vec![0.0; spec.cols as usize];
    for (id, y) in ids.iter().zip(y.chunks_exact_mut(spec.cols as usize)) {
        let Some(row) = id.checked_sub(spec.first).filter(|row| *row < spec.rows) else {
            continue;
        };
        let row = row as usize;
        match spec.pooled {
            Some(weight) => unpack_pooled(weight, row, &mut values, spec),
            None => unpack_row(
                spec.packing,
                &quants[row * words..(row + 1) * words],
                &scales[row * scale_words..(row + 1) * scale_words],
                &mut values,
            ),
        }
        for (y, v) in y.iter_mut().zip(&values) {
            let before = if spec.by == Rows::Ids { 0.0 } else { *y };
            *y = before + spec.factor * v;
        }
    }
}

/// Unpacks one row from the pool's memory.
fn unpack_pooled(weight: Pooled, row: usize, y: &mut [f32], spec: EmbedSpec) {
    let Some(pool) = pool::current() else { return };
    let blocks = spec.packing.blocks_per_row(spec.cols as usize);
    let read = |at: u32, words: usize| {
        let mut out = vec![0; words];
        pool.read(at + (row * words * 4) as u32, &mut out);
        out
    };
    let quants = read(weight.quants, blocks * spec.packing.quant_words_per_block());
    let scales = read(weight.scales, blocks * spec.packing.scale_words_per_block());
    unpack_row(spec.packing, &quants, &scales, y);
}
