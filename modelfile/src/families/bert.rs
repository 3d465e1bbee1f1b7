//! Encoders for embeddings: BERT (MiniLM, bge, e5, gte and similar) and Nomic's, which has rotary positions, a gate
//! and no biases.
//!
//! Every token attends to every other; a LayerNorm follows the sum of each block's output and its input.
//!
//! Reference: Devlin et al. 2018, arXiv:1810.04805; Nussbaum et al. 2024, arXiv:2402.01613; transformers
//! `models/bert/modeling_bert.py`, `models/nomic_bert/modeling_nomic_bert.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, PostNorm, Ranking, TensorNames};
use crate::error::Result;
use crate::json::Object;

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

/// Refuses another padding, by which positions would begin elsewhere.
fn check_roberta(config: &Object) -> Result<()> {
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
    checkpoints: &[],
    ..BERT
};
