//! OLMo 2 and 3: norms after attention and feed-forward instead of before, one norm over all queries and one over all
//! keys.
//!
//! OLMo 3 has the same architecture in GGUF. Three of four of its layers slide, and only the others rotate with YaRN.
//!
//! OLMoE has its norms before, and experts whose weights do not add up to 1.
//!
//! Reference: OLMo Team 2025, arXiv:2501.00656 and arXiv:2512.13961; Muennighoff et al. 2024, arXiv:2409.02060; transformers
//! `models/olmo2/modeling_olmo2.py`, `models/olmo3/modeling_olmo3.py`, `models/olmoe/modeling_olmoe.py`.

use super::{Checkpoint, ModelSpec, PostNorm, QkNorm, Sliding, SlidingRope};
use crate::error::Result;
use crate::json::Object;
use crate::router::Router;

/// OLMoE.
pub const OLMOE: ModelSpec = ModelSpec {
    name: "olmoe",
    models: "OLMoE 7B-A1B",
    qk_norm: QkNorm::Row,
    router: Router {
        normalised: false,
        ..Router::PLAIN
    },
    honours: &["expert_weights_norm"],
    checkpoints: &[Checkpoint {
        defaults: &[("rms_norm_eps", 1e-5)],
        check: check_clip,
        ..Checkpoint::new("olmoe")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses clipped queries, keys and values.
fn check_clip(config: &Object) -> Result<()> {
    match config.f32("clip_qkv")? {
        Some(_) => Err(config.wrong("clip_qkv", "null")),
        None => Ok(()),
    }
}

const CHECKPOINT: Checkpoint = Checkpoint {
    post_attention_layernorm: "post_attention_norm",
    ..Checkpoint::new("")
};

/// The family's spec.
pub const OLMO2: ModelSpec = ModelSpec {
    name: "olmo2",
    models: "OLMo 2 and 3",
    qk_norm: QkNorm::Row,
    pre_norm: false,
    post_norm: PostNorm::Block,
    sliding: Sliding::AllBut(4),
    sliding_rope: SlidingRope::Unscaled { theta: None },
    honours: &["attention.sliding_window", "rope.freq_base_swa"],
    checkpoints: &[
        Checkpoint {
            model_type: "olmo2",
            ..CHECKPOINT
        },
        Checkpoint {
            model_type: "olmo3",
            ..CHECKPOINT
        },
    ],
    ..ModelSpec::PLAIN
};
