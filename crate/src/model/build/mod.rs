//! Builds a transformer from a file's tensors.

mod attention;
mod bounds;
mod feed_forward;
mod latent;
mod mamba;
mod per_layer;
mod rank_head;
mod recurrent;
pub mod speech;
mod tower;

use std::rc::Rc;

use burn::tensor::Tensor;

use crate::model::loaded::LoadedTensors;
use crate::model::mixer::{AttentionAndMamba, Mixer};
use crate::model::transformer::{BlockEnd, Embedding, Layer, Transformer};
use crate::ops::attention::latent::HeadRoutes;
use crate::ops::{KvType, Ops, Scaling};
use crate::weights::builder::WeightBuilder;
use crate::weights::plan::LoadPlan;
use attention::Ropes;
use hearth_modelfile::config::{ModelConfig, Similarity, SimilarityFunction};
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::names::{bias_of, of_layer};
use hearth_modelfile::families::{Captions, PostNorm};
use hearth_modelfile::layer_spec::{FeedForwardKind, MixerKind};
use hearth_modelfile::weight_requests::{LOGIT_BIAS, LOGIT_SCALE};
pub use tower::tower;

/// Builds the transformer, once every tensor of the plan has been read.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::TensorShape`].
pub fn transformer(
    plan: &LoadPlan,
    gguf: &ModelHeader,
    config: ModelConfig,
    ops: Ops,
    n_ctx: usize,
    kv: KvType,
) -> Result<Transformer> {
    let c = &config;
    let parts = LoadedTensors { plan, c, ops: &ops };
    let names = c.spec.names;
    let layers = layers(&parts, n_ctx, kv)?;
    let token_embd = parts.matrix(names.token_embd)?;
    let lm_head = match gguf.tensor(names.lm_head) {
        Some(_) => parts.matrix(names.lm_head)?,
        None => token_embd.clone(),
    };
    let embedding = Embedding {
        tokens: token_embd.scaled(Scaling::by(c.scales.embedding)),
        positions: match c.spec.learned_positions {
            true => Some(parts.matrix(names.position_embd)?),
            false => None,
        },
        bias: match plan.vector(names.token_types) {
            Ok(types) if types.len() >= c.d_model => Some(ops.upload_row(types)),
            _ => None,
        },
        norm: match plan.vector(names.embd_norm) {
            Ok(_) => Some(parts.norm(names.embd_norm)?),
            Err(_) => None,
        },
    };
    Ok(Transformer {
        output_norm: match c.spec.has_output_norm() {
            true => Some(parts.norm(names.output_norm)?),
            false => None,
        },
        dense: (c.dense.iter())
            .map(|dense| {
                let bias = match dense.biased {
                    true => parts.optional(&bias_of(dense.name), dense.rows)?,
                    false => None,
                };
                Ok((parts.matrix(dense.name)?, bias))
            })
            .collect::<Result<_>>()?,
        similarity: similarity(&parts)?,
        rank_head: rank_head::build(&parts)?,
        weight_bytes: plan.matrices.iter().map(WeightBuilder::bytes).sum(),
        embedding,
        per_layer: per_layer::embedding(&parts)?,
        layers,
        lm_head: lm_head.scaled(Scaling {
            factor: c.scales.logits,
            softcap: c.scales.logits_cap,
        }),
        lm_head_bias: lm_head_bias(&parts)?,
        config,
        ops,
        row_token: 0,
        n_ctx,
        kv,
    })
}

/// Returns what makes probabilities of embeddings of pictures and texts.
fn similarity(parts: &LoadedTensors<'_>) -> Result<Option<Similarity>> {
    let Some(scale) = parts.if_there(LOGIT_SCALE, 1)? else {
        return Ok(None);
    };
    let bias = parts.if_there(LOGIT_BIAS, 1)?;
    Ok(Some(Similarity {
        scale: scale[0].exp(),
        bias: bias.map_or(0.0, |bias| bias[0]),
        function: match parts.c.spec.captions {
            Captions::Padded => SimilarityFunction::Sigmoid,
            Captions::None | Captions::UpToEnd => SimilarityFunction::Softmax,
        },
    }))
}

/// Builds the layers.
fn layers(parts: &LoadedTensors<'_>, n_ctx: usize, kv: KvType) -> Result<Vec<Layer>> {
    let (c, names) = (parts.c, parts.c.spec.names);
    let ropes = Ropes::new(parts, n_ctx)?;
    let head_routes = Rc::new(HeadRoutes::new(c.n_heads));
    let mut layers = Vec::with_capacity(c.n_layers);
    for (i, layer) in c.layers.iter().enumerate() {
        let of = |pattern: &str| of_layer(pattern, i);
        let norm = |there: bool, name: &str| match there {
            true => parts.norm(&of(name)).map(Some),
            false => Ok(None),
        };
        let post = c.spec.post_norm != PostNorm::None;
        let down = match layer.feed_forward {
            // Each expert has a separate bias, but for families with one of their sum.
            FeedForwardKind::Experts if c.spec.post_norm != PostNorm::Sum => String::new(),
            FeedForwardKind::None => String::new(),
            // (a tower's projections add theirs)
            _ if c.spec.sees => String::new(),
            _ => bias_of(&of(names.down_proj)),
        };
        // The factor of the layer's output is applied with its last norm.
        let factor = parts
            .if_there(&of(names.layer_scale), 1)?
            .map(|values| values[0]);
        let ffn_factor = factor.filter(|_| c.per_layer_dim == 0);
        layers.push(Layer {
            mixer_norm: norm(c.has_mixer_norm(i), names.attn_norm)?,
            mixer: match layer.mixer {
                MixerKind::None => Mixer::None,
                MixerKind::Attention => {
                    Mixer::Attention(attention::mixer(parts, i, &ropes, n_ctx, kv)?)
                }
                MixerKind::Latent(shape) => {
                    let cache = (n_ctx, kv);
                    let mixer = latent::mixer(parts, i, shape, &ropes, &head_routes, cache)?;
                    Mixer::Latent(mixer)
                }
                MixerKind::GatedDelta(shape) => {
                    Mixer::GatedDelta(recurrent::gated_delta(parts, i, shape)?)
                }
                MixerKind::Mamba(shape) => Mixer::Mamba(mamba::mixer(parts, i, shape)?),
                MixerKind::AttentionAndMamba(shape) => {
                    Mixer::AttentionAndMamba(AttentionAndMamba {
                        attention: attention::mixer(parts, i, &ropes, n_ctx, kv)?,
                        mamba: mamba::mixer(parts, i, shape)?,
                    })
                }
                MixerKind::ShortConv { channels, taps } => {
                    Mixer::ShortConv(recurrent::short_conv(parts, i, channels, taps)?)
                }
            },
            mixer_end: BlockEnd {
                bias: match c.spec.sees {
                    true => None,
                    false => parts.optional(&bias_of(&of(names.o_proj)), c.d_model)?,
                },
                norm: norm(post, names.post_attn_norm)?,
            },
            ffn_norm: match c.has_ffn_norm(i) {
                true => Some(parts.norm_times(&of(names.ffn_norm), c.scales.parts.ffn_gate)?),
                false => None,
            },
            feed_forward: feed_forward::build(parts, i)?,
            ffn_end: BlockEnd {
                bias: parts.optional(&down, c.d_model)?,
                norm: match post {
                    true => {
                        Some(parts.norm_scaled(&of(names.post_ffn_norm), c.d_model, ffn_factor)?)
                    }
                    false => None,
                },
            },
            per_layer: per_layer::layer(parts, i, factor)?,
        });
    }
    Ok(layers)
}

/// Returns the bias of the logits, which few families have. It is added behind their factor and their cap, which are refused
/// beside it, as is a width that the kernel does not have.
fn lm_head_bias(parts: &LoadedTensors<'_>) -> Result<Option<Tensor<2>>> {
    let c = parts.c;
    let name = bias_of(c.spec.names.lm_head);
    let bias = parts.optional(&name, c.vocab_size)?;
    let is_plain = c.scales.logits == 1.0 && c.scales.logits_cap == 0.0;
    match bias.is_none() || (is_plain && c.vocab_size.is_multiple_of(4)) {
        true => Ok(bias),
        false => Err(Error::Metadata {
            key: name,
            expected: "a multiple of 4 numbers, without scale or cap of the logits".to_owned(),
            found: format!("{} numbers", c.vocab_size),
        }),
    }
}
