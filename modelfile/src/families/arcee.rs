//! Arcee's foundation model: Llama with a feed-forward block that has no gate and squares its activation.
//!
//! Reference: transformers `models/arcee/modeling_arcee.py`.

use super::{Activation, Checkpoint, ModelSpec, TensorNames};

/// The family's spec.
pub const ARCEE: ModelSpec = ModelSpec {
    name: "arcee",
    models: "Arcee AFM 4.5B",
    rope_neox: false,
    gated: false,
    activation: Activation::SquaredRelu,
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint::new("arcee")],
    ..ModelSpec::PLAIN
};
