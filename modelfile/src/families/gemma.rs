//! Gemma 1 to 3: norms before each block, in Gemma 2 and 3 also after it, GELU, a scaled embedding, tied heads.
//!
//! Gemma 2 slides in every other layer and caps scores and logits; Gemma 3 slides in five of six, with another rotary
//! base there, and normalises queries and keys. The converter has added the 1 that the norms' weights lack.
//!
//! Reference: Gemma Team 2024, arXiv:2403.08295, arXiv:2408.00118 and 2025, arXiv:2503.19786; transformers
//! `models/gemma/modeling_gemma.py`, `models/gemma2/modeling_gemma2.py`, `models/gemma3/modeling_gemma3.py`.

use super::{Activation, Checkpoint, ModelSpec, PostNorm, QkNorm, Sliding, SlidingRope};

const CHECKPOINT: Checkpoint = Checkpoint {
    norms_lack_one: true,
    post_attention_layernorm: "post_attention_norm",
    ..Checkpoint::new("")
};

/// Gemma 1.
pub const GEMMA: ModelSpec = ModelSpec {
    name: "gemma",
    models: "Gemma 1, CodeGemma",
    activation: Activation::Gelu,
    scales_embedding: true,
    checkpoints: &[Checkpoint {
        model_type: "gemma",
        post_attention_layernorm: "ffn_norm",
        tied: true,
        // (the first releases say "gelu" and mean this)
        activation: Some(&["gelu", "gelu_pytorch_tanh"]),
        ..CHECKPOINT
    }],
    ..ModelSpec::PLAIN
};

/// Gemma 2.
pub const GEMMA2: ModelSpec = ModelSpec {
    name: "gemma2",
    models: "Gemma 2",
    activation: Activation::Gelu,
    post_norm: PostNorm::Block,
    scales_embedding: true,
    sliding: Sliding::AllBut(2),
    honours: &["attention.sliding_window"],
    wide_scale_layers: 46,
    checkpoints: &[Checkpoint {
        model_type: "gemma2",
        ..CHECKPOINT
    }],
    ..ModelSpec::PLAIN
};

/// The language model of Gemma 3.
pub const GEMMA3: ModelSpec = ModelSpec {
    name: "gemma3",
    models: "Gemma 3, text",
    qk_norm: QkNorm::Head,
    sliding: Sliding::AllBut(6),
    sliding_rope: SlidingRope::Unscaled {
        theta: Some(10_000.0),
    },
    honours: &["attention.sliding_window", "rope.freq_base_swa"],
    wide_scale_layers: 62,
    checkpoints: &[Checkpoint {
        model_type: "gemma3_text",
        defaults: &[
            ("hidden_size", 2304.0),
            ("intermediate_size", 9216.0),
            ("num_hidden_layers", 26.0),
            ("num_attention_heads", 8.0),
            ("num_key_value_heads", 4.0),
            ("head_dim", 256.0),
            ("max_position_embeddings", 131_072.0),
            ("rms_norm_eps", 1e-6),
            ("query_pre_attn_scalar", 256.0),
            ("sliding_window", 4096.0),
            ("rope_theta", 1_000_000.0),
            ("rope_local_base_freq", 10_000.0),
        ],
        ..CHECKPOINT
    }],
    ..GEMMA2
};
