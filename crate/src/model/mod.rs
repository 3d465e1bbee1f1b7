//! Models: what a family is ([`DecoderSpec`]), what a file says ([`ModelConfig`]), the weights ([`Decoder`]).
//!
//! One decoder serves every family; a family is a small file with its spec, its tensor names and the link to
//! its reference implementation, and one line in [`FAMILIES`].

pub mod assemble;
pub mod config;
pub mod decoder;
pub mod gemma;
pub mod granite;
pub mod llama;
pub mod names;
pub mod olmo;
pub mod phi;
pub mod qwen;
pub mod rope;
pub mod smollm;

pub use config::ModelConfig;
pub use decoder::Decoder;
pub use names::TensorNames;

use crate::error::{Error, Result};
use crate::ops::{Activation, QkNorm};

/// What makes a family of decoders different from another. What the metadata says (scales, soft caps, windows) is in
/// [`ModelConfig`].
#[derive(Debug, PartialEq)]
pub struct DecoderSpec {
    /// `general.architecture` in GGUF.
    pub name: &'static str,
    /// What people call the models of this family.
    pub models: &'static str,
    /// Rotary pairs are (i, i + d/2) instead of (2i, 2i + 1).
    pub rope_neox: bool,
    /// Every so many layers one has no rotary positions; 0 for none.
    pub nope_period: usize,
    /// q, k and v have biases.
    pub qkv_bias: bool,
    /// Norm of queries and keys.
    pub qk_norm: QkNorm,
    /// What is done to the gate.
    pub activation: Activation,
    /// Norms before attention and feed-forward.
    pub pre_norm: bool,
    /// Norms behind them, before the residual.
    pub post_norm: bool,
    /// The embedding is multiplied by the root of d_model.
    pub scales_embedding: bool,
    /// Which layers have the sliding window that the metadata gives.
    pub sliding: Sliding,
    /// At this number of layers scores are divided by the root of d_model / n_heads instead of head_dim.
    pub wide_scale_layers: usize,
    /// Tensor names.
    pub names: &'static TensorNames,
}

/// Which layers slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sliding {
    None,
    All,
    /// All but every so many: layer i slides unless i + 1 is a multiple.
    AllBut(usize),
}

impl DecoderSpec {
    /// What most families are: Llama with rotary halves. The others say what they have besides.
    pub const PLAIN: Self = Self {
        name: "",
        models: "",
        rope_neox: true,
        nope_period: 0,
        qkv_bias: false,
        qk_norm: QkNorm::None,
        activation: Activation::Silu,
        pre_norm: true,
        post_norm: false,
        scales_embedding: false,
        sliding: Sliding::None,
        wide_scale_layers: 0,
        names: &TensorNames::GGUF,
    };
}

/// Every family that is implemented.
pub const FAMILIES: &[&DecoderSpec] = &[
    &llama::LLAMA,
    &qwen::QWEN2,
    &qwen::QWEN3,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &phi::PHI3,
    &olmo::OLMO2,
    &granite::GRANITE,
    &smollm::SMOLLM3,
];

/// The spec of `architecture`.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`] lists the known ones.
pub fn family(architecture: &str) -> Result<&'static DecoderSpec> {
    FAMILIES
        .iter()
        .find(|spec| spec.name == architecture)
        .copied()
        .ok_or_else(|| Error::UnsupportedArchitecture {
            found: architecture.to_owned(),
            known: FAMILIES.iter().map(|spec| spec.name).collect(),
        })
}
