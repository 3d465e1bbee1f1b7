//! Decoder: tokens so far to logits of the next, with the encoder's output in sight.

use hearth_cpu::layers::{Memory, Past};
use hearth_modelfile::Result;

use super::Embedding;
use super::bias::RelativeBias;
use super::build::{self, Side};
use super::layers::{Attention, FeedForward, Norm};
use crate::config::Config;
use crate::tensors::Tensors;
use crate::weight::Weight;

struct Layer {
    own: Attention,
    cross: Attention,
    feed_forward: FeedForward,
    bias: Option<RelativeBias>,
}

/// Layers with a causal and a cross attention each.
pub struct Decoder {
    layers: Vec<Layer>,
    norm: Option<Norm>,
    /// A head of its own [n_vocab, d]; otherwise the embedding is the head.
    head: Option<Weight>,
    /// Factor of the states that the head reads.
    scale: f32,
    /// Numbers that are added to logits [n_vocab].
    bias: Option<Vec<f32>>,
}

/// Keys and values of the encoder's output in each layer, made once.
pub type Seen = Vec<Memory>;

/// Tokens that were computed, and what later ones need of them.
pub struct Context {
    seen: Seen,
    layers: Vec<Past>,
    tokens: usize,
}

impl Decoder {
    /// Takes the decoder's tensors.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::MissingTensor`], [`hearth_modelfile::Error::TensorShape`].
    pub fn new(config: &Config, tensors: &mut Tensors) -> Result<Self> {
        let side = Side::Decoder;
        let layers = (0..config.decoder_layers).map(|index| {
            let names = build::Layer {
                config,
                side,
                index,
            };
            Ok(Layer {
                own: names.attention(tensors, false)?,
                cross: names.attention(tensors, true)?,
                feed_forward: names.feed_forward(tensors)?,
                bias: names.bias(tensors)?,
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        // Some files have one, from an early version of the reference; it is never read.
        tensors.drop("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");
        let (n, d) = (config.n_vocab, config.d_model);
        let bias = "final_logits_bias";
        Ok(Self {
            layers,
            norm: side.last_norm(config, tensors)?,
            head: match config.is_tied {
                true => None,
                false => Some(tensors.weight("lm_head.weight", n, d)?),
            },
            scale: config.head_scale,
            bias: match tensors.has(bias) {
                true => Some(tensors.plain(bias, n)?),
                false => None,
            },
        })
    }

    /// Computes what the cross attention of every layer reads: `encoded`: [tokens, d].
    pub fn see(&self, encoded: &[f32]) -> Seen {
        let memory = |layer: &Layer| {
            let of = &layer.cross;
            let (keys, values) = (of.key.of(encoded), of.value.of(encoded));
            Memory::new(&keys, &values, of.heads, of.head_dim)
        };
        self.layers.iter().map(memory).collect()
    }

    /// Begins an answer to what is seen.
    pub fn begin(&self, seen: Seen) -> Context {
        Context {
            seen,
            layers: vec![Past::default(); self.layers.len()],
            tokens: 0,
        }
    }

    /// Computes the next tokens and returns the logits [n_vocab] behind the last.
    pub fn run(&self, embedding: &Embedding, tokens: &[u32], context: &mut Context) -> Vec<f32> {
        let mut x = embedding.of(tokens, context.tokens);
        let first = self.layers.first().and_then(|layer| layer.bias.as_ref());
        let states = self.layers.iter().zip(&mut context.layers);
        for ((layer, past), seen) in states.zip(&context.seen) {
            let bias = layer.bias.as_ref().or(first);
            layer.attend(&mut x, past, bias);
            let of = &layer.cross;
            of.place.apply(&mut x, |x| {
                of.out.of(&seen.attend(&of.queries(x), |_, _, _| {}))
            });
            layer.feed_forward.apply(&mut x);
        }
        context.tokens += tokens.len();
        let d = embedding.weight.shape().1;
        let last = &x[x.len().saturating_sub(d)..];
        let mut state = (self.norm.as_ref()).map_or_else(|| last.to_vec(), |norm| norm.of(last));
        state.iter_mut().for_each(|v| *v *= self.scale);
        let head = self.head.as_ref().unwrap_or(&embedding.weight);
        head.times(&state, self.bias.as_deref())
    }
}

impl Layer {
    fn attend(&self, x: &mut Vec<f32>, past: &mut Past, bias: Option<&RelativeBias>) {
        let of = &self.own;
        of.place.apply(x, |x| {
            let (keys, values) = (of.key.of(x), of.value.of(x));
            let add = |h: usize, position: usize, scores: &mut [f32]| {
                if let Some(bias) = bias {
                    bias.add(h, position, scores);
                }
            };
            let shape = (of.heads, of.head_dim);
            of.out
                .of(&past.attend(&of.queries(x), &keys, &values, shape, add))
        });
    }
}
