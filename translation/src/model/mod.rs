//! Encoder and decoder of all families, which differ in where norms are, in activations and in positions.
//!
//! Sources: transformers' `modeling_t5.py`, `modeling_umt5.py`, `modeling_marian.py` and `modeling_m2m_100.py`.

pub mod bias;
mod build;
mod decoder;
mod encoder;
mod layers;
mod positions;

use hearth_modelfile::{Error, Result};

use crate::config::{Config, Positions};
use crate::tensors::Tensors;
use crate::weight::Weight;

pub use decoder::{Context, Decoder, Seen};
pub use encoder::{Encoder, Encoding};

/// Embedding of tokens, which encoder and decoder share.
pub struct Embedding {
    /// [n_vocab, d]
    weight: Weight,
    scale: f32,
}

impl Embedding {
    /// Returns the rows of tokens with their positions [.., d], of which the first is `from`, if they have any.
    fn of(&self, tokens: &[u32], positions: &[f32], from: usize) -> Vec<f32> {
        let d = self.weight.shape().1;
        let mut x = vec![0.0; tokens.len() * d];
        for (row, token) in x.chunks_exact_mut(d.max(1)).zip(tokens) {
            self.weight.row(*token as usize, row);
            row.iter_mut().for_each(|v| *v *= self.scale);
        }
        for (v, position) in x
            .iter_mut()
            .zip(positions.get(from * d..).into_iter().flatten())
        {
            *v += position;
        }
        x
    }
}

/// Encoder, decoder and what they share.
pub struct Model {
    pub config: Config,
    pub embedding: Embedding,
    pub encoder: Encoder,
    pub decoder: Decoder,
}

impl Model {
    /// Makes the model of all of its tensors.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], and [`Error::UnsupportedArchitecture`] for a tensor that nothing here
    /// computes with.
    pub fn new(config: Config, tensors: &mut Tensors) -> Result<Self> {
        let (n, d) = (config.n_vocab, config.d_model);
        let mut names = vec![
            "shared.weight",
            "encoder.embed_tokens.weight",
            "decoder.embed_tokens.weight",
        ];
        if config.is_tied {
            names.push("lm_head.weight");
        }
        let embedding = Embedding {
            weight: tensors.tied(&names, n, d)?,
            scale: config.embedding_scale,
        };
        let positions = match config.positions {
            Positions::Sinusoid { kind, max } => {
                let stored =
                    ["encoder", "decoder"].map(|of| format!("{of}.embed_positions.weight"));
                let mut rows = None;
                for name in stored {
                    if tensors.has(&name) {
                        rows = Some(tensors.plain(&name, max * d)?);
                    }
                }
                rows.unwrap_or_else(|| positions::sinusoids(kind, max, d))
            }
            Positions::Relative { .. } => Vec::new(),
        };
        let encoder = Encoder::new(&config, positions.clone(), tensors)?;
        let decoder = Decoder::new(&config, positions, tensors)?;
        if let Some(name) = tensors.unread() {
            return Err(Error::UnsupportedArchitecture {
                found: format!("{} with a tensor \"{name}\"", config.family.name()),
                known: vec!["t5", "marian", "m2m_100"],
            });
        }
        Ok(Self {
            config,
            embedding,
            encoder,
            decoder,
        })
    }
}
