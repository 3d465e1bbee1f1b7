//! Loads a model from a stream of bytes: transformers' folder (texts, then `model.safetensors`) or whisper.cpp's `.bin`.
//!
//! The file is never in memory as a whole: each tensor is converted when its last byte has come.

use std::collections::HashMap;

use hearth_modelfile::container::safetensors;
use hearth_modelfile::container::{Parsed, TensorInfo};
use hearth_modelfile::{Error, Result};

use super::config::{Config, Specials};
use super::model::{Parts, Whisper};
use super::tensors::{Handed, Tensors};
use super::vocabulary::Vocabulary;
use super::{ggml, heads};

/// Length of what is read at once before the kind of a file is known.
const MAGIC_BYTES: usize = 9;

enum Stage {
    /// The kind is not known yet.
    Start,
    Safetensors {
        /// Tensors to come, the next one last.
        tensors: Vec<TensorInfo>,
        /// Offset in the file of the first byte in the buffer.
        offset: u64,
    },
    GgmlHeader,
    Ggml(ggml::Header),
}

/// A load under way.
pub struct Loader {
    texts: HashMap<String, String>,
    buffer: Vec<u8>,
    stage: Stage,
    tensors: Tensors,
}

impl Default for Loader {
    fn default() -> Self {
        Self {
            texts: HashMap::new(),
            buffer: Vec::new(),
            stage: Stage::Start,
            tensors: Tensors::default(),
        }
    }
}

impl Loader {
    /// Begins a load of a model that is computed elsewhere: its tensors are handed over as they come.
    pub fn handing_over() -> Self {
        Self {
            tensors: Tensors::handing_over(),
            ..Self::default()
        }
    }

    /// Returns the next tensor that is handed over, if it has come.
    pub fn hand_over(&mut self) -> Option<Handed> {
        self.tensors.hand_over()
    }

    /// Gives a text of the model's folder by its name.
    pub fn text(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), text.to_owned());
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// [`Error::BadFile`], [`Error::UnsupportedQuant`], [`Error::OutOfMemory`].
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
        match &mut self.stage {
            Stage::Start => {
                if self.buffer.len() < MAGIC_BYTES {
                    return Ok(false);
                }
                if self.buffer.starts_with(&ggml::MAGIC) {
                    self.stage = Stage::GgmlHeader;
                    return Ok(true);
                }
                if !safetensors::is_safetensors(&self.buffer) {
                    return Err(Error::BadFile {
                        format: "Whisper",
                        what: "the first bytes".into(),
                        expected: "model.safetensors, or a .bin of whisper.cpp".into(),
                        found: if self.buffer.starts_with(b"GGUF") {
                            "GGUF, for which Whisper has no standard".into()
                        } else {
                            "another format".into()
                        },
                    });
                }
                let Parsed::Header(header) = safetensors::parse(&self.buffer, None)? else {
                    return Ok(false);
                };
                self.buffer.drain(..header.data_offset as usize);
                let mut tensors = header.tensors;
                tensors.reverse();
                self.stage = Stage::Safetensors {
                    tensors,
                    offset: header.data_offset,
                };
                Ok(true)
            }
            Stage::Safetensors { tensors, offset } => {
                let Some(next) = tensors.last() else {
                    self.buffer.clear();
                    return Ok(false);
                };
                let from = next.offset.saturating_sub(*offset) as usize;
                let to = from.saturating_add(next.size as usize);
                let Some(bytes) = self.buffer.get(from..to) else {
                    return Ok(false);
                };
                let shape: Vec<u64> = next.shape.iter().rev().copied().collect();
                self.tensors.add(&next.name, &shape, next.dtype, bytes)?;
                *offset += to as u64;
                tensors.pop();
                self.buffer.drain(..to);
                Ok(true)
            }
            Stage::GgmlHeader => {
                let Some((header, len)) = ggml::header(&self.buffer)? else {
                    return Ok(false);
                };
                self.buffer.drain(..len);
                self.stage = Stage::Ggml(header);
                Ok(true)
            }
            Stage::Ggml(_) => {
                let Some((tensor, len)) = ggml::tensor(&self.buffer)? else {
                    return Ok(false);
                };
                let Some(bytes) = self.buffer.get(len..len + tensor.size) else {
                    return Ok(false);
                };
                self.tensors
                    .add(&tensor.name, &tensor.shape, tensor.dtype, bytes)?;
                self.buffer.drain(..len + tensor.size);
                Ok(true)
            }
        }
    }

    /// Makes the model of what came.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the file ended early; [`Error::MissingTensor`], [`Error::TensorShape`] or
    /// [`Error::Metadata`] if it is no complete Whisper model, or has more than one computes; [`Error::InvalidRequest`] if a text of
    /// the folder is missing.
    pub fn finish(self) -> Result<Whisper> {
        let (parts, tensors) = self.parts()?;
        Whisper::new(parts, tensors)
    }

    /// Returns what the files of a model that is computed elsewhere say besides its weights, and the number of these.
    ///
    /// # Errors
    /// As [`Loader::finish`].
    pub fn finish_elsewhere(self) -> Result<(Parts, u64)> {
        let (parts, tensors) = self.parts()?;
        Ok((parts, tensors.size().0))
    }

    fn parts(self) -> Result<(Parts, Tensors)> {
        let is_whole = match &self.stage {
            Stage::Safetensors { tensors, .. } => tensors.is_empty(),
            Stage::Ggml(_) => self.buffer.is_empty(),
            Stage::Start | Stage::GgmlHeader => false,
        };
        if !is_whole {
            return Err(Error::Truncated {
                what: "the model's next part".into(),
                needed: self.buffer.len() as u64 + 1,
                available: self.buffer.len() as u64,
            });
        }
        let text = |name: &str| {
            self.texts.get(name).ok_or_else(|| Error::InvalidRequest {
                field: "model".into(),
                expected: format!("a folder with {name} beside its weights"),
                found: "none".into(),
            })
        };
        let mut parts = match self.stage {
            Stage::Ggml(header) => {
                let mut specials = Specials::of_vocab(header.config.n_vocab)?;
                let vocabulary = Vocabulary::new(header.tokens, specials.ids.eot);
                // Transformers' files list the ids that are never written; here they are computed.
                specials.suppress = vocabulary.not_speech();
                specials.suppress.extend([
                    specials.transcribe,
                    specials.translate,
                    specials.start,
                    specials.previous,
                    specials.previous - 1,
                    specials.ids.no_timestamps - 1,
                ]);
                Parts {
                    config: header.config,
                    specials,
                    vocabulary,
                }
            }
            _ => {
                let config = Config::from_json(text("config.json")?)?;
                let specials =
                    Specials::from_json(text("generation_config.json")?, config.n_vocab)?;
                let vocabulary = Vocabulary::from_json(text("tokenizer.json")?, specials.ids.eot)?;
                Parts {
                    config,
                    specials,
                    vocabulary,
                }
            }
        };
        if parts.specials.alignment_heads.is_empty() {
            parts.specials.alignment_heads = heads::known(&parts.config);
        }
        Ok((parts, self.tensors))
    }
}
