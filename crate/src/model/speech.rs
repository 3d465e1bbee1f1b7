//! Whisper's network: an encoder that hears 30 s of sound, and a decoder that writes with the encoder's rows in sight.
//!
//! The encoder is a tower: all rows go through a layer at once, and keys and values of one layer are overwritten by those of the
//! next. Each layer of the decoder has a second attention whose keys and values are made of the encoder's rows once a window. It sees
//! all of them because its step state says that the tokens stand behind them.
//!
//! Source: Radford et al. 2022, arXiv:2212.04356; openai/whisper `model.py`.

use burn::tensor::Tensor;
use hearth_modelfile::error::{Error, Result};
use serde::Deserialize;

use crate::model::mixer::AttentionMixer;
use crate::ops::buffer::Piece;
use crate::ops::in_place::InPlace;
use crate::ops::inject::Place;
use crate::ops::merge_rows::{MergeSpec, Merged};
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::{KvCache, KvType, Norm, Ops, Queries, StepState, Weight};

/// Taps of both convolutions over time.
pub(super) const TAPS: usize = 3;

/// Sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpeechShape {
    pub d_model: usize,
    pub encoder_layers: usize,
    pub encoder_heads: usize,
    pub decoder_layers: usize,
    pub decoder_heads: usize,
    pub n_mels: usize,
    pub n_vocab: usize,
    /// Rows of the encoder's result; a window has twice as many frames.
    pub audio_ctx: usize,
    /// Tokens of prompt and answer in one window.
    pub text_ctx: usize,
}

impl SpeechShape {
    /// Fails for sizes that no kernel takes.
    ///
    /// # Errors
    /// [`Error::Metadata`].
    pub fn check(&self) -> Result<()> {
        let fits = |width: usize, parts: usize| parts > 0 && width.is_multiple_of(4 * parts);
        for (key, is_right, expected, found) in [
            (
                "encoder_attention_heads",
                fits(self.d_model, self.encoder_heads),
                "heads of a multiple of 4 columns",
                self.encoder_heads,
            ),
            (
                "decoder_attention_heads",
                fits(self.d_model, self.decoder_heads),
                "heads of a multiple of 4 columns",
                self.decoder_heads,
            ),
            (
                "num_mel_bins",
                self.n_mels > 0 && self.n_mels.is_multiple_of(4),
                "a multiple of 4",
                self.n_mels,
            ),
            (
                "max_target_positions",
                (1..=crate::ops::state::MAX_CHUNK.min(self.audio_ctx)).contains(&self.text_ctx),
                "no more tokens than one step takes",
                self.text_ctx,
            ),
        ] {
            if !is_right {
                return Err(Error::Metadata {
                    key: key.to_owned(),
                    expected: expected.to_owned(),
                    found: found.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Returns the frames of a window.
    pub fn frames(&self) -> usize {
        2 * self.audio_ctx
    }
}

/// A model's weights on a device.
pub struct SpeechModel {
    pub ops: Ops,
    pub shape: SpeechShape,
    /// [d_model, TAPS * n_mels] and [d_model, TAPS * d_model], with bias and GELU
    pub(super) convolutions: [Weight; 2],
    /// [audio_ctx, d_model]
    pub(super) sound_positions: Tensor<2>,
    pub(super) encoder: Vec<EncoderLayer>,
    pub(super) encoder_norm: Norm,
    /// [n_vocab, d_model], also the head
    pub(super) tokens: Weight,
    /// [text_ctx, d_model]
    pub(super) positions: Weight,
    pub(super) decoder: Vec<DecoderLayer>,
    pub(super) norm: Norm,
    /// Storage type of keys and values that are kept.
    pub kv: KvType,
    /// Bytes of weights on the device.
    pub bytes: u64,
}

/// An attention behind its norm.
pub(super) struct NormedAttention {
    pub(super) norm: Norm,
    pub(super) mixer: AttentionMixer,
}

impl NormedAttention {
    fn forward(&self, ops: &Ops, x: Tensor<2>, step: &StepState, cache: &mut KvCache) -> Tensor<2> {
        (self.mixer).forward(ops, x, Some(&self.norm), step, cache, true)
    }
}

/// A feed-forward block behind its norm: down GELU(up x + bias) + bias.
pub(super) struct NormedBlock {
    pub(super) norm: Norm,
    pub(super) up: Weight,
    pub(super) down: Weight,
}

impl NormedBlock {
    fn forward(&self, ops: &Ops, x: Tensor<2>, step: &StepState) -> Tensor<2> {
        let hidden = ops.norm_linear(&x, Some(&self.norm), &self.up, step);
        ops.linear_add(&hidden, &self.down, step, x)
    }
}

pub(super) struct EncoderLayer {
    pub(super) attention: NormedAttention,
    pub(super) block: NormedBlock,
}

pub(super) struct DecoderLayer {
    pub(super) own: NormedAttention,
    /// Attention to the sound, whose queries alone are projected.
    pub(super) cross: NormedAttention,
    /// Makes keys and values of the encoder's rows; its queries, which come first in the same weight, are not needed.
    pub(super) sound: AttentionMixer,
    pub(super) block: NormedBlock,
}

/// A window on its way through the encoder.
pub struct Hearing {
    /// [>= audio_ctx, d_model]
    x: InPlace<Tensor<2>>,
    /// Keys and values of the layer that runs.
    cache: KvCache,
    step: StepState,
    /// Layers that it has been through.
    layer: usize,
}

/// Tokens of a window that were computed, and the sound that they are about.
pub struct SpeechState {
    /// Caches of the tokens, one a layer.
    own: Vec<KvCache>,
    /// Caches of the sound, one a layer.
    sound: Vec<KvCache>,
    pub step: StepState,
    /// The step as the attention to the sound has it: its tokens stand behind the sound.
    sound_step: StepState,
}

impl SpeechState {
    /// Makes `ids`, the first of them at position `from`, the tokens of the next step.
    pub fn begin(&mut self, model: &SpeechModel, from: usize, ids: &[u32]) {
        let ops = &model.ops;
        self.step.begin(ops, from, ids);
        let behind = model.shape.audio_ctx - ids.len();
        self.sound_step.seek(ops, behind, ids.len());
    }
}

impl SpeechModel {
    /// Allocates what is kept of a window.
    pub fn new_state(&self) -> SpeechState {
        let (ops, shape) = (&self.ops, &self.shape);
        let caches = |of: fn(&DecoderLayer) -> &AttentionMixer, n: usize| {
            let layers = self.decoder.iter().map(of);
            layers.map(|of| of.new_cache(ops, n, self.kv)).collect()
        };
        SpeechState {
            own: caches(|layer| &layer.own.mixer, shape.text_ctx),
            sound: caches(|layer| &layer.sound, shape.audio_ctx),
            step: StepState::new(ops, shape.text_ctx),
            sound_step: StepState::new(ops, 0),
        }
    }

    /// Begins a window; `mel`: [n_mels, frames].
    pub fn hear(&self, mel: &[f32]) -> Hearing {
        let (ops, shape) = (&self.ops, &self.shape);
        let (frames, d) = (shape.frames(), shape.d_model);
        let mut step = StepState::new(ops, 0);
        // A row of zeros follows the frames: it is what lies before the first and after the last.
        let mut rows = vec![0.0; (frames + 1) * shape.n_mels];
        for (channel, values) in mel.chunks_exact(frames).enumerate() {
            for (frame, value) in values.iter().enumerate() {
                rows[frame * shape.n_mels + channel] = *value;
            }
        }
        let x = ops.upload_f32(&rows, [frames + 1, shape.n_mels]);
        step.seek(ops, 0, frames + 1);
        let x = self.convolve(&x, 0, 1, &step);
        let zeros = ops.upload_row(&vec![0.0; d]);
        let end = Place {
            from: 0,
            to: frames,
            n: 1,
        };
        let x = ops.inject(x, &zeros, end, false);
        step.seek(ops, 0, shape.audio_ctx);
        let x = self.convolve(&x, 1, 2, &step);
        let place = Place {
            from: 0,
            to: 0,
            n: shape.audio_ctx,
        };
        let x = ops.inject(x, &self.sound_positions, place, true);
        let cache = self.encoder.first().map(|layer| {
            let mixer = &layer.attention.mixer;
            mixer.new_cache(ops, shape.audio_ctx, KvType::F32)
        });
        Hearing {
            x: InPlace::new(x),
            // (there is at least one layer, see the build)
            cache: cache.unwrap_or_else(|| KvCache::new(ops.alloc_f32(1, 4), ops.alloc_f32(1, 4))),
            step,
            layer: 0,
        }
    }

    /// Returns the convolution of all frames of `x`, behind which is a row of zeros, and as many rows behind its own as are needed for
    /// another: the rows of the taps of each one are gathered in the order of the weight's columns.
    fn convolve(&self, x: &Tensor<2>, i: usize, stride: usize, step: &StepState) -> Tensor<2> {
        let frames = self.shape.frames();
        let rows = frames / stride + 2 - stride;
        let tap = |row: usize, tap: usize| {
            let at = (row * stride + tap).checked_sub(1);
            at.filter(|at| *at < frames).unwrap_or(frames) as u32
        };
        let taps = (0..rows).flat_map(|row| (0..TAPS).map(move |k| tap(row, k)));
        let spec = MergeSpec {
            rows,
            of: TAPS,
            merged: Merged::ByColumn,
        };
        let gathered = self.ops.merge_rows(x, taps.collect(), spec);
        (self.ops).linear(&gathered, &self.convolutions[i], step)
    }

    /// Returns the number of layers that a window has still to go through.
    pub fn left(&self, hearing: &Hearing) -> usize {
        self.encoder.len() - hearing.layer
    }

    /// Takes a window through the next `n` layers, or those that are left.
    pub fn run(&self, hearing: &mut Hearing, n: usize) {
        let ops = &self.ops;
        let end = (hearing.layer + n).min(self.encoder.len());
        for layer in &self.encoder[hearing.layer..end] {
            let (step, cache) = (&hearing.step, &mut hearing.cache);
            hearing.x.update(|x| {
                let x = layer.attention.forward(ops, x, step, cache);
                layer.block.forward(ops, x, step)
            });
        }
        hearing.layer = end;
    }

    /// Returns the rows of a window that has been through all layers: [>= audio_ctx, d_model].
    pub fn rows(&self, hearing: &Hearing) -> Tensor<2> {
        (self.ops).norm(hearing.x.get(), &self.encoder_norm, &hearing.step, false)
    }

    /// Makes a window that has been through all layers what the decoder writes about.
    pub fn keep(&self, hearing: &Hearing, state: &mut SpeechState) {
        let rows = self.rows(hearing);
        for (layer, cache) in self.decoder.iter().zip(&mut state.sound) {
            let of = &layer.sound;
            let sound = of.project(&self.ops, &rows, None, &hearing.step);
            (self.ops).rope_append(sound, &of.attention, &hearing.step, cache);
        }
    }

    /// Runs the step's tokens through the decoder and returns their hidden states, [t, d_model]; `t` is 1, or at least the step's
    /// tokens and a multiple of [`TILE_TOKENS`].
    pub fn forward(&self, state: &mut SpeechState, t: usize) -> Tensor<2> {
        self.forward_with(state, t, None)
    }

    /// Runs the step's tokens like [`SpeechModel::forward`], and calls `see` with the number of each layer and the queries with which it
    /// looks at the sound: [t, d_model].
    pub fn forward_with(
        &self,
        state: &mut SpeechState,
        t: usize,
        mut see: Option<&mut See>,
    ) -> Tensor<2> {
        let ops = &self.ops;
        let x = ops.embed(&self.tokens, &state.step, t);
        let mut x = ops.add_positions(&self.positions, &state.step, x);
        let caches = state.own.iter_mut().zip(&mut state.sound);
        for (i, (layer, (own, sound))) in self.decoder.iter().zip(caches).enumerate() {
            x = layer.own.forward(ops, x, &state.step, own);
            let (cross, step) = (&layer.cross, &state.sound_step);
            let projected = (cross.mixer).project(ops, &x, Some(&cross.norm), step);
            let queries = match &mut see {
                None => ops.queries(&projected, &cross.mixer.attention, step, sound),
                Some(see) => {
                    let attention = &cross.mixer.attention;
                    let queries = ops.rope_append(projected.clone(), attention, step, sound);
                    see(i, &queries);
                    Queries::Ready(queries)
                }
            };
            x = (cross.mixer).attend_with(ops, queries, &projected, x, step, sound, true);
            x = layer.block.forward(ops, x, &state.step);
        }
        x
    }

    /// Returns the keys of the sound in a head of a layer: [audio_ctx, columns of a head].
    pub fn keys(&self, state: &SpeechState, layer: usize, head: usize) -> Option<Piece> {
        let n = self.shape.audio_ctx;
        let rows = state.sound.get(layer)?.rows(n, 0..n);
        // (those of all heads, and values behind them)
        rows.into_iter().take(self.shape.decoder_heads).nth(head)
    }

    /// Returns the logits of the step's last token: [1, n_vocab].
    pub fn logits(&self, x: &Tensor<2>, step: &StepState) -> Tensor<2> {
        (self.ops).norm_linear_last(x, &self.norm, &self.tokens, step)
    }
}

/// Takes a layer's number and its queries, see [`SpeechModel::forward_with`].
pub type See<'a> = dyn FnMut(usize, &Tensor<2>) + 'a;

/// Returns the rows that a step of `n` tokens computes.
pub fn rows_of(n: usize) -> usize {
    match n {
        1 => 1,
        n => n.next_multiple_of(TILE_TOKENS as usize),
    }
}
