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

pub use decoder::{Context, Decoder};
pub use encoder::{Encoder, Encoding};

/// Embedding of tokens, which encoder and decoder share.
pub struct Embedding {
    /// [n_vocab, d]
    weight: Weight,
    scale: f32,
    positions: positions::Positions,
}

impl Embedding {
    /// Returns the rows of tokens [.., d], of which the first is at position `from`.
    fn of(&self, tokens: &[u32], from: usize) -> Vec<f32> {
        let d = self.weight.shape().1;
        let mut x = vec![0.0; tokens.len() * d];
        for (row, token) in x.chunks_exact_mut(d.max(1)).zip(tokens) {
            self.weight.row(*token as usize, row);
            row.iter_mut().for_each(|v| *v *= self.scale);
        }
        self.positions.add(&mut x, from, d);
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
        let weight = tensors.tied(&names, n, d)?;
        let positions = match config.positions {
            Positions::Sinusoid { kind, max } => {
                let mut rows = positions::Positions::Computed(kind);
                for side in ["encoder", "decoder"] {
                    let name = format!("{side}.embed_positions.weight");
                    if tensors.has(&name) {
                        rows = positions::Positions::Stored(tensors.plain(&name, max * d)?);
                    }
                }
                rows
            }
            Positions::Relative { .. } => positions::Positions::None,
        };
        let embedding = Embedding {
            weight,
            scale: config.embedding_scale,
            positions,
        };
        let encoder = Encoder::new(&config, tensors)?;
        let decoder = Decoder::new(&config, tensors)?;
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
