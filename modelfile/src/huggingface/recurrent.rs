//! Translates what `config.json` says of recurrent layers to GGUF's metadata.

use super::config::Keys;
use crate::container::{Array, Value};
use crate::error::Result;
use crate::families::Recurrent;
use crate::json::Object;

/// Writes the kinds of the layers and the shapes of their states.
pub(super) fn convert(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    match keys.spec.recurrent {
        Recurrent::None => Ok(()),
        Recurrent::ShortConv => short_conv(config, keys),
        Recurrent::GatedDelta => gated_delta(config, keys),
    }
}

fn number(config: &Object, key: &str) -> Result<u32> {
    let value = config.u32(key)?.filter(|value| *value > 0);
    value.ok_or_else(|| config.wrong(key, "a number above 0"))
}

/// Returns for each layer whether it attends, if the configuration lists them.
fn attends(config: &Object, others: &str) -> Result<Option<Vec<bool>>> {
    let Some(types) = config.get("layer_types") else {
        return Ok(None);
    };
    let expected = format!("an array of \"full_attention\" and \"{others}\"");
    let wrong = || config.wrong("layer_types", &expected);
    let types = types.as_array().ok_or_else(wrong)?.iter();
    let attends = types.map(|kind| match kind.as_str() {
        Some("full_attention") => Ok(true),
        Some(kind) if kind == others => Ok(false),
        _ => Err(wrong()),
    });
    attends.collect::<Result<Vec<bool>>>().map(Some)
}

/// Source: `Lfm2Config` and `Lfm2MLP` in transformers.
fn short_conv(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let n_layers = number(config, "num_hidden_layers")?.min(1024);
    let kv_heads = match config.u32("num_key_value_heads")? {
        Some(heads) => heads,
        None => number(config, "num_attention_heads")?,
    };
    let listed = config.get("full_attn_idxs").and_then(|all| all.as_array());
    let attends = match (attends(config, "conv")?, listed) {
        (Some(attends), _) => attends,
        (None, Some(listed)) => (0..n_layers)
            .map(|i| listed.iter().any(|j| j.as_u64() == Some(u64::from(i))))
            .collect(),
        (None, None) => vec![true; n_layers as usize],
    };
    let kv_heads = attends.into_iter().map(|attends| match attends {
        true => kv_heads,
        false => 0,
    });
    let kv_heads = Value::Array(Array::U32(kv_heads.collect()));
    keys.insert("attention.head_count_kv", kv_heads);
    let taps = number(config, "conv_L_cache")?;
    keys.insert("shortconv.l_cache", Value::U32(taps));
    let stated = match config.u32("block_ff_dim")? {
        Some(stated) => stated,
        None => number(config, "intermediate_size")?,
    };
    let width = match config.bool("block_auto_adjust_ff_dim")?.unwrap_or(true) {
        true => {
            let multiplier = config.f32("block_ffn_dim_multiplier")?.unwrap_or(1.0);
            let wide = (f64::from(stated) * 2.0 / 3.0).floor();
            let wide = (wide * f64::from(multiplier)).floor() as u32;
            let multiple = config.u32("block_multiple_of")?.unwrap_or(256).max(1);
            wide.div_ceil(multiple).saturating_mul(multiple)
        }
        false => stated,
    };
    keys.insert("feed_forward_length", Value::U32(width));
    Ok(())
}

/// Source: `Qwen3_5TextConfig` in transformers.
fn gated_delta(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let key_dim = number(config, "linear_key_head_dim")?;
    if number(config, "linear_value_head_dim")? != key_dim {
        let expected = format!("{key_dim}, as linear_key_head_dim");
        return Err(config.wrong("linear_value_head_dim", &expected));
    }
    let value_heads = number(config, "linear_num_value_heads")?;
    for (key, value) in [
        ("ssm.conv_kernel", number(config, "linear_conv_kernel_dim")?),
        ("ssm.state_size", key_dim),
        ("ssm.group_count", number(config, "linear_num_key_heads")?),
        ("ssm.time_step_rank", value_heads),
        ("ssm.inner_size", value_heads.saturating_mul(key_dim)),
    ] {
        keys.insert(key, Value::U32(value));
    }
    keys.insert_global("hearth.ssm.grouped", Value::Bool(true));
    if let Some(attends) = attends(config, "linear_attention")? {
        let recurrent = attends.into_iter().map(|attends| !attends).collect();
        let recurrent = Value::Array(Array::Bool(recurrent));
        keys.insert("attention.recurrent_layers", recurrent);
    } else if let Some(interval) = config.u32("full_attention_interval")? {
        keys.insert("full_attention_interval", Value::U32(interval));
    }
    Ok(())
}
