//! ERNIE 4.5 without experts: Llama whose rotary pairs are adjacent in transformers as well.
//!
//! Reference: Baidu 2025, "ERNIE 4.5 Technical Report"; transformers `models/ernie4_5/modeling_ernie4_5.py`.

use super::{Checkpoint, ModelSpec};

/// The family's spec.
pub const ERNIE4_5: ModelSpec = ModelSpec {
    name: "ernie4_5",
    models: "ERNIE 4.5 0.3B",
    rope_neox: false,
    checkpoints: &[Checkpoint {
        neighbours: true,
        tied: true,
        ..Checkpoint::new("ernie4_5")
    }],
    ..ModelSpec::PLAIN
};
