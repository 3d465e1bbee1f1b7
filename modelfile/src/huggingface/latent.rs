//! Translates the sizes of attention over latent vectors to GGUF's metadata.

use super::config::{Keys, MAX_LAYERS};
use super::rope;
use crate::container::Value;
use crate::error::Result;
use crate::json::Object;

/// Writes the sizes, the scale of scores, and how many of the first layers have no experts, in families with such attention.
pub(super) fn convert(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    if !keys.spec.latent {
        return Ok(());
    }
    let size = |key: &str| {
        let value = config
            .u32(key)?
            .filter(|value| (1..1 << 14).contains(value));
        value.ok_or_else(|| config.wrong(key, "a number above 0"))
    };
    let (rank, rotated) = (size("kv_lora_rank")?, size("qk_rope_head_dim")?);
    let (key, value) = (size("qk_nope_head_dim")? + rotated, size("v_head_dim")?);
    for (name, size) in [
        ("attention.kv_lora_rank", rank),
        ("attention.key_length_mla", key),
        ("attention.value_length_mla", value),
        ("attention.key_length", rank + rotated),
        ("attention.value_length", rank),
        ("rope.dimension_count", rotated),
    ] {
        keys.insert(name, Value::U32(size));
    }
    if let Some(query) = config.u32("q_lora_rank")? {
        keys.insert("attention.q_lora_rank", Value::U32(query));
    }
    if let Some(interleaved) = config.bool("rope_interleave")? {
        keys.insert_global("hearth.rope.halves", Value::Bool(!interleaved));
    }
    let growth = score_growth(config)?;
    let scale = growth * growth / (key as f32).sqrt();
    keys.insert("attention.scale", Value::F32(scale));
    dense_layers(config, keys)
}

/// Returns what YaRN multiplies queries and keys by in the scores.
fn score_growth(config: &Object) -> Result<f32> {
    let scaling = match rope::parameters(config)? {
        Some(parameters) => Some(parameters),
        None => config.object("rope_scaling")?,
    };
    let Some(scaling) = scaling else {
        return Ok(1.0);
    };
    let kind = scaling.str("rope_type")?.or(scaling.str("type")?);
    let by = scaling.f32("mscale_all_dim")?.unwrap_or(0.0);
    let factor = scaling.f32("factor")?.unwrap_or(1.0).max(1.0);
    Ok(match kind {
        None | Some("default") => 1.0,
        Some(_) => 1.0 + 0.1 * by * factor.ln(),
    })
}

/// Writes how many of the first layers have no experts, where the configuration lists them.
fn dense_layers(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    const KEY: &str = "mlp_layer_types";
    let Some(list) = config.get(KEY).and_then(|list| list.as_array()) else {
        return Ok(());
    };
    let is_dense = |kind: &serde_json::Value| kind.as_str() == Some("dense");
    let dense = list.iter().take_while(|kind| is_dense(kind)).count();
    if list.len() > MAX_LAYERS as usize || list[dense..].iter().any(is_dense) {
        return Err(config.wrong(KEY, "dense layers before all others"));
    }
    keys.insert("leading_dense_block_count", Value::U32(dense as u32));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;
    use crate::container::Metadata;

    /// Returns the metadata of a model with four layers.
    fn converted(config: &str) -> Result<Metadata> {
        let text = format!(
            r#"{{"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "kv_lora_rank": 32,
            "qk_rope_head_dim": 16, "qk_nope_head_dim": 48, "v_head_dim": 40, {config}}}"#
        );
        let mut metadata = Metadata::default();
        config::convert(&Object::parse(&text, "config.json")?, &mut metadata)?;
        Ok(metadata)
    }

    #[test]
    fn sizes_are_those_of_the_latent_and_of_a_head_before_it_is_compared() {
        let metadata = converted(r#""model_type": "youtu""#).unwrap();
        let number = |key: &str| metadata.u32(&format!("deepseek2.{key}")).unwrap();
        assert_eq!(number("attention.key_length"), 48);
        assert_eq!(number("attention.key_length_mla"), 64);
        assert_eq!(number("attention.value_length_mla"), 40);
        assert_eq!(number("rope.dimension_count"), 16);
        assert_eq!(metadata.f32("deepseek2.attention.scale"), Ok(0.125));
    }

    #[test]
    fn yarn_makes_scores_grow() {
        let yarn = r#""model_type": "deepseek_v2", "rope_scaling": {"type": "yarn", "factor": 40, "mscale": 0.707,
            "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096}"#;
        let scale = converted(yarn).unwrap();
        let scale = scale.f32("deepseek2.attention.scale").unwrap();
        assert!((8.0 * scale - 1.589_622).abs() < 1e-4, "{scale}");
    }

    #[test]
    fn dense_layers_come_first() {
        let glm = |list: &str| {
            let list = format!(r#""model_type": "glm4_moe_lite", "mlp_layer_types": [{list}]"#);
            let metadata = converted(&list)?;
            metadata.u32("deepseek2.leading_dense_block_count")
        };
        assert_eq!(glm(r#""dense", "dense", "sparse", "sparse""#), Ok(2));
        let error = glm(r#""dense", "sparse", "dense", "sparse""#).unwrap_err();
        assert!(error.to_string().contains("mlp_layer_types"), "{error}");
        let by_default = converted(r#""model_type": "glm4_moe_lite""#).unwrap();
        let key = "deepseek2.leading_dense_block_count";
        assert_eq!(by_default.u32(key), Ok(1));
    }

    #[test]
    fn choices_that_are_not_made_here_are_refused_by_their_key() {
        let groups = r#""model_type": "deepseek_v2", "topk_method": "group_limited_greedy""#;
        let error = converted(groups).unwrap_err();
        assert!(error.to_string().contains("topk_method"), "{error}");
        let error = converted(r#""model_type": "youtu", "v_head_dim": 0"#).unwrap_err();
        assert!(error.to_string().contains("v_head_dim"), "{error}");
    }
}
