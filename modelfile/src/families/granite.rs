//! Granite 3: Llama with four scales from the metadata: of the embedding, scores, residual branches and logits.
//!
//! Reference: transformers `models/granite/modeling_granite.py`.

use super::{Checkpoint, ModelSpec};

/// The family's spec.
pub const GRANITE: ModelSpec = ModelSpec {
    name: "granite",
    models: "Granite 3",
    rope_neox: false,
    honours: &["rope.scaling.finetuned"],
    checkpoints: &[Checkpoint::new("granite")],
    ..ModelSpec::PLAIN
};
