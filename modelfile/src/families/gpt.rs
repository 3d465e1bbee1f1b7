//! GPT-2 (learned positions, LayerNorm, GELU, biases everywhere) and gpt-oss (experts in MXFP4 with biases and a clamped
//! gate, attention sinks, YaRN, every other layer sliding).
//!
//! Reference: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; OpenAI 2025, arXiv:2508.10925;
//! transformers `models/gpt2/modeling_gpt2.py`, `models/gpt_oss/modeling_gpt_oss.py`.

use super::Activation;
use super::{DecoderSpec, Sliding, TensorNames};

/// GPT-2.
pub const GPT2: DecoderSpec = DecoderSpec {
    name: "gpt2",
    models: "GPT-2, DistilGPT-2",
    learned_positions: true,
    gated: false,
    activation: Activation::Gelu,
    layer_norm: true,
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    ..DecoderSpec::PLAIN
};

/// gpt-oss.
pub const GPT_OSS: DecoderSpec = DecoderSpec {
    name: "gpt-oss",
    models: "gpt-oss 20B and 120B",
    sinks: true,
    activation: Activation::Clamped,
    yarn_rounds: false,
    sliding: Sliding::AllBut(2),
    names: &TensorNames {
        ffn_norm: "blk.{}.post_attention_norm.weight",
        ..TensorNames::GGUF
    },
    ..DecoderSpec::PLAIN
};
