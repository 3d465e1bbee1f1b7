//! Granite 3 and 4 without recurrent layers: Llama with four scales from the metadata: of the embedding, scores, residual branches
//! and logits.
//!
//! With experts, it is a mixture like Mixtral. Granite SWA adds sinks and windows, and some of its layers do not rotate; which ones, its files list.
//!
//! Reference: transformers `models/granite/modeling_granite.py`, `models/granite_swa/modeling_granite_swa.py`,
//! `models/granitemoe/modeling_granitemoe.py`.

use super::{Checkpoint, ModelSpec, Sliding, gpt_oss};

/// Granite SWA.
pub const GRANITE_SWA: ModelSpec = ModelSpec {
    name: "granite_swa",
    models: "Granite SWA 2B",
    sinks: true,
    sliding: Sliding::AllButFirst(4),
    honours: &["attention.sliding_window"],
    checkpoints: &[Checkpoint {
        rename: gpt_oss::rename,
        tied: true,
        ..Checkpoint::new("granite_swa")
    }],
    ..GRANITE
};

/// Granite 3 with experts.
pub const GRANITE_MOE: ModelSpec = ModelSpec {
    name: "granitemoe",
    models: "Granite 3 with experts (1B-A400M, 3B-A800M)",
    checkpoints: &[Checkpoint::new("granitemoe")],
    ..GRANITE
};

/// The family's spec.
pub const GRANITE: ModelSpec = ModelSpec {
    name: "granite",
    models: "Granite 3, Granite 4 350M, 1B and Micro (not those with an H)",
    rope_neox: false,
    // (files of Granite 4 have the sizes of recurrent layers even if they have no such layers)
    honours: &["rope.scaling.finetuned", "ssm.state_size"],
    checkpoints: &[Checkpoint::new("granite")],
    ..ModelSpec::PLAIN
};
