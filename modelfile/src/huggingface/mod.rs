//! A model in Hugging Face's format: `config.json`, `tokenizer.json` and others next to weights in safetensors. Their
//! contents are translated to a GGUF header, so that everything downstream is the same for both.
//!
//! Three things differ in the weights: rows of q and k are not reordered, so rotary pairs are always (i, i + d/2)
//! (`hearth.rope.halves`), Gemma's norms lack the 1 that GGUF's converter adds (`hearth.norm.offset`), and some
//! matrices of GPT-2 and gpt-oss are stored in another order ([`TensorInfo::arrangement`]).

mod charsmap;
mod config;
mod experts;
mod fp8;
mod frame;
mod geometries;
mod latent;
mod modules;
mod recurrent;
mod rope;
mod sampling;
mod steps;
mod tensors;
mod tokenizer;
mod vision;

use std::collections::BTreeMap;

use crate::container::{Metadata, ModelHeader, TensorInfo, Value};
use crate::error::{Error, Result};
use crate::json::Object;
pub(crate) use tensors::weight_of;

/// The texts of a folder, by the names in [`TEXT_FILES`].
pub type Texts = BTreeMap<String, String>;

/// Texts that a folder may have; the first two are required. The others are a template in a separate file, from
/// sentence-transformers what turns a text's hidden states into one embedding or its logits into a score, and how pictures are
/// prepared.
pub const TEXT_FILES: [&str; 12] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "1_Pooling/config.json",
    "modules.json",
    "2_Dense/config.json",
    "3_Dense/config.json",
    vision::PROCESSOR_FILES[0],
    vision::PROCESSOR_FILES[1],
    modules::SCORE,
];

/// Weights of the modules behind the pooling, which a folder with their texts has; they follow the model's own.
pub const DENSE_WEIGHTS: [&str; 2] = ["2_Dense/model.safetensors", "3_Dense/model.safetensors"];

/// Returns the header of the model's tower, if it sees pictures.
///
/// # Errors
/// [`Error::BadFile`] for invalid JSON, [`Error::Metadata`] with the file and key, [`Error::MissingTensor`].
pub fn tower(texts: &Texts, tensors: &[TensorInfo]) -> Result<Option<ModelHeader>> {
    vision::tower(texts, tensors)
}

/// Returns the metadata, and the tensors under GGUF's names.
///
/// # Errors
/// [`Error::BadFile`] for invalid JSON, [`Error::UnsupportedArchitecture`], [`Error::Metadata`] with the file and
/// key,
/// [`Error::Tokenizer`].
pub fn convert(texts: &Texts, tensors: Vec<TensorInfo>) -> Result<(Metadata, Vec<TensorInfo>)> {
    let needed = |file: &'static str| match texts.get(file) {
        Some(text) => Object::parse(text, file),
        None => Err(Error::Io {
            what: file.into(),
            message: "it is not there".into(),
        }),
    };
    let optional = |file: &'static str| match texts.get(file) {
        Some(text) => Object::parse(text, file),
        None => Ok(Object::empty(file)),
    };
    let config = needed("config.json")?.of_text()?;
    let tokenizer = needed("tokenizer.json")?;
    let tokenizer_config = optional("tokenizer_config.json")?;
    let generation_config = optional("generation_config.json")?;
    let mut metadata = Metadata::default();
    let (spec, checkpoint) = config::convert(&config, &mut metadata)?;
    let fp8 = fp8::scheme(&config, checkpoint)?;
    modules::convert(texts, spec, &mut metadata)?;
    let ends = tokenizer::Ends {
        config: &config,
        generation_config: &generation_config,
        tokenizer_config: &tokenizer_config,
    };
    tokenizer::convert(&tokenizer, &ends, &mut metadata)?;
    sampling::convert(&generation_config, &mut metadata);
    let template = texts.get("chat_template.jinja").cloned();
    let template = template.or_else(|| tokenizer_config.template());
    if let Some(template) = template {
        metadata.insert("tokenizer.chat_template", Value::String(template));
    }
    let tied = config.bool("tie_word_embeddings")?;
    let tied = tied.unwrap_or(checkpoint.tied);
    let tensors = tensors::rename(tensors, checkpoint, fp8, tied)?;
    Ok((metadata, tensors))
}

/// Returns the metadata of a folder's tokenizer alone, for models whose weights are read elsewhere.
///
/// # Errors
/// [`Error::BadFile`] for invalid JSON, [`Error::Io`] without `tokenizer.json`, [`Error::Tokenizer`].
pub fn tokenizer(texts: &Texts) -> Result<Metadata> {
    let text = |file: &'static str| match texts.get(file) {
        Some(text) => Object::parse(text, file),
        None if file == "tokenizer.json" => Err(Error::Io {
            what: file.into(),
            message: "it is not there".into(),
        }),
        None => Ok(Object::empty(file)),
    };
    let ends = tokenizer::Ends {
        config: &text("config.json")?,
        generation_config: &text("generation_config.json")?,
        tokenizer_config: &text("tokenizer_config.json")?,
    };
    let mut metadata = Metadata::default();
    tokenizer::convert(&text("tokenizer.json")?, &ends, &mut metadata)?;
    Ok(metadata)
}
