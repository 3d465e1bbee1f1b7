//! Translates what `config.json` says of experts to GGUF's metadata.

use super::config::Keys;
use crate::container::Value;
use crate::error::Result;
use crate::json::Object;

/// Keys whose value is one integer in both.
const NUMBERS: [(&str, &str); 8] = [
    ("moe_every_n_layers", "moe_every_n_layers"),
    ("num_experts_per_tok", "expert_used_count"),
    ("num_dense_layers", "leading_dense_block_count"),
    ("decoder_sparse_step", "interleave_moe_layer_step"),
    ("n_shared_experts", "expert_shared_count"),
    ("n_group", "expert_group_count"),
    ("topk_group", "expert_group_used_count"),
    (
        "shared_expert_intermediate_size",
        "expert_shared_feed_forward_length",
    ),
];

/// Writes the number of experts, their choice, and the expert that every token uses. Values that the family does not honour
/// are refused with the rest of the metadata.
pub(super) fn convert(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    for from in ["num_local_experts", "num_experts"] {
        // (models without experts may say that they have one)
        if let Some(value) = config.u32(from)?.filter(|n| *n > 1) {
            keys.insert("expert_count", Value::U32(value));
        }
    }
    for (from, to) in NUMBERS {
        if let Some(value) = config.u32(from)? {
            keys.insert(to, Value::U32(value));
        }
    }
    if let (Some(n), Some(width)) = (
        config.u32("n_shared_experts")?,
        config.u32("moe_intermediate_size")?,
    ) {
        let width = Value::U32(n.saturating_mul(width));
        keys.insert("expert_shared_feed_forward_length", width);
    }
    if let Some(normalised) = config.bool("norm_topk_prob")? {
        keys.insert("expert_weights_norm", Value::Bool(normalised));
    }
    if let Some(factor) = config.f32("routed_scaling_factor")? {
        keys.insert("expert_weights_scale", Value::F32(factor));
    }
    let dense = config.get("mlp_only_layers").and_then(|all| all.as_array());
    match dense.is_some_and(|all| !all.is_empty()) {
        true => Err(config.wrong("mlp_only_layers", "no layers")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config;
    use super::*;
    use crate::container::Metadata;

    /// Returns the metadata of a model with four layers.
    fn converted(config: &str) -> Result<Metadata> {
        let text = format!(
            r#"{{"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "num_experts_per_tok": 2, {config}}}"#
        );
        let mut metadata = Metadata::default();
        config::convert(&Object::parse(&text, "config.json")?, &mut metadata)?;
        Ok(metadata)
    }

    /// Returns a number of the metadata of a model of ERNIE's.
    fn of_ernie(config: &str, key: &str) -> Option<u32> {
        let config = format!(
            r#""model_type": "ernie4_5_moe", "moe_num_experts": 8, "moe_intermediate_size": 32 {config}"#
        );
        let metadata = converted(&config).unwrap();
        metadata.opt_u32(&format!("ernie4_5-moe.{key}")).unwrap()
    }

    #[test]
    fn layers_with_experts_and_the_shared_one_are_those_of_the_configuration() {
        let said = r#", "moe_layer_start_index": 2, "moe_layer_interval": 3, "moe_num_shared_experts": 4, "moe_k": 5"#;
        for (key, by_default, as_said) in [
            ("expert_count", Some(8), Some(8)),
            ("leading_dense_block_count", Some(1), Some(2)),
            ("interleave_moe_layer_step", None, Some(3)),
            ("expert_shared_feed_forward_length", Some(64), Some(128)),
        ] {
            assert_eq!(of_ernie("", key), by_default, "{key}");
            assert_eq!(of_ernie(said, key), as_said, "{key}");
        }
    }

    #[test]
    fn what_is_not_computed_is_refused_by_its_key() {
        for (family, more, key) in [
            ("qwen3_moe", "", "norm_topk_prob"),
            (
                "qwen3_moe",
                r#", "norm_topk_prob": false"#,
                "norm_topk_prob",
            ),
            (
                "qwen2_moe",
                r#", "mlp_only_layers": [0]"#,
                "mlp_only_layers",
            ),
            ("olmoe", r#", "clip_qkv": 8.0"#, "clip_qkv"),
            (
                "lfm2_moe",
                r#", "use_expert_bias": false"#,
                "use_expert_bias",
            ),
            (
                "ernie4_5_moe",
                r#", "moe_layer_end_index": 2"#,
                "moe_layer_end_index",
            ),
        ] {
            let config = format!(r#""model_type": "{family}", "num_experts": 8 {more}"#);
            let error = converted(&config).unwrap_err().to_string();
            assert!(error.contains(key), "{family}: {error}");
        }
        for accepted in [-1, 3] {
            of_ernie(
                &format!(r#", "moe_layer_end_index": {accepted}"#),
                "expert_count",
            );
        }
    }

    #[test]
    fn whether_weights_add_up_to_1_is_written() {
        let config = r#""model_type": "olmoe", "num_experts": 8, "norm_topk_prob": true"#;
        let metadata = converted(config).unwrap();
        let key = "olmoe.expert_weights_norm";
        assert_eq!(metadata.opt_bool(key).unwrap(), Some(true));
    }
}
