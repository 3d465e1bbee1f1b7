//! Apertus: norms of queries and keys, and a feed-forward block without a gate, whose activation is xIELU with parameters that
//! each layer learned. GGUF has these in its metadata, safetensors as tensors.
//!
//! Reference: Swiss AI Initiative 2025, arXiv:2509.14233; Huang and Schlag 2024, arXiv:2411.13010; transformers
//! `models/apertus/modeling_apertus.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, QkNorm, TensorNames};
use crate::error::Result;
use crate::json::Object;

/// The family's spec.
pub const APERTUS: ModelSpec = ModelSpec {
    name: "apertus",
    models: "Apertus 8B and 70B",
    qk_norm: QkNorm::Head,
    gated: false,
    activation: Activation::Xielu,
    honours: &["xielu.alpha_p", "xielu.alpha_n"],
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CheckpointNames {
            of_layer: &[
                ("attention_layernorm", "attn_norm"),
                ("feedforward_layernorm", "ffn_norm"),
                ("self_attn.q_proj", "attn_q"),
                ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"),
                ("self_attn.o_proj", "attn_output"),
                ("self_attn.q_norm", "attn_q_norm"),
                ("self_attn.k_norm", "attn_k_norm"),
                ("mlp.up_proj", "ffn_up"),
                ("mlp.down_proj", "ffn_down"),
                ("mlp.act_fn", "xielu"),
            ],
            ..CheckpointNames::LLAMA
        },
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("max_position_embeddings", 65_536.0),
        ],
        check,
        ..Checkpoint::new("apertus")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses norms after the blocks, none of queries and keys, and a rotation that goes without saying: choices that no published
/// model makes.
fn check(config: &Object) -> Result<()> {
    for (key, only) in [("post_norm", false), ("qk_norm", true)] {
        if config.bool(key)?.is_some_and(|found| found != only) {
            return Err(config.wrong(key, &only.to_string()));
        }
    }
    match ["rope_parameters", "rope_scaling"]
        .iter()
        .any(|key| config.get(key).is_some())
    {
        true => Ok(()),
        false => Err(config.wrong("rope_parameters", "an object")),
    }
}
