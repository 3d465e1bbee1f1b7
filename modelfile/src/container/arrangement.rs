//! Arrangements of tensors that differ from GGUF's.

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
        }
    }
}
