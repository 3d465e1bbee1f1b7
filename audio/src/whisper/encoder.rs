//! Encoder: 30 s of log-mel frames to 1500 rows of d values.

use hearth_modelfile::Result;

use super::config::Config;
use super::layers::{Attention, FeedForward, Linear, Memory, Norm, add, gelu, scale};
use super::tensors::Tensors;
use crate::mel::WINDOW_FRAMES;

/// Taps of both convolutions.
const TAPS: usize = 3;

struct Layer {
    attention: Attention,
    feed_forward: FeedForward,
}

/// Two convolutions, learned positions, and layers that see all frames.
pub struct Encoder {
    conv1: Linear,
    conv2: Linear,
    /// [audio_ctx, d]
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: Norm,
    heads: usize,
    n_mels: usize,
}

/// A window on its way through the layers.
pub struct Encoding {
    /// [audio_ctx, d]
    x: Vec<f32>,
    layer: usize,
}

impl Encoder {
    /// Takes the encoder's tensors.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::MissingTensor`], [`hearth_modelfile::Error::TensorShape`].
    pub fn new(config: &Config, tensors: &mut Tensors) -> Result<Self> {
        let d = config.d_model;
        let layers = (0..config.encoder_layers).map(|i| {
            let name = format!("encoder.layers.{i}");
            Ok(Layer {
                attention: attention(tensors, &name, "self_attn", d)?,
                feed_forward: feed_forward(tensors, &name, d)?,
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        Ok(Self {
            conv1: tensors.linear("encoder.conv1", d, config.n_mels * TAPS)?,
            conv2: tensors.linear("encoder.conv2", d, d * TAPS)?,
            positions: tensors.plain("encoder.embed_positions.weight", config.audio_ctx * d)?,
            layers,
            norm: tensors.norm("encoder.layer_norm", d)?,
            heads: config.encoder_heads,
            n_mels: config.n_mels,
        })
    }

    /// Begins a window: `mel`: [n_mels, 3000].
    pub fn begin(&self, mel: &[f32]) -> Encoding {
        let frames = WINDOW_FRAMES;
        let value = |t: usize, c: usize| mel.get(c * frames + t).copied().unwrap_or(0.0);
        let mut x = convolve(&self.conv1, frames, 1, self.n_mels, value);
        let d = self.norm.scale.len();
        let value = |t: usize, c: usize| x.get(t * d + c).copied().unwrap_or(0.0);
        x = convolve(&self.conv2, frames, 2, d, value);
        add(&mut x, &self.positions);
        Encoding { x, layer: 0 }
    }

    /// Computes one layer; returns the result [audio_ctx, d] after the last.
    pub fn step(&self, encoding: &mut Encoding) -> Option<Vec<f32>> {
        let Some(layer) = self.layers.get(encoding.layer) else {
            return Some(self.norm.of(&encoding.x));
        };
        encoding.layer += 1;
        let attention = &layer.attention;
        let input = attention.norm.of(&encoding.x);
        let head_dim = self.norm.scale.len() / self.heads;
        let (keys, values) = (attention.key.of(&input), attention.value.of(&input));
        let memory = Memory::new(&keys, &values, self.heads, head_dim);
        let mut queries = attention.query.of(&input);
        scale(&mut queries, head_dim);
        let mixed = memory.attend(&queries, |_, _, _| {});
        add(&mut encoding.x, &attention.out.of(&mixed));
        layer.feed_forward.add_to(&mut encoding.x);
        (encoding.layer == self.layers.len()).then(|| self.norm.of(&encoding.x))
    }
}

/// Takes the projections of an attention; keys have no bias.
pub(super) fn attention(
    tensors: &mut Tensors,
    layer: &str,
    kind: &str,
    d: usize,
) -> Result<Attention> {
    let name = |part: &str| format!("{layer}.{kind}.{part}");
    Ok(Attention {
        norm: tensors.norm(&format!("{layer}.{kind}_layer_norm"), d)?,
        query: tensors.linear(&name("q_proj"), d, d)?,
        key: Linear {
            weight: tensors.matrix(&name("k_proj.weight"), d, d)?,
            bias: None,
        },
        value: tensors.linear(&name("v_proj"), d, d)?,
        out: tensors.linear(&name("out_proj"), d, d)?,
    })
}

/// Takes a feed-forward block, whose width its own weight tells.
pub(super) fn feed_forward(tensors: &mut Tensors, layer: &str, d: usize) -> Result<FeedForward> {
    let width = tensors
        .rows_of(&format!("{layer}.fc1.weight"))
        .unwrap_or(4 * d);
    Ok(FeedForward {
        norm: tensors.norm(&format!("{layer}.final_layer_norm"), d)?,
        up: tensors.linear(&format!("{layer}.fc1"), width, d)?,
        down: tensors.linear(&format!("{layer}.fc2"), d, width)?,
    })
}

/// Returns the convolution over time of `value(frame, channel)`, padded by one frame of zeros, then GELU:
/// [frames / stride, outputs]. The taps of a channel follow each other, as in a weight [outputs, channels, taps].
fn convolve(
    weight: &Linear,
    frames: usize,
    stride: usize,
    channels: usize,
    value: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    /// Frames whose inputs are gathered at once.
    const BATCH: usize = 300;
    let mut out = Vec::new();
    for from in (0..frames / stride).step_by(BATCH) {
        let rows = from..(from + BATCH).min(frames / stride);
        let mut gathered = Vec::with_capacity(rows.len() * channels * TAPS);
        for t in rows {
            for c in 0..channels {
                for tap in 0..TAPS {
                    let at = (t * stride + tap).checked_sub(1).filter(|at| *at < frames);
                    gathered.push(at.map_or(0.0, |at| value(at, c)));
                }
            }
        }
        out.extend(weight.of(&gathered));
    }
    gelu(&mut out);
    out
}
