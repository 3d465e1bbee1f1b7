//! Seed-OSS: Qwen 2's layout with a separate head_dim.
//!
//! Reference: transformers `models/seed_oss/modeling_seed_oss.py`.

use super::{Checkpoint, ModelSpec, TensorNames};

/// The family's spec.
pub const SEED_OSS: ModelSpec = ModelSpec {
    name: "seed_oss",
    models: "Seed-OSS 36B",
    names: &TensorNames {
        ffn_norm: "blk.{}.post_attention_norm.weight",
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        post_attention_layernorm: "post_attention_norm",
        ..Checkpoint::new("seed_oss")
    }],
    ..ModelSpec::PLAIN
};
