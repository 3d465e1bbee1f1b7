//! Classes of shapes whose best launch may differ, and the choices for each.
//!
//! A matrix of few rows has fewer workgroups than a large GPU has room for; a norm before the product makes each workgroup
//! read the input twice; and which tile suits a prompt depends on registers, workgroup memory and cores that no interface
//! names. A device that measures nothing of this treats all classes alike ([`Shapes::alike`]).

use serde::{Deserialize, Serialize};

use crate::ops::projection::gemv::Input;

/// Most rows of a matrix that has few: projections from attention and feed-forward block of models up to 8B.
pub const FEW_ROWS: usize = 4096;

/// Class of a projection of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeClass {
    /// Many rows, input as it is.
    Many,
    /// Few rows, input as it is.
    Few,
    /// Many rows, whose workgroups norm the input.
    ManyNormed,
    /// Few rows, whose workgroups norm the input.
    FewNormed,
}

impl DecodeClass {
    /// Returns the class of a projection with so many rows.
    pub fn of(input: Input, rows: usize) -> Self {
        let normed = matches!(input, Input::Norm { .. } | Input::GatedNorm(_));
        match (rows <= FEW_ROWS, normed) {
            (false, false) => Self::Many,
            (true, false) => Self::Few,
            (false, true) => Self::ManyNormed,
            (true, true) => Self::FewNormed,
        }
    }
}

/// Shape of a prefill tile in workgroup memory, as rows of the weight by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum TileShape {
    /// 64 rows by 64 tokens.
    Square,
    /// 64 rows by 32 tokens, which is also what little workgroup memory leaves of the others.
    Narrow,
    /// 32 rows by 64 tokens: twice the workgroups of a small matrix.
    Low,
    /// 128 rows by 64 tokens, or by 32 in integers, which need twice the threads.
    Tall,
}

/// Size of a tile in workgroup memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileSize {
    pub rows: u32,
    pub tokens: u32,
}

/// Bytes of a row or a token in workgroup memory, as floats and as integers (of a row and of a token).
const FLOAT_BYTES: usize = 144;
const INTEGER_BYTES: [usize; 2] = [48, 80];
/// Bytes of the largest grid that is copied there: IQ2_S has 1024 entries of two bytes.
const TABLE_BYTES: usize = 2048;

impl TileSize {
    /// Returns the bytes of workgroup memory that hold 32 columns of its rows and tokens.
    pub const fn bytes(self, integers: bool) -> usize {
        let (rows, tokens) = (self.rows as usize, self.tokens as usize);
        match integers {
            true => rows * INTEGER_BYTES[0] + tokens * INTEGER_BYTES[1],
            false => (rows + tokens) * FLOAT_BYTES,
        }
    }

    /// Returns the threads of a workgroup: each has four tokens, and eight rows, or four in integers, where sums of eight are
    /// more than GPUs have registers for.
    pub const fn threads(self, integers: bool) -> u32 {
        self.rows / if integers { 4 } else { 8 } * (self.tokens / 4)
    }
}

impl TileShape {
    /// All shapes, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Square, Self::Narrow, Self::Low, Self::Tall];

    /// Returns the size of the shape.
    pub const fn size(self, integers: bool) -> TileSize {
        let (rows, tokens) = match (self, integers) {
            (Self::Square, _) => (64, 64),
            (Self::Narrow, _) => (64, 32),
            (Self::Low, _) => (32, 64),
            (Self::Tall, false) => (128, 64),
            (Self::Tall, true) => (128, 32),
        };
        TileSize { rows, tokens }
    }

    /// Returns the size, or the narrow one if `workgroup_bytes` do not hold it. WebGPU's minimum is enough for that.
    pub fn fitting(self, integers: bool, workgroup_bytes: usize) -> TileSize {
        // Packings without integers are multiplied as floats on the same device, with the same shape.
        let size = self.size(integers);
        match size.bytes(integers) + TABLE_BYTES <= workgroup_bytes {
            true => size,
            false => Self::Narrow.size(integers),
        }
    }
}

/// Choices by class of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "ShapeTuning"))]
pub struct Shapes {
    /// Threads that share four rows in decode of a matrix of at most 4096 rows.
    pub few_rows: u32,
    /// Threads where each workgroup norms the input: with more rows, and with as many.
    pub normed: u32,
    pub few_rows_normed: u32,
    /// Prefill's tile through workgroup memory, for matrices of more than 4096 rows and for others.
    pub tile: TileShape,
    pub few_rows_tile: TileShape,
    /// Whether a workgroup of a long prompt's attention takes up to 32 queries instead of 8.
    pub many_queries: bool,
    /// Whether neighbours read a key together in a step's attention, where there are subgroups.
    pub shared_keys: bool,
}

impl Shapes {
    /// Returns choices that differ by no class.
    pub const fn alike(threads: u32, many_queries: bool) -> Self {
        Self {
            few_rows: threads,
            normed: threads,
            few_rows_normed: threads,
            tile: TileShape::Square,
            few_rows_tile: TileShape::Square,
            many_queries,
            shared_keys: true,
        }
    }

    /// Returns the threads that share four rows of a class; those of [`DecodeClass::Many`] are the device's own.
    pub(in crate::ops) const fn threads(&self, class: DecodeClass, many: u32) -> u32 {
        match class {
            DecodeClass::Many => many,
            DecodeClass::Few => self.few_rows,
            DecodeClass::ManyNormed => self.normed,
            DecodeClass::FewNormed => self.few_rows_normed,
        }
    }

    /// Returns the tile of a matrix with so many rows.
    pub(in crate::ops) fn tile_for(
        &self,
        rows: usize,
        integers: bool,
        workgroup_bytes: usize,
    ) -> TileSize {
        let shape = match rows <= FEW_ROWS {
            true => self.few_rows_tile,
            false => self.tile,
        };
        shape.fitting(integers, workgroup_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WebGPU's default limits: 256 threads and 16 KiB of workgroup memory.
    #[test]
    fn every_tile_has_threads_that_every_device_has_and_a_narrow_one_fits() {
        for integers in [false, true] {
            for shape in TileShape::ALL {
                let size = shape.size(integers);
                assert!(size.threads(integers) <= 256, "{shape:?} {integers}");
                let small = shape.fitting(integers, 16 << 10);
                assert!(small.bytes(integers) <= 16 << 10, "{shape:?} {integers}");
                assert_eq!(shape.fitting(integers, 32 << 10), size);
            }
            let tall = TileShape::Tall.fitting(false, 16 << 10);
            assert_eq!((tall.rows, tall.tokens), (64, 32));
        }
    }

    #[test]
    fn rows_and_norms_make_the_class() {
        let norm = Input::Norm { eps: 0 };
        assert_eq!(
            DecodeClass::of(Input::Plain, FEW_ROWS + 4),
            DecodeClass::Many
        );
        assert_eq!(DecodeClass::of(Input::Plain, FEW_ROWS), DecodeClass::Few);
        assert_eq!(DecodeClass::of(norm, FEW_ROWS + 4), DecodeClass::ManyNormed);
        assert_eq!(DecodeClass::of(norm, 8), DecodeClass::FewNormed);
        let shapes = Shapes {
            few_rows: 1,
            normed: 2,
            few_rows_normed: 4,
            ..Shapes::alike(8, false)
        };
        let all = [
            DecodeClass::Many,
            DecodeClass::Few,
            DecodeClass::ManyNormed,
            DecodeClass::FewNormed,
        ];
        assert_eq!(all.map(|class| shapes.threads(class, 64)), [64, 1, 2, 4]);
    }
}
