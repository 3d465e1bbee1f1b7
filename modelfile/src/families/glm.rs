//! GLM-4 of April 2025: norms before and after each block, half of each head rotated in adjacent pairs, biases on q, k
//! and v, gate and up in one tensor.
//!
//! Reference: GLM Team 2024, arXiv:2406.12793; transformers `models/glm4/modeling_glm4.py`.

use super::{Checkpoint, ModelSpec, PostNorm, TensorNames};

/// The family's spec.
pub const GLM4: ModelSpec = ModelSpec {
    name: "glm4",
    models: "GLM-4 and GLM-Z1 9B and 32B (0414)",
    rope_neox: false,
    post_norm: PostNorm::Block,
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        neighbours: true,
        defaults: &[("partial_rotary_factor", 0.5)],
        ..Checkpoint::new("glm4")
    }],
    ..ModelSpec::PLAIN
};
