//! Decoder: tokens so far to logits of the next, with the encoder's output in sight.

use std::rc::Rc;

use hearth_modelfile::Result;

use super::config::Config;
use super::encoder::{attention, feed_forward};
use super::layers::{Attention, FeedForward, Matrix, Memory, Norm, Past, add, scale};
use super::tensors::Tensors;

struct Layer {
    own: Attention,
    cross: Attention,
    feed_forward: FeedForward,
}

/// Embedding, learned positions, layers with a causal and a cross attention each; the head is the embedding again.
pub struct Decoder {
    /// [n_vocab, d]
    embedding: Matrix,
    /// [text_ctx, d]
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
    heads: usize,
    text_ctx: usize,
    alignment_heads: Vec<(usize, usize)>,
}

/// A window's keys and values in each layer, which its attempts share.
pub type Sound = Rc<[Memory]>;

/// Tokens that were computed, and what later ones need of them.
pub struct Context {
    sound: Sound,
    layers: Vec<Past>,
    tokens: usize,
    /// Weights of the alignment heads, [tokens, audio_ctx] each, if they are kept.
    alignments: Option<Vec<Vec<f32>>>,
}

impl Context {
    /// Returns the weights of each alignment head, [tokens, audio_ctx].
    pub fn alignments(&self) -> &[Vec<f32>] {
        self.alignments.as_deref().unwrap_or_default()
    }
}

impl Decoder {
    /// Takes the decoder's tensors.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::MissingTensor`], [`hearth_modelfile::Error::TensorShape`].
    pub fn new(
        config: &Config,
        alignment_heads: &[(usize, usize)],
        tensors: &mut Tensors,
    ) -> Result<Self> {
        let d = config.d_model;
        let layers = (0..config.decoder_layers).map(|i| {
            let name = format!("decoder.layers.{i}");
            Ok(Layer {
                own: attention(tensors, &name, "self_attn", d)?,
                cross: attention(tensors, &name, "encoder_attn", d)?,
                feed_forward: feed_forward(tensors, &name, d)?,
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self {
            embedding: tensors.matrix("decoder.embed_tokens.weight", config.n_vocab, d)?,
            positions: tensors.plain("decoder.embed_positions.weight", config.text_ctx * d)?,
            layers,
            norm: tensors.norm("decoder.layer_norm", d)?,
            heads: config.decoder_heads,
            text_ctx: config.text_ctx,
            alignment_heads: alignment_heads.to_vec(),
        })
    }

    /// Computes what the cross attention of every layer reads: `encoded`: [audio_ctx, d].
    pub fn sound(&self, encoded: &[f32]) -> Sound {
        let memory = |layer: &Layer| {
            let (keys, values) = (layer.cross.key.of(encoded), layer.cross.value.of(encoded));
            Memory::new(&keys, &values, self.heads, self.head_dim())
        };
        self.layers.iter().map(memory).collect()
    }

    /// Begins a text; `keeps_alignments` for the times of words.
    pub fn begin(&self, sound: &Sound, keeps_alignments: bool) -> Context {
        Context {
            sound: Rc::clone(sound),
            layers: vec![Past::default(); self.layers.len()],
            tokens: 0,
            alignments: keeps_alignments.then(|| vec![Vec::new(); self.alignment_heads.len()]),
        }
    }

    /// Returns how many more tokens fit.
    pub fn room(&self, context: &Context) -> usize {
        self.text_ctx - context.tokens
    }

    /// Computes the next tokens and returns their states [tokens, d], for [`Decoder::logits`]. Tokens that do not fit into the
    /// context are left out.
    pub fn run(&self, tokens: &[usize], context: &mut Context) -> Vec<f32> {
        let d = self.norm.scale.len();
        let tokens = &tokens[..tokens.len().min(self.room(context))];
        let mut x = vec![0.0; tokens.len() * d];
        let positions = self.positions[context.tokens * d..].chunks_exact(d);
        for ((row, token), position) in x.chunks_exact_mut(d).zip(tokens).zip(positions) {
            self.embedding.row(*token, row);
            add(row, position);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let mixed = self.own(&layer.own, &x, &mut context.layers[i]);
            add(&mut x, &mixed);
            let mixed = self.cross(i, &x, context);
            add(&mut x, &mixed);
            layer.feed_forward.add_to(&mut x);
        }
        context.tokens += tokens.len();
        self.norm.of(&x)
    }

    /// Returns the logits [n_vocab] of one state [d].
    pub fn logits(&self, state: &[f32]) -> Vec<f32> {
        self.embedding.times(state, None)
    }

    fn head_dim(&self) -> usize {
        self.norm.scale.len() / self.heads
    }

    /// Returns the attention of new rows `x` to themselves and those before, and keeps their keys and values.
    fn own(&self, of: &Attention, x: &[f32], past: &mut Past) -> Vec<f32> {
        let input = of.norm.of(x);
        let mut queries = of.query.of(&input);
        scale(&mut queries, self.head_dim());
        let (keys, values) = (of.key.of(&input), of.value.of(&input));
        let shape = (self.heads, self.head_dim());
        of.out
            .of(&past.attend(&queries, &keys, &values, shape, |_, _, _| {}))
    }

    /// Returns the attention of new rows `x` to the sound in layer `i`.
    fn cross(&self, i: usize, x: &[f32], context: &mut Context) -> Vec<f32> {
        let of = &self.layers[i].cross;
        let mut queries = of.query.of(&of.norm.of(x));
        scale(&mut queries, self.head_dim());
        let heads = &self.alignment_heads;
        let mixed = context.sound[i].attend(&queries, |h, _, weights| {
            let Some(kept) = &mut context.alignments else {
                return;
            };
            for (kept, head) in kept.iter_mut().zip(heads) {
                if *head == (i, h) {
                    kept.extend_from_slice(weights);
                }
            }
        });
        of.out.of(&mixed)
    }
}
