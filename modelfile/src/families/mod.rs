//! Families of models, each described by a [`ModelSpec`].
//!
//! One transformer serves every family; a family is a small file with its spec, its tensor names in GGUF, its
//! checkpoints' names and defaults, and the link to its reference implementation, and one line in [`FAMILIES`]. Biases and experts depend on the file, not the family.

pub mod apertus;
pub mod arcee;
pub mod bert;
mod checkpoint;
pub mod clip;
pub mod cohere;
pub mod deepseek;
pub mod ernie;
pub mod exaone;
pub mod gemma;
pub mod glm;
pub mod gpt2;
pub mod gpt_oss;
pub mod granite;
pub mod hunyuan;
pub mod lfm;
pub mod llama;
pub mod mamba;
pub mod modern_bert;
pub mod names;
pub mod nemotron;
pub mod olmo;
pub mod phi;
pub mod qwen;
pub mod seed;
pub(crate) mod siglip;
pub mod smollm;
mod spec;
pub mod stablelm;
pub(crate) mod towers;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::{BIDIRECTIONAL, DISTANCED, MIXTURE};
pub use names::TensorNames;
pub(crate) use spec::HEAD_POOLING;
pub use spec::{
    Activation, AttentionGate, Captions, ModelSpec, Pooling, PostNorm, QkNorm, Ranking, Recurrent,
    Sliding, SlidingRope, Turns,
};

use crate::error::{Error, Result};

/// Every implemented family.
pub const FAMILIES: &[&ModelSpec] = &[
    &llama::LLAMA,
    &llama::MISTRAL3,
    &qwen::QWEN2,
    &qwen::QWEN2VL,
    &qwen::QWEN3,
    &qwen::QWEN3VL,
    &qwen::QWEN2MOE,
    &qwen::QWEN3MOE,
    &qwen::MELLUM,
    &gemma::GEMMA,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &gemma::GEMMA4,
    &gemma::GEMMA_EMBEDDING,
    &phi::PHI2,
    &phi::PHI3,
    &olmo::OLMO2,
    &olmo::OLMOE,
    &granite::GRANITE,
    &granite::GRANITE_MOE,
    &granite::GRANITE_SWA,
    &smollm::SMOLLM3,
    &lfm::LFM2,
    &lfm::LFM2MOE,
    &lfm::LFM3,
    &qwen::QWEN35,
    &mamba::GRANITE_HYBRID,
    &mamba::FALCON_H1,
    &nemotron::NEMOTRON_H,
    &nemotron::NEMOTRON_H_MOE,
    &qwen::QWEN35MOE,
    &exaone::EXAONE4,
    &cohere::COMMAND_R,
    &cohere::COHERE2,
    &ernie::ERNIE4_5,
    &ernie::ERNIE4_5_MOE,
    &hunyuan::HUNYUAN_DENSE,
    &glm::GLM4,
    &deepseek::DEEPSEEK2,
    &seed::SEED_OSS,
    &stablelm::STABLELM,
    &arcee::ARCEE,
    &apertus::APERTUS,
    &gpt2::GPT2,
    &gpt_oss::GPT_OSS,
    &bert::BERT,
    &bert::NOMIC_BERT,
    &bert::NOMIC_BERT_MOE,
    &bert::JINA_BERT_V2,
    &bert::JINA_BERT_V3,
    &modern_bert::MODERN_BERT,
    &clip::CLIP_TEXT,
    &clip::SIGLIP_TEXT,
];

/// Returns the spec of `architecture`.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`], which lists the known ones.
pub fn family(architecture: &str) -> Result<&'static ModelSpec> {
    FAMILIES
        .iter()
        .find(|spec| spec.name == architecture)
        .copied()
        .ok_or_else(|| Error::UnsupportedArchitecture {
            found: architecture.to_owned(),
            known: FAMILIES.iter().map(|spec| spec.name).collect(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A family that takes over another's properties must not take over its checkpoints as well.
    #[test]
    fn every_architecture_and_every_model_type_belongs_to_one_family() {
        let mut names: Vec<&str> = FAMILIES.iter().map(|spec| spec.name).collect();
        let types = FAMILIES.iter().flat_map(|spec| spec.checkpoints);
        let mut types: Vec<&str> = types.map(|checkpoint| checkpoint.model_type).collect();
        for all in [&mut names, &mut types] {
            let n = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), n, "{all:?}");
            assert!(!all.contains(&""));
        }
    }
}
