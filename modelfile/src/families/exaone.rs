//! EXAONE 4: the layout of OLMo 2 with norms of each query and key head. In the larger model three of four layers slide,
//! and only these rotate.
//!
//! Reference: LG AI Research 2025, arXiv:2507.11407; transformers `models/exaone4/modeling_exaone4.py`.

use super::{Checkpoint, ModelSpec, PostNorm, QkNorm, Sliding, SlidingRope};

/// The family's spec.
pub const EXAONE4: ModelSpec = ModelSpec {
    name: "exaone4",
    models: "EXAONE 4 1.2B and 32B",
    qk_norm: QkNorm::Head,
    pre_norm: false,
    post_norm: PostNorm::Block,
    sliding: Sliding::AllBut(4),
    sliding_rope: SlidingRope::Only,
    honours: &["attention.sliding_window"],
    checkpoints: &[Checkpoint {
        post_attention_layernorm: "post_attention_norm",
        ..Checkpoint::new("exaone4")
    }],
    ..ModelSpec::PLAIN
};
