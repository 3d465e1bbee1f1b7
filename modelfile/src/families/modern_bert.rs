//! ModernBERT, an encoder for embeddings and for ranking: rotary positions, gated blocks, norms before them and no biases.
//!
//! One layer in three attends to every token, from the first on; the others attend to a window around each token, and rotate with a
//! base of their own. The embedding is normalised, so that the first layer has no norm before attention.
//!
//! Reference: Warner et al. 2024, arXiv:2412.13663; transformers `models/modernbert/modeling_modernbert.py`.

use super::checkpoint::CheckpointNames;
use super::{Activation, Checkpoint, ModelSpec, Ranking, Sliding, SlidingRope, TensorNames};
use crate::error::Result;
use crate::json::Object;

const CHECKPOINT_NAMES: CheckpointNames = CheckpointNames {
    prefix: "model.",
    around: &[
        ("embeddings.tok_embeddings", "token_embd"),
        ("embeddings.norm", "token_embd_norm"),
        ("final_norm", "output_norm"),
        ("head.dense", "cls"),
        ("head.norm", "cls.norm"),
        ("classifier", "cls.output"),
    ],
    layers: "layers.",
    of_layer: &[
        ("attn_norm", "attn_norm"),
        ("attn.Wqkv", "attn_qkv"),
        ("attn.Wo", "attn_output"),
        ("mlp_norm", "ffn_norm"),
        ("mlp.Wi", "ffn_up"),
        ("mlp.Wo", "ffn_down"),
    ],
};

/// ModernBERT.
pub const MODERN_BERT: ModelSpec = ModelSpec {
    name: "modern-bert",
    models: "ModernBERT: gte-modernbert, Granite Embedding R2 (embeddings); gte-reranker-modernbert (reranking)",
    causal: false,
    activation: Activation::GeluErf,
    layer_norm: true,
    first_norm: false,
    sliding: Sliding::AllButFirst(3),
    sliding_rope: SlidingRope::Unscaled {
        theta: Some(10_000.0),
    },
    ranking: Ranking::PredictionHead,
    honours: &["attention.sliding_window", "rope.freq_base_swa"],
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CHECKPOINT_NAMES,
        aliases: &[
            ("norm_eps", "layer_norm_eps"),
            ("local_attention", "sliding_window"),
            ("global_attn_every_n_layers", "sliding_window_pattern"),
            ("global_rope_theta", "rope_theta"),
            ("local_rope_theta", "rope_local_base_freq"),
        ],
        defaults: &[
            ("hidden_size", 768.0),
            ("intermediate_size", 1152.0),
            ("num_hidden_layers", 22.0),
            ("num_attention_heads", 12.0),
            ("max_position_embeddings", 8192.0),
            ("layer_norm_eps", 1e-5),
            ("sliding_window", 128.0),
            ("rope_theta", 160_000.0),
            ("rope_local_base_freq", 10_000.0),
        ],
        check,
        ..Checkpoint::new("modernbert")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses another activation in the head of a model that ranks.
fn check(config: &Object) -> Result<()> {
    match config.str("classifier_activation")? {
        Some(found) if !Activation::GeluErf.is_called(found) => {
            Err(config.wrong("classifier_activation", "gelu"))
        }
        _ => Ok(()),
    }
}
