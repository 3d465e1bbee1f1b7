//! Translates `config.json` to GGUF's metadata.

use super::{Object, gpt_oss, rope};
use crate::container::{Metadata, Value};
use crate::error::{Error, Result};

/// transformers' name of a family, and how its weights differ from those in GGUF.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Source {
    /// `model_type`.
    pub(super) model_type: &'static str,
    /// GGUF's name.
    pub(super) architecture: &'static str,
    /// GGUF's converter adds 1 to the weights of norms.
    pub(super) norms_lack_one: bool,
    /// Alternative names of keys: transformers' `attribute_map`.
    pub(super) aliases: &'static [(&'static str, &'static str)],
    /// `post_attention_layernorm` follows attention instead of preceding the feed-forward block.
    pub(super) post_norms: bool,
    /// transformers' defaults, which a configuration may omit.
    pub(super) defaults: &'static [(&'static str, f64)],
}

const fn source(model_type: &'static str, architecture: &'static str) -> Source {
    Source {
        model_type,
        architecture,
        norms_lack_one: false,
        aliases: &[],
        post_norms: false,
        defaults: &[],
    }
}

const SOURCES: [Source; 15] = [
    source("llama", "llama"),
    source("mistral", "llama"),
    source("ministral3", "mistral3"),
    source("mixtral", "llama"),
    source("qwen2", "qwen2"),
    source("qwen3", "qwen3"),
    source("qwen3_moe", "qwen3moe"),
    source("phi3", "phi3"),
    source("granite", "granite"),
    source("smollm3", "smollm3"),
    source("bert", "bert"),
    Source {
        aliases: &[
            ("n_layer", "num_hidden_layers"),
            ("n_embd", "hidden_size"),
            ("n_head", "num_attention_heads"),
            ("n_positions", "max_position_embeddings"),
            ("n_inner", "intermediate_size"),
            ("layer_norm_epsilon", "layer_norm_eps"),
        ],
        ..source("gpt2", "gpt2")
    },
    Source {
        post_norms: true,
        ..source("olmo2", "olmo2")
    },
    // Its norm before the experts has this name in GGUF.
    Source {
        post_norms: true,
        ..source("gpt_oss", "gpt-oss")
    },
    Source {
        norms_lack_one: true,
        post_norms: true,
        ..source("gemma2", "gemma2")
    },
];

const GEMMA3: Source = Source {
    model_type: "gemma3_text",
    architecture: "gemma3",
    defaults: &[
        ("hidden_size", 2304.0),
        ("intermediate_size", 9216.0),
        ("num_hidden_layers", 26.0),
        ("num_attention_heads", 8.0),
        ("num_key_value_heads", 4.0),
        ("head_dim", 256.0),
        ("max_position_embeddings", 131_072.0),
        ("rms_norm_eps", 1e-6),
        ("query_pre_attn_scalar", 256.0),
        ("sliding_window", 4096.0),
        ("rope_theta", 1_000_000.0),
        ("rope_local_base_freq", 10_000.0),
    ],
    ..SOURCES[14]
};

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

/// Fills `metadata`.
pub(super) fn convert(config: &Object, metadata: &mut Metadata) -> Result<Source> {
    let found = config.str("model_type")?;
    let found = found.ok_or_else(|| config.wrong("model_type", "a string"))?;
    let known = || SOURCES.iter().chain([&GEMMA3]);
    let source = known().find(|source| source.model_type == found);
    let source = *source.ok_or_else(|| Error::UnsupportedArchitecture {
        found: format!("{found} (in safetensors)"),
        known: known().map(|source| source.model_type).collect(),
    })?;
    let config = &config.renamed(source.aliases).or(source.defaults);
    match source.architecture {
        "gpt2" => gpt2(config)?,
        "gpt-oss" => gpt_oss::check(config)?,
        _ => {}
    }
    quantized(config, source)?;
    let mut keys = Keys { metadata, source };
    keys.insert_global("general.architecture", text(source.architecture));
    if let Some(name) = config.str("_name_or_path")?.filter(|name| !name.is_empty()) {
        keys.insert_global("general.name", text(name));
    }
    keys.insert_global("hearth.rope.halves", Value::Bool(true));
    if source.norms_lack_one {
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
    if source.architecture == "gpt2"
        && config.get("intermediate_size").is_none()
        && let Some(width) = config.u32("hidden_size")?
    {
        keys.insert("feed_forward_length", Value::U32(width.saturating_mul(4)));
    }
    heads(config, &mut keys)?;
    rope::convert(config, &mut keys)?;
    Ok(source)
}

/// Writes the method by which a text's hidden states become one embedding, in GGUF's numbers.
pub(super) fn pooling(pooling: &Object, source: Source, metadata: &mut Metadata) -> Result<()> {
    for (key, number) in [
        ("pooling_mode_mean_tokens", 1),
        ("pooling_mode_cls_token", 2),
        ("pooling_mode_lasttoken", 3),
    ] {
        if pooling.bool(key)? == Some(true) {
            let key = format!("{}.pooling_type", source.architecture);
            metadata.insert(key, Value::U32(number));
        }
    }
    Ok(())
}

/// Refuses features that only some of GPT-2's relatives have: their answers would be wrong.
fn gpt2(config: &Object) -> Result<()> {
    const GELU: [&str; 3] = ["gelu_new", "gelu_fast", "gelu_pytorch_tanh"];
    let activation = config.str("activation_function")?;
    if activation.is_some_and(|name| !GELU.contains(&name)) {
        return Err(config.wrong("activation_function", "gelu_new"));
    }
    let by_layer = "scale_attn_by_inverse_layer_idx";
    match config.bool(by_layer)? == Some(true) || config.bool("scale_attn_weights")? == Some(false)
    {
        true => Err(config.wrong(by_layer, "false, and scale_attn_weights true")),
        false => Ok(()),
    }
}

/// Refuses quantised weights other than gpt-oss's own: other schemes have tensors that are not supported.
fn quantized(config: &Object, source: Source) -> Result<()> {
    let Some(how) = config.object("quantization_config")? else {
        return Ok(());
    };
    match (source.architecture, how.str("quant_method")?) {
        ("gpt-oss", Some("mxfp4")) => Ok(()),
        _ => Err(how.wrong(
            "quant_method",
            "none (weights in floats), or mxfp4 of gpt_oss; quantised models are read from GGUF",
        )),
    }
}

/// The metadata being filled, and the source of the model.
pub(super) struct Keys<'a> {
    pub(super) metadata: &'a mut Metadata,
    pub(super) source: Source,
}

impl Keys<'_> {
    pub(super) fn insert_global(&mut self, key: &str, value: Value) {
        self.metadata.insert(key, value);
    }

    /// Inserts a key of the architecture.
    pub(super) fn insert(&mut self, key: &str, value: Value) {
        let key = format!("{}.{key}", self.source.architecture);
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
    use super::super::object;
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
        let config = object(config, "config.json").unwrap().of_text().unwrap();
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
