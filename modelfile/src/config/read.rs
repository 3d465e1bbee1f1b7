//! Reads the shape of a model from the file's metadata.

use super::classifier;
use super::dense;
use super::experts::Experts;
use super::heads::Heads;
use super::keys::{Keys, finite};
use super::layers::Layers;
use super::{ModelConfig, PartScales, Scales, latent, xielu};
use crate::by_layer::{ByLayer, in_range};
use crate::container::ModelHeader;
use crate::error::{Error, Result};
use crate::families::{Captions, ModelSpec, Pooling, QkNorm, Ranking, SlidingRope, Turns, family};
use crate::layer_kinds::mixers;
use crate::layer_spec::MixerKind;
use crate::mathematics;
use crate::rope::{Rope, Scaling, Sections};

impl ModelConfig {
    /// Reads the metadata of `gguf`.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`], or [`Error::Metadata`] naming the key, also for one that changes what the
    /// model computes and is not supported in its family.
    pub fn from_gguf(gguf: &ModelHeader) -> Result<Self> {
        gguf.check_is_model()?;
        let architecture = gguf.metadata.str("general.architecture")?;
        let spec = family(architecture)?;
        Self::of_family(gguf, (spec.variant)(gguf).unwrap_or(spec))
    }

    /// Reads the metadata of `gguf`, whose keys begin with the name of `spec`.
    ///
    /// # Errors
    /// The errors of [`ModelConfig::from_gguf`].
    pub(crate) fn of_family(gguf: &ModelHeader, spec: &'static ModelSpec) -> Result<Self> {
        let (meta, architecture) = (&gguf.metadata, spec.name);
        let keys = Keys { meta, architecture };
        mathematics::check(meta, spec)?;
        let n_blocks = keys.size("block_count", 1024)?;
        // The last blocks predict tokens after the next one, and are not run.
        let n_layers = n_blocks.saturating_sub(keys.count("nextn_predict_layers", 1024)?);
        in_range(&keys.key("nextn_predict_layers"), n_layers, n_blocks)?;
        let by_layer = ByLayer {
            meta,
            architecture,
            n_layers,
            n_blocks,
        };
        let most = |numbers: &[usize]| numbers.iter().copied().max().unwrap_or(0);
        let d_model = keys.size("embedding_length", 1 << 17)?;
        let heads = Heads::read(&keys, &by_layer, spec, d_model)?;
        let experts = Experts::read(&keys, &by_layer, spec)?;
        let per_layer_dim = keys.count("embedding_length_per_layer_input", 1 << 12)?;
        if !per_layer_dim.is_multiple_of(4) {
            let key = "embedding_length_per_layer_input";
            return Err(keys.wrong(key, "a multiple of 4", per_layer_dim));
        }
        let n_ctx_train = keys.size("context_length", 1 << 27)?;
        let mut mixers = match heads.latent {
            Some(shape) => vec![MixerKind::Latent(shape); n_layers],
            None => mixers(&by_layer, spec, d_model, &heads.kv_of_layer)?,
        };
        if spec.single_blocks {
            experts.replace(&keys, &mut mixers)?;
        }
        heads.check(&keys, spec, &mixers)?;
        let slides = by_layer.slides(spec)?;
        let sliding_window = match slides.contains(&true) {
            true => {
                let window = meta.opt_u32(&keys.key("attention.sliding_window"))?;
                window.unwrap_or(0) as usize
            }
            false => 0,
        };
        let (rope, growth) = rope(&keys, gguf, spec, heads.rope_dim)?;
        let local_rope = local_rope(&keys, spec, &rope, heads.sliding_rope_dim)?;
        let layers = Layers {
            gguf,
            spec,
            by_layer: &by_layer,
            heads: &heads,
            mixers: &mixers,
            experts: &experts,
            slides: &slides,
            sliding_window,
            has_local_rope: local_rope.is_some(),
        };
        let layers = layers.read()?;
        let head_dims: Vec<usize> = layers.iter().map(|layer| layer.head_dim).collect();
        let divisors = |kind: &str| -> Result<Vec<f32>> {
            let found = meta.opt_f32s(&format!("hearth.rope.{kind}"))?;
            Ok(found.unwrap_or_default().to_vec())
        };
        let dense = dense::read(&keys, gguf, spec, d_model)?;
        let pooling = pooling(gguf, spec)?;
        let score_dim = match heads.latent {
            Some(shape) => shape.query(),
            None if n_layers == spec.wide_scale_layers => d_model / heads.most,
            None => heads.dim,
        };
        let score_scale = growth / (score_dim as f32).sqrt();
        Ok(Self {
            architecture: spec.name,
            name: meta.opt_str("general.name")?.unwrap_or("model").to_owned(),
            n_layers,
            d_model,
            n_heads: heads.most,
            n_kv_heads: most(&heads.kv_of_layer),
            head_dim: most(&head_dims),
            d_ff: most(&experts.widths),
            n_experts: experts.n,
            n_experts_used: experts.n_used,
            router: experts.router,
            rank_outputs: classifier::outputs(&keys, gguf, spec, pooling)?,
            rank_answers: match pooling {
                Some(Pooling::Rank) => classifier::answers(gguf, spec)?,
                _ => None,
            },
            rank_pooling: classifier::head_pooling(&keys, spec)?,
            pooling,
            embedding_dim: dense.last().map_or(d_model, |last| last.rows),
            dense,
            vocab_size: vocab_size(gguf, spec)?,
            n_ctx_train,
            // (a projector's file has one name for both)
            eps: keys.epsilon(match spec.layer_norm || spec.sees {
                true => "attention.layer_norm_epsilon",
                false => "attention.layer_norm_rms_epsilon",
            })?,
            rope_theta: rope.theta,
            rope_dim: heads.rope_dim,
            local_rope,
            rope_sections: rope_sections(&keys, spec, heads.rope_dim)?,
            rope,
            sliding_window,
            layers,
            per_layer_dim,
            rope_original_ctx: keys.optional(
                "rope.scaling.original_context_length",
                n_ctx_train,
                1 << 27,
            )?,
            rope_halves: meta
                .opt_bool("hearth.rope.halves")?
                .unwrap_or(spec.rope_neox),
            rope_divisors: [divisors("freqs")?, divisors("short")?, divisors("long")?],
            norm_offset: finite(meta, "hearth.norm.offset", 0.0)?,
            scales: scales(&keys, spec, d_model, score_scale)?,
            xielu: xielu::read(gguf, spec, n_layers)?,
            spec,
        })
    }
}

fn vocab_size(gguf: &ModelHeader, spec: &ModelSpec) -> Result<usize> {
    let embedding = gguf
        .tensor(spec.names.token_embd)
        .ok_or_else(|| Error::MissingTensor {
            name: spec.names.token_embd.into(),
        })?;
    let rows = usize::try_from(embedding.n_rows()).unwrap_or(usize::MAX);
    in_range("token embedding rows", rows, 1 << 22)
}

/// Returns the rotation, and the growth of scores that comes with it.
fn rope(keys: &Keys, gguf: &ModelHeader, spec: &ModelSpec, dim: usize) -> Result<(Rope, f32)> {
    let mut scaling = Scaling::of(gguf, keys.architecture, spec.yarn_rounds)?;
    let growth = match spec.latent {
        true => latent::score_growth(&mut scaling),
        false => 1.0,
    };
    let rope = Rope {
        theta: keys.real("rope.freq_base", 10_000.0)?,
        dim,
        factor: scaling.factor(gguf, keys.architecture)?,
        scaling,
    };
    // The norm's factor is computed from what is not yet rotated: the rotation must keep lengths.
    let grows = rope.factor != 1.0 || matches!(rope.scaling, Scaling::Yarn(_));
    if spec.qk_norm == QkNorm::RotatedHead && grows {
        let expected = "a rotation that keeps lengths";
        return Err(keys.wrong("rope.scaling.type", expected, "YaRN, or a factor"));
    }
    Ok((rope, growth))
}

/// Reads the pairs that turn by time, height and width, in families that turn by them.
fn rope_sections(keys: &Keys, spec: &ModelSpec, dim: usize) -> Result<Option<Sections>> {
    const KEY: &str = "rope.dimension_sections";
    if spec.turns == Turns::ByOne {
        return Ok(None);
    }
    let key = keys.key(KEY);
    if keys.meta.get(&key).is_none() {
        return Ok(None);
    }
    let found = keys.meta.u32s(&key)?;
    let pairs: Vec<usize> = found.iter().take(3).map(|pairs| *pairs as usize).collect();
    let interleaved = spec.turns == Turns::Interleaved;
    if !interleaved && pairs.iter().sum::<usize>() != dim / 2 {
        let expected = format!("{} pairs in all", dim / 2);
        return Err(keys.wrong(KEY, expected, format!("{found:?}")));
    }
    match <[usize; 3]>::try_from(pairs) {
        // (as in the reference, pairs that take turns may be fewer in all than these numbers say)
        Ok(pairs) => Ok(Some(Sections { pairs, interleaved })),
        Err(_) => Err(keys.wrong(KEY, "three numbers of pairs", format!("{found:?}"))),
    }
}

/// Returns the rotary positions of layers that slide, if they have their own.
fn local_rope(keys: &Keys, spec: &ModelSpec, rope: &Rope, dim: usize) -> Result<Option<Rope>> {
    Ok(match spec.sliding_rope {
        SlidingRope::Alike | SlidingRope::Only => None,
        SlidingRope::Unscaled { theta } => Some(Rope {
            theta: keys.real("rope.freq_base_swa", theta.unwrap_or(rope.theta))?,
            dim,
            scaling: Scaling::None,
            factor: 1.0,
        }),
    })
}

fn scales(keys: &Keys, spec: &ModelSpec, d_model: usize, score_scale: f32) -> Result<Scales> {
    let embedding = match spec.scales_embedding {
        true => (d_model as f32).sqrt(),
        false => 1.0,
    };
    let attention = match spec.unscaled_scores {
        true => 1.0,
        false => score_scale,
    };
    Ok(Scales {
        embedding: keys.real("embedding_scale", embedding)?,
        attention: keys.real("attention.scale", attention)?,
        alibi: match spec.alibi {
            true => keys.real("attention.max_alibi_bias", 8.0)?.max(0.0),
            false => 0.0,
        },
        residual: keys.real("residual_scale", 1.0)?,
        logits: match keys.real("logit_scale", 1.0)? {
            0.0 => return Err(keys.wrong("logit_scale", "a number that can be divided by", 0)),
            scale if spec.multiplies_logits => scale,
            scale => 1.0 / scale,
        },
        attention_cap: keys.real("attn_logit_softcapping", 0.0)?,
        logits_cap: keys.real("final_logit_softcapping", 0.0)?,
        temperature: keys.real("attention.temperature_scale", 0.0)?,
        parts: part_scales(keys)?,
    })
}

/// Reads the factors that safetensors lack in their weights.
fn part_scales(keys: &Keys) -> Result<PartScales> {
    const MAMBA: &str = "hearth.scales.mamba";
    const GATE: &str = "hearth.scales.ffn_gate";
    let wrong = |key: &str, expected: &str, found: String| Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let real = |key: &str| finite(keys.meta, key, 1.0);
    let mamba = match keys.meta.opt_f32s(MAMBA)? {
        None => [1.0; 5],
        Some(found) => <[f32; 5]>::try_from(found)
            .ok()
            .filter(|found| found.iter().all(|factor| factor.is_finite()))
            .ok_or_else(|| wrong(MAMBA, "five finite numbers", format!("{found:?}")))?,
    };
    Ok(PartScales {
        attention_output: real("hearth.scales.attention_output")?,
        mamba,
        mamba_output: real("hearth.scales.mamba_output")?,
        ffn_gate: match real(GATE)? {
            0.0 => {
                return Err(wrong(
                    GATE,
                    "a number that can be divided by",
                    "0".to_owned(),
                ));
            }
            gate => gate,
        },
        ffn_output: real("hearth.scales.ffn_output")?,
    })
}

/// Reads the pooling method of an embedding model.
fn pooling(gguf: &ModelHeader, spec: &ModelSpec) -> Result<Option<Pooling>> {
    let key = format!("{}.pooling_type", spec.name);
    let default = match spec.captions {
        Captions::None => (!spec.causal).then_some(Pooling::Mean),
        _ => Some(Pooling::Last),
    };
    match gguf.metadata.opt_u32(&key)? {
        None | Some(0) => Ok(default),
        Some(1) => Ok(Some(Pooling::Mean)),
        Some(2) => Ok(Some(Pooling::Cls)),
        Some(3) => Ok(Some(Pooling::Last)),
        Some(4) if spec.ranking != Ranking::None => Ok(Some(Pooling::Rank)),
        Some(found) => Err(Error::Metadata {
            key,
            expected: match spec.ranking {
                Ranking::None => "0 to 3 (none, mean, first token, last token)".into(),
                _ => "0 to 4 (none, mean, first token, last token, rank)".into(),
            },
            found: found.to_string(),
        }),
    }
}
