//! Gemma 2 and 3: norms before and after each block, GELU, a scaled embedding, tied heads, sliding windows.
//!
//! Gemma 2 slides in every other layer and caps scores and logits; Gemma 3 slides in five of six, with another rotary
//! base there, and normalises queries and keys. The converter has added the 1 that the norms' weights lack.
//! of another base there, and norms queries and keys. The converter has added the 1 that the norms' weights lack.
//!
//! Reference: Gemma Team 2024, arXiv:2408.00118 and 2025, arXiv:2503.19786; transformers
//! `models/gemma2/modeling_gemma2.py`, `models/gemma3/modeling_gemma3.py`.

use super::{Activation, QkNorm};
use super::{DecoderSpec, PostNorm, Sliding};

/// Gemma 2.
pub const GEMMA2: DecoderSpec = DecoderSpec {
    name: "gemma2",
    models: "Gemma 2",
    activation: Activation::Gelu,
    post_norm: PostNorm::Block,
    scales_embedding: true,
    sliding: Sliding::AllBut(2),
    wide_scale_layers: 46,
    ..DecoderSpec::PLAIN
};

/// The language model of Gemma 3.
pub const GEMMA3: DecoderSpec = DecoderSpec {
    name: "gemma3",
    models: "Gemma 3, text",
    qk_norm: QkNorm::Head,
    sliding: Sliding::AllBut(6),
    local_rope: true,
    wide_scale_layers: 62,
    ..GEMMA2
};
