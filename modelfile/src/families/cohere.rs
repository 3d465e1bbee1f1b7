//! Command R and R7B (Cohere 1 and 2): one LayerNorm without bias before attention and feed-forward, which run side by
//! side; logits are multiplied by a scale.
//!
//! In Cohere 2 three of four layers slide, and only these rotate. Rotary pairs are adjacent in transformers as well.
//!
//! Reference: Cohere 2025, arXiv:2504.00698; transformers `models/cohere/modeling_cohere.py`,
//! `models/cohere2/modeling_cohere2.py`.

use super::{Checkpoint, ModelSpec, Sliding, SlidingRope};

/// Command R.
pub const COMMAND_R: ModelSpec = ModelSpec {
    name: "command-r",
    models: "Command R, Aya 23 and Expanse",
    rope_neox: false,
    layer_norm: true,
    parallel: true,
    multiplies_logits: true,
    checkpoints: &[Checkpoint {
        model_type: "cohere",
        ..CHECKPOINT
    }],
    ..ModelSpec::PLAIN
};

/// Command R7B.
pub const COHERE2: ModelSpec = ModelSpec {
    name: "cohere2",
    models: "Command R7B, Command A",
    sliding: Sliding::AllBut(4),
    sliding_rope: SlidingRope::Only,
    honours: &["attention.sliding_window"],
    checkpoints: &[Checkpoint {
        model_type: "cohere2",
        ..CHECKPOINT
    }],
    ..COMMAND_R
};

const CHECKPOINT: Checkpoint = Checkpoint {
    neighbours: true,
    tied: true,
    defaults: &[("logit_scale", 0.0625), ("layer_norm_eps", 1e-5)],
    ..Checkpoint::new("")
};
