//! Phi 3, 3.5 and 4: Llama with q, k, v in one tensor and gate, up in another, LongRoPE, and partly rotated heads.
//!
//! Phi 1, 1.5 and 2 before them: LayerNorm, attention and a feed-forward block without a gate side by side, and a bias of every
//! projection, the head's among them.
//!
//! Reference: Abdin et al. 2024, arXiv:2404.14219; Li et al. 2023, arXiv:2309.05463; transformers
//! `models/phi3/modeling_phi3.py`, `models/phi/modeling_phi.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, Sliding, TensorNames};
use crate::error::Result;
use crate::json::Object;

/// Phi 3 and later.
pub const PHI3: ModelSpec = ModelSpec {
    name: "phi3",
    models: "Phi 3, 3.5 and 4",
    sliding: Sliding::All,
    honours: &["attention.sliding_window"],
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint::new("phi3")],
    ..ModelSpec::PLAIN
};

/// Phi 1 to 2.
pub const PHI2: ModelSpec = ModelSpec {
    name: "phi2",
    models: "Phi 1, 1.5 and 2",
    layer_norm: true,
    parallel: true,
    gated: false,
    activation: Activation::Gelu,
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CheckpointNames {
            around: &[
                ("embed_tokens", "token_embd"),
                ("final_layernorm", "output_norm"),
                ("lm_head", "output"),
            ],
            of_layer: &[
                ("input_layernorm", "attn_norm"),
                ("self_attn.q_proj", "attn_q"),
                ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"),
                ("self_attn.dense", "attn_output"),
                ("mlp.fc1", "ffn_up"),
                ("mlp.fc2", "ffn_down"),
            ],
            ..CheckpointNames::LLAMA
        },
        defaults: &[("partial_rotary_factor", 0.5), ("layer_norm_eps", 1e-5)],
        check,
        ..Checkpoint::new("phi")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses norms of queries and keys, which no published model has.
fn check(config: &Object) -> Result<()> {
    match config.bool("qk_layernorm")? {
        Some(true) => Err(config.wrong("qk_layernorm", "false")),
        _ => Ok(()),
    }
}
