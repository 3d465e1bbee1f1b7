//! The shape of a model, read from the file's metadata and checked against absurd values.

use serde::Serialize;

use crate::by_layer::{ByLayer, in_range};
use crate::container::{Metadata, ModelHeader, Value};
use crate::error::{Error, Result};
use crate::families::names::of_layer;
use crate::families::{ModelSpec, Pooling, PostNorm, QkNorm, SlidingRope, family};
use crate::kv_type::KvType;
use crate::layer_kinds::mixers;
pub use crate::layer_spec::DRAFT_ROWS;
use crate::layer_spec::{FeedForwardKind, LayerSpec, MixerKind, RopeKind};
use crate::mathematics;
use crate::rope::{Rope, Scaling};

/// Default context if the caller sets none: the KV cache of a small model then fits any GPU.
pub const DEFAULT_CONTEXT: usize = 2048;
/// Maximum number of experts that the router chooses among: their logits fit any device's workgroup memory.
pub const MAX_EXPERTS: usize = 1024;
/// Largest width of a head, which is that of the attention kernel.
pub const MAX_HEAD_DIM: usize = 512;
/// The longest prefill chunk: enough tiles of 64 tokens for every core of a large GPU.
pub const MAX_CHUNK: usize = 512;
/// Copies that a sequence keeps of states that cannot be cut.
pub const SNAPSHOTS: usize = 4;

/// Hyperparameters of a decoder.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ModelConfig {
    pub architecture: &'static str,
    /// The model's own name, from `general.name`.
    pub name: String,
    pub n_layers: usize,
    pub d_model: usize,
    /// Heads of a layer; the most of any, where layers differ.
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Width of the feed-forward block, or of an expert, the largest of any layer.
    pub d_ff: usize,
    /// Experts per layer, 0 without; and the number that a token is routed to.
    pub n_experts: usize,
    pub n_experts_used: usize,
    pub vocab_size: usize,
    /// Method by which a text becomes an embedding, if the model is made for embeddings.
    pub pooling: Option<Pooling>,
    /// The context the model was trained for.
    pub n_ctx_train: usize,
    /// Epsilon of the norms.
    pub eps: f32,
    pub rope_theta: f32,
    /// Dimensions of a head that are rotated.
    pub rope_dim: usize,
    /// Rotary positions; those of sliding layers are [`ModelConfig::local_rope`] if they differ.
    #[serde(skip)]
    pub rope: Rope,
    #[serde(skip)]
    pub local_rope: Option<Rope>,
    /// Positions that a query of a sliding layer attends to; 0 if no layer slides.
    pub sliding_window: usize,
    /// Each layer's shape and kind.
    #[serde(skip)]
    pub layers: Vec<LayerSpec>,
    /// Columns of the embedding that each layer has beside the ordinary one; 0 for none.
    #[serde(skip)]
    pub per_layer_dim: usize,
    /// The context up to which LongRoPE's short factors apply.
    #[serde(skip)]
    pub rope_original_ctx: usize,
    /// Rotary pairs are (i, i + d/2), not adjacent.
    #[serde(skip)]
    pub rope_halves: bool,
    /// Divisors of frequencies if the file has no tensor for them: as [`TensorNames`]'s `rope_freqs`,
    /// `rope_short` and `rope_long`.
    ///
    /// [`TensorNames`]: crate::families::TensorNames
    #[serde(skip)]
    pub rope_divisors: [Vec<f32>; 3],
    /// Added to the weights of norms.
    #[serde(skip)]
    pub norm_offset: f32,
    #[serde(skip)]
    pub scales: Scales,
    #[serde(skip)]
    pub spec: &'static ModelSpec,
}

/// Factors and caps that few families use.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    /// Factor of the embedding; 1 for none.
    pub embedding: f32,
    /// Factor of scores.
    pub attention: f32,
    /// Factor of the outputs of attention and feed-forward; 1 for none.
    pub residual: f32,
    /// Factor of logits; 1 for none.
    pub logits: f32,
    /// Caps of scores and logits; 0 for none.
    pub attention_cap: f32,
    pub logits_cap: f32,
    /// Growth of queries at positions far beyond the context that rotations were trained for, see
    /// `AttentionSpec::temperature`; 0 for none.
    pub temperature: f32,
}

impl ModelConfig {
    /// Reads the metadata of `gguf`.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`], or [`Error::Metadata`] naming the key, also for one that changes what the
    /// model computes and is not supported in its family.
    pub fn from_gguf(gguf: &ModelHeader) -> Result<Self> {
        let meta = &gguf.metadata;
        let architecture = meta.str("general.architecture")?;
        let spec = family(architecture)?;
        let key = |name: &str| format!("{architecture}.{name}");
        // Upper bound of any one dimension of a model; a header that claims more is damaged.
        let size = |name: &str, max: usize| -> Result<usize> {
            let key = key(name);
            let found = match of_all_layers(meta, &key)? {
                Some(found) => found,
                None => meta.u32(&key)?,
            };
            in_range(&key, found as usize, max)
        };
        let optional = |name: &str, default: usize, max: usize| -> Result<usize> {
            let key = key(name);
            match of_all_layers(meta, &key)? {
                Some(found) => in_range(&key, found as usize, max),
                None => Ok(default),
            }
        };
        let count = |name: &str, max: usize| -> Result<usize> {
            let key = key(name);
            match of_all_layers(meta, &key)?.unwrap_or(0) as usize {
                0 => Ok(0),
                found => in_range(&key, found, max),
            }
        };
        mathematics::check(meta, spec)?;
        let n_blocks = size("block_count", 1024)?;
        // The last blocks predict tokens after the next one, and are not run.
        let n_layers = n_blocks.saturating_sub(count("nextn_predict_layers", 1024)?);
        in_range(&key("nextn_predict_layers"), n_layers, n_blocks)?;
        let by_layer = ByLayer {
            meta,
            architecture,
            n_layers,
            n_blocks,
        };
        let most = |numbers: &[usize]| numbers.iter().copied().max().unwrap_or(0);
        let d_model = size("embedding_length", 1 << 17)?;
        let heads = match by_layer.numbers("attention.head_count", 1024)? {
            Some(heads) => heads,
            None => vec![size("attention.head_count", 1024)?; n_layers],
        };
        let n_heads = in_range(&key("attention.head_count"), most(&heads), 1024)?;
        let kv_heads = by_layer.numbers("attention.head_count_kv", 1024)?;
        let kv_heads = kv_heads.unwrap_or_else(|| heads.clone());
        let head_dim = optional("attention.key_length", d_model / n_heads, 1024)?;
        let rope_dim = optional("rope.dimension_count", head_dim, 1024)?;
        let value_dim = optional("attention.value_length", head_dim, 1024)?;
        let sliding_head_dim = optional("attention.key_length_swa", head_dim, 1024)?;
        let sliding_value_dim = optional("attention.value_length_swa", sliding_head_dim, 1024)?;
        let sliding_rope_dim = match sliding_head_dim == head_dim {
            true => rope_dim,
            false => sliding_head_dim,
        };
        let sliding_rope_dim = optional("rope.dimension_count_swa", sliding_rope_dim, 1024)?;
        let per_layer_dim = count("embedding_length_per_layer_input", 1 << 12)?;
        let n_experts = count("expert_count", MAX_EXPERTS)?;
        let n_experts_used = count("expert_used_count", 64)?;
        let widths = |name: &str| by_layer.numbers(name, 1 << 20);
        let expert_widths = match n_experts {
            0 => None,
            _ => widths("expert_feed_forward_length")?,
        };
        let d_ff = match expert_widths {
            Some(widths) => widths,
            None => widths("feed_forward_length")?.unwrap_or_else(|| vec![0; n_layers]),
        };
        let n_ctx_train = size("context_length", 1 << 27)?;
        let embedding = gguf
            .tensor(spec.names.token_embd)
            .ok_or_else(|| Error::MissingTensor {
                name: spec.names.token_embd.into(),
            })?;
        let vocab_size = usize::try_from(embedding.n_rows()).unwrap_or(usize::MAX);
        in_range("token embedding rows", vocab_size, 1 << 22)?;

        let bad = |name: &str, expected: String, found: usize| Error::Metadata {
            key: key(name),
            expected,
            found: found.to_string(),
        };
        let mixers = mixers(&by_layer, spec, d_model, &kv_heads)?;
        let attend = mixers.iter().map(|mixer| *mixer == MixerKind::Attention);
        let of_attention = heads.iter().zip(&kv_heads).zip(attend);
        for ((heads, kv_heads), _) in of_attention.filter(|(_, attends)| *attends) {
            in_range(&key("attention.head_count"), *heads, 1024)?;
            in_range(&key("attention.head_count_kv"), *kv_heads, 1024)?;
            if heads % kv_heads != 0 {
                let expected = format!("a divisor of head_count ({heads})");
                return Err(bad("attention.head_count_kv", expected, *kv_heads));
            }
        }
        for (suffix, dim, value_dim, rope_dim) in [
            ("", head_dim, value_dim, rope_dim),
            (
                "_swa",
                sliding_head_dim,
                sliding_value_dim,
                sliding_rope_dim,
            ),
        ] {
            let name = |name: &str| format!("{name}{suffix}");
            if dim % 4 != 0 || dim > MAX_HEAD_DIM || value_dim != dim {
                let expected =
                    format!("a multiple of 4 up to {MAX_HEAD_DIM}, equal for keys and values");
                return Err(bad(&name("attention.key_length"), expected, dim));
            }
            if rope_dim % 2 != 0 || rope_dim > dim {
                let expected = format!("an even number up to {dim}");
                return Err(bad(&name("rope.dimension_count"), expected, rope_dim));
            }
        }
        if per_layer_dim % 4 != 0 {
            let key = "embedding_length_per_layer_input";
            return Err(bad(key, "a multiple of 4".into(), per_layer_dim));
        }
        if let Some(wrong) = d_ff.iter().find(|d_ff| **d_ff == 0 || **d_ff % 4 != 0) {
            return Err(bad("feed_forward_length", "a multiple of 4".into(), *wrong));
        }
        if n_experts_used > n_experts || (n_experts_used == 0 && n_experts > 0) {
            let expected = format!("1 to expert_count ({n_experts})");
            return Err(bad("expert_used_count", expected, n_experts_used));
        }
        if n_experts > 0 && !(spec.gated && spec.post_norm == PostNorm::None && !spec.parallel) {
            return Err(bad("expert_count", "0 in this family".into(), n_experts));
        }
        let real = |name: &str, default: f32| finite(meta, key(name), default);
        let scaling = Scaling::of(gguf, architecture, spec.yarn_rounds)?;
        let rope = Rope {
            theta: real("rope.freq_base", 10_000.0)?,
            dim: rope_dim,
            factor: scaling.factor(gguf, architecture)?,
            scaling,
        };
        // The norm's factor is computed from what is not yet rotated: the rotation must keep lengths.
        let grows = rope.factor != 1.0 || matches!(rope.scaling, Scaling::Yarn(_));
        if spec.qk_norm == QkNorm::RotatedHead && grows {
            return Err(Error::Metadata {
                key: key("rope.scaling.type"),
                expected: "a rotation that keeps lengths".into(),
                found: "YaRN, or a factor".into(),
            });
        }
        let slides = by_layer.slides(spec)?;
        let sliding_window = match slides.contains(&true) {
            true => (meta.opt_u32(&key("attention.sliding_window"))?).unwrap_or(0) as usize,
            false => 0,
        };
        let local_rope = match spec.sliding_rope {
            SlidingRope::Alike | SlidingRope::Only => None,
            SlidingRope::Unscaled { theta } => Some(Rope {
                theta: real("rope.freq_base_swa", theta.unwrap_or(rope.theta))?,
                dim: sliding_rope_dim,
                scaling: Scaling::None,
                factor: 1.0,
            }),
        };
        let divisors = |kind: &str| -> Result<Vec<f32>> {
            let found = meta.opt_f32s(&format!("hearth.rope.{kind}"))?;
            Ok(found.unwrap_or_default().to_vec())
        };
        let score_dim = match n_layers == spec.wide_scale_layers {
            true => d_model / n_heads,
            false => head_dim,
        };
        let embedding = match spec.scales_embedding {
            true => (d_model as f32).sqrt(),
            false => 1.0,
        };
        let attention = match spec.unscaled_scores {
            true => 1.0,
            false => 1.0 / (score_dim as f32).sqrt(),
        };
        let scales = Scales {
            embedding: real("embedding_scale", embedding)?,
            attention: real("attention.scale", attention)?,
            residual: real("residual_scale", 1.0)?,
            logits: match real("logit_scale", 1.0)? {
                0.0 => {
                    return Err(Error::Metadata {
                        key: key("logit_scale"),
                        expected: "a number that can be divided by".into(),
                        found: "0".into(),
                    });
                }
                scale if spec.multiplies_logits => scale,
                scale => 1.0 / scale,
            },
            attention_cap: real("attn_logit_softcapping", 0.0)?,
            logits_cap: real("final_logit_softcapping", 0.0)?,
            temperature: real("attention.temperature_scale", 0.0)?,
        };
        let rotates = match meta.opt_bool(&key("rope.scaling.finetuned"))? {
            // Where the key means rotation as such.
            Some(rotates) if spec.honours.contains(&"rope.scaling.finetuned") => {
                Some(vec![rotates; n_layers])
            }
            _ => by_layer.flags("attention.rope_pattern")?,
        };
        let rotates = |i: usize| match &rotates {
            Some(by_layer) => by_layer[i] && !spec.learned_positions,
            None => spec.rotates(i),
        };
        let slides_at_all = sliding_window > 0;
        let kv_of = by_layer.shared_caches(&slides, &kv_heads)?;
        let value_proj = spec.names.qkv_proj.get(2).copied().unwrap_or_default();
        let head_dims = [head_dim, sliding_head_dim];
        let has_values = |i: usize| gguf.tensor(&of_layer(value_proj, i)).is_some();
        let layers: Vec<_> = (0..n_layers)
            .map(|i| {
                let attends = mixers[i] == MixerKind::Attention;
                let window = if slides[i] { sliding_window } else { 0 };
                LayerSpec {
                    mixer: mixers[i],
                    feed_forward: match (n_experts, spec.gated) {
                        (1.., _) => FeedForwardKind::Experts,
                        (0, true) => FeedForwardKind::Gated,
                        (0, false) => FeedForwardKind::Plain,
                    },
                    window,
                    rope: match window {
                        _ if !rotates(i) => RopeKind::None,
                        0 if slides_at_all && spec.sliding_rope == SlidingRope::Only => {
                            RopeKind::None
                        }
                        1.. if local_rope.is_some() => RopeKind::Local,
                        _ => RopeKind::Global,
                    },
                    heads: if attends { heads[i] } else { 0 },
                    kv_heads: if attends { kv_heads[i] } else { 0 },
                    head_dim: head_dims[usize::from(window > 0)],
                    d_ff: d_ff[i],
                    kv_of: kv_of[i],
                    values_are_keys: spec.values_may_be_keys
                        && window == 0
                        && kv_of[i].is_none()
                        && !has_values(i),
                }
            })
            .collect();
        Ok(Self {
            architecture: spec.name,
            name: meta.opt_str("general.name")?.unwrap_or("model").to_owned(),
            n_layers,
            d_model,
            n_heads,
            n_kv_heads: most(&kv_heads),
            head_dim: most(
                &layers
                    .iter()
                    .map(|layer| layer.head_dim)
                    .collect::<Vec<_>>(),
            ),
            d_ff: most(&d_ff),
            n_experts,
            n_experts_used,
            pooling: pooling(gguf, spec)?,
            vocab_size,
            n_ctx_train,
            eps: epsilon(
                meta,
                key(match spec.layer_norm {
                    true => "attention.layer_norm_epsilon",
                    false => "attention.layer_norm_rms_epsilon",
                }),
            )?,
            rope_theta: rope.theta,
            rope_dim,
            local_rope,
            rope,
            sliding_window,
            layers,
            per_layer_dim,
            rope_original_ctx: optional(
                "rope.scaling.original_context_length",
                n_ctx_train,
                1 << 27,
            )?,
            rope_halves: meta
                .opt_bool("hearth.rope.halves")?
                .unwrap_or(spec.rope_neox),
            rope_divisors: [divisors("freqs")?, divisors("short")?, divisors("long")?],
            norm_offset: finite(meta, "hearth.norm.offset".to_owned(), 0.0)?,
            scales,
            spec,
        })
    }

    /// Returns the rotation of layers of this kind.
    pub fn rope_of(&self, kind: RopeKind) -> Option<&Rope> {
        match kind {
            RopeKind::None => None,
            RopeKind::Global => Some(&self.rope),
            RopeKind::Local => self.local_rope.as_ref(),
        }
    }

    /// Returns the positions of the KV cache for the context that the caller requested.
    pub fn context(&self, wanted: Option<usize>) -> usize {
        (wanted.unwrap_or(DEFAULT_CONTEXT)).clamp(8, self.n_ctx_train.max(8))
    }

    /// Returns the most floats that a token of a prefill chunk needs at once.
    pub fn widest(&self) -> usize {
        let of_layer = |layer: &LayerSpec| {
            // (each is bounded, their products are not on WebAssembly)
            let ff = (3 * layer.d_ff).saturating_mul(self.n_experts_used.max(1));
            let per_layer = 2 * self.per_layer_dim * self.n_layers;
            ff.saturating_add(4 * self.d_model + layer.mixer_width() + per_layer)
        };
        self.layers.iter().map(of_layer).max().unwrap_or(1)
    }

    /// Returns the longest prefill chunk that stays within 48 MiB, unless that would be too short.
    pub fn longest_chunk(&self) -> usize {
        const BYTES: usize = 48 << 20;
        const SHORT: usize = 128;
        let fitting = BYTES / 4 / self.widest() / 64 * 64;
        fitting.clamp(SHORT, MAX_CHUNK)
    }

    /// Returns the bytes of K and V for `n_ctx` positions in all layers.
    pub fn kv_bytes(&self, n_ctx: usize, kv: KvType) -> u64 {
        let layers = self.layers.iter();
        2 * layers
            .map(|layer| cache_bytes(layer, n_ctx, kv))
            .sum::<u64>()
    }

    /// Returns the bytes of the states that layers keep of a sequence whatever its length, and of the copies of them
    /// that let the next request begin at an earlier token.
    pub fn state_bytes(&self) -> u64 {
        let layers = self.layers.iter();
        let values: u64 = layers.map(|layer| layer.state_values() as u64).sum();
        values.saturating_mul(4 * (1 + SNAPSHOTS as u64))
    }

    /// Returns the bytes of the largest cache that is bound at once: K or V of one layer for `n_ctx` positions, or the
    /// state of a recurrent one.
    pub fn largest_cache(&self, n_ctx: usize, kv: KvType) -> u64 {
        let layers = self.layers.iter();
        let of_layer = |layer: &LayerSpec| {
            let state = 4 * layer.state_values() as u64;
            cache_bytes(layer, n_ctx, kv).max(state)
        };
        let largest = layers.map(of_layer).max();
        largest.unwrap_or(0)
    }
}

/// Returns the bytes of K, or of V, that a layer keeps of `n_ctx` positions.
fn cache_bytes(layer: &LayerSpec, n_ctx: usize, kv: KvType) -> u64 {
    match layer.kv_of {
        Some(_) => 0,
        // Widened first: the product would overflow WebAssembly's usize.
        None => layer.kv_heads as u64 * n_ctx as u64 * kv.row_bytes(layer.head_dim),
    }
}

/// Reads a number that a file may give once, or as a list with one entry per layer; only equal entries are supported.
fn of_all_layers(meta: &Metadata, key: &str) -> Result<Option<u32>> {
    let Some(Value::Array(_)) = meta.get(key) else {
        return meta.opt_u32(key);
    };
    let list = meta.u32s(key)?;
    match list.first() {
        Some(first) if list.iter().all(|one| one == first) => Ok(Some(*first)),
        _ => Err(Error::Metadata {
            key: key.into(),
            expected: "the same number for every layer".into(),
            found: format!("{list:?}").chars().take(60).collect(),
        }),
    }
}

/// Reads a number used in calculations: neither infinite nor NaN.
fn finite(meta: &Metadata, key: String, default: f32) -> Result<f32> {
    match meta.opt_f32(&key)? {
        Some(found) if found.is_finite() => Ok(found),
        Some(found) => Err(Error::Metadata {
            key,
            expected: "a finite number".into(),
            found: found.to_string(),
        }),
        None => Ok(default),
    }
}

/// Reads the epsilon of a norm, which must be above 0 so that a row of zeros can be divided by its norm.
fn epsilon(meta: &Metadata, key: String) -> Result<f32> {
    match meta.f32(&key)? {
        eps if eps.is_finite() && eps > 0.0 => Ok(eps),
        found => Err(Error::Metadata {
            key,
            expected: "a finite number above 0".into(),
            found: found.to_string(),
        }),
    }
}

/// Reads the pooling method of an embedding model from the metadata.
fn pooling(gguf: &ModelHeader, spec: &ModelSpec) -> Result<Option<Pooling>> {
    let key = format!("{}.pooling_type", spec.name);
    let default = (!spec.causal).then_some(Pooling::Mean);
    match gguf.metadata.opt_u32(&key)? {
        None | Some(0) => Ok(default),
        Some(1) => Ok(Some(Pooling::Mean)),
        Some(2) => Ok(Some(Pooling::Cls)),
        Some(3) => Ok(Some(Pooling::Last)),
        Some(found) => Err(Error::Metadata {
            key,
            expected: "0 to 3 (none, mean, first token, last token)".into(),
            found: found.to_string(),
        }),
    }
}
