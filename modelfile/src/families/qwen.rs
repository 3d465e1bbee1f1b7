//! Qwen 2 and 2.5 (biases on q, k and v) and Qwen 3 (norms of queries and keys instead, a separate head_dim), with or
//! without experts.
//!
//! Reference: Yang et al. 2024, arXiv:2407.10671 and 2025, arXiv:2505.09388; transformers
//! `models/qwen2/modeling_qwen2.py`, `models/qwen3/modeling_qwen3.py`,
//! `models/qwen3_moe/modeling_qwen3_moe.py`.

use super::{Checkpoint, ModelSpec, QkNorm};

/// Qwen 2 and 2.5.
pub const QWEN2: ModelSpec = ModelSpec {
    name: "qwen2",
    models: "Qwen 2 and 2.5",
    checkpoints: &[Checkpoint::new("qwen2")],
    ..ModelSpec::PLAIN
};

/// Qwen 3.
pub const QWEN3: ModelSpec = ModelSpec {
    name: "qwen3",
    models: "Qwen 3",
    checkpoints: &[Checkpoint::new("qwen3")],
    qk_norm: QkNorm::Head,
    ..ModelSpec::PLAIN
};

/// Qwen 3 with experts.
pub const QWEN3MOE: ModelSpec = ModelSpec {
    name: "qwen3moe",
    models: "Qwen 3 with experts (30B-A3B, 235B-A22B)",
    checkpoints: &[Checkpoint::new("qwen3_moe")],
    ..QWEN3
};
