//! The Llama family: Llama 1 to 3.x, Mistral 7B, Ministral, SmolLM and SmolLM2, TinyLlama, and others that convert to
//! GGUF's architecture `llama`.
//!
//! RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU; no biases. GGUF's converter
//! permutes q and k so that rotary pairs are adjacent. Mixtral is a Llama with experts.
//!
//! Ministral 3 rotates with YaRN, and its queries grow with the logarithm of the number of original contexts that
//! precede their position: transformers `models/ministral3/modeling_ministral3.py`.
//!
//! Reference: Touvron et al. 2023, arXiv:2302.13971; transformers `models/llama/modeling_llama.py`.

use super::{Checkpoint, ModelSpec, Sliding};

/// The family's spec.
pub const LLAMA: ModelSpec = ModelSpec {
    name: "llama",
    models: "Llama 1 to 3.x, Mistral 7B, Ministral 8B, Mixtral, SmolLM, SmolLM2, TinyLlama",
    rope_neox: false,
    // Mistral 7B of before version 0.2.
    sliding: Sliding::All,
    honours: &["attention.sliding_window"],
    checkpoints: &[
        Checkpoint::new("llama"),
        Checkpoint::new("mistral"),
        Checkpoint::new("mixtral"),
    ],
    ..ModelSpec::PLAIN
};

/// Ministral 3 and its relatives.
pub const MISTRAL3: ModelSpec = ModelSpec {
    name: "mistral3",
    models: "Ministral 3, Mistral Small 3.1 and later, Devstral Small 2 (text)",
    checkpoints: &[Checkpoint::new("ministral3")],
    ..LLAMA
};
