//! Towers beside SigLIP: those of Qwen 2 VL, of Qwen 2.5 VL, Pixtral, which Mistral 3 has as well, and Gemma 4's.
//!
//! Patches are rotated by their places. In Qwen 2.5 VL most layers see a patch's window only: see [`crate::vision`].
//!
//! Reference: Wang et al. 2024, arXiv:2409.12191; Bai et al. 2025, arXiv:2502.13923; Agrawal et al. 2024, arXiv:2410.07073;
//! transformers `models/qwen2_vl/modeling_qwen2_vl.py`, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`,
//! `models/pixtral/modeling_pixtral.py`, `models/gemma4/modeling_gemma4.py`.

use super::siglip::{SIGLIP, TOWER_NAMES};
use super::{Activation, ModelSpec, PostNorm, QkNorm, Sliding, TensorNames, Turns};

/// Qwen 2 VL's.
pub(crate) const QWEN2VL_TOWER: ModelSpec = ModelSpec {
    models: "Qwen 2 VL's tower",
    learned_positions: false,
    activation: Activation::QuickGelu,
    ..SIGLIP
};

/// Qwen 2.5 VL's. The layers of windows are those that slide, by an array.
pub(crate) const QWEN25VL_TOWER: ModelSpec = ModelSpec {
    models: "Qwen 2.5 VL's tower",
    sliding: Sliding::All,
    honours: &["attention.sliding_window"],
    layer_norm: false,
    gated: true,
    activation: Activation::Silu,
    names: &TOWER_NAMES,
    ..QWEN2VL_TOWER
};

/// Pixtral as Mistral 3 has it. The norm behind it is the projector's. GGUF's converter permutes q and k so that rotary pairs are adjacent.
pub(crate) const PIXTRAL: ModelSpec = ModelSpec {
    models: "Pixtral",
    rope_neox: false,
    sliding: Sliding::None,
    honours: &[],
    names: &TensorNames {
        output_norm: "mm.input_norm.weight",
        ..TOWER_NAMES
    },
    ..QWEN25VL_TOWER
};

/// Pixtral 12B's, without a norm behind it.
pub(crate) const PIXTRAL_UNMERGED: ModelSpec = ModelSpec {
    names: &TensorNames {
        output_norm: "",
        ..TOWER_NAMES
    },
    ..PIXTRAL
};

/// Gemma 4's: norms before and after each block, of queries, keys and values too, scores that are not scaled. What its models
/// were trained with is in [`crate::vision::Bounds`].
pub(crate) const GEMMA4_TOWER: ModelSpec = ModelSpec {
    models: "Gemma 4's tower",
    learned_positions: false,
    layer_norm: false,
    gated: true,
    qk_norm: QkNorm::Head,
    v_norm: true,
    unscaled_scores: true,
    post_norm: PostNorm::Block,
    turns: Turns::InHalves,
    names: &TensorNames {
        output_norm: "",
        post_attn_norm: "v.blk.{}.attn_post_norm.weight",
        post_ffn_norm: "v.blk.{}.ffn_post_norm.weight",
        ..TOWER_NAMES
    },
    ..SIGLIP
};
