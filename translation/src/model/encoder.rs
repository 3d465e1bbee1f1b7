//! Encoder: the tokens of a text to a row of d values each.

use hearth_cpu::layers::Memory;
use hearth_modelfile::Result;

use super::Embedding;
use super::bias::RelativeBias;
use super::build::{self, Side};
use super::layers::{Attention, FeedForward, Norm};
use crate::config::Config;
use crate::tensors::Tensors;

struct Layer {
    attention: Attention,
    feed_forward: FeedForward,
    /// Its own biases of positions, where a family has them in each layer.
    bias: Option<RelativeBias>,
}

/// Layers that see the whole text.
pub struct Encoder {
    layers: Vec<Layer>,
    norm: Option<Norm>,
}

/// A text on its way through the layers.
pub struct Encoding {
    /// [tokens, d]
    x: Vec<f32>,
    layer: usize,
}

impl Encoding {
    /// Returns how many layers are done.
    pub fn done(&self) -> usize {
        self.layer
    }
}

impl Encoder {
    /// Takes the encoder's tensors.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::MissingTensor`], [`hearth_modelfile::Error::TensorShape`].
    pub fn new(config: &Config, tensors: &mut Tensors) -> Result<Self> {
        let side = Side::Encoder;
        let layers = (0..config.encoder_layers).map(|index| {
            let names = build::Layer {
                config,
                side,
                index,
            };
            Ok(Layer {
                attention: names.attention(tensors, false)?,
                feed_forward: names.feed_forward(tensors)?,
                bias: names.bias(tensors)?,
            })
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            norm: side.last_norm(config, tensors)?,
        })
    }

    /// Returns the number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Begins a text.
    pub fn begin(&self, embedding: &Embedding, tokens: &[u32]) -> Encoding {
        Encoding {
            x: embedding.of(tokens, 0),
            layer: 0,
        }
    }

    /// Computes one layer; returns the result [tokens, d] after the last.
    pub fn step(&self, encoding: &mut Encoding) -> Option<Vec<f32>> {
        if let Some(layer) = self.layers.get(encoding.layer) {
            let bias = layer.bias.as_ref();
            let bias = bias.or_else(|| self.layers.first()?.bias.as_ref());
            layer.attend(&mut encoding.x, bias);
            layer.feed_forward.apply(&mut encoding.x);
            encoding.layer += 1;
        }
        let x = &encoding.x;
        (encoding.layer >= self.layers.len())
            .then(|| (self.norm.as_ref()).map_or_else(|| x.clone(), |norm| norm.of(x)))
    }
}

impl Layer {
    fn attend(&self, x: &mut Vec<f32>, bias: Option<&RelativeBias>) {
        let of = &self.attention;
        of.place.apply(x, |x| {
            let (keys, values) = (of.key.of(x), of.value.of(x));
            let memory = Memory::new(&keys, &values, of.heads, of.head_dim);
            let positions = memory.positions();
            let add = |h: usize, first: usize, scores: &mut [f32]| {
                let Some(bias) = bias else { return };
                for (r, row) in scores.chunks_exact_mut(positions.max(1)).enumerate() {
                    bias.add(h, first + r, row);
                }
            };
            let mixed = memory.attend_biased(&of.queries(x), add, |_, _, _| {});
            of.out.of(&mixed)
        });
    }
}
