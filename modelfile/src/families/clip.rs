//! CLIP and SigLIP: a tower for pictures and a transformer for texts, whose embeddings can be compared.
//!
//! CLIP's texts go through a causal transformer, up to the first token that ends a text, whose hidden state is projected; a class token
//! stands before a picture's patches. SigLIP's texts see all of themselves, padding included, and their last token is projected; a
//! learned query attends to a picture's patches.
//!
//! Reference: Radford et al. 2021, arXiv:2103.00020; Zhai et al. 2023, arXiv:2303.15343; transformers `models/clip/modeling_clip.py`,
//! `models/siglip/modeling_siglip.py`.

use super::checkpoint::CheckpointNames;
use super::siglip::SIGLIP;
use super::{Activation, Captions, Checkpoint, ModelSpec, TensorNames};
use crate::container::TensorInfo;
use crate::error::{Error, Result};

/// Projection of a text's hidden state.
const PROJECTION: &str = "text_projection.weight";

/// Names of the texts' transformer. (What is the pictures' is in none of them.)
const CHECKPOINT_NAMES: CheckpointNames = CheckpointNames {
    prefix: "text_model.",
    around: &[
        ("embeddings.token_embedding", "token_embd"),
        ("embeddings.position_embedding", "position_embd"),
        ("final_layer_norm", "output_norm"),
        ("text_projection", "text_projection"),
        ("logit_scale", "logit_scale"),
        ("logit_bias", "logit_bias"),
    ],
    layers: "encoder.layers.",
    of_layer: &[
        ("layer_norm1", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.out_proj", "attn_output"),
        ("layer_norm2", "ffn_norm"),
        ("mlp.fc1", "ffn_up"),
        ("mlp.fc2", "ffn_down"),
    ],
};

const NAMES: TensorNames = TensorNames {
    gate_up_proj: &["blk.{}.ffn_up.weight"],
    dense: &[PROJECTION],
    ..TensorNames::GGUF
};

const CLIP_CHECKPOINT: Checkpoint = Checkpoint {
    names: &CHECKPOINT_NAMES,
    defaults: &[
        ("hidden_size", 512.0),
        ("intermediate_size", 2048.0),
        ("num_hidden_layers", 12.0),
        ("num_attention_heads", 8.0),
        ("max_position_embeddings", 77.0),
        ("layer_norm_eps", 1e-5),
    ],
    rename,
    ..Checkpoint::new("clip")
};

/// The texts' transformer of CLIP. (GGUF has no architecture for it.)
pub const CLIP_TEXT: ModelSpec = ModelSpec {
    name: "clip-text",
    models: "CLIP (embeddings of pictures and texts)",
    learned_positions: true,
    gated: false,
    activation: Activation::QuickGelu,
    layer_norm: true,
    captions: Captions::UpToEnd,
    honours: &[],
    names: &NAMES,
    checkpoints: &[
        CLIP_CHECKPOINT,
        Checkpoint {
            model_type: "clip_text_model",
            ..CLIP_CHECKPOINT
        },
    ],
    ..ModelSpec::PLAIN
};

const SIGLIP_CHECKPOINT: Checkpoint = Checkpoint {
    defaults: &[
        ("hidden_size", 768.0),
        ("intermediate_size", 3072.0),
        ("num_hidden_layers", 12.0),
        ("num_attention_heads", 12.0),
        ("max_position_embeddings", 64.0),
        ("layer_norm_eps", 1e-6),
    ],
    rename: rename_siglip,
    ..Checkpoint {
        model_type: "siglip",
        ..CLIP_CHECKPOINT
    }
};

/// The texts' transformer of SigLIP, and of SigLIP 2 for pictures of one size.
pub const SIGLIP_TEXT: ModelSpec = ModelSpec {
    name: "siglip-text",
    models: "SigLIP, SigLIP 2 (embeddings of pictures and texts)",
    causal: false,
    activation: Activation::Gelu,
    captions: Captions::Padded,
    honours: &[],
    checkpoints: &[
        SIGLIP_CHECKPOINT,
        Checkpoint {
            model_type: "siglip_text_model",
            ..SIGLIP_CHECKPOINT
        },
    ],
    ..CLIP_TEXT
};

/// The tower of CLIP. Its positions begin with that of the class token.
pub(crate) const CLIP_TOWER: ModelSpec = ModelSpec {
    models: "CLIP's tower",
    nope_period: 1,
    learned_positions: false,
    activation: Activation::QuickGelu,
    ..SIGLIP
};

/// Names the parameters that no module has, and refuses a model without the projection by which texts are compared with pictures.
fn rename(mut tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let mut projects = false;
    for tensor in &mut tensors {
        if matches!(tensor.name.as_str(), "logit_scale" | "logit_bias") {
            tensor.name.push_str(".weight");
        }
        projects |= tensor.name == PROJECTION;
    }
    match projects {
        true => Ok(tensors),
        false => Err(Error::MissingTensor {
            name: PROJECTION.into(),
        }),
    }
}

/// Gives SigLIP's tensors the names of CLIP's.
fn rename_siglip(mut tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    for tensor in &mut tensors {
        if let Some(kind) = tensor.name.strip_prefix("text_model.head.") {
            tensor.name = format!("text_projection.{kind}");
        }
    }
    rename(tensors)
}
