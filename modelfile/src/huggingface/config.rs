//! Translates `config.json` to GGUF's metadata.

use super::rope;
use crate::container::{Metadata, Value};
use crate::error::{Error, Result};
use crate::families::{Checkpoint, FAMILIES, ModelSpec};
use crate::json::Object;

/// Keys whose value is one integer in both.
const NUMBERS: [(&str, &str); 7] = [
    ("num_hidden_layers", "block_count"),
    ("hidden_size", "embedding_length"),
    ("intermediate_size", "feed_forward_length"),
    ("max_position_embeddings", "context_length"),
    ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("moe_intermediate_size", "expert_feed_forward_length"),
];

/// Keys whose value is one float in both.
const FLOATS: [(&str, &str); 8] = [
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("layer_norm_eps", "attention.layer_norm_epsilon"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("embedding_multiplier", "embedding_scale"),
    ("attention_multiplier", "attention.scale"),
    ("residual_multiplier", "residual_scale"),
    ("logits_scaling", "logit_scale"),
];

/// Fills `metadata`; returns the model's family and how its checkpoint is written.
pub(super) fn convert(
    config: &Object,
    metadata: &mut Metadata,
) -> Result<(&'static ModelSpec, &'static Checkpoint)> {
    let found = config.str("model_type")?;
    let found = found.ok_or_else(|| config.wrong("model_type", "a string"))?;
    let known = || {
        let all = FAMILIES.iter();
        all.flat_map(|spec| {
            spec.checkpoints
                .iter()
                .map(|checkpoint| (*spec, checkpoint))
        })
    };
    let (spec, checkpoint) = known()
        .find(|(_, checkpoint)| checkpoint.model_type == found)
        .ok_or_else(|| Error::UnsupportedArchitecture {
            found: format!("{found} (in safetensors)"),
            known: known()
                .map(|(_, checkpoint)| checkpoint.model_type)
                .collect(),
        })?;
    let config = &config.renamed(checkpoint.aliases).or(checkpoint.defaults);
    (checkpoint.check)(config)?;
    quantized(config, checkpoint)?;
    let mut keys = Keys { metadata, spec };
    keys.insert_global("general.architecture", text(spec.name));
    if let Some(name) = config.str("_name_or_path")?.filter(|name| !name.is_empty()) {
        keys.insert_global("general.name", text(name));
    }
    keys.insert_global("hearth.rope.halves", Value::Bool(true));
    if checkpoint.norms_lack_one {
        keys.insert_global("hearth.norm.offset", Value::F32(1.0));
    }
    for (from, to) in NUMBERS {
        if let Some(value) = config.u32(from)? {
            keys.insert(to, Value::U32(value));
        }
    }
    for (from, to) in FLOATS {
        if let Some(value) = config.f32(from)? {
            keys.insert(to, Value::F32(value));
        }
    }
    if let Some(scalar) = config.f32("query_pre_attn_scalar")? {
        keys.insert("attention.scale", Value::F32(1.0 / scalar.sqrt()));
    }
    for from in ["num_local_experts", "num_experts"] {
        if let Some(value) = config.u32(from)? {
            keys.insert("expert_count", Value::U32(value));
        }
    }
    if let Some(value) = config.u32("num_experts_per_tok")? {
        keys.insert("expert_used_count", Value::U32(value));
    }
    if let Some(window) = config.u32("sliding_window")?
        && config.bool("use_sliding_window")? != Some(false)
    {
        keys.insert("attention.sliding_window", Value::U32(window));
    }
    if let Some(period) = period(config)? {
        keys.insert("attention.sliding_window_pattern", Value::U32(period));
    }
    if let Some(multiple) = checkpoint.default_ff_multiple
        && config.get("intermediate_size").is_none()
        && let Some(width) = config.u32("hidden_size")?
    {
        keys.insert(
            "feed_forward_length",
            Value::U32(width.saturating_mul(multiple)),
        );
    }
    heads(config, &mut keys)?;
    rope::convert(config, &mut keys)?;
    Ok((spec, checkpoint))
}

/// Writes the method by which a text's hidden states become one embedding, in GGUF's numbers.
pub(super) fn pooling(pooling: &Object, spec: &ModelSpec, metadata: &mut Metadata) -> Result<()> {
    for (key, number) in [
        ("pooling_mode_mean_tokens", 1),
        ("pooling_mode_cls_token", 2),
        ("pooling_mode_lasttoken", 3),
    ] {
        if pooling.bool(key)? == Some(true) {
            let key = format!("{}.pooling_type", spec.name);
            metadata.insert(key, Value::U32(number));
        }
    }
    Ok(())
}

/// Refuses quantised weights other than a family's own: other schemes have tensors that are not supported.
fn quantized(config: &Object, checkpoint: &Checkpoint) -> Result<()> {
    let Some(how) = config.object("quantization_config")? else {
        return Ok(());
    };
    match how.str("quant_method")? {
        Some(found) if Some(found) == checkpoint.quant_method => Ok(()),
        _ => Err(how.wrong(
            "quant_method",
            "none (weights in floats), or mxfp4 of gpt_oss; quantised models are read from GGUF",
        )),
    }
}

/// The metadata being filled, and the model's family.
pub(super) struct Keys<'a> {
    pub(super) metadata: &'a mut Metadata,
    pub(super) spec: &'static ModelSpec,
}

impl Keys<'_> {
    pub(super) fn insert_global(&mut self, key: &str, value: Value) {
        self.metadata.insert(key, value);
    }

    /// Inserts a key of the architecture.
    pub(super) fn insert(&mut self, key: &str, value: Value) {
        let key = format!("{}.{key}", self.spec.name);
        self.metadata.insert(key, value);
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Returns the period of the layers that do not slide: one in this many.
fn period(config: &Object) -> Result<Option<u32>> {
    if let Some(period) = config.u32("sliding_window_pattern")? {
        return Ok(Some(period));
    }
    let types = config.get("layer_types").and_then(|types| types.as_array());
    let slides = |types: &&Vec<serde_json::Value>| types.iter().any(|t| t == "sliding_attention");
    let full = types
        .filter(slides)
        .and_then(|types| types.iter().position(|t| t == "full_attention"));
    Ok(full.map(|at| at as u32 + 1))
}

fn heads(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let number = |key: &str| {
        let value = config.u32(key)?.filter(|value| *value > 0);
        value.ok_or_else(|| config.wrong(key, "a number above 0"))
    };
    let (width, n_heads) = (number("hidden_size")?, number("num_attention_heads")?);
    let head_dim = config.u32("head_dim")?.unwrap_or(width / n_heads);
    if head_dim > 1024 {
        return Err(config.wrong("head_dim", "a number up to 1024"));
    }
    keys.insert("attention.key_length", Value::U32(head_dim));
    keys.insert("attention.value_length", Value::U32(head_dim));
    let partial = config.f32("partial_rotary_factor")?.unwrap_or(1.0);
    let rotated = (head_dim as f32 * partial.clamp(0.0, 1.0)) as u32;
    keys.insert("rope.dimension_count", Value::U32(rotated));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in google/gemma-3-4b-it, which omits transformers' defaults.
    #[test]
    fn gemma_3_may_leave_out_what_is_usual() {
        let config = r#"{
            "model_type": "gemma3",
            "text_config": {
                "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
                "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024
            },
            "vision_config": {"hidden_size": 1152, "num_attention_heads": 16, "num_hidden_layers": 27}
        }"#;
        let config = Object::parse(config, "config.json")
            .unwrap()
            .of_text()
            .unwrap();
        let mut metadata = Metadata::default();
        convert(&config, &mut metadata).unwrap();
        for (key, value) in [
            ("block_count", 34),
            ("embedding_length", 2560),
            ("attention.head_count", 8),
            ("attention.head_count_kv", 4),
            ("attention.key_length", 256),
            ("attention.sliding_window", 1024),
            ("context_length", 131_072),
        ] {
            assert_eq!(
                metadata.u32(&format!("gemma3.{key}")).unwrap(),
                value,
                "{key}"
            );
        }
        for (key, value) in [
            ("rope.freq_base", 1e6),
            ("rope.freq_base_swa", 1e4),
            ("rope.scaling.factor", 8.0),
            ("attention.scale", 1.0 / 16.0),
        ] {
            assert_eq!(
                metadata.f32(&format!("gemma3.{key}")).unwrap(),
                value,
                "{key}"
            );
        }
    }
}
