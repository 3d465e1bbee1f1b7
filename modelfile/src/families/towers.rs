//! Towers that learn no positions: those of Qwen 2 VL, of Qwen 2.5 VL, and Pixtral, which Mistral 3 has.
//!
//! Patches are rotated by their places. In Qwen 2.5 VL most layers see a patch's window only: see [`crate::vision`].
//!
//! Reference: Wang et al. 2024, arXiv:2409.12191; Bai et al. 2025, arXiv:2502.13923; Agrawal et al. 2024, arXiv:2410.07073;
//! transformers `models/qwen2_vl/modeling_qwen2_vl.py`, `models/qwen2_5_vl/modeling_qwen2_5_vl.py`,
//! `models/pixtral/modeling_pixtral.py`.

use super::siglip::{SIGLIP, TOWER_NAMES};
use super::{Activation, ModelSpec, Sliding, TensorNames};

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

/// Pixtral. The norm behind it is the projector's. GGUF's converter permutes q and k so that rotary pairs are adjacent.
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
