//! Families of models, each described by a [`DecoderSpec`].
//!
//! One decoder serves every family; a family is a small file with its spec, its tensor names and the link to
//! its reference implementation, and one line in [`FAMILIES`]. Biases and experts depend on the file, not the family.

pub mod bert;
pub mod gemma;
pub mod gpt;
pub mod granite;
pub mod llama;
pub mod names;
pub mod olmo;
pub mod phi;
pub mod qwen;
pub mod smollm;
mod spec;

pub use names::TensorNames;
pub use spec::{Activation, DecoderSpec, Pooling, PostNorm, QkNorm, Sliding};

use crate::error::{Error, Result};

/// Every implemented family.
pub const FAMILIES: &[&DecoderSpec] = &[
    &llama::LLAMA,
    &llama::MISTRAL3,
    &qwen::QWEN2,
    &qwen::QWEN3,
    &qwen::QWEN3MOE,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &phi::PHI3,
    &olmo::OLMO2,
    &granite::GRANITE,
    &smollm::SMOLLM3,
    &gpt::GPT2,
    &gpt::GPT_OSS,
    &bert::BERT,
    &bert::NOMIC_BERT,
];

/// Returns the spec of `architecture`.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`], which lists the known ones.
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
