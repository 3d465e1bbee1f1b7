//! T5's `config.json`, and those of mT5 and UMT5.

use hearth_modelfile::Result;

use super::json::{Json, ends, first_id, suppressed};
use super::{Activation, Config, Family, Positions, T5_TOKENS, Task, metadata, rules};

/// English names of languages that T5's own prefixes have.
const NAMES: [(&str, &str); 4] = [
    ("en", "English"),
    ("de", "German"),
    ("fr", "French"),
    ("ro", "Romanian"),
];

pub fn read(json: &Json, generation: &Json, kind: &str) -> Result<Config> {
    let key = "feed_forward_proj";
    let default = if kind == "t5" { "relu" } else { "gated-gelu" };
    let projection = json.str(key)?.unwrap_or(default);
    let (is_gated, name) = match projection.strip_prefix("gated-") {
        Some(name) => (true, name),
        None => (false, projection),
    };
    let activation = match (is_gated, name) {
        (_, "relu") => Activation::Relu,
        // (the name of the tanh's form is left out in files)
        (true, "gelu") | (_, "gelu_new") => Activation::GeluTanh,
        (false, "gelu") => Activation::Gelu,
        (_, "silu" | "swish") => Activation::Silu,
        _ => {
            let expected = "relu, gelu, gelu_new or silu, with or without \"gated-\"";
            return Err(metadata(key, expected, projection.to_owned()));
        }
    };
    let d_model = json.size("d_model")?;
    let heads = json.size("num_heads")?;
    let layers = json.size("num_layers")?;
    let width = json.size("d_ff")?;
    // (version 5 of the reference writes down the scale instead, and calls all heads tied)
    let scale = json.bool("scale_decoder_outputs")?.unwrap_or(true);
    let is_tied = json.bool("tie_word_embeddings")?.unwrap_or(kind != "mt5") && scale;
    let pad = first_id([generation, json], "pad_token_id")?.unwrap_or(0);
    Ok(Config {
        family: Family::T5,
        d_model,
        encoder_layers: layers,
        decoder_layers: json.opt_size("num_decoder_layers")?.unwrap_or(layers),
        encoder_heads: heads,
        decoder_heads: heads,
        head_dim: Some(json.size("d_kv")?),
        encoder_ff: width,
        decoder_ff: width,
        n_vocab: json.size("vocab_size")?,
        n_target: None,
        activation,
        is_gated,
        is_post_norm: false,
        eps: json.float("layer_norm_epsilon")?.unwrap_or(1e-6),
        positions: Positions::Relative {
            buckets: (json.opt_size("relative_attention_num_buckets")?).unwrap_or(32),
            max_distance: (json.opt_size("relative_attention_max_distance")?).unwrap_or(128),
            in_each_layer: kind == "umt5",
        },
        embedding_scale: 1.0,
        head_scale: match is_tied && kind != "mt5" {
            true => (d_model as f32).powf(-0.5),
            false => 1.0,
        },
        is_tied,
        max_input: None,
        max_output: json.opt_size("n_positions")?.unwrap_or(T5_TOKENS),
        start: first_id([generation, json], "decoder_start_token_id")?.unwrap_or(pad),
        ends: match ends(json, generation)? {
            ids if ids.is_empty() => vec![1],
            ids => ids,
        },
        suppressed: suppressed([json, generation])?,
        tasks: tasks(json),
        rules: rules(json, generation)?,
    })
}

/// Returns the translations that `task_specific_params` lists, with the prefix of each.
fn tasks(json: &Json) -> Vec<Task> {
    let all = json.get("task_specific_params").and_then(|v| v.as_object());
    let task = |(name, task): (&String, &serde_json::Value)| {
        let (source, target) = name.strip_prefix("translation_")?.split_once("_to_")?;
        Some(Task {
            source: source.to_owned(),
            target: target.to_owned(),
            prefix: task["prefix"].as_str()?.to_owned(),
        })
    };
    all.into_iter().flatten().filter_map(task).collect()
}

/// Returns the translations that the first T5 was taught.
pub fn first_tasks() -> Vec<Task> {
    let (source, english) = NAMES[0];
    let task = |(target, name): &(&str, &str)| Task {
        source: source.to_owned(),
        target: (*target).to_owned(),
        prefix: format!("translate {english} to {name}: "),
    };
    NAMES[1..].iter().map(task).collect()
}
