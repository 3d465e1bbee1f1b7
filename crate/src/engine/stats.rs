//! Counters of the work done.

use serde::Serialize;

/// Exact counters since the engine was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Stats {
    /// Kernel launches, replayed ones included.
    pub dispatches: u64,
    /// Decode steps replayed from the captured graph.
    pub replays: u64,
    /// Launches of one decode step.
    pub dispatches_per_token: u64,
    /// Launches of one step that checks drafts.
    pub dispatches_per_draft_step: u64,
    /// Steps that checked drafts.
    pub draft_steps: u64,
    /// Draft steps replayed from their captured graph.
    pub draft_replays: u64,
    /// Tokens drafted for them, and how many were right.
    pub drafted: u64,
    pub accepted: u64,
    /// Frames of pictures that the tower was given.
    pub frames: u64,
    /// Read-backs.
    pub readbacks: u64,
    /// Bytes read back.
    pub bytes_read: u64,
    /// Bytes that the runtime holds on the GPU: weights, KV cache, and what a step works in; of every engine on the
    /// device. 0 on the CPU.
    pub gpu_bytes: u64,
}
