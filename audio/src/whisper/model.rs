//! A loaded Whisper model.

use std::ops::Deref;
use std::rc::Rc;

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

impl Parts {
    /// Returns the heads of the cross attention that follow the sound, of those that the model has.
    pub(super) fn alignment_heads(&self) -> Vec<(usize, usize)> {
        let config = &self.config;
        let heads = self.specials.alignment_heads.iter().copied();
        heads
            .filter(|(layer, head)| *layer < config.decoder_layers && *head < config.decoder_heads)
            .collect()
    }

    /// Returns what the core has to know besides the tensors, as JSON: sizes, and sets of ids that are never written and those that
    /// do not begin a window, in this order ([`Set`]).
    pub fn network(&self) -> String {
        let suppress = &self.specials.suppress;
        let at_begin = [suppress.as_slice(), &self.specials.begin_suppress].concat();
        serde_json::json!({ "shape": self.config, "banned": [suppress, at_begin] }).to_string()
    }
}

/// Sets of banned ids, as a network elsewhere has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Nothing,
    Suppressed,
    SuppressedAtBegin,
}

/// A model that is computed here: encoder, decoder and vocabulary.
pub struct Whisper {
    pub parts: Rc<Parts>,
    pub encoder: Encoder,
    pub decoder: Decoder,
    /// Values in all tensors, and bytes that they take.
    pub parameters: u64,
    pub bytes: u64,
}

impl Deref for Whisper {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Whisper {
    /// Makes the model of its parts and all of its tensors.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], and [`Error::UnsupportedArchitecture`] for a tensor that nothing here
    /// computes with.
    pub fn new(parts: Parts, mut tensors: Tensors) -> Result<Self> {
        let (parameters, bytes) = tensors.size();
        let encoder = Encoder::new(&parts.config, &mut tensors)?;
        let decoder = Decoder::new(&parts.config, &parts.alignment_heads(), &mut tensors)?;
        if let Some(name) = tensors.unread() {
            return Err(Error::UnsupportedArchitecture {
                found: format!("Whisper with a tensor \"{name}\""),
                known: vec!["whisper"],
            });
        }
        Ok(Self {
            parts: Rc::new(parts),
            encoder,
            decoder,
            parameters,
            bytes,
        })
    }
}
