//! Gemma 1 to 4: norms before each block, from Gemma 2 on also after it, GELU, a scaled embedding, tied heads.
//!
//! Gemma 2 slides in every other layer and caps scores and logits; Gemma 3 slides in five of six, with another rotary
//! base there, and normalises queries and keys. The converter has added the 1 that the norms' weights lack.
//!
//! Gemma 4 has wider heads in the layers that do not slide, which rotate a quarter of their pairs; the last layers of its
//! small models read the caches of earlier ones and each layer adds an embedding of its own. Its norms' weights are whole. In one
//! model each layer has experts beside its dense block.
//!
//! EmbeddingGemma is Gemma 3 as an encoder: windows reach to both sides.
//!
//! Reference: Gemma Team 2024, arXiv:2403.08295, arXiv:2408.00118 and 2025, arXiv:2503.19786; transformers
//! `models/gemma/modeling_gemma.py`, `models/gemma2/modeling_gemma2.py`, `models/gemma3/modeling_gemma3.py`,
//! `models/gemma4/modeling_gemma4.py`.

use super::{Activation, Checkpoint, ModelSpec, PostNorm, QkNorm, Sliding, SlidingRope};
use crate::container::TensorInfo;
use crate::error::Result;
use crate::json::Object;
use crate::router::SharedExpert;

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

/// EmbeddingGemma: Gemma 3 whose tokens see later ones too, with projections behind the pooling.
///
/// Reference: Vera et al. 2025, arXiv:2509.20354; sentence-transformers `models/Dense.py`.
pub const GEMMA_EMBEDDING: ModelSpec = ModelSpec {
    name: "gemma-embedding",
    models: "EmbeddingGemma (embeddings)",
    causal: false,
    wide_scale_layers: 0,
    honours: &[
        "attention.sliding_window",
        "rope.freq_base_swa",
        "dense_2_feat_out",
        "dense_3_feat_out",
    ],
    checkpoints: &[Checkpoint {
        model_type: "gemma3_text, bidirectional",
        defaults: GEMMA3.checkpoints[0].defaults,
        rename: rename_dense,
        ..CHECKPOINT
    }],
    ..GEMMA3
};

/// Names the matrices of the modules behind the pooling, whose files follow the model's: each calls its own `linear`.
fn rename_dense(mut tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let own = (tensors.iter_mut()).filter(|tensor| tensor.name == "linear.weight");
    for (tensor, name) in own.zip(GEMMA_EMBEDDING.names.dense) {
        (*name).clone_into(&mut tensor.name);
    }
    Ok(tensors)
}

const CHECKPOINT4: Checkpoint = Checkpoint {
    post_attention_layernorm: "post_attention_norm",
    defaults: &[
        ("hidden_size", 2304.0),
        ("intermediate_size", 9216.0),
        ("num_hidden_layers", 30.0),
        ("num_attention_heads", 8.0),
        ("num_key_value_heads", 4.0),
        ("head_dim", 256.0),
        ("global_head_dim", 512.0),
        ("max_position_embeddings", 131_072.0),
        ("rms_norm_eps", 1e-6),
        ("sliding_window", 512.0),
        ("sliding_window_pattern", 6.0),
        ("hidden_size_per_layer_input", 256.0),
    ],
    aliases: &[("top_k_experts", "num_experts_per_tok")],
    // (the converter names these tensors likewise)
    parameters: &[
        ("router.scale", "ffn_gate_inp.scale"),
        ("router.per_expert_scale", "ffn_down_exps.scale"),
        ("experts.gate_up_proj", "ffn_gate_up_exps.weight"),
        ("experts.down_proj", "ffn_down_exps.weight"),
    ],
    check: check4,
    rename: rename4,
    ..Checkpoint::new("")
};

/// The language model of Gemma 4. Of the family's models one has experts, beside the dense block.
pub const GEMMA4: ModelSpec = ModelSpec {
    name: "gemma4",
    models: "Gemma 4 (pictures: E2B, E4B)",
    v_norm: true,
    values_may_be_keys: true,
    unscaled_scores: true,
    shared_expert: SharedExpert::Beside,
    wide_scale_layers: 0,
    honours: &[
        "attention.sliding_window",
        "attention.shared_kv_layers",
        "attention.key_length_swa",
        "attention.value_length_swa",
        "rope.dimension_count_swa",
        "rope.freq_base_swa",
        "embedding_length_per_layer_input",
    ],
    checkpoints: &[
        Checkpoint {
            model_type: "gemma4_text",
            ..CHECKPOINT4
        },
        Checkpoint {
            model_type: "gemma4_unified_text",
            ..CHECKPOINT4
        },
    ],
    ..GEMMA3
};

/// Refuses experts that are not enabled, attention to later tokens, and another rotation than the family's.
fn check4(config: &Object) -> Result<()> {
    let has_experts = config.u32("num_experts")?.is_some_and(|n| n > 1);
    if has_experts != (config.bool("enable_moe_block")? == Some(true)) {
        let expected = "true in a model with num_experts, and in no other";
        return Err(config.wrong("enable_moe_block", expected));
    }
    if config.str("use_bidirectional_attention")? == Some("all") {
        return Err(config.wrong("use_bidirectional_attention", "null or \"vision\""));
    }
    let rope = config.object("rope_parameters")?;
    let full = match &rope {
        Some(rope) => rope.object("full_attention")?,
        None => None,
    };
    let kind = match &full {
        Some(full) => full.str("rope_type")?,
        None => None,
    };
    match kind {
        Some("proportional") => Ok(()),
        _ => {
            let expected = "an object whose full_attention has the rope_type proportional";
            Err(config.wrong("rope_parameters", expected))
        }
    }
}

/// Names the buffers of factors as weights are named.
fn rename4(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let renamed = tensors.into_iter().map(|mut tensor| {
        if tensor.name.ends_with(".layer_scalar") {
            tensor.name.push_str(".weight");
        }
        tensor
    });
    Ok(renamed.collect())
}
