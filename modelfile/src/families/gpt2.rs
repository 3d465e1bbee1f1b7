//! GPT-2: learned positions, LayerNorm, GELU, biases everywhere.
//!
//! Reference: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; transformers
//! `models/gpt2/modeling_gpt2.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, TensorNames};
use crate::error::Result;
use crate::json::Object;

/// GPT-2.
pub const GPT2: ModelSpec = ModelSpec {
    name: "gpt2",
    models: "GPT-2, DistilGPT-2",
    learned_positions: true,
    gated: false,
    activation: Activation::Gelu,
    layer_norm: true,
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CHECKPOINT_NAMES,
        aliases: &[
            ("n_layer", "num_hidden_layers"),
            ("n_embd", "hidden_size"),
            ("n_head", "num_attention_heads"),
            ("n_positions", "max_position_embeddings"),
            ("n_inner", "intermediate_size"),
            ("layer_norm_epsilon", "layer_norm_eps"),
        ],
        default_ff_multiple: Some(4),
        by_columns: true,
        check,
        ..Checkpoint::new("gpt2")
    }],
    ..ModelSpec::PLAIN
};

const CHECKPOINT_NAMES: CheckpointNames = CheckpointNames {
    prefix: "transformer.",
    around: &[
        ("wte", "token_embd"),
        ("wpe", "position_embd"),
        ("ln_f", "output_norm"),
        ("lm_head", "output"),
    ],
    layers: "h.",
    of_layer: &[
        ("ln_1", "attn_norm"),
        ("attn.c_attn", "attn_qkv"),
        ("attn.c_proj", "attn_output"),
        ("ln_2", "ffn_norm"),
        ("mlp.c_fc", "ffn_up"),
        ("mlp.c_proj", "ffn_down"),
    ],
};

/// Refuses features that only some of GPT-2's relatives have: their answers would be wrong.
fn check(config: &Object) -> Result<()> {
    let by_layer = "scale_attn_by_inverse_layer_idx";
    match config.bool(by_layer)? == Some(true) || config.bool("scale_attn_weights")? == Some(false)
    {
        true => Err(config.wrong(by_layer, "false, and scale_attn_weights true")),
        false => Ok(()),
    }
}
