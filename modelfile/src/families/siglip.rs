//! SigLIP's vision transformer, the tower of SmolVLM and Gemma 3.
//!
//! LayerNorm before each block, learned positions, biases, tanh GELU; every patch attends to all.
//!
//! Reference: Zhai et al. 2023, arXiv:2303.15343; transformers `models/siglip/modeling_siglip.py`; names in GGUF: llama.cpp
//! `tools/mtmd/clip.cpp`.

use super::{Activation, ModelSpec, TensorNames};

/// Names of a tower's tensors in GGUF.
pub(crate) const TOWER_NAMES: TensorNames = TensorNames {
    token_embd: "v.patch_embd.weight",
    position_embd: "v.position_embd.weight",
    token_types: "v.patch_embd.bias",
    embd_norm: "v.pre_ln.weight",
    output_norm: "v.post_ln.weight",
    attn_norm: "v.blk.{}.ln1.weight",
    qkv_proj: &[
        "v.blk.{}.attn_q.weight",
        "v.blk.{}.attn_k.weight",
        "v.blk.{}.attn_v.weight",
    ],
    qkv_in_one: "v.blk.{}.attn_qkv.weight",
    q_norm: "v.blk.{}.attn_q_norm.weight",
    k_norm: "v.blk.{}.attn_k_norm.weight",
    o_proj: "v.blk.{}.attn_out.weight",
    ffn_norm: "v.blk.{}.ln2.weight",
    gate_up_proj: &["v.blk.{}.ffn_gate.weight", "v.blk.{}.ffn_up.weight"],
    down_proj: "v.blk.{}.ffn_down.weight",
    ..TensorNames::GGUF
};

/// SigLIP. The name is the beginning of its keys.
pub(crate) const SIGLIP: ModelSpec = ModelSpec {
    name: "clip.vision",
    models: "SigLIP",
    causal: false,
    sees: true,
    learned_positions: true,
    gated: false,
    activation: Activation::Gelu,
    layer_norm: true,
    names: &TensorNames {
        gate_up_proj: &["v.blk.{}.ffn_up.weight"],
        ..TOWER_NAMES
    },
    ..ModelSpec::PLAIN
};

/// SigLIP 2 for any size: learned positions are interpolated.
pub(crate) const SIGLIP2: ModelSpec = ModelSpec {
    models: "SigLIP 2",
    nope_period: 1,
    learned_positions: false,
    ..SIGLIP
};

/// The tower of Qwen 3 VL: SigLIP 2 with rotary positions of rows and columns beside the learned ones, which are interpolated.
pub(crate) const QWEN3VL_TOWER: ModelSpec = ModelSpec {
    models: "Qwen 3 VL's tower",
    learned_positions: false,
    ..SIGLIP
};
