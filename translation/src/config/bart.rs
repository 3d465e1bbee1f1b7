//! `config.json` of Marian and of M2M100, which descend from BART.

use hearth_modelfile::Result;

use super::json::{Json, ends, first_id, suppressed};
use super::{Activation, Config, Family, Positions, Sinusoid, metadata, rules};

/// Key of whether encoder and decoder have one embedding.
const SHARE: &str = "share_encoder_decoder_embeddings";

pub fn read(json: &Json, generation: &Json, family: Family) -> Result<Config> {
    let is_marian = family == Family::Marian;
    let key = "activation_function";
    let activation = match json
        .str(key)?
        .unwrap_or(if is_marian { "swish" } else { "relu" })
    {
        "relu" => Activation::Relu,
        "swish" | "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu_new" => Activation::GeluTanh,
        other => {
            let expected = "relu, silu, swish, gelu or gelu_new";
            return Err(metadata(key, expected, other.to_owned()));
        }
    };
    // Switches of other descendants, which are off in all published files of these.
    let off = [
        ("normalize_before", is_marian),
        ("add_final_layer_norm", is_marian),
        ("normalize_embedding", is_marian),
    ];
    for (key, is_refused) in off {
        if is_refused && json.bool(key)? == Some(true) {
            return Err(metadata(key, "false", "true".into()));
        }
    }
    let is_shared = json.bool(SHARE)?.unwrap_or(true);
    if !is_shared && !is_marian {
        return Err(metadata(SHARE, "true: one vocabulary", "false".into()));
    }
    let d_model = json.size("d_model")?;
    let n_vocab = json.size("vocab_size")?;
    let decoder_vocab = json.opt_size("decoder_vocab_size")?;
    if let Some(found) = decoder_vocab.filter(|n| is_shared && *n != n_vocab) {
        let expected = format!("vocab_size, {n_vocab}, as {SHARE} is true");
        return Err(metadata("decoder_vocab_size", &expected, found.to_string()));
    }
    let max = json.size("max_position_embeddings")?;
    let pad = first_id([json, generation], "pad_token_id")?.unwrap_or(match family {
        Family::Marian => n_vocab.saturating_sub(1) as u32,
        _ => 1,
    });
    let start = first_id([generation, json], "decoder_start_token_id")?;
    let mut suppressed = suppressed([json, generation])?;
    if is_marian && is_shared && !suppressed.contains(&pad) {
        suppressed.push(pad);
    }
    let n_target = (!is_shared).then(|| decoder_vocab.unwrap_or(n_vocab));
    // (the padding of texts, which a smaller vocabulary of answers lacks)
    if let Some(n) = n_target {
        suppressed.retain(|id| (*id as usize) < n);
    }
    Ok(Config {
        family,
        d_model,
        encoder_layers: json.size("encoder_layers")?,
        decoder_layers: json.size("decoder_layers")?,
        encoder_heads: json.size("encoder_attention_heads")?,
        decoder_heads: json.size("decoder_attention_heads")?,
        head_dim: None,
        encoder_ff: json.size("encoder_ffn_dim")?,
        decoder_ff: json.size("decoder_ffn_dim")?,
        n_vocab,
        n_target,
        activation,
        is_gated: false,
        is_post_norm: is_marian,
        eps: 1e-5,
        positions: Positions::Sinusoid {
            kind: match family {
                Family::Marian => Sinusoid::Marian,
                _ => Sinusoid::M2m100,
            },
            max,
        },
        embedding_scale: match json.bool("scale_embedding")?.unwrap_or(!is_marian) {
            true => (d_model as f32).sqrt(),
            false => 1.0,
        },
        head_scale: 1.0,
        is_tied: json.bool("tie_word_embeddings")?.unwrap_or(true),
        max_input: Some(max),
        max_output: max,
        start: start.unwrap_or(match family {
            Family::Marian => pad,
            _ => 2,
        }),
        ends: match ends(json, generation)? {
            ids if !ids.is_empty() => ids,
            _ if is_marian => vec![0],
            _ => vec![2],
        },
        suppressed,
        tasks: Vec::new(),
        rules: rules(json, generation)?,
    })
}
