//! Loads a model from a stream of bytes: transformers' folder (texts and SentencePiece's files, then `model.safetensors`, or its
//! parts one after another) or a GGUF file.
//!
//! The file is never in memory as a whole: each tensor is converted when its last byte has come.

use std::collections::BTreeMap;

use hearth_modelfile::container::{Metadata, ModelHeader, Parsed, TensorInfo, gguf, safetensors};
use hearth_modelfile::huggingface;
use hearth_modelfile::text::tokenizer::Tokenizer;
use hearth_modelfile::{Error, Result};
use serde::Serialize;

use crate::config::{Config, Family};
use crate::languages::{Languages, Said};
use crate::model::Model;
use crate::tensors::Tensors;
use crate::translator::Translator;
use crate::vocabulary::Vocabulary;

mod about;
mod names;

/// Length of what is read at once before the kind of a file is known.
const MAGIC_BYTES: usize = 9;

/// A file of a model's folder, beside its weights.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct File {
    pub name: &'static str,
    /// Whether it is no text.
    pub binary: bool,
    /// Whether each folder has it.
    pub required: bool,
}

const fn text(name: &'static str, required: bool) -> File {
    File {
        name,
        binary: false,
        required,
    }
}

const fn binary(name: &'static str) -> File {
    File {
        name,
        binary: true,
        required: false,
    }
}

/// Files that folders have beside their weights.
pub const MODEL_FILES: [File; 12] = [
    text("config.json", true),
    text("generation_config.json", false),
    text("tokenizer.json", false),
    text("tokenizer_config.json", false),
    text("vocab.json", false),
    text("added_tokens.json", false),
    text("README.md", false),
    binary("source.spm"),
    binary("target.spm"),
    binary("spiece.model"),
    binary("sentencepiece.bpe.model"),
    text("target_vocab.json", false),
];

enum Stage {
    /// The kind of the next file is not known yet.
    Start {
        /// Bytes that its header needs at least.
        at_least: usize,
    },
    Tensors {
        /// Tensors to come, the next one last.
        tensors: Vec<TensorInfo>,
        /// Offset in the file of the first byte in the buffer.
        offset: u64,
        /// Length of the file, as far as it is known.
        end: u64,
    },
}

/// A load under way.
pub struct Loader {
    texts: BTreeMap<String, String>,
    binaries: BTreeMap<String, Vec<u8>>,
    buffer: Vec<u8>,
    stage: Stage,
    tensors: Tensors,
    /// The header of a GGUF file.
    gguf: Option<(Metadata, Config)>,
    /// Whether any file of weights has begun.
    has_weights: bool,
}

impl Default for Loader {
    fn default() -> Self {
        Self {
            texts: BTreeMap::new(),
            binaries: BTreeMap::new(),
            buffer: Vec::new(),
            stage: Stage::Start {
                at_least: MAGIC_BYTES,
            },
            tensors: Tensors::default(),
            gguf: None,
            has_weights: false,
        }
    }
}

fn bad(what: &str, expected: &str, found: &str) -> Error {
    Error::BadFile {
        format: "translation model",
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

impl Loader {
    /// Gives a text of the model's folder by its name.
    pub fn text(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), text.to_owned());
    }

    /// Gives another file of the model's folder by its name.
    pub fn file(&mut self, name: &str, bytes: Vec<u8>) {
        self.binaries.insert(name.to_owned(), bytes);
    }

    /// Takes the next bytes of the weights.
    ///
    /// # Errors
    /// [`Error::BadFile`], [`Error::UnsupportedArchitecture`], [`Error::UnsupportedQuant`], [`Error::Metadata`],
    /// [`Error::OutOfMemory`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer
            .try_reserve(bytes.len())
            .map_err(|_| Error::OutOfMemory {
                what: "the file's next tensor".into(),
                needed: bytes.len() as u64,
                available: isize::MAX as u64,
            })?;
        self.buffer.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Reads one thing from the buffer; returns false if it needs more bytes.
    fn step(&mut self) -> Result<bool> {
        let gated = self.gguf.as_ref().map(|(_, config)| config.is_gated);
        match &mut self.stage {
            Stage::Start { at_least } => {
                if self.buffer.len() < *at_least {
                    return Ok(false);
                }
                let parsed = if self.buffer.starts_with(b"GGUF") {
                    gguf::parse(&self.buffer, None)?
                } else if safetensors::is_safetensors(&self.buffer) {
                    safetensors::parse(&self.buffer, None)?
                } else {
                    let found = match self.buffer.starts_with(b"PK") {
                        true => "a file of PyTorch, which has to be converted to safetensors",
                        false => "another format",
                    };
                    return Err(bad("the first bytes", "safetensors or GGUF", found));
                };
                match parsed {
                    Parsed::Header(header) => self.begin(header)?,
                    Parsed::NeedMore { at_least: more } => {
                        *at_least = usize::try_from(more)
                            .unwrap_or(usize::MAX)
                            .max(self.buffer.len() + 1);
                    }
                }
                Ok(true)
            }
            Stage::Tensors {
                tensors,
                offset,
                end,
            } => {
                let Some(next) = tensors.last() else {
                    if gated.is_some() {
                        // Bytes that align what follows.
                        self.buffer.clear();
                        return Ok(false);
                    }
                    let rest = end.saturating_sub(*offset) as usize;
                    if self.buffer.len() < rest {
                        return Ok(false);
                    }
                    self.buffer.drain(..rest);
                    self.stage = Stage::Start {
                        at_least: MAGIC_BYTES,
                    };
                    return Ok(true);
                };
                let from = next.offset.saturating_sub(*offset) as usize;
                let to = from.saturating_add(next.size as usize);
                let Some(bytes) = self.buffer.get(from..to) else {
                    return Ok(false);
                };
                let shape: Vec<u64> = next.shape.iter().rev().copied().collect();
                if let Some(name) = names::of(&next.name, gated) {
                    self.tensors.add(&name, &shape, next.dtype, bytes)?;
                }
                *offset += to as u64;
                tensors.pop();
                self.buffer.drain(..to);
                Ok(true)
            }
        }
    }

    /// Begins the tensors of a file whose header is known.
    fn begin(&mut self, header: ModelHeader) -> Result<()> {
        let mut tensors = header.tensors;
        tensors.sort_by_key(|tensor| tensor.offset);
        let last = tensors.last().map(|tensor| tensor.offset + tensor.size);
        let mut end = last.unwrap_or(header.data_offset);
        if self.buffer.starts_with(b"GGUF") {
            if self.has_weights {
                return Err(bad(
                    "the weights",
                    "one GGUF file",
                    "another file before it",
                ));
            }
            let config = Config::from_gguf(&header.metadata, &tensors)?;
            self.gguf = Some((header.metadata, config));
        } else {
            let json = self.buffer.get(8..header.data_offset as usize);
            end = end.max(header.data_offset + about::data_bytes(json.unwrap_or_default()));
        }
        self.has_weights = true;
        self.buffer.drain(..header.data_offset as usize);
        tensors.reverse();
        self.stage = Stage::Tensors {
            tensors,
            offset: header.data_offset,
            end,
        };
        Ok(())
    }

    /// Makes the model of what came.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the file ended early; [`Error::MissingTensor`], [`Error::TensorShape`] or
    /// [`Error::Metadata`] if it is no complete model, or has more than is computed here; [`Error::Tokenizer`];
    /// [`Error::InvalidRequest`] if a file of the folder is missing.
    pub fn finish(mut self) -> Result<Translator> {
        // A header may be shorter than what is usually read at once.
        if let Stage::Start { at_least } = &mut self.stage {
            *at_least = MAGIC_BYTES;
            while self.step()? {}
        }
        let is_whole = match &self.stage {
            Stage::Start { .. } => self.buffer.is_empty() && self.has_weights,
            Stage::Tensors { tensors, .. } => tensors.is_empty() && self.gguf.is_some(),
        };
        if !is_whole {
            return Err(Error::Truncated {
                what: "the model's next part".into(),
                needed: self.buffer.len() as u64 + 1,
                available: self.buffer.len() as u64,
            });
        }
        let (config, vocabulary, about) = match self.gguf.take() {
            Some((metadata, config)) => {
                let tokenizer = Tokenizer::from_gguf(&metadata)?;
                let vocabulary = Vocabulary::Whole(Box::new(tokenizer));
                (config, vocabulary, about::of_gguf(&metadata))
            }
            None => {
                let config = self.config()?;
                let vocabulary = self.vocabulary(&config)?;
                (config, vocabulary, about::of_texts(&self.texts))
            }
        };
        for (tokens, rows) in [
            (vocabulary.n_read(), config.n_vocab),
            (vocabulary.n_written(), config.n_written()),
        ] {
            if tokens > rows {
                let message = format!("{tokens} tokens, and {rows} rows of the embedding");
                return Err(Error::Tokenizer { message });
            }
        }
        let said = Said {
            source: about.source,
            target: about.target,
        };
        let languages = Languages::of(&config, &vocabulary, &said);
        let (parameters, bytes) = self.tensors.size();
        Ok(Translator {
            model: Model::new(config, &mut self.tensors)?,
            vocabulary,
            languages,
            name: about.name,
            licence: about.licence,
            parameters,
            bytes,
        })
    }

    fn needed(&self, name: &str) -> Error {
        Error::InvalidRequest {
            field: "model".into(),
            expected: format!("a folder with {name} beside its weights"),
            found: "none".into(),
        }
    }

    fn config(&self) -> Result<Config> {
        let text = |name: &str| self.texts.get(name).map(String::as_str);
        let config = text("config.json").ok_or_else(|| self.needed("config.json"))?;
        let is_nllb = about::is_nllb(&self.texts);
        Config::from_texts(config, text("generation_config.json"), is_nllb)
    }

    fn vocabulary(&self, config: &Config) -> Result<Vocabulary> {
        let spm = match config.family {
            Family::T5 => "spiece.model",
            Family::Marian => "source.spm",
            Family::M2m100 | Family::Nllb => "sentencepiece.bpe.model",
        };
        let text = |name: &str| self.texts.get(name).map(String::as_str);
        let spm_bytes = self.binaries.get(spm);
        let legacy = "legacy_behaviour";
        if about::tokenizer(&self.texts)[legacy] == true {
            let message = format!(
                "tokenizer_config.json: {legacy}: expected false: a text's language before it"
            );
            return Err(Error::Tokenizer { message });
        }
        let is_apart = about::has_two_vocabularies(&self.texts);
        let has_ids = matches!(config.family, Family::Marian | Family::M2m100);
        if let (true, Some(bytes), Some(vocab)) = (has_ids, spm_bytes, text("vocab.json")) {
            let target = text("target_vocab.json").filter(|_| is_apart);
            if is_apart && target.is_none() {
                return Err(self.needed("target_vocab.json"));
            }
            return Vocabulary::mapped(bytes, vocab, text("added_tokens.json"), target);
        }
        if is_apart {
            return Err(self.needed(&format!("vocab.json, target_vocab.json and {spm}")));
        }
        if self.texts.contains_key("tokenizer.json") {
            let metadata = huggingface::tokenizer(&self.texts)?;
            let tokenizer = Tokenizer::from_gguf(&metadata)?;
            return Ok(Vocabulary::Whole(Box::new(tokenizer)));
        }
        match (config.family, spm_bytes) {
            (Family::T5, Some(bytes)) => {
                let metadata = crate::sentencepiece::metadata(bytes)?;
                let tokenizer = Tokenizer::from_gguf(&metadata)?;
                Ok(Vocabulary::Whole(Box::new(tokenizer)))
            }
            (Family::T5, None) => Err(self.needed("tokenizer.json or spiece.model")),
            (Family::Nllb, Some(bytes)) => Vocabulary::nllb(bytes, &about::tokenizer(&self.texts)),
            (Family::Nllb, None) => Err(self.needed(&format!("tokenizer.json or {spm}"))),
            _ => Err(self.needed(&format!("vocab.json and {spm}, or tokenizer.json,"))),
        }
    }
}
