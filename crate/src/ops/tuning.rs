//! What is chosen for a device.

use super::Arithmetic;
use super::projection::tile::TILE_TOKENS;

/// Choices that depend on the device, not on the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Threads that share four rows in decode.
    pub decode_lanes: u32,
    /// Threads that share four rows in prefill.
    pub prefill_lanes: u32,
    /// Prefill of many tokens goes through workgroup memory.
    pub wide: bool,
    /// Lanes add up within a subgroup instead of through workgroup memory.
    pub subgroups: bool,
    /// What decode multiplies block formats as.
    pub arithmetic: Arithmetic,
    /// Longest prefill chunk in tokens.
    pub chunk: usize,
    /// Microseconds that a token of a chunk takes in all layers.
    pub token_us: u64,
    /// Most spans that a decode step's attention is divided into.
    pub splits: u32,
    /// Workgroup memory that a kernel may use.
    pub workgroup_bytes: usize,
}

impl Tuning {
    /// Milliseconds that `n` tokens take in one of `n_layers` layers.
    pub fn layer_ms(&self, n: usize, n_layers: usize) -> f64 {
        let rows = n.next_multiple_of(TILE_TOKENS as usize) as f64;
        rows * self.token_us as f64 / (1e3 * n_layers as f64)
    }
}
