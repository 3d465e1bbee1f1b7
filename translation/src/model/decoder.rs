//! Decoder: tokens so far to logits of the next, with the encoder's output in sight.

use std::rc::Rc;

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
    /// A head of its own [ids, d]; otherwise the embedding of answers is the head.
    head: Option<Weight>,
    /// Factor of the states that the head reads.
    scale: f32,
    /// Bias of the logits, [ids].
    bias: Option<Vec<f32>>,
}

/// Keys and values of the encoder's output in each layer, made once.
pub type Seen = Rc<[Memory]>;

/// Tokens that were computed, and what later ones need of them.
#[derive(Clone)]
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
        let (n, d) = (config.n_written(), config.d_model);
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

    /// Computes the next tokens and returns the logits [ids] behind the last.
    pub fn run(&self, embedding: &Embedding, tokens: &[u32], context: &mut Context) -> Vec<f32> {
        self.run_all(embedding, &[tokens], std::slice::from_mut(context))
    }

    /// Computes the next tokens of answers to the same text, the same number of each, and returns the logits behind the last of
    /// each, one row after another. Weights are read once for all of them.
    pub fn run_all(
        &self,
        embedding: &Embedding,
        tokens: &[&[u32]],
        contexts: &mut [Context],
    ) -> Vec<f32> {
        let pairs = tokens.iter().zip(contexts.iter());
        let mut x: Vec<f32> = pairs
            .flat_map(|(tokens, context)| embedding.of(tokens, context.tokens))
            .collect();
        let rows = tokens.first().map_or(0, |tokens| tokens.len());
        let Some(seen) = contexts.first().map(|context| Rc::clone(&context.seen)) else {
            return Vec::new();
        };
        let first = self.layers.first().and_then(|layer| layer.bias.as_ref());
        for (i, (layer, seen)) in self.layers.iter().zip(seen.iter()).enumerate() {
            let bias = layer.bias.as_ref().or(first);
            let pasts = contexts.iter_mut().filter_map(|c| c.layers.get_mut(i));
            layer.attend(&mut x, rows, pasts, bias);
            let of = &layer.cross;
            of.place.apply(&mut x, |x| {
                of.out.of(&seen.attend(&of.queries(x), |_, _, _| {}))
            });
            layer.feed_forward.apply(&mut x);
        }
        for (context, tokens) in contexts.iter_mut().zip(tokens) {
            context.tokens += tokens.len();
        }
        let d = embedding.weight.shape().1;
        let lasts: Vec<f32> = x
            .chunks_exact((rows * d).max(1))
            .flat_map(|x| &x[rows.saturating_sub(1) * d..])
            .copied()
            .collect();
        let mut states = match &self.norm {
            Some(norm) => norm.of(&lasts),
            None => lasts,
        };
        states.iter_mut().for_each(|v| *v *= self.scale);
        let head = self.head.as_ref().unwrap_or(&embedding.weight);
        head.times(&states, self.bias.as_deref())
    }
}

impl Layer {
    /// Adds to `rows` rows of each answer what they see of it.
    fn attend<'a>(
        &self,
        x: &mut Vec<f32>,
        rows: usize,
        pasts: impl Iterator<Item = &'a mut Past>,
        bias: Option<&RelativeBias>,
    ) {
        let of = &self.own;
        of.place.apply(x, |x| {
            let (queries, keys, values) = (of.queries(x), of.key.of(x), of.value.of(x));
            let add = |h: usize, position: usize, scores: &mut [f32]| {
                if let Some(bias) = bias {
                    bias.add(h, position, scores);
                }
            };
            let shape = (of.heads, of.head_dim);
            let part = (rows * of.heads * of.head_dim).max(1);
            let each = queries
                .chunks(part)
                .zip(keys.chunks(part))
                .zip(values.chunks(part));
            let attended: Vec<f32> = pasts
                .zip(each)
                .flat_map(|(past, ((q, k), v))| past.attend(q, k, v, shape, add))
                .collect();
            of.out.of(&attended)
        });
    }
}
