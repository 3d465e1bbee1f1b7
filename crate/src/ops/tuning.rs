//! Device-dependent tuning choices.

use super::Arithmetic;
use super::projection::gemv::{self, Input};
use super::projection::packing::kernel_block;
use super::projection::shape::{DecodeClass, Shapes, TileSize};
use super::projection::tile::{SHARED_TILE_FROM, TILE_TOKENS, multiplies_integers};
use hearth_modelfile::quant::Packing;

/// Threads of a tile that are started even where a row has fewer blocks.
const FEW_THREADS: u32 = 16;

/// Choices that depend on the device, not on the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Threads that share four rows in decode, for the shapes that `shapes` says nothing of.
    pub decode_threads_per_tile: u32,
    /// Threads that share four rows in prefill.
    pub prefill_threads_per_tile: u32,
    /// Whether prefill of many tokens goes through workgroup memory.
    pub shared_tile: bool,
    /// Whether the threads of a tile are summed within a subgroup instead of through workgroup memory.
    pub subgroups: bool,
    /// Arithmetic in which decode, and prefill through workgroup memory, multiply block formats.
    pub arithmetic: Arithmetic,
    /// Longest prefill chunk in tokens.
    pub chunk: usize,
    /// Microseconds that one token of a chunk takes across all layers.
    pub token_us: u64,
    /// Workgroups that a decode step's attention is split into, so that every core has some; 1 for no split.
    pub attention_workgroups: u32,
    /// Choices by class of shape.
    pub shapes: Shapes,
    /// Bytes of workgroup memory that a kernel may use.
    pub workgroup_bytes: usize,
}

impl Tuning {
    /// Choices of a large GPU with the workgroup memory of desktop browsers, for what is said of devices that are not
    /// at hand.
    pub const LARGE_GPU: Self = Self {
        decode_threads_per_tile: 64,
        prefill_threads_per_tile: 16,
        shared_tile: true,
        subgroups: true,
        arithmetic: Arithmetic::F32,
        chunk: 512,
        token_us: 1,
        attention_workgroups: 256,
        shapes: Shapes::alike(64, true),
        workgroup_bytes: 32 * 1024,
    };

    /// Returns the tile in workgroup memory for a projection of `t` tokens; `None` for the tile in registers.
    pub(in crate::ops) fn shared_tile_for(
        &self,
        t: usize,
        rows: usize,
        integers: bool,
    ) -> Option<TileSize> {
        let pays = self.shared_tile && t >= SHARED_TILE_FROM;
        pays.then(|| (self.shapes).tile_for(rows, integers, self.workgroup_bytes))
    }

    /// Returns whether tiles in workgroup memory multiply a weight of this packing as integers.
    pub(in crate::ops) const fn integer_tile(&self, packing: Packing) -> bool {
        matches!(self.arithmetic, Arithmetic::I15) && multiplies_integers(packing)
    }

    /// Returns the threads that share four rows of a projection of one token: the tuned ones, but no more than have a
    /// block to read, above a number that is never worth reducing.
    pub(in crate::ops) fn decode_threads(
        &self,
        input: Input,
        packing: Packing,
        rows: usize,
        cols: usize,
    ) -> u32 {
        let blocks = cols as u32 / kernel_block(packing);
        let most = blocks.next_power_of_two().max(FEW_THREADS);
        let class = DecodeClass::of(input, rows);
        let tuned = (self.shapes).threads(class, self.decode_threads_per_tile);
        tuned.min(most)
    }

    /// Returns the arithmetic of a projection of one token: the tuned one, if the workgroup memory suffices.
    pub(in crate::ops) fn arithmetic_for(
        &self,
        input: Input,
        packing: Packing,
        rows: usize,
        cols: usize,
    ) -> Arithmetic {
        let threads = self.decode_threads(input, packing, rows, cols);
        let needed = gemv::workgroup_bytes(input, packing, cols, self.arithmetic, threads);
        match needed <= self.workgroup_bytes {
            true => self.arithmetic,
            false => Arithmetic::F32,
        }
    }

    /// Returns the milliseconds that `n` tokens take in one of `n_layers` layers.
    pub fn layer_ms(&self, n: usize, n_layers: usize) -> f64 {
        let rows = n.next_multiple_of(TILE_TOKENS as usize) as f64;
        rows * self.token_us as f64 / (1e3 * n_layers as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::TileShape;

    #[test]
    fn a_shape_has_the_threads_and_the_tile_of_its_class() {
        let tuning = Tuning {
            decode_threads_per_tile: 16,
            shapes: Shapes {
                few_rows: 64,
                few_rows_normed: 32,
                few_rows_tile: TileShape::Low,
                ..Shapes::alike(16, true)
            },
            ..Tuning::LARGE_GPU
        };
        let threads = |input, rows, cols| tuning.decode_threads(input, Packing::Q4, rows, cols);
        assert_eq!(threads(Input::Plain, 8192, 2048), 16);
        assert_eq!(threads(Input::Plain, 2048, 2048), 64);
        assert_eq!(threads(Input::Norm { eps: 0 }, 2048, 2048), 32);
        // 18 blocks have no work for 64 threads.
        assert_eq!(threads(Input::Plain, 576, 576), 32);
        let tile = |t, rows| tuning.shared_tile_for(t, rows, false);
        assert_eq!(tile(SHARED_TILE_FROM - 1, 2048), None);
        assert_eq!(tile(512, 2048), Some(TileShape::Low.size(false)));
        assert_eq!(tile(512, 8192), Some(TileShape::Square.size(false)));
    }
}
