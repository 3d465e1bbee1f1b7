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
        Recurrent::Mamba if keys.spec.single_blocks => nemotron_h(config, keys),
        Recurrent::Mamba => granite_hybrid(config, keys),
        Recurrent::AttentionAndMamba => falcon_h1(config, keys),
    }
}

fn number(config: &Object, key: &str) -> Result<u32> {
    let value = config.u32(key)?.filter(|value| *value > 0);
    value.ok_or_else(|| config.wrong(key, "a number above 0"))
}

/// Returns for each layer whether it attends, if the configuration lists them; others are called one of `others`.
fn attends(config: &Object, others: &[&str]) -> Result<Option<Vec<bool>>> {
    let Some(types) = config.get("layer_types") else {
        return Ok(None);
    };
    let expected = format!("an array of \"full_attention\" and \"{}\"", others[0]);
    let wrong = || config.wrong("layer_types", &expected);
    let types = types.as_array().ok_or_else(wrong)?.iter();
    let attends = types.map(|kind| match kind.as_str() {
        Some("full_attention" | "attention" | "sliding_attention") => Ok(true),
        Some(kind) if others.contains(&kind) => Ok(false),
        _ => Err(wrong()),
    });
    attends.collect::<Result<Vec<bool>>>().map(Some)
}

/// Returns the heads of keys and values of a layer that attends.
fn most_key_heads(config: &Object) -> Result<u32> {
    match config.u32("num_key_value_heads")? {
        Some(heads) => Ok(heads),
        None => number(config, "num_attention_heads"),
    }
}

/// Writes heads of keys and values by layer: 0 where a layer does not attend.
fn key_heads(attends: Vec<bool>, heads: u32, keys: &mut Keys<'_>) {
    let heads = attends.into_iter().map(|attends| match attends {
        true => heads,
        false => 0,
    });
    let heads = Value::Array(Array::U32(heads.collect()));
    keys.insert("attention.head_count_kv", heads);
}

/// Source: `Lfm2Config` and `Lfm2MLP` in transformers.
fn short_conv(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let n_layers = number(config, "num_hidden_layers")?.min(1024);
    let kv_heads = most_key_heads(config)?;
    let listed = config.get("full_attn_idxs").and_then(|all| all.as_array());
    let attends = match (attends(config, &["conv"])?, listed) {
        (Some(attends), _) => attends,
        (None, Some(listed)) => (0..n_layers)
            .map(|i| listed.iter().any(|j| j.as_u64() == Some(u64::from(i))))
            .collect(),
        (None, None) => vec![true; n_layers as usize],
    };
    key_heads(attends, kv_heads, keys);
    let taps = number(config, "conv_L_cache")?;
    keys.insert("shortconv.l_cache", Value::U32(taps));
    let stated = match config.u32("block_ff_dim")? {
        Some(stated) => stated,
        None => number(config, "intermediate_size")?,
    };
    // (LFM3, and models with experts, state the width as it is)
    let adjusts = keys.spec.name == "lfm2";
    let adjusts = adjusts && config.bool("block_auto_adjust_ff_dim")?.unwrap_or(true);
    let width = match adjusts {
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
    if let Some(attends) = attends(config, &["linear_attention"])? {
        let recurrent = attends.into_iter().map(|attends| !attends).collect();
        let recurrent = Value::Array(Array::Bool(recurrent));
        keys.insert("attention.recurrent_layers", recurrent);
    } else if let Some(interval) = config.u32("full_attention_interval")? {
        keys.insert("full_attention_interval", Value::U32(interval));
    }
    Ok(())
}

/// Source: `GraniteMoeHybridConfig` in transformers.
fn granite_hybrid(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let n_layers = number(config, "num_hidden_layers")?.min(1024);
    let attends = attends(config, &["linear_attention", "mamba"])?;
    let attends = attends.unwrap_or_else(|| vec![false; n_layers as usize]);
    key_heads(attends, most_key_heads(config)?, keys);
    let rotates = config.str("position_embedding_type")? == Some("rope");
    keys.insert("rope.scaling.finetuned", Value::Bool(rotates));
    let width = Value::U32(number(config, "shared_intermediate_size")?);
    match config.u32("num_local_experts")? {
        None | Some(0) => {
            keys.insert("feed_forward_length", width);
            keys.insert("expert_used_count", Value::U32(0));
        }
        Some(_) => keys.insert("expert_shared_feed_forward_length", width),
    }
    let inner = number(config, "mamba_expand")?.saturating_mul(number(config, "hidden_size")?);
    mamba(config, inner, keys)
}

/// Source: `NemotronHConfig` in transformers.
fn nemotron_h(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let kinds = kinds(config)?;
    let n_layers = kinds.len() as u32;
    keys.insert("block_count", Value::U32(n_layers));
    let kv_heads = most_key_heads(config)?;
    key_heads(
        kinds.iter().map(|kind| *kind == Kind::Attention).collect(),
        kv_heads,
        keys,
    );
    let mixes = kinds.contains(&Kind::Experts);
    if mixes && kinds.contains(&Kind::Dense) {
        return Err(config.wrong("layer_types", "layers with experts or dense ones, not both"));
    }
    let width = match mixes {
        true => number(config, "moe_intermediate_size")?,
        false => number(config, "intermediate_size")?,
    };
    let widths = kinds.iter().map(|kind| match kind {
        Kind::Dense | Kind::Experts => width,
        Kind::Mamba | Kind::Attention => 0,
    });
    let widths = Value::Array(Array::U32(widths.collect()));
    keys.insert("feed_forward_length", widths);
    // (configurations of dense models give defaults for experts)
    let experts = match mixes {
        true => number(config, "n_routed_experts")?,
        false => 0,
    };
    keys.insert("expert_count", Value::U32(experts));
    if experts == 0 {
        keys.insert("expert_used_count", Value::U32(0));
    }
    if let Some(width) = config.u32("moe_shared_expert_intermediate_size")? {
        keys.insert("expert_shared_feed_forward_length", Value::U32(width));
    }
    let heads = number(config, "mamba_n_heads")?;
    let inner = heads.saturating_mul(number(config, "mamba_d_head")?);
    mamba(config, inner, keys)
}

/// A layer of Nemotron-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mamba,
    Attention,
    Dense,
    Experts,
}

/// Returns the kind of each layer, from a list of names or a text with a letter for each.
fn kinds(config: &Object) -> Result<Vec<Kind>> {
    const PATTERN: &str = "hybrid_override_pattern";
    let (key, kinds): (&str, Option<Vec<Kind>>) = match config.str(PATTERN)? {
        Some(letters) => {
            let kind = |letter: char| match letter {
                'M' => Some(Kind::Mamba),
                '*' => Some(Kind::Attention),
                '-' => Some(Kind::Dense),
                'E' => Some(Kind::Experts),
                _ => None,
            };
            (PATTERN, letters.chars().map(kind).collect())
        }
        None => {
            let kind = |name: &serde_json::Value| match name.as_str()? {
                "mamba" | "linear_attention" => Some(Kind::Mamba),
                "attention" | "full_attention" => Some(Kind::Attention),
                "mlp" => Some(Kind::Dense),
                "moe" => Some(Kind::Experts),
                _ => None,
            };
            let names = config.get("layer_types").and_then(|names| names.as_array());
            let kinds = names.and_then(|names| names.iter().map(kind).collect());
            ("layer_types", kinds)
        }
    };
    let is_known = |kinds: &Vec<Kind>| (1..=1024).contains(&kinds.len());
    let expected = "a kind for each layer: mamba (M), attention (*), mlp (-) or moe (E)";
    kinds
        .filter(is_known)
        .ok_or_else(|| config.wrong(key, expected))
}

/// Writes the factors that GGUF has in the weights: all of what is multiplied by them is linear up to the next norm, gate or score.
///
/// Source: `FalconH1Config` and `compute_mup_vector` in transformers.
fn falcon_h1(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let factor = |key: &str| config.f32(key).map(|factor| factor.unwrap_or(1.0));
    let factors = |key: &str, n: usize| match config.f32s(key)? {
        None => Ok(vec![1.0; n]),
        Some(found) if found.len() == n => Ok(found),
        Some(_) => Err(config.wrong(key, &format!("{n} numbers"))),
    };
    let own = format!("{}.attention.key_length", keys.spec.name);
    let head_dim = keys.metadata.u32(&own)? as f32;
    let input = factor("attention_in_multiplier")?;
    // Queries and keys are both multiplied, and so are their scores.
    let scale = input * input * factor("key_multiplier")? / head_dim.sqrt();
    keys.insert("attention.scale", Value::F32(scale));
    keys.insert("logit_scale", Value::F32(factor("lm_head_multiplier")?));
    let input_of_scan = factor("ssm_in_multiplier")?;
    let of_scan = factors("ssm_multipliers", 5)?.into_iter();
    let of_scan = of_scan.map(|factor| factor * input_of_scan).collect();
    let of_ffn = factors("mlp_multipliers", 2)?;
    for (key, value) in [
        (
            "attention_output",
            Value::F32(input * factor("attention_out_multiplier")?),
        ),
        ("mamba", Value::Array(Array::F32(of_scan))),
        ("mamba_output", Value::F32(factor("ssm_out_multiplier")?)),
        ("ffn_gate", Value::F32(of_ffn[0])),
        ("ffn_output", Value::F32(of_ffn[1])),
    ] {
        keys.insert_global(&format!("hearth.scales.{key}"), value);
    }
    let inner = match config.u32("mamba_d_ssm")? {
        Some(inner) => inner,
        None => number(config, "mamba_expand")?.saturating_mul(number(config, "hidden_size")?),
    };
    mamba(config, inner, keys)
}

/// Writes the shape of the selective scans.
fn mamba(config: &Object, inner: u32, keys: &mut Keys<'_>) -> Result<()> {
    let heads = number(config, "mamba_n_heads")?;
    // (a number, or "auto")
    let width = config.get("mamba_d_head").and_then(|width| width.as_u64());
    if width.is_some_and(|width| width.checked_mul(heads.into()) != Some(inner.into())) {
        let expected = format!("{inner} / {heads}, or \"auto\"");
        return Err(config.wrong("mamba_d_head", &expected));
    }
    for (key, value) in [
        ("ssm.conv_kernel", number(config, "mamba_d_conv")?),
        ("ssm.state_size", number(config, "mamba_d_state")?),
        ("ssm.group_count", number(config, "mamba_n_groups")?),
        ("ssm.time_step_rank", heads),
        ("ssm.inner_size", inner),
    ] {
        keys.insert(key, Value::U32(value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;
    use crate::container::Metadata;

    fn converted(config: &str) -> Result<Metadata> {
        let text = format!(
            r#"{{"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3, "mamba_n_heads": 8,
                "mamba_d_state": 16, "intermediate_size": 96, {config}}}"#
        );
        let config = Object::parse(&text, "config.json")?;
        let mut metadata = Metadata::default();
        config::convert(&config, &mut metadata)?;
        Ok(metadata)
    }

    const GRANITE: &str = r#""model_type": "granitemoehybrid", "num_local_experts": 0"#;
    const FALCON: &str = r#""model_type": "falcon_h1""#;

    /// As on the hub, by letters, and as transformers 5 writes it.
    #[test]
    fn layers_that_are_one_thing_have_widths_where_they_are_blocks() {
        const NEMOTRON: &str = r#""model_type": "nemotron_h", "mamba_num_heads": 8, "mamba_head_dim": 16, "ssm_state_size": 16,
            "moe_intermediate_size": 48, "n_routed_experts": 4, "num_experts_per_tok": 2"#;
        let with = |kinds: &str| converted(&format!("{NEMOTRON}, {kinds}"));
        for (kinds, width, experts) in [
            (r#""hybrid_override_pattern": "M-*-""#, 96, 0),
            (
                r#""layers_block_type": ["mamba", "mlp", "attention", "mlp"]"#,
                96,
                0,
            ),
            (
                r#""layer_types": ["linear_attention", "moe", "full_attention", "moe"]"#,
                48,
                4,
            ),
        ] {
            let metadata = with(kinds).unwrap();
            let list = |key: &str| {
                metadata
                    .u32s(&format!("nemotron_h.{key}"))
                    .unwrap()
                    .into_owned()
            };
            assert_eq!(list("attention.head_count_kv"), [0, 0, 2, 0]);
            assert_eq!(list("feed_forward_length"), [0, width, 0, width]);
            assert_eq!(metadata.u32("nemotron_h.expert_count"), Ok(experts));
            assert_eq!(metadata.u32("nemotron_h.ssm.inner_size"), Ok(128));
        }
        for (wrong, key) in [
            (r#""hybrid_override_pattern": "M-E""#, "layer_types"),
            (
                r#""hybrid_override_pattern": "M?""#,
                "hybrid_override_pattern",
            ),
            (r#""layer_types": []"#, "layer_types"),
            (r#""layer_types": ["mamba"], "mlp_bias": true"#, "mlp_bias"),
            (
                r#""layer_types": ["mamba"], "mlp_hidden_act": "silu""#,
                "mlp_hidden_act",
            ),
            (
                r#""layer_types": ["moe"], "moe_latent_size": 16"#,
                "moe_latent_size",
            ),
        ] {
            let error = with(wrong).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    /// As on the hub, and as transformers 5 writes it.
    #[test]
    fn kinds_of_layers_have_two_names() {
        for (mamba, attention) in [
            ("mamba", "attention"),
            ("linear_attention", "full_attention"),
        ] {
            let types = format!(r#""layer_types": ["{mamba}", "{attention}", "{mamba}"]"#);
            let metadata = converted(&format!("{GRANITE}, {types}")).unwrap();
            let heads = metadata.u32s("granitehybrid.attention.head_count_kv");
            assert_eq!(heads.unwrap().as_ref(), [0, 2, 0]);
            let inner = metadata.u32("granitehybrid.ssm.inner_size");
            assert_eq!(inner, Ok(128));
        }
        assert!(converted(&format!(r#"{GRANITE}, "layer_types": ["mamba", "moe"]"#)).is_err());
    }

    #[test]
    fn granite_rotates_only_if_it_says_so() {
        for (kind, rotates) in [("", false), ("nope", false), ("rope", true)] {
            let kind = format!(r#"{GRANITE}, "position_embedding_type": "{kind}""#);
            let metadata = converted(&kind).unwrap();
            let found = metadata.opt_bool("granitehybrid.rope.scaling.finetuned");
            assert_eq!(found, Ok(Some(rotates)));
        }
    }

    #[test]
    fn the_block_that_every_token_uses_is_an_expert_where_there_are_others() {
        let widths = |n_experts: u32| {
            let metadata = converted(&format!(
                r#""model_type": "granitemoehybrid", "num_local_experts": {n_experts}, "num_experts_per_tok": 2,
                    "shared_intermediate_size": 80"#
            ))
            .unwrap();
            let keys = [
                "feed_forward_length",
                "expert_shared_feed_forward_length",
                "expert_used_count",
            ];
            keys.map(|key| metadata.opt_u32(&format!("granitehybrid.{key}")).unwrap())
        };
        assert_eq!(widths(8), [Some(96), Some(80), Some(2)]);
        assert_eq!(widths(0), [Some(80), None, Some(0)]);
    }

    #[test]
    fn what_is_not_computed_is_refused_by_its_key() {
        for (config, more, key) in [
            (GRANITE, r#", "mamba_proj_bias": true"#, "mamba_proj_bias"),
            (FALCON, r#", "mlp_bias": true"#, "mlp_bias"),
            (FALCON, r#", "projectors_bias": true"#, "projectors_bias"),
            (FALCON, r#", "attention_bias": true"#, "attention_bias"),
            (
                FALCON,
                r#", "mamba_rms_norm": true"#,
                "mamba_norm_before_gate",
            ),
            (FALCON, r#", "mamba_d_head": 15"#, "mamba_d_head"),
            (FALCON, r#", "mlp_multipliers": [1.0]"#, "mlp_multipliers"),
            (FALCON, r#", "ssm_multipliers": [1.0]"#, "ssm_multipliers"),
            (
                FALCON,
                r#", "time_step_limit": [0.0, 0.1]"#,
                "time_step_limit",
            ),
            (
                GRANITE,
                r#", "time_step_limit": [0.1, Infinity]"#,
                "time_step_limit",
            ),
        ] {
            let error = converted(&format!("{config}{more}")).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        for more in [
            r#", "time_step_limit": [0.0, Infinity]"#,
            r#", "time_step_limit": [0.0, {"__float__": "Infinity"}]"#,
            r#", "mamba_d_head": "auto""#,
            r#", "mamba_d_head": 16, "mamba_d_ssm": null"#,
            r#", "mamba_rms_norm": true, "mamba_norm_before_gate": false"#,
        ] {
            converted(&format!("{FALCON}{more}")).unwrap();
        }
    }
}
