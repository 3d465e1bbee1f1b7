//! Builds Whisper's network from tensors that somebody else reads: the core knows their names alone.

use std::collections::HashMap;

use burn::tensor::Tensor;

use crate::device::Device;
use crate::model::mixer::AttentionMixer;
use crate::model::speech::{
    DecoderLayer, EncoderLayer, NormedAttention, NormedBlock, SpeechModel, SpeechShape, TAPS,
};
use crate::ops::{
    Activation, Attention, AttentionSpec, KvSource, KvType, Norm, NormSpec, Ops, Weight,
};
use crate::weights::builder::{RowRange, TensorRows, WeightBuilder};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::Packing;
use hearth_modelfile::weight_requests::WeightRequest;

/// Epsilon of all of Whisper's norms.
const EPS: f32 = 1e-5;
/// Projections of one attention, which are one weight.
const QKV: [&str; 3] = ["q_proj", "k_proj", "v_proj"];

/// Values of a tensor on its way.
pub enum Values {
    /// Bits of f16, two in a word.
    Halves(Vec<u32>),
    Floats(Vec<f32>),
}

/// A matrix that waits for those that become one weight with it.
struct Waiting {
    rows: usize,
    cols: usize,
    values: Values,
}

/// Tensors by transformers' names without the `model.` before them, the matrices on the device already.
pub struct SpeechTensors {
    ops: Ops,
    /// Bytes of the device's largest binding.
    binding: u64,
    matrices: HashMap<String, Weight>,
    vectors: HashMap<String, Vec<f32>>,
    waiting: HashMap<String, Waiting>,
    bytes: u64,
}

impl SpeechTensors {
    /// Begins with none.
    pub fn new(device: &Device) -> Self {
        Self {
            // (the number of parameters decides on chunks of prompts, and a window's tokens are one step)
            ops: Ops::new(&device.handle, device.tuning(1)),
            binding: device.info().limits.max_storage_buffer_binding_size,
            matrices: HashMap::new(),
            vectors: HashMap::new(),
            waiting: HashMap::new(),
            bytes: 0,
        }
    }

    /// Takes a vector, or a table that is added as it is.
    pub fn vector(&mut self, name: &str, values: Vec<f32>) {
        self.vectors.insert(name.to_owned(), values);
    }

    /// Takes a matrix [rows, cols].
    ///
    /// # Errors
    /// [`Error::TensorShape`] if there are other values than these sizes say; [`Error::OutOfMemory`].
    pub fn matrix(&mut self, name: &str, rows: usize, cols: usize, values: Values) -> Result<()> {
        let found = match &values {
            Values::Halves(words) => 2 * words.len(),
            Values::Floats(values) => values.len(),
        };
        if rows == 0
            || cols == 0
            || rows.checked_mul(cols) != Some(found)
            || !cols.is_multiple_of(4)
        {
            return Err(Error::tensor_shape(name, &[rows, cols], &[found]));
        }
        let tensor = Waiting { rows, cols, values };
        let Some((stem, _)) = QKV
            .iter()
            .find_map(|part| name.split_once(&format!(".{part}.")))
        else {
            let weight = self.upload(name, vec![tensor])?;
            self.matrices.insert(name.to_owned(), weight);
            return Ok(());
        };
        self.waiting.insert(name.to_owned(), tensor);
        let names = QKV.map(|part| format!("{stem}.{part}.weight"));
        if names.iter().all(|name| self.waiting.contains_key(name)) {
            let parts = names.iter().filter_map(|name| self.waiting.remove(name));
            let parts: Vec<Waiting> = parts.collect();
            if let Some(other) = parts.iter().find(|part| part.cols != parts[0].cols) {
                return Err(Error::tensor_shape(stem, &[parts[0].cols], &[other.cols]));
            }
            let weight = self.upload(stem, parts)?;
            self.matrices.insert(stem.to_owned(), weight);
        }
        Ok(())
    }

    /// Puts matrices of one width on the device, one behind the other.
    fn upload(&mut self, name: &str, tensors: Vec<Waiting>) -> Result<Weight> {
        let cols = tensors.first().map_or(0, |tensor| tensor.cols);
        let packing = |tensor: &Waiting| match tensor.values {
            Values::Halves(_) => Packing::F16,
            Values::Floats(_) => Packing::F32,
        };
        let ranges: Vec<TensorRows> = tensors
            .iter()
            .map(|tensor| TensorRows {
                packing: packing(tensor),
                rows: tensor.rows,
                file_row_bytes: 0,
            })
            .collect();
        let request = WeightRequest {
            parts: (tensors.iter())
                .map(|tensor| (name.to_owned(), tensor.rows))
                .collect(),
            cols,
            experts: 1,
            by_head: false,
            exact: true,
        };
        let mut builder = WeightBuilder::alloc(&self.ops, &request, &ranges, self.binding)?;
        let mut row = 0;
        for tensor in tensors {
            let range = RowRange {
                row,
                rows: tensor.rows,
            };
            row += tensor.rows;
            let words = match tensor.values {
                Values::Halves(words) => words,
                Values::Floats(values) => values.into_iter().map(f32::to_bits).collect(),
            };
            builder.write(&self.ops, range, words, Vec::new())?;
        }
        self.bytes += builder.bytes();
        Ok(builder.weight())
    }

    /// Builds the model, once every tensor has been taken.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] or [`Error::TensorShape`]; [`Error::Metadata`] as [`SpeechShape::check`];
    /// [`Error::UnsupportedArchitecture`] for a tensor that nothing here computes with.
    pub fn build(mut self, shape: SpeechShape, kv: KvType) -> Result<SpeechModel> {
        shape.check()?;
        let d = shape.d_model;
        let gelu = Some(Activation::GeluErf);
        let convolutions = [
            self.linear("encoder.conv1", d, TAPS * shape.n_mels, gelu)?,
            self.linear("encoder.conv2", d, TAPS * d, gelu)?,
        ];
        let encoder = (0..shape.encoder_layers).map(|i| {
            let name = format!("encoder.layers.{i}");
            let spec = AttentionSpec {
                causal: false,
                kv: KvType::F32,
                ..spec(d, shape.encoder_heads, shape.audio_ctx)
            };
            Ok(EncoderLayer {
                attention: NormedAttention {
                    norm: self.norm(&format!("{name}.self_attn_layer_norm"), d)?,
                    mixer: self.attention(&format!("{name}.self_attn"), d, spec)?,
                },
                block: self.block(&name, d)?,
            })
        });
        let encoder = encoder.collect::<Result<_>>()?;
        let decoder = (0..shape.decoder_layers).map(|i| {
            let name = format!("decoder.layers.{i}");
            let own = AttentionSpec {
                kv,
                ..spec(d, shape.decoder_heads, shape.text_ctx)
            };
            let sound = AttentionSpec {
                causal: false,
                kv,
                ..spec(d, shape.decoder_heads, shape.audio_ctx)
            };
            let sound = self.attention(&format!("{name}.encoder_attn"), d, sound)?;
            Ok(DecoderLayer {
                own: NormedAttention {
                    norm: self.norm(&format!("{name}.self_attn_layer_norm"), d)?,
                    mixer: self.attention(&format!("{name}.self_attn"), d, own)?,
                },
                cross: NormedAttention {
                    norm: self.norm(&format!("{name}.encoder_attn_layer_norm"), d)?,
                    mixer: queries_of(&sound, d),
                },
                sound,
                block: self.block(&name, d)?,
            })
        });
        let decoder = decoder.collect::<Result<_>>()?;
        let positions = self.values("encoder.embed_positions.weight", shape.audio_ctx * d)?;
        let sound_positions = self.ops.upload_f32(&positions, [shape.audio_ctx, d]);
        let positions = self.values("decoder.embed_positions.weight", shape.text_ctx * d)?;
        let positions = self.ops.upload_weight(&positions, shape.text_ctx, d);
        let tables = 4 * (d * (shape.audio_ctx + shape.text_ctx)) as u64;
        let encoder_norm = self.norm("encoder.layer_norm", d)?;
        let norm = self.norm("decoder.layer_norm", d)?;
        let tokens = self.weight("decoder.embed_tokens.weight", shape.n_vocab, d)?;
        let unread = (self.matrices.keys()).chain(self.vectors.keys());
        if let Some(name) = unread.chain(self.waiting.keys()).min() {
            return Err(Error::UnsupportedArchitecture {
                found: format!("Whisper with a tensor \"{name}\""),
                known: vec!["whisper"],
            });
        }
        Ok(SpeechModel {
            convolutions,
            sound_positions,
            encoder,
            encoder_norm,
            tokens,
            positions,
            decoder,
            norm,
            kv,
            bytes: self.bytes + tables,
            shape,
            ops: self.ops,
        })
    }

    fn weight(&mut self, name: &str, rows: usize, cols: usize) -> Result<Weight> {
        let weight = self.matrices.remove(name).ok_or_else(|| missing(name))?;
        match (weight.rows, weight.cols) == (rows, cols) {
            true => Ok(weight),
            false => Err(Error::tensor_shape(
                name,
                &[rows, cols],
                &[weight.rows, weight.cols],
            )),
        }
    }

    fn values(&mut self, name: &str, len: usize) -> Result<Vec<f32>> {
        let values = self.vectors.remove(name).ok_or_else(|| missing(name))?;
        match values.len() == len {
            true => Ok(values),
            false => Err(Error::tensor_shape(name, &[len], &[values.len()])),
        }
    }

    fn row(&mut self, name: &str, len: usize) -> Result<Tensor<2>> {
        let values = self.values(name, len)?;
        Ok(self.ops.upload_row(&values))
    }

    /// Returns a projection with its bias, and the function behind it.
    fn linear(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
        activation: Option<Activation>,
    ) -> Result<Weight> {
        let bias = self.row(&format!("{name}.bias"), rows)?;
        let weight = self.weight(&format!("{name}.weight"), rows, cols)?;
        Ok(weight.with_bias(bias, activation))
    }

    fn norm(&mut self, name: &str, d: usize) -> Result<Norm> {
        let gains = self.values(&format!("{name}.weight"), d)?;
        let offsets = self.values(&format!("{name}.bias"), d)?;
        Ok(Norm {
            weight: self.ops.upload_row(&[gains, offsets].concat()),
            spec: NormSpec {
                centred: true,
                ..NormSpec::rms(EPS)
            },
        })
    }

    /// Returns an attention whose keys have no bias.
    fn attention(&mut self, name: &str, d: usize, spec: AttentionSpec) -> Result<AttentionMixer> {
        let queries = self.values(&format!("{name}.q_proj.bias"), d)?;
        let values = self.values(&format!("{name}.v_proj.bias"), d)?;
        let bias = [queries, vec![0.0; d], values].concat();
        Ok(AttentionMixer {
            qkv_proj: self.weight(name, 3 * d, d)?,
            attention: Attention {
                spec,
                // Nothing rotates.
                rope: self.ops.upload_row(&[0.0; 4]),
                attn_params: self.ops.upload_row(&bias),
            },
            o_proj: self.linear(&format!("{name}.out_proj"), d, d, None)?,
            bounds: None,
        })
    }

    fn block(&mut self, layer: &str, d: usize) -> Result<NormedBlock> {
        let up = format!("{layer}.fc1");
        let weight = self.matrices.get(&format!("{up}.weight"));
        let width = weight.map_or(4 * d, |weight| weight.rows);
        Ok(NormedBlock {
            norm: self.norm(&format!("{layer}.final_layer_norm"), d)?,
            up: self.linear(&up, width, d, Some(Activation::GeluErf))?,
            down: self.linear(&format!("{layer}.fc2"), d, width, None)?,
        })
    }
}

/// Returns the spec of an attention to `n_ctx` positions.
fn spec(d: usize, heads: usize, n_ctx: usize) -> AttentionSpec {
    let head_dim = d / heads;
    AttentionSpec {
        n_heads: heads as u32,
        n_kv_heads: heads as u32,
        head_dim: head_dim as u32,
        rope_pairs: 0,
        n_ctx: n_ctx as u32,
        bias: true,
        eps: EPS,
        scale: 1.0 / (head_dim as f32).sqrt(),
        ..AttentionSpec::EXAMPLE
    }
}

/// Returns an attention to the caches that `sound` fills, over the first rows of its weight.
fn queries_of(sound: &AttentionMixer, d: usize) -> AttentionMixer {
    let mut qkv_proj = sound.qkv_proj.clone();
    qkv_proj.parts.retain(|part| part.first_row < d);
    for part in &mut qkv_proj.parts {
        part.rows = part.rows.min(d - part.first_row);
    }
    qkv_proj.rows = d;
    AttentionMixer {
        qkv_proj,
        attention: Attention {
            spec: AttentionSpec {
                kv_source: KvSource::Earlier,
                ..sound.attention.spec
            },
            ..sound.attention.clone()
        },
        o_proj: sound.o_proj.clone(),
        bounds: None,
    }
}

fn missing(name: &str) -> Error {
    Error::MissingTensor {
        name: name.to_owned(),
    }
}
