//! Translates `config.json` to GGUF's metadata.

use super::{experts, geometries, latent, recurrent, rope};
use crate::container::{Array, Metadata, Value};
use crate::error::{Error, Result};
use crate::families::{
    BIDIRECTIONAL, Checkpoint, DISTANCED, FAMILIES, HEAD_POOLING, MIXTURE, ModelSpec, Ranking,
};
use crate::json::Object;

/// The most layers that a model may have.
pub(super) const MAX_LAYERS: u32 = 1024;

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
const FLOATS: [(&str, &str); 9] = [
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("layer_norm_eps", "attention.layer_norm_epsilon"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("embedding_multiplier", "embedding_scale"),
    ("attention_multiplier", "attention.scale"),
    ("residual_multiplier", "residual_scale"),
    ("logits_scaling", "logit_scale"),
    ("logit_scale", "logit_scale"),
];

/// Fills `metadata`; returns the model's family and how its checkpoint is written.
pub(super) fn convert(
    config: &Object,
    metadata: &mut Metadata,
) -> Result<(&'static ModelSpec, &'static Checkpoint)> {
    let found = config.str("model_type")?;
    let mut found = (found.ok_or_else(|| config.wrong("model_type", "a string"))?).to_owned();
    // (Gemma 4 has texts there)
    if config.get("use_bidirectional_attention") == Some(&true.into()) {
        found.push_str(BIDIRECTIONAL);
    }
    if found == "bert" && config.str("position_embedding_type")? == Some("alibi") {
        found.push_str(DISTANCED);
    }
    if config.u32("moe_every_n_layers")?.is_some_and(|n| n > 0) {
        found.push_str(MIXTURE);
    }
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
    let mut keys = Keys { metadata, spec };
    keys.insert_global("general.architecture", text(spec.name));
    if let Some(name) = config.str("_name_or_path")?.filter(|name| !name.is_empty()) {
        keys.insert_global("general.name", text(name));
    }
    keys.insert_global("hearth.rope.halves", Value::Bool(!checkpoint.neighbours));
    if checkpoint.norms_lack_one {
        keys.insert_global("hearth.norm.offset", Value::F32(1.0));
    }
    for (from, to) in NUMBERS {
        if let Some(mut value) = config.u32(from)? {
            if to == "context_length" {
                value = value.saturating_sub(checkpoint.unused_positions);
            }
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
    experts::convert(config, &mut keys)?;
    windows(config, &mut keys)?;
    if let Some(rotates) = flags(config, "no_rope_layers")? {
        // (1 for a layer that does rotate)
        keys.insert("attention.rope_pattern", Value::Array(Array::Bool(rotates)));
    }
    activation(config, spec, checkpoint)?;
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
    geometries::convert(config, &mut keys)?;
    latent::convert(config, &mut keys)?;
    rope::convert(config, &mut keys)?;
    rope::by_layer(config, &mut keys)?;
    ranking(config, &mut keys)?;
    recurrent::convert(config, &mut keys)?;
    Ok((spec, checkpoint))
}

/// Writes that a model ranks documents, if it has the head of a classifier; others than the family's are refused.
fn ranking(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    const ARCHITECTURES: &str = "architectures";
    let classifies = |name: &serde_json::Value| {
        let name = name.as_str().unwrap_or_default();
        name.ends_with("ForSequenceClassification")
    };
    let all = config.get(ARCHITECTURES).and_then(|all| all.as_array());
    if !all.is_some_and(|all| all.iter().any(classifies)) {
        return Ok(());
    }
    match keys.spec.ranking {
        Ranking::Cls => {}
        Ranking::PredictionHead => {
            let pooling = config.str("classifier_pooling")?.unwrap_or("cls");
            keys.insert_global(HEAD_POOLING, text(pooling));
        }
        // (one output, that of "yes" less that of "no")
        Ranking::YesOrNo if labels(config)? == 1 => {
            rank_by_answer(keys.spec, keys.metadata);
        }
        Ranking::None | Ranking::YesOrNo => {
            return Err(config.wrong(ARCHITECTURES, "no classifier in this family"));
        }
    }
    keys.insert("pooling_type", Value::U32(4));
    Ok(())
}

/// Returns the outputs of a classifier.
fn labels(config: &Object) -> Result<usize> {
    let named = config.get("id2label").and_then(|labels| labels.as_object());
    let named = named.map(serde_json::Map::len);
    let stated = config.u32("num_labels")?.map(|n| n as usize);
    // (transformers' default)
    Ok(named.or(stated).unwrap_or(2))
}

/// Writes that a model ranks documents by its answer to the prompt that Qwen3-Reranker was trained on.
pub(super) fn rank_by_answer(spec: &ModelSpec, metadata: &mut Metadata) {
    metadata.insert(RERANK_TEMPLATE, text(QWEN_RERANK));
    metadata.insert(format!("{}.pooling_type", spec.name), Value::U32(4));
}

const RERANK_TEMPLATE: &str = "tokenizer.chat_template.rerank";
/// Prompt that Qwen3-Reranker was trained on, with its usual instruction; a folder does not say.
const QWEN_RERANK: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

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

/// Writes the window, and which layers slide if the configuration says so.
fn windows(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let Some(window) = config.u32("sliding_window")? else {
        return Ok(());
    };
    let used = config.bool("use_sliding_window")?;
    // The first layers that do not slide. Configurations that have this key slide only if they say so.
    let first = config.u32("max_window_layers")?;
    if used == Some(false) || (used.is_none() && first.is_some()) {
        return Ok(());
    }
    let n_layers = config
        .u32("num_hidden_layers")?
        .unwrap_or(0)
        .min(MAX_LAYERS);
    let slides = match (flags(config, "layer_types")?, first) {
        (Some(slides), _) => Some(slides),
        (None, Some(first)) => Some((0..n_layers).map(|i| i >= first).collect()),
        (None, None) => None,
    };
    const PATTERN: &str = "attention.sliding_window_pattern";
    if let Some(slides) = slides {
        if !slides.contains(&true) {
            return Ok(());
        }
        keys.insert(PATTERN, Value::Array(Array::Bool(slides)));
    } else if let Some(period) = config.u32("sliding_window_pattern")? {
        keys.insert(PATTERN, Value::U32(period));
    }
    keys.insert("attention.sliding_window", Value::U32(window));
    Ok(())
}

/// Reads a list with an entry for each layer: whether its attention slides, or a number other than 0.
pub(super) fn flags(config: &Object, key: &str) -> Result<Option<Vec<bool>>> {
    let Some(list) = config.get(key) else {
        return Ok(None);
    };
    let flag = |entry: &serde_json::Value| match (entry.as_str(), entry.as_u64()) {
        (Some(kind), _) => Some(kind == "sliding_attention"),
        (None, number) => number.map(|n| n != 0),
    };
    let list = list.as_array();
    let flags = list.and_then(|list| list.iter().map(flag).collect());
    flags
        .map(Some)
        .ok_or_else(|| config.wrong(key, "a list with an entry for each layer"))
}

/// Refuses another activation than the family's.
fn activation(config: &Object, spec: &ModelSpec, checkpoint: &Checkpoint) -> Result<()> {
    let is_called = |name: &str| match checkpoint.activation {
        Some(names) => names.contains(&name),
        None => spec.activation.is_called(name),
    };
    for key in ["hidden_activation", "hidden_act", "activation_function"] {
        if let Some(found) = config.str(key)? {
            return match is_called(found) {
                true => Ok(()),
                false => {
                    Err(config.wrong(key, &format!("the family's own ({:?})", spec.activation)))
                }
            };
        }
    }
    Ok(())
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
    let key = "partial_rotary_factor";
    let rope = rope::parameters(config)?.unwrap_or(Object::empty("config.json"));
    let of_rope = rope.f32(key)?;
    let partial = match rope.str("rope_type")? {
        // Pairs are those of the whole head; the share says how many of them turn.
        Some("proportional") => 1.0,
        _ => of_rope.or(config.f32(key)?).unwrap_or(1.0),
    };
    let rotated = (head_dim as f32 * partial.clamp(0.0, 1.0)) as u32;
    keys.insert("rope.dimension_count", Value::U32(rotated));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the metadata of a model with four layers.
    fn converted(config: &str) -> Result<Metadata> {
        let text = format!(
            r#"{{"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, {config}}}"#
        );
        let config = Object::parse(&text, "config.json")?;
        let mut metadata = Metadata::default();
        convert(&config, &mut metadata)?;
        Ok(metadata)
    }

    #[test]
    fn the_layers_that_slide_are_those_of_the_configuration() {
        let slides = |config: &str, family: &str| {
            let metadata = converted(config).unwrap();
            let key = |name: &str| format!("{family}.attention.{name}");
            let window = metadata.opt_u32(&key("sliding_window")).unwrap();
            (
                window,
                metadata.get(&key("sliding_window_pattern")).cloned(),
            )
        };
        let list = |flags: [bool; 4]| Some(Value::Array(Array::Bool(flags.into())));
        let types = r#""layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]"#;
        let found = slides(
            &format!(r#""model_type": "gpt_oss", "sliding_window": 16, {types}"#),
            "gpt-oss",
        );
        assert_eq!(found, (Some(16), list([false, true, true, false])));
        let qwen = |more: &str| {
            slides(
                &format!(r#""model_type": "qwen2", "sliding_window": 16 {more}"#),
                "qwen2",
            )
        };
        assert_eq!(qwen(r#", "max_window_layers": 2"#), (None, None));
        assert_eq!(
            qwen(r#", "max_window_layers": 2, "use_sliding_window": false"#),
            (None, None)
        );
        assert_eq!(
            qwen(r#", "max_window_layers": 4, "use_sliding_window": true"#),
            (None, None)
        );
        let found = qwen(r#", "max_window_layers": 2, "use_sliding_window": true"#);
        assert_eq!(found, (Some(16), list([false, false, true, true])));
        let found = slides(
            r#""model_type": "gemma3_text", "sliding_window": 16, "sliding_window_pattern": 3"#,
            "gemma3",
        );
        assert_eq!(found, (Some(16), Some(Value::U32(3))));
        assert_eq!(
            slides(r#""model_type": "mistral", "sliding_window": 16"#, "llama"),
            (Some(16), None)
        );
        let full = r#""layer_types": ["full_attention", "full_attention"]"#;
        assert_eq!(
            qwen(&format!(r#", "use_sliding_window": true, {full}"#)),
            (None, None)
        );
    }

    #[test]
    fn another_activation_than_the_familys_is_refused() {
        assert!(converted(r#""model_type": "llama", "hidden_act": "silu""#).is_ok());
        let error = converted(r#""model_type": "llama", "hidden_act": "relu""#).unwrap_err();
        assert!(error.to_string().contains("hidden_act"), "{error}");
    }

    #[test]
    fn choices_that_no_published_model_makes_are_refused_by_their_key() {
        let apertus =
            r#""model_type": "apertus", "rope_scaling": {"rope_type": "linear", "factor": 2.0}"#;
        let phi = r#""model_type": "phi", "hidden_act": "gelu_new""#;
        for (config, more, key) in [
            (apertus, r#", "post_norm": true"#, "post_norm"),
            (apertus, r#", "qk_norm": false"#, "qk_norm"),
            (apertus, r#", "hidden_act": "silu""#, "hidden_act"),
            (r#""model_type": "apertus""#, "", "rope_parameters"),
            (phi, r#", "qk_layernorm": true"#, "qk_layernorm"),
        ] {
            let error = converted(&format!("{config}{more}")).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        let usual = r#"{apertus}, "hidden_act": "xielu", "post_norm": false, "qk_norm": true"#;
        converted(&usual.replace("{apertus}", apertus)).unwrap();
        converted(phi).unwrap();
    }

    #[test]
    fn encoders_that_are_computed_otherwise_are_refused_by_their_keys() {
        let nomic = r#""model_type": "nomic_bert", "n_positions": 8192, "max_trained_positions": 2048, "activation_function": "swiglu""#;
        let stable = r#""model_type": "stablelm""#;
        for (config, key) in [
            (
                r#""model_type": "bert", "position_embedding_type": "relative_key""#.to_owned(),
                "position_embedding_type",
            ),
            (
                r#""model_type": "bert", "position_embedding_type": "alibi", "feed_forward_type": "original""#
                    .to_owned(),
                "feed_forward_type",
            ),
            (
                r#""model_type": "xlm-roberta", "position_embedding_type": "rotary""#.to_owned(),
                "position_embedding_type",
            ),
            (
                r#""model_type": "xlm-roberta", "lora_adaptations": ["separation"]"#.to_owned(),
                "lora_adaptations",
            ),
            (format!(r#"{nomic}, "prenorm": true"#), "prenorm"),
            (
                format!(r#"{nomic}, "rotary_emb_fraction": 0.5"#),
                "rotary_emb_fraction",
            ),
            (format!(r#"{stable}, "qk_layernorm": true"#), "qk_layernorm"),
            (
                r#""model_type": "qwen3", "architectures": ["Qwen3ForSequenceClassification"]"#
                    .to_owned(),
                "architectures",
            ),
        ] {
            let error = converted(&config).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        let metadata = converted(nomic).unwrap();
        assert_eq!(metadata.u32("nomic-bert.context_length"), Ok(2048));
        let both = format!(r#"{stable}, "qk_layernorm": true, "use_parallel_residual": true"#);
        converted(&both).unwrap();
        let one = r#""model_type": "qwen3", "architectures": ["Qwen3ForSequenceClassification"], "id2label": {"0": "LABEL_0"}"#;
        let metadata = converted(one).unwrap();
        assert_eq!(metadata.u32("qwen3.pooling_type"), Ok(4));
    }

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
