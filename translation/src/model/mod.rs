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

/// Embedding of tokens.
pub struct Embedding {
    /// [n_vocab, d]
    weight: Weight,
    scale: f32,
    positions: positions::Positions,
}

/// Weight of the head.
const HEAD: &str = "lm_head.weight";

impl Embedding {
    /// Takes the weight [n, d], which may have any of `names`, and the positions that files may have for each of `sides`.
    fn take(
        config: &Config,
        tensors: &mut Tensors,
        names: &[&str],
        n: usize,
        sides: &[&str],
    ) -> Result<Self> {
        let d = config.d_model;
        let weight = tensors.tied(names, n, d)?;
        let positions = match config.positions {
            Positions::Sinusoid { kind, max } => {
                let mut rows = positions::Positions::Computed(kind);
                for side in sides {
                    let name = format!("{side}.embed_positions.weight");
                    if tensors.has(&name) {
                        rows = positions::Positions::Stored(tensors.plain(&name, max * d)?);
                    }
                }
                rows
            }
            Positions::Relative { .. } => positions::Positions::None,
        };
        Ok(Self {
            weight,
            scale: config.embedding_scale,
            positions,
        })
    }

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
    /// Embedding of a text's tokens, and of an answer's where it has none of its own.
    pub embedding: Embedding,
    own_target: Option<Embedding>,
    pub encoder: Encoder,
    pub decoder: Decoder,
}

impl Model {
    /// Returns the embedding of an answer's tokens.
    pub fn target(&self) -> &Embedding {
        self.own_target.as_ref().unwrap_or(&self.embedding)
    }

    /// Makes the model of all of its tensors.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], and [`Error::UnsupportedArchitecture`] for a tensor that nothing here
    /// computes with.
    pub fn new(config: Config, tensors: &mut Tensors) -> Result<Self> {
        let (embedding, own_target) = match config.n_target {
            None => {
                let names = [
                    "shared.weight",
                    "encoder.embed_tokens.weight",
                    "decoder.embed_tokens.weight",
                    HEAD,
                ];
                let names = &names[..3 + usize::from(config.is_tied)];
                let sides = ["encoder", "decoder"];
                let of = Embedding::take(&config, tensors, names, config.n_vocab, &sides)?;
                (of, None)
            }
            Some(n_target) => {
                let names = ["encoder.embed_tokens.weight"];
                let of = Embedding::take(&config, tensors, &names, config.n_vocab, &["encoder"])?;
                let names = ["decoder.embed_tokens.weight", HEAD];
                let names = &names[..1 + usize::from(config.is_tied)];
                let target = Embedding::take(&config, tensors, names, n_target, &["decoder"])?;
                (of, Some(target))
            }
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
            own_target,
            encoder,
            decoder,
        })
    }
}
