//! Models: what a family is ([`DecoderSpec`]), what a file says ([`ModelConfig`]), the weights ([`Decoder`]).
//!
//! One decoder serves every family; a family is a small file with its spec, its tensor names and the link to
//! its reference implementation, and one line in [`FAMILIES`].

pub mod config;
pub mod decoder;
pub mod llama;

pub use config::ModelConfig;
pub use decoder::Decoder;

use crate::error::{Error, Result};

/// What makes a family of decoders different from another.
#[derive(Debug, PartialEq)]
pub struct DecoderSpec {
    /// `general.architecture` in GGUF.
    pub name: &'static str,
    /// Rotary pairs are (i, i + d/2) instead of (2i, 2i + 1).
    pub rope_neox: bool,
    /// Tensor names.
    pub names: &'static TensorNames,
}

/// Names of the tensors in a GGUF file; `{}` stands for the layer's number.
#[derive(Debug, PartialEq)]
pub struct TensorNames {
    pub token_embd: &'static str,
    pub output_norm: &'static str,
    /// Absent from files with tied embeddings.
    pub lm_head: &'static str,
    /// Factors that divide the rotary frequencies (Llama 3), optional.
    pub rope_freqs: &'static str,
    pub attn_norm: &'static str,
    pub q_proj: &'static str,
    pub k_proj: &'static str,
    pub v_proj: &'static str,
    pub o_proj: &'static str,
    pub ffn_norm: &'static str,
    pub gate_proj: &'static str,
    pub up_proj: &'static str,
    pub down_proj: &'static str,
}

/// Every family that is implemented.
pub const FAMILIES: &[&DecoderSpec] = &[&llama::LLAMA];

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
