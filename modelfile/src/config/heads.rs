//! Heads of attention: how many each layer has, how wide they are, and how much of them is rotated.

use super::keys::Keys;
use super::{MAX_HEAD_DIM, latent};
use crate::by_layer::{ByLayer, in_range};
use crate::error::Result;
use crate::families::{AttentionGate, ModelSpec};
use crate::layer_spec::{LatentShape, MixerKind};

pub(super) struct Heads {
    pub of_layer: Vec<usize>,
    /// Heads of keys and values, by layer.
    pub kv_of_layer: Vec<usize>,
    /// The most of any layer.
    pub most: usize,
    pub dim: usize,
    pub rope_dim: usize,
    /// Width and rotated width in layers that slide.
    pub sliding_dim: usize,
    pub sliding_rope_dim: usize,
    /// Sizes of attention over latents, in families that have it; `dim` is then what is kept of a token.
    pub latent: Option<LatentShape>,
}

impl Heads {
    pub fn read(keys: &Keys, by_layer: &ByLayer, spec: &ModelSpec, d_model: usize) -> Result<Self> {
        let of_layer = match by_layer.numbers("attention.head_count", 1024)? {
            Some(heads) => heads,
            None => vec![keys.size("attention.head_count", 1024)?; by_layer.n_layers],
        };
        let most = of_layer.iter().copied().max().unwrap_or(0);
        let most = in_range(&keys.key("attention.head_count"), most, 1024)?;
        if spec.latent {
            let shape = latent::read(keys)?;
            let dim = shape.kept();
            return Ok(Self {
                // (all heads read one cache, whatever the file calls them)
                kv_of_layer: vec![1; of_layer.len()],
                of_layer,
                most,
                dim,
                rope_dim: shape.rotated,
                sliding_dim: dim,
                sliding_rope_dim: shape.rotated,
                latent: Some(shape),
            });
        }
        let kv_of_layer = by_layer.numbers("attention.head_count_kv", 1024)?;
        let kv_of_layer = kv_of_layer.unwrap_or_else(|| of_layer.clone());
        let dim = keys.optional("attention.key_length", d_model / most, 1024)?;
        let rope_dim = keys.optional("rope.dimension_count", dim, 1024)?;
        let value_dim = keys.optional("attention.value_length", dim, 1024)?;
        check_dims(keys, "", dim, value_dim, rope_dim)?;
        let sliding_dim = keys.optional("attention.key_length_swa", dim, 1024)?;
        let sliding_value_dim = keys.optional("attention.value_length_swa", sliding_dim, 1024)?;
        let sliding_rope_dim = match sliding_dim == dim {
            true => rope_dim,
            false => sliding_dim,
        };
        let sliding_rope_dim = keys.optional("rope.dimension_count_swa", sliding_rope_dim, 1024)?;
        check_dims(
            keys,
            "_swa",
            sliding_dim,
            sliding_value_dim,
            sliding_rope_dim,
        )?;
        Ok(Self {
            of_layer,
            kv_of_layer,
            most,
            dim,
            rope_dim,
            sliding_dim,
            sliding_rope_dim,
            latent: None,
        })
    }

    /// Checks the numbers of the layers that attend; others may give 0.
    pub fn check(&self, keys: &Keys, spec: &ModelSpec, mixers: &[MixerKind]) -> Result<()> {
        for (i, mixer) in mixers.iter().enumerate() {
            let (heads, kv_heads) = (self.of_layer[i], self.kv_of_layer[i]);
            if !mixer.attends() {
                continue;
            }
            if spec.attention_gate == AttentionGate::PerHead && !heads.is_multiple_of(4) {
                return Err(keys.wrong("attention.head_count", "a multiple of 4", heads));
            }
            in_range(&keys.key("attention.head_count"), heads, 1024)?;
            in_range(&keys.key("attention.head_count_kv"), kv_heads, 1024)?;
            if heads % kv_heads != 0 {
                let expected = format!("a divisor of head_count ({heads})");
                return Err(keys.wrong("attention.head_count_kv", expected, kv_heads));
            }
        }
        Ok(())
    }
}

fn check_dims(
    keys: &Keys,
    suffix: &str,
    dim: usize,
    value_dim: usize,
    rope_dim: usize,
) -> Result<()> {
    if !dim.is_multiple_of(4) || dim > MAX_HEAD_DIM || value_dim != dim {
        let expected = format!("a multiple of 4 up to {MAX_HEAD_DIM}, equal for keys and values");
        return Err(keys.wrong(&format!("attention.key_length{suffix}"), expected, dim));
    }
    if !rope_dim.is_multiple_of(2) || rope_dim > dim {
        let expected = format!("an even number up to {dim}");
        return Err(keys.wrong(&format!("rope.dimension_count{suffix}"), expected, rope_dim));
    }
    Ok(())
}
