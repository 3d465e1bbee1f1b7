//! A loaded Whisper model.

use hearth_modelfile::{Error, Result};

use super::config::{Config, Specials};
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::tensors::Tensors;
use super::vocabulary::Vocabulary;

/// Everything that a model's files say besides its weights.
pub struct Parts {
    pub config: Config,
    pub specials: Specials,
    pub vocabulary: Vocabulary,
}

/// Encoder, decoder and vocabulary.
pub struct Whisper {
    pub config: Config,
    pub specials: Specials,
    pub vocabulary: Vocabulary,
    pub encoder: Encoder,
    pub decoder: Decoder,
    /// Values in all tensors, and bytes that they take.
    pub parameters: u64,
    pub bytes: u64,
}

impl Whisper {
    /// Makes the model of its parts and all of its tensors.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], and [`Error::UnsupportedArchitecture`] for a tensor that nothing here
    /// computes with.
    pub fn new(parts: Parts, mut tensors: Tensors) -> Result<Self> {
        let Parts {
            config,
            specials,
            vocabulary,
        } = parts;
        let (parameters, bytes) = tensors.size();
        let encoder = Encoder::new(&config, &mut tensors)?;
        let heads = specials.alignment_heads.iter().copied();
        let heads: Vec<(usize, usize)> = heads
            .filter(|(layer, head)| *layer < config.decoder_layers && *head < config.decoder_heads)
            .collect();
        let decoder = Decoder::new(&config, &heads, &mut tensors)?;
        if let Some(name) = tensors.unread() {
            return Err(Error::UnsupportedArchitecture {
                found: format!("Whisper with a tensor \"{name}\""),
                known: vec!["whisper"],
            });
        }
        Ok(Self {
            config,
            specials,
            vocabulary,
            encoder,
            decoder,
            parameters,
            bytes,
        })
    }
}
