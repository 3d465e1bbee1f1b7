//! The Llama family: Llama 1 to 3.x, Mistral 7B, SmolLM and SmolLM2, TinyLlama, and what else converts to
//! GGUF's architecture `llama`.
//!
//! RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU; no biases. GGUF's converter
//! permutes q and k so that rotary pairs are neighbours. Mixtral is a Llama with experts.
//!
//! Reference: Touvron et al. 2023, arXiv:2302.13971; transformers `models/llama/modeling_llama.py`.

use super::DecoderSpec;

/// The family's spec.
pub const LLAMA: DecoderSpec = DecoderSpec {
    name: "llama",
    models: "Llama 1 to 3.x, Mistral 7B, Mixtral, SmolLM, SmolLM2, TinyLlama",
    rope_neox: false,
    ..DecoderSpec::PLAIN
};
