//! Qwen 2 and 2.5 (biases on q, k and v) and Qwen 3 (norms of queries and keys instead, a separate head_dim), with or
//! without experts.
//!
//! Reference: Yang et al. 2024, arXiv:2407.10671 and 2025, arXiv:2505.09388; transformers
//! `models/qwen2/modeling_qwen2.py`, `models/qwen3/modeling_qwen3.py`,
//! `models/qwen3_moe/modeling_qwen3_moe.py`.

use super::DecoderSpec;
use super::QkNorm;

/// Qwen 2 and 2.5.
pub const QWEN2: DecoderSpec = DecoderSpec {
    name: "qwen2",
    models: "Qwen 2 and 2.5",
    ..DecoderSpec::PLAIN
};

/// Qwen 3.
pub const QWEN3: DecoderSpec = DecoderSpec {
    name: "qwen3",
    models: "Qwen 3",
    qk_norm: QkNorm::Head,
    ..DecoderSpec::PLAIN
};

/// Qwen 3 with experts.
pub const QWEN3MOE: DecoderSpec = DecoderSpec {
    name: "qwen3moe",
    models: "Qwen 3 with experts (30B-A3B, 235B-A22B)",
    ..QWEN3
};
