//! LFM2 and LFM2.5: most layers mix tokens by a gated short convolution, the others by attention with norms of queries
//! and keys. The final norm is named like a norm of the embedding, which there is none of.
//!
//! With experts, the first layers are dense; the sigmoids of the router's logits are weights, and with a bias the choice.
//!
//! Reference: Liquid AI 2025, arXiv:2511.23404; transformers `models/lfm2/modeling_lfm2.py`,
//! `models/lfm2_moe/modeling_lfm2_moe.py`, `models/lfm3/modeling_lfm3.py`.

use super::checkpoint::CheckpointNames;
use super::{
    AttentionGate, Checkpoint, ModelSpec, PostNorm, QkNorm, Recurrent, Sliding, SlidingRope,
    TensorNames,
};
use crate::error::Result;
use crate::json::Object;
use crate::router::{Gating, Router};

/// LFM2 and LFM2.5.
pub const LFM2: ModelSpec = ModelSpec {
    name: "lfm2",
    models: "LFM2 and LFM2.5",
    qk_norm: QkNorm::Head,
    recurrent: Recurrent::ShortConv,
    honours: &["shortconv.l_cache"],
    names: &TensorNames {
        embd_norm: "",
        output_norm: "token_embd_norm.weight",
        ..TensorNames::GGUF
    },
    checkpoints: &[CHECKPOINT],
    ..ModelSpec::PLAIN
};

/// LFM2 with experts.
pub const LFM2MOE: ModelSpec = ModelSpec {
    name: "lfm2moe",
    models: "LFM2 and LFM2.5 with experts (8B-A1B, 24B-A2B)",
    router: Router {
        gating: Gating::Sigmoid,
        biased: true,
        ..Router::PLAIN
    },
    honours: &[
        "shortconv.l_cache",
        "leading_dense_block_count",
        "expert_gating_func",
        "expert_weights_norm",
        "expert_weights_scale",
    ],
    checkpoints: &[Checkpoint {
        model_type: "lfm2_moe",
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("conv_L_cache", 3.0),
            ("max_position_embeddings", 128_000.0),
            ("rope_theta", 1_000_000.0),
            ("num_dense_layers", 2.0),
        ],
        parameters: &[("feed_forward.expert_bias", "exp_probs_b.bias")],
        check: check_experts,
        ..CHECKPOINT
    }],
    ..LFM2
};

/// LFM3: layers that attend to everything, layers that slide and convolutions over more tokens; norms behind the blocks too, and a
/// gate for each head. Neither gguf-py 0.19.0 nor llama.cpp knows this architecture, so its name in GGUF is assumed; its tensors and
/// keys have the names that gguf-py gives the same parts of other models.
///
/// Reference: transformers `models/lfm3/modeling_lfm3.py`.
pub const LFM3: ModelSpec = ModelSpec {
    name: "lfm3",
    models: "LFM3",
    post_norm: PostNorm::Block,
    sliding: Sliding::All,
    sliding_rope: SlidingRope::Unscaled {
        theta: Some(10_000.0),
    },
    attention_gate: AttentionGate::PerHead,
    honours: &[
        "shortconv.l_cache",
        "attention.sliding_window",
        "rope.freq_base_swa",
    ],
    checkpoints: &[Checkpoint {
        model_type: "lfm3",
        names: &CheckpointNames {
            of_layer: &[
                ("operator_norm", "attn_norm"),
                ("post_operator_norm", "post_attention_norm"),
                ("self_attn.q_proj", "attn_q"),
                ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"),
                // (in files, and in transformers' module)
                ("self_attn.gate_proj", "attn_gate"),
                ("self_attn.g_proj", "attn_gate"),
                ("self_attn.o_proj", "attn_output"),
                ("self_attn.q_norm", "attn_q_norm"),
                ("self_attn.k_norm", "attn_k_norm"),
                ("conv.conv", "shortconv.conv"),
                ("conv.in_proj", "shortconv.in_proj"),
                ("conv.out_proj", "shortconv.out_proj"),
                ("ffn_norm", "ffn_norm"),
                ("post_ffn_norm", "post_ffw_norm"),
                ("feed_forward.w1", "ffn_gate"),
                ("feed_forward.w3", "ffn_up"),
                ("feed_forward.w2", "ffn_down"),
            ],
            ..*CHECKPOINT.names
        },
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("conv_L_cache", 7.0),
            ("head_dim", 128.0),
            ("sliding_window", 256.0),
            ("max_position_embeddings", 128_000.0),
        ],
        tied: true,
        check: check3,
        ..CHECKPOINT
    }],
    ..LFM2
};

/// Refuses what no published model leaves out: the norms behind the blocks, the gates, the list of layers, and the rotation that
/// goes with them.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check3(config: &Object) -> Result<()> {
    for key in ["use_sandwich_norm", "use_attention_gate"] {
        if config.bool(key)? == Some(false) {
            return Err(config.wrong(key, "true"));
        }
    }
    config.must_state(&["layer_types", "rope_parameters"])?;
    check(config)
}

const CHECKPOINT: Checkpoint = Checkpoint {
    names: &CheckpointNames {
        around: &[
            ("embed_tokens", "token_embd"),
            ("embedding_norm", "token_embd_norm"),
            ("lm_head", "output"),
        ],
        of_layer: &[
            ("operator_norm", "attn_norm"),
            ("self_attn.q_proj", "attn_q"),
            ("self_attn.k_proj", "attn_k"),
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.out_proj", "attn_output"),
            ("self_attn.q_layernorm", "attn_q_norm"),
            ("self_attn.k_layernorm", "attn_k_norm"),
            ("conv.conv", "shortconv.conv"),
            ("conv.in_proj", "shortconv.in_proj"),
            ("conv.out_proj", "shortconv.out_proj"),
            ("ffn_norm", "ffn_norm"),
            ("feed_forward.w1", "ffn_gate"),
            ("feed_forward.w3", "ffn_up"),
            ("feed_forward.w2", "ffn_down"),
            ("feed_forward.gate", "ffn_gate_inp"),
        ],
        ..CheckpointNames::LLAMA
    },
    aliases: &[
        ("norm_eps", "rms_norm_eps"),
        ("tie_embedding", "tie_word_embeddings"),
    ],
    defaults: &[
        ("rms_norm_eps", 1e-5),
        ("conv_L_cache", 3.0),
        ("max_position_embeddings", 128_000.0),
        ("rope_theta", 1_000_000.0),
    ],
    check,
    ..Checkpoint::new("lfm2")
};

/// Refuses routers without a bias as well, which no published model has.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check_experts(config: &Object) -> Result<()> {
    match config.bool("use_expert_bias")? {
        Some(false) => Err(config.wrong("use_expert_bias", "true")),
        _ => check(config),
    }
}

/// Refuses convolutions with a bias, which no published model has.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check(config: &Object) -> Result<()> {
    match config.bool("conv_bias")? {
        Some(true) => Err(config.wrong("conv_bias", "false")),
        _ => Ok(()),
    }
}
