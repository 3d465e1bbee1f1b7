//! OLMo 2: norms after attention and feed-forward instead of before, one norm over all queries and one over all keys.
//!
//! Reference: OLMo Team 2025, arXiv:2501.00656; transformers `models/olmo2/modeling_olmo2.py`.

use super::{Checkpoint, ModelSpec, PostNorm, QkNorm};

/// The family's spec.
pub const OLMO2: ModelSpec = ModelSpec {
    name: "olmo2",
    models: "OLMo 2",
    qk_norm: QkNorm::Row,
    pre_norm: false,
    post_norm: PostNorm::Block,
    checkpoints: &[Checkpoint {
        post_attention_layernorm: "post_attention_norm",
        ..Checkpoint::new("olmo2")
    }],
    ..ModelSpec::PLAIN
};
