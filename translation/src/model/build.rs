//! Takes the tensors of layers by the names that each family has for them.

use hearth_cpu::layers::{LayerNorm, RmsNorm};
use hearth_modelfile::Result;

use super::bias::RelativeBias;
use super::layers::{Attention, FeedForward, Linear, Norm, Sublayer};
use crate::config::{Config, Positions};
use crate::tensors::Tensors;

/// Half of a model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Encoder,
    Decoder,
}

/// Names and sizes of one layer.
pub struct Layer<'a> {
    pub config: &'a Config,
    pub side: Side,
    pub index: usize,
}

impl Layer<'_> {
    fn is_t5(&self) -> bool {
        matches!(self.config.positions, Positions::Relative { .. })
    }

    fn heads(&self) -> usize {
        match self.side {
            Side::Encoder => self.config.encoder_heads,
            Side::Decoder => self.config.decoder_heads,
        }
    }

    /// Returns the name of a part of sublayer `at` of T5, or of its other families.
    fn name(&self, at: usize, t5: &str, other: &str) -> String {
        let (side, index) = (self.side.name(), self.index);
        match self.is_t5() {
            true => format!("{side}.block.{index}.layer.{at}.{t5}"),
            false => format!("{side}.layers.{index}.{other}"),
        }
    }

    fn linear(&self, tensors: &mut Tensors, name: &str, n: usize, k: usize) -> Result<Linear> {
        Ok(Linear {
            weight: tensors.weight(&format!("{name}.weight"), n, k)?,
            bias: match self.is_t5() {
                true => None,
                false => Some(tensors.plain(&format!("{name}.bias"), n)?),
            },
        })
    }

    fn place(&self, tensors: &mut Tensors, name: &str) -> Result<Sublayer> {
        Ok(Sublayer {
            norm: norm(self.config, tensors, name)?,
            is_post: self.config.is_post_norm,
        })
    }

    /// Takes the attention to the layer's own rows, or to those of the encoder.
    pub fn attention(&self, tensors: &mut Tensors, is_cross: bool) -> Result<Attention> {
        let d = self.config.d_model;
        let heads = self.heads();
        let head_dim = self.config.head_dim.unwrap_or(d / heads.max(1));
        let inner = heads * head_dim;
        let (at, t5, other) = match is_cross {
            true => (1, "EncDecAttention", "encoder_attn"),
            false => (0, "SelfAttention", "self_attn"),
        };
        let norm = self.name(at, "layer_norm", &format!("{other}_layer_norm"));
        let mut part = |short: &str, n: usize, k: usize| {
            let long = match short {
                "o" => "out_proj".to_owned(),
                short => format!("{short}_proj"),
            };
            let name = self.name(at, &format!("{t5}.{short}"), &format!("{other}.{long}"));
            self.linear(tensors, &name, n, k)
        };
        Ok(Attention {
            query: part("q", inner, d)?,
            key: part("k", inner, d)?,
            value: part("v", inner, d)?,
            out: part("o", d, inner)?,
            place: self.place(tensors, &norm)?,
            heads,
            head_dim,
            is_scaled: !self.is_t5(),
        })
    }

    /// Takes the feed-forward block.
    pub fn feed_forward(&self, tensors: &mut Tensors) -> Result<FeedForward> {
        let (d, width) = match self.side {
            Side::Encoder => (self.config.d_model, self.config.encoder_ff),
            Side::Decoder => (self.config.d_model, self.config.decoder_ff),
        };
        let at = match self.side {
            Side::Encoder => 1,
            Side::Decoder => 2,
        };
        let (up, gate) = match self.config.is_gated {
            true => ("DenseReluDense.wi_1", Some("DenseReluDense.wi_0")),
            false => ("DenseReluDense.wi", None),
        };
        let up = self.linear(tensors, &self.name(at, up, "fc1"), width, d)?;
        let gate = gate.map(|gate| self.linear(tensors, &self.name(at, gate, "gate"), width, d));
        let down = self.name(at, "DenseReluDense.wo", "fc2");
        let norm = self.name(at, "layer_norm", "final_layer_norm");
        Ok(FeedForward {
            up,
            gate: gate.transpose()?,
            down: self.linear(tensors, &down, d, width)?,
            place: self.place(tensors, &norm)?,
            activation: self.config.activation,
        })
    }

    /// Takes the layer's own biases of positions, if it has any.
    pub fn bias(&self, tensors: &mut Tensors) -> Result<Option<RelativeBias>> {
        let Positions::Relative {
            buckets,
            max_distance,
            in_each_layer,
        } = self.config.positions
        else {
            return Ok(None);
        };
        if self.index > 0 && !in_each_layer {
            return Ok(None);
        }
        let heads = self.heads();
        let name = self.name(0, "SelfAttention.relative_attention_bias.weight", "");
        let weights = tensors.plain(&name, buckets * heads)?;
        let is_causal = self.side == Side::Decoder;
        Ok(Some(RelativeBias::new(
            weights,
            heads,
            is_causal,
            buckets,
            max_distance,
        )))
    }
}

impl Side {
    /// Returns its part of tensors' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }

    /// Takes the norm behind the last layer, if the family has one.
    pub fn last_norm(self, config: &Config, tensors: &mut Tensors) -> Result<Option<Norm>> {
        let side = self.name();
        match config.positions {
            Positions::Relative { .. } => {
                Some(norm(config, tensors, &format!("{side}.final_layer_norm"))).transpose()
            }
            Positions::Sinusoid { .. } if config.is_post_norm => Ok(None),
            Positions::Sinusoid { .. } => {
                Some(norm(config, tensors, &format!("{side}.layer_norm"))).transpose()
            }
        }
    }
}

fn norm(config: &Config, tensors: &mut Tensors, name: &str) -> Result<Norm> {
    let (d, eps) = (config.d_model, config.eps);
    let scale = tensors.plain(&format!("{name}.weight"), d)?;
    Ok(match config.positions {
        Positions::Relative { .. } => Norm::Rms(RmsNorm { scale, eps }),
        Positions::Sinusoid { .. } => Norm::Layer(LayerNorm {
            scale,
            shift: tensors.plain(&format!("{name}.bias"), d)?,
            eps,
        }),
    })
}
