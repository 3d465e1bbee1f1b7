//! The metadata of T5 in GGUF.
//!
//! Source: llama.cpp's `src/llama-arch.cpp` and `src/models/t5*.cpp`.

use hearth_modelfile::Result;
use hearth_modelfile::container::{Metadata, TensorInfo};

use super::t5::first_tasks;
use super::{Activation, Config, Family, Positions, SIZES, T5_TOKENS, metadata};
use crate::beams::Rules;

/// Largest distance with a bucket of its own, which the format has no key for.
const MAX_DISTANCE: usize = 128;

pub fn read(meta: &Metadata, tensors: &[TensorInfo]) -> Result<Config> {
    let opt_size = |key: &str| -> Result<Option<usize>> {
        let key = format!("t5.{key}");
        match meta.opt_u32(&key)? {
            Some(n) if !SIZES.contains(&u64::from(n)) => {
                let expected = format!("1 to {}", SIZES.end());
                Err(metadata(&key, &expected, n.to_string()))
            }
            n => Ok(n.map(|n| n as usize)),
        }
    };
    let size = |key: &str| -> Result<usize> {
        let found = opt_size(key)?;
        found.ok_or_else(|| metadata(&format!("t5.{key}"), "a whole number", "nothing".into()))
    };
    let has = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
    let layers = size("block_count")?;
    let heads = size("attention.head_count")?;
    let width = size("feed_forward_length")?;
    let d_model = size("embedding_length")?;
    let head_dim = opt_size("attention.key_length")?;
    for (key, found) in [
        (
            "attention.value_length",
            opt_size("attention.value_length")?,
        ),
        (
            "attention.head_count_kv",
            opt_size("attention.head_count_kv")?,
        ),
    ] {
        let expected = match key {
            "attention.head_count_kv" => heads,
            _ => head_dim.unwrap_or(d_model / heads.max(1)),
        };
        if let Some(found) = found.filter(|found| *found != expected) {
            let key = format!("t5.{key}");
            return Err(metadata(&key, &expected.to_string(), found.to_string()));
        }
    }
    let is_gated = has("dec.blk.0.ffn_gate.weight");
    let is_tied = !has("output.weight");
    let n_vocab = meta.strings("tokenizer.ggml.tokens")?.len();
    let eos = meta.opt_u32("tokenizer.ggml.eos_token_id")?.unwrap_or(1);
    let pad = meta
        .opt_u32("tokenizer.ggml.padding_token_id")?
        .unwrap_or(0);
    let eps = meta.opt_f32("t5.attention.layer_norm_rms_epsilon")?;
    let eps = eps.or(meta.opt_f32("t5.attention.layer_norm_epsilon")?);
    Ok(Config {
        family: Family::T5,
        d_model,
        encoder_layers: layers,
        decoder_layers: opt_size("decoder_block_count")?.unwrap_or(layers),
        encoder_heads: heads,
        decoder_heads: heads,
        head_dim: head_dim.or((d_model / heads.max(1)).into()),
        encoder_ff: width,
        decoder_ff: width,
        n_vocab,
        n_target: None,
        activation: match is_gated {
            true => Activation::GeluTanh,
            false => Activation::Relu,
        },
        is_gated,
        is_post_norm: false,
        eps: eps.unwrap_or(1e-6),
        positions: Positions::Relative {
            buckets: opt_size("attention.relative_buckets_count")?.unwrap_or(32),
            max_distance: MAX_DISTANCE,
            in_each_layer: has("enc.blk.1.attn_rel_b.weight"),
        },
        embedding_scale: 1.0,
        head_scale: match is_tied {
            true => (d_model as f32).powf(-0.5),
            false => 1.0,
        },
        is_tied,
        max_input: None,
        max_output: opt_size("context_length")?.unwrap_or(T5_TOKENS),
        start: meta.opt_u32("t5.decoder_start_token_id")?.unwrap_or(pad),
        ends: vec![eos],
        suppressed: Vec::new(),
        // Only the first T5 has no gate, and only it and its kin were taught these.
        tasks: if is_gated { Vec::new() } else { first_tasks() },
        rules: Rules::default(),
    })
}
