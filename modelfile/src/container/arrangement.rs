//! Arrangements of tensors that differ from GGUF's.

use super::GgmlType;

/// An arrangement; the default is GGUF's: whole blocks, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrangement {
    /// Each matrix (the first two dimensions) is stored column by column: GPT-2, and gpt-oss if it is in floats.
    pub by_columns: bool,
    /// Number of tensors whose rows are interleaved in the same bytes; this one's rows are number `turn` of each
    /// round: gpt-oss's gate and up. Never 0.
    pub turns: u64,
    /// Below `turns`.
    pub turn: u64,
    /// The blocks lack their scales, which are in this range of the file: gpt-oss's MXFP4. Quants are then 16 bytes
    /// per 32 elements, with adjacent elements in one byte, and each scale is a byte.
    pub scales: Option<Range>,
    /// The elements are 8-bit floats, to be multiplied by the scales of their blocks. The tensor's type is then the one that the
    /// products are rounded to, and its size in bytes the number of its elements.
    pub fp8: Option<Fp8>,
}

/// Blocks of a tensor of 8-bit floats (E4M3: no infinity), each with a scale that multiplies its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fp8 {
    /// Place of the scales: [matrices, rows / block_rows, cols / block_cols], each quotient rounded up, the last dimension contiguous.
    pub scales: Range,
    /// Type of the scales, one of the floats.
    pub scale_type: GgmlType,
    /// Rows of one matrix; a tensor of experts has several matrices. Never 0.
    pub rows: u64,
    /// Rows of a block; the last block of a column may have fewer. Never 0.
    pub block_rows: u64,
    /// Columns of a block; the last block of a row may have fewer. Never 0.
    pub block_cols: u64,
}

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Offset from the file's start.
    pub offset: u64,
    /// Length in bytes.
    pub size: u64,
}

impl Default for Arrangement {
    fn default() -> Self {
        Self {
            by_columns: false,
            turns: 1,
            turn: 0,
            scales: None,
            fp8: None,
        }
    }
}
