//! Arrangements of tensors that differ from GGUF's.

/// An arrangement; the default is GGUF's: whole blocks, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrangement {
    /// Each matrix (the first two dimensions) comes column by column: GPT-2, and gpt-oss where it is in floats.
    pub by_columns: bool,
    /// So many tensors take turns, row by row, in the same bytes, and this one's rows are number `turn` of each round:
    /// gpt-oss's gate and up. Never 0.
    pub turns: u64,
    /// Below `turns`.
    pub turn: u64,
    /// Blocks lack their scales, which lie here in the file: gpt-oss's MXFP4. Quants are then 16 bytes for 32 elements,
    /// whose neighbours share a byte, and scales a byte.
    pub scales: Option<Range>,
}

/// Bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// From the file's start.
    pub offset: u64,
    /// Length.
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
