//! Encoders for embeddings: BERT (MiniLM, bge, e5, gte and similar), Nomic's, which have rotary positions and a gate or experts,
//! and Jina's, which has rotary positions.
//!
//! Every token attends to every other; a LayerNorm follows the sum of each block's output and its input.
//!
//! Reference: Devlin et al. 2018, arXiv:1810.04805; Nussbaum et al. 2024, arXiv:2402.01613; transformers
//! `models/bert/modeling_bert.py`, `models/nomic_bert/modeling_nomic_bert.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, PostNorm, Ranking, TensorNames};
use crate::container::TensorInfo;
use crate::error::{Error, Result};
use crate::json::Object;
use crate::router::Router;

const NAMES: TensorNames = TensorNames {
    post_attn_norm: "blk.{}.attn_output_norm.weight",
    post_ffn_norm: "blk.{}.layer_output_norm.weight",
    ..TensorNames::GGUF
};

const CHECKPOINT_NAMES: CheckpointNames = CheckpointNames {
    prefix: "bert.",
    around: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.position_embeddings", "position_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("embeddings.LayerNorm", "token_embd_norm"),
        ("pooler.dense", "cls"),
        ("classifier", "cls.output"),
        // (RoBERTa's head)
        ("classifier.dense", "cls"),
        ("classifier.out_proj", "cls.output"),
    ],
    layers: "encoder.layer.",
    of_layer: &[
        ("attention.self.query", "attn_q"),
        ("attention.self.key", "attn_k"),
        ("attention.self.value", "attn_v"),
        ("attention.output.dense", "attn_output"),
        ("attention.output.LayerNorm", "attn_output_norm"),
        ("intermediate.dense", "ffn_up"),
        ("output.dense", "ffn_down"),
        ("output.LayerNorm", "layer_output_norm"),
    ],
};

/// RoBERTa and XLM-R, whose positions begin after that of the padding.
const ROBERTA: Checkpoint = Checkpoint {
    names: &CheckpointNames {
        prefix: "roberta.",
        ..CHECKPOINT_NAMES
    },
    unused_positions: 2,
    check: check_roberta,
    ..Checkpoint::new("")
};

/// Refuses positions that are not learned, such as those of jina-embeddings v2 (`alibi`).
fn check_positions(config: &Object) -> Result<()> {
    const POSITIONS: &str = "position_embedding_type";
    match config.str(POSITIONS)? {
        None | Some("absolute") => Ok(()),
        Some(_) => Err(config.wrong(POSITIONS, "absolute")),
    }
}

/// Refuses another padding, by which positions would begin elsewhere, and what Jina made of this type: rotary positions, and
/// matrices of low rank that are added for a task.
fn check_roberta(config: &Object) -> Result<()> {
    const ADDED: &str = "lora_adaptations";
    if config.get(ADDED).is_some() {
        let expected = "nothing: only models into which those of a task are merged can be read";
        return Err(config.wrong(ADDED, expected));
    }
    check_positions(config)?;
    match config.u32("pad_token_id")? {
        None | Some(1) => Ok(()),
        Some(_) => Err(config.wrong("pad_token_id", "1")),
    }
}

/// BERT.
pub const BERT: ModelSpec = ModelSpec {
    name: "bert",
    models: "BERT, RoBERTa, XLM-R: MiniLM, bge, e5, gte (embeddings); bge-reranker, ms-marco-MiniLM (reranking)",
    causal: false,
    learned_positions: true,
    gated: false,
    activation: Activation::GeluErf,
    layer_norm: true,
    pre_norm: false,
    post_norm: PostNorm::Sum,
    ranking: Ranking::Cls,
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..NAMES
    },
    checkpoints: &[
        Checkpoint {
            names: &CHECKPOINT_NAMES,
            check: check_positions,
            ..Checkpoint::new("bert")
        },
        Checkpoint {
            model_type: "xlm-roberta",
            ..ROBERTA
        },
        Checkpoint {
            model_type: "roberta",
            ..ROBERTA
        },
    ],
    ..ModelSpec::PLAIN
};

/// Names in the checkpoints of Nomic and Jina, which come from the same code.
const FLASH_NAMES: CheckpointNames = CheckpointNames {
    prefix: "roberta.",
    around: &[
        ("embeddings.word_embeddings", "token_embd"),
        ("embeddings.token_type_embeddings", "token_types"),
        ("embeddings.LayerNorm", "token_embd_norm"),
        ("emb_ln", "token_embd_norm"),
    ],
    layers: "encoder.layers.",
    of_layer: &[
        ("attn.Wqkv", "attn_qkv"),
        ("mixer.Wqkv", "attn_qkv"),
        ("attn.out_proj", "attn_output"),
        ("mixer.out_proj", "attn_output"),
        ("norm1", "attn_output_norm"),
        ("mlp.fc1", "ffn_up"),
        ("mlp.fc11", "ffn_up"),
        ("mlp.fc12", "ffn_gate"),
        ("mlp.fc2", "ffn_down"),
        ("mlp.router.layer", "ffn_gate_inp"),
        ("norm2", "layer_output_norm"),
    ],
};

/// Keys of Nomic's configurations; texts are as long as those that the model was trained on.
const NOMIC: Checkpoint = Checkpoint {
    names: &FLASH_NAMES,
    aliases: &[
        ("n_embd", "hidden_size"),
        ("n_head", "num_attention_heads"),
        ("n_layer", "num_hidden_layers"),
        ("n_inner", "intermediate_size"),
        ("max_trained_positions", "max_position_embeddings"),
        ("n_positions", "max_position_embeddings"),
        ("layer_norm_epsilon", "layer_norm_eps"),
        ("rotary_emb_base", "rope_theta"),
        ("moe_top_k", "num_experts_per_tok"),
    ],
    check: check_nomic,
    ..Checkpoint::new("")
};

/// Refuses what other models of the same code have.
fn check_nomic(config: &Object) -> Result<()> {
    for key in [
        "prenorm",
        "causal",
        "rotary_emb_interleaved",
        "moe_normalize_expert_weights",
        "expert_choice_router",
        "parallel_block",
        "use_rms_norm",
    ] {
        if config.bool(key)? == Some(true) {
            return Err(config.wrong(key, "false"));
        }
    }
    for key in ["rotary_emb_scale_base", "num_shared_experts"] {
        if config.f32(key)?.is_some_and(|found| found != 0.0) {
            return Err(config.wrong(key, "null or 0"));
        }
    }
    match config.f32("rotary_emb_fraction")? {
        None | Some(1.0) => Ok(()),
        Some(_) => Err(config.wrong("rotary_emb_fraction", "1")),
    }
}

/// Nomic's BERT.
pub const NOMIC_BERT: ModelSpec = ModelSpec {
    name: "nomic-bert",
    models: "nomic-embed-text v1 and v1.5 (embeddings)",
    learned_positions: false,
    gated: true,
    activation: Activation::Silu,
    ranking: Ranking::None,
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        ..NAMES
    },
    checkpoints: &[Checkpoint {
        model_type: "nomic_bert",
        activation: Some(&["swiglu", "silu"]),
        ..NOMIC
    }],
    ..BERT
};

/// Nomic's BERT of which every second layer has experts.
pub const NOMIC_BERT_MOE: ModelSpec = ModelSpec {
    name: "nomic-bert-moe",
    models: "nomic-embed-text v2 MoE (embeddings)",
    gated: false,
    activation: Activation::GeluErf,
    router: Router {
        normalised: false,
        ..Router::PLAIN
    },
    honours: &["moe_every_n_layers", "expert_weights_norm"],
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        expert_gate_up: &["blk.{}.ffn_up_exps.weight"],
        ..NAMES
    },
    checkpoints: &[Checkpoint {
        model_type: "nomic_bert, a mixture",
        parameters: &[
            ("mlp.experts.mlp.w1", "ffn_up_exps.weight"),
            ("mlp.experts.mlp.w2", "ffn_down_exps.weight"),
            ("mlp.experts.bias", "ffn_down.bias"),
        ],
        rename: by_columns,
        ..NOMIC
    }],
    ..NOMIC_BERT
};

/// Jina's BERT, whose positions are distances that scores fall with, and whose feed-forward blocks have a gate.
///
/// Reference: Günther et al. 2023, arXiv:2310.19923; Press et al. 2021, arXiv:2108.12409; `modeling_bert.py` of
/// jinaai/jina-bert-implementation.
pub const JINA_BERT_V2: ModelSpec = ModelSpec {
    name: "jina-bert-v2",
    models: "jina-embeddings v2: small, base and those of two languages (embeddings)",
    learned_positions: false,
    // (no layer rotates)
    nope_period: 1,
    alibi: true,
    gated: true,
    ranking: Ranking::None,
    honours: &["attention.max_alibi_bias"],
    names: &TensorNames {
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..NAMES
    },
    checkpoints: &[Checkpoint {
        model_type: "bert, alibi",
        names: &CheckpointNames {
            of_layer: &[
                ("attention.self.query", "attn_q"),
                ("attention.self.key", "attn_k"),
                ("attention.self.value", "attn_v"),
                ("attention.output.dense", "attn_output"),
                ("attention.output.LayerNorm", "attn_output_norm"),
                ("mlp.gated_layers", "ffn_up"),
                ("mlp.wo", "ffn_down"),
                ("mlp.layernorm", "layer_output_norm"),
            ],
            ..CHECKPOINT_NAMES
        },
        defaults: &[("layer_norm_eps", 1e-12)],
        check: check_jina,
        ..Checkpoint::new("")
    }],
    variant: |gguf| {
        let gate = gguf.tensor("blk.0.ffn_gate.weight");
        gate.is_some().then_some(&JINA_BERT_V2_APART)
    },
    ..BERT
};

/// Names in files that have gate and up apart.
const JINA_BERT_V2_APART: ModelSpec = ModelSpec {
    names: &NAMES,
    checkpoints: &[],
    variant: |_| None,
    ..JINA_BERT_V2
};

/// Refuses blocks without a gate, and gates of another function.
fn check_jina(config: &Object) -> Result<()> {
    const KIND: &str = "feed_forward_type";
    match config.str(KIND)? {
        None | Some("geglu") => Ok(()),
        Some(_) => Err(config.wrong(KIND, "geglu")),
    }
}

/// Jina's XLM-R with rotary positions. What adapts it to a task is not read: files have it merged, or not at all.
pub const JINA_BERT_V3: ModelSpec = ModelSpec {
    name: "jina-bert-v3",
    models: "jina-embeddings v3 (embeddings)",
    gated: false,
    activation: Activation::GeluErf,
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..NAMES
    },
    checkpoints: &[Checkpoint {
        names: &FLASH_NAMES,
        defaults: &[("layer_norm_eps", 1e-5), ("rope_theta", 20_000.0)],
        ..Checkpoint::new("jina_embeddings_v3")
    }],
    ..NOMIC_BERT
};

/// Reads the experts' last projections, [d_ff, d_model] each, by columns.
///
/// # Errors
/// [`Error::TensorShape`] for projections that are not all experts' rows, one after the other.
fn by_columns(mut tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let of_router = |tensor: &&TensorInfo| tensor.name.ends_with("mlp.router.layer.weight");
    let experts = tensors.iter().find(of_router).map_or(1, TensorInfo::n_rows);
    for tensor in &mut tensors {
        if !tensor.name.ends_with("mlp.experts.mlp.w2") {
            continue;
        }
        match tensor.shape[..] {
            [cols, rows] if experts > 0 && rows.is_multiple_of(experts) => {
                tensor.shape = vec![rows / experts, cols, experts];
                tensor.arrangement.by_columns = true;
            }
            _ => {
                return Err(Error::TensorShape {
                    name: tensor.name.clone(),
                    expected: vec![tensor.n_cols(), experts],
                    found: tensor.shape.clone(),
                });
            }
        }
    }
    Ok(tensors)
}
