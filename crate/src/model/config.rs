//! The shape of a model, read from the file's metadata and checked against absurd values.

use serde::Serialize;

use super::{DecoderSpec, family};
use crate::error::{Error, Result};
use crate::format::Gguf;
use crate::ops::KvType;

/// Hyperparameters of a decoder.
#[derive(Debug, Clone, Serialize)]
pub struct ModelConfig {
    pub architecture: &'static str,
    /// The model's own name, from `general.name`.
    pub name: String,
    pub n_layers: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    pub d_ff: usize,
    pub vocab_size: usize,
    /// The context the model was trained for.
    pub n_ctx_train: usize,
    /// Epsilon of the norms.
    pub eps: f32,
    pub rope_theta: f32,
    /// Dimensions of a head that are rotated.
    pub rope_dim: usize,
    /// Positions are divided by this (linear scaling); 1 without.
    pub rope_scale: f32,
    #[serde(skip)]
    pub spec: &'static DecoderSpec,
}

impl ModelConfig {
    /// Reads the metadata of `gguf`.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`], or [`Error::Metadata`] naming the key.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let meta = &gguf.metadata;
        let architecture = meta.str("general.architecture")?;
        let spec = family(architecture)?;
        let key = |name: &str| format!("{architecture}.{name}");
        // A model is at most this large in any one direction; a header that says more is damaged.
        let size = |name: &str, max: usize| -> Result<usize> {
            let key = key(name);
            let found = meta.u32(&key)? as usize;
            in_range(&key, found, max)
        };
        let optional = |name: &str, default: usize, max: usize| -> Result<usize> {
            let key = key(name);
            match meta.opt_u32(&key)? {
                Some(found) => in_range(&key, found as usize, max),
                None => Ok(default),
            }
        };
        let n_layers = size("block_count", 1024)?;
        let d_model = size("embedding_length", 1 << 17)?;
        let n_heads = size("attention.head_count", 1024)?;
        let n_kv_heads = optional("attention.head_count_kv", n_heads, 1024)?;
        let head_dim = optional("attention.key_length", d_model / n_heads, 1024)?;
        let rope_dim = optional("rope.dimension_count", head_dim, 1024)?;
        let value_dim = optional("attention.value_length", head_dim, 1024)?;
        let d_ff = size("feed_forward_length", 1 << 20)?;
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
        if n_heads % n_kv_heads != 0 {
            let expected = format!("a divisor of head_count ({n_heads})");
            return Err(bad("attention.head_count_kv", expected, n_kv_heads));
        }
        if head_dim % 4 != 0 || head_dim > 256 || value_dim != head_dim {
            let expected = "a multiple of 4 up to 256, equal for keys and values".into();
            return Err(bad("attention.key_length", expected, head_dim));
        }
        if rope_dim % 2 != 0 || rope_dim > head_dim {
            let expected = format!("an even number up to {head_dim}");
            return Err(bad("rope.dimension_count", expected, rope_dim));
        }
        if d_ff % 4 != 0 {
            return Err(bad("feed_forward_length", "a multiple of 4".into(), d_ff));
        }
        Ok(Self {
            architecture: spec.name,
            name: meta.opt_str("general.name")?.unwrap_or("model").to_owned(),
            n_layers,
            d_model,
            n_heads,
            n_kv_heads,
            head_dim,
            d_ff,
            vocab_size,
            n_ctx_train,
            eps: meta.f32(&key("attention.layer_norm_rms_epsilon"))?,
            rope_theta: meta.opt_f32(&key("rope.freq_base"))?.unwrap_or(10_000.0),
            rope_dim,
            rope_scale: rope_scale(gguf, architecture)?,
            spec,
        })
    }

    /// Bytes of K and V of `n_ctx` positions in all layers.
    pub fn kv_bytes(&self, n_ctx: usize, kv: KvType) -> u64 {
        (2 * kv.bytes()) as u64 * (self.n_layers * n_ctx * self.n_kv_heads * self.head_dim) as u64
    }

    /// cos and sin for every position and pair: [n_ctx, rope_dim / 2, 2]. `factors` divide the frequencies.
    ///
    /// In f64, because an f32 angle of 8,192 radians is already off by half a thousandth.
    pub fn rope_table(&self, n_ctx: usize, factors: Option<&[f32]>) -> Vec<f32> {
        let pairs = self.rope_dim / 2;
        let frequencies: Vec<f64> = (0..pairs)
            .map(|i| {
                let exponent = 2.0 * i as f64 / self.rope_dim as f64;
                let factor = factors.and_then(|f| f.get(i)).copied().unwrap_or(1.0);
                f64::from(self.rope_theta).powf(-exponent) / f64::from(factor)
            })
            .collect();
        let mut table = Vec::with_capacity(n_ctx * pairs * 2);
        for position in 0..n_ctx {
            let position = position as f64 / f64::from(self.rope_scale);
            for frequency in &frequencies {
                let (sin, cos) = (position * frequency).sin_cos();
                table.extend([cos as f32, sin as f32]);
            }
        }
        table
    }
}

fn in_range(key: &str, found: usize, max: usize) -> Result<usize> {
    if (1..=max).contains(&found) {
        Ok(found)
    } else {
        Err(Error::Metadata {
            key: key.to_owned(),
            expected: format!("1 to {max}"),
            found: found.to_string(),
        })
    }
}

fn rope_scale(gguf: &Gguf, architecture: &str) -> Result<f32> {
    let key = format!("{architecture}.rope.scaling.type");
    let factor = format!("{architecture}.rope.scaling.factor");
    match gguf.metadata.opt_str(&key)? {
        None | Some("none") => Ok(1.0),
        Some("linear") => Ok(gguf.metadata.opt_f32(&factor)?.unwrap_or(1.0)),
        Some(other) => Err(Error::Metadata {
            key,
            expected: "none or linear".into(),
            found: other.to_owned(),
        }),
    }
}
