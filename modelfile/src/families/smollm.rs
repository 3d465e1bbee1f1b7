//! SmolLM 3: Llama with no rotary positions in every fourth layer.
//!
//! Reference: Bakouch et al. 2025, "SmolLM3"; Yang et al. 2025, arXiv:2501.18795 (NoPE); transformers
//! `models/smollm3/modeling_smollm3.py`.

use super::{Checkpoint, ModelSpec};

/// The family's spec.
pub const SMOLLM3: ModelSpec = ModelSpec {
    name: "smollm3",
    models: "SmolLM 3",
    rope_neox: false,
    nope_period: 4,
    checkpoints: &[Checkpoint::new("smollm3")],
    ..ModelSpec::PLAIN
};
