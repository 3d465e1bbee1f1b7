//! Translates what distinguishes the layers of Gemma 4 in `config.json` to GGUF's metadata: wider heads in layers that do
//! not slide, layers that read the caches of earlier ones, embeddings by layer.

use super::config::{Keys, MAX_LAYERS, flags};
use crate::container::{Array, Value};
use crate::error::Result;
use crate::json::Object;

/// Writes the keys, where the configuration has heads of two widths.
pub(super) fn convert(config: &Object, keys: &mut Keys<'_>) -> Result<()> {
    let Some(wide) = config.u32("global_head_dim")? else {
        return Ok(());
    };
    let number = |key: &str| {
        config
            .u32(key)?
            .ok_or_else(|| config.wrong(key, "a number"))
    };
    let n_layers = number("num_hidden_layers")?.min(MAX_LAYERS);
    let slides = match flags(config, "layer_types")? {
        Some(slides) => slides,
        None => {
            let period = number("sliding_window_pattern")?.max(1);
            (1..=n_layers).map(|i| !i.is_multiple_of(period)).collect()
        }
    };
    let (narrow, narrow_heads) = (number("head_dim")?, number("num_key_value_heads")?);
    let wide_heads = match config.bool("attention_k_eq_v")? {
        Some(true) => config.u32("num_global_key_value_heads")?,
        _ => None,
    };
    let wide_heads = wide_heads.unwrap_or(narrow_heads);
    // Widths and heads of each layer. transformers 5 lists the layers that differ.
    let mut layers: Vec<[u32; 2]> = (slides.iter())
        .map(|slides| match slides {
            true => [narrow, narrow_heads],
            false => [wide, wide_heads],
        })
        .collect();
    if let Some(own) = config.object("per_layer_config")? {
        for (i, layer) in layers.iter_mut().enumerate() {
            *layer = [narrow, narrow_heads];
            if let Some(own) = own.object(&i.to_string())? {
                *layer = [
                    own.u32("head_dim")?.unwrap_or(narrow),
                    own.u32("num_key_value_heads")?.unwrap_or(narrow_heads),
                ];
            }
        }
    }
    let full = slides.iter().position(|slides| !slides);
    let wide = full.map_or(wide, |i| layers[i][0]);
    let fits =
        |(slides, layer): (&bool, &[u32; 2])| layer[0] == if *slides { narrow } else { wide };
    if !slides.iter().zip(&layers).all(fits) {
        let expected = "one head_dim for all layers that slide, and one for the others";
        return Err(config.wrong("per_layer_config", expected));
    }
    for (to, value) in [
        ("attention.key_length", wide),
        ("attention.value_length", wide),
        ("attention.key_length_swa", narrow),
        ("attention.value_length_swa", narrow),
        ("rope.dimension_count", wide),
        ("rope.dimension_count_swa", narrow),
    ] {
        keys.insert(to, Value::U32(value));
    }
    let list = |numbers: Vec<u32>| Value::Array(Array::U32(numbers));
    let heads = layers.iter().map(|layer| layer[1]).collect();
    keys.insert("attention.head_count_kv", list(heads));
    let shared = config.u32("num_kv_shared_layers")?.unwrap_or(0);
    keys.insert("attention.shared_kv_layers", Value::U32(shared));
    if config.bool("use_double_wide_mlp")? == Some(true) {
        let width = number("intermediate_size")?;
        let own = n_layers.saturating_sub(shared);
        let widths = (0..n_layers).map(|i| match i < own {
            true => width,
            false => width.saturating_mul(2),
        });
        keys.insert("feed_forward_length", list(widths.collect()));
    }
    let per_layer = config.u32("hidden_size_per_layer_input")?.unwrap_or(0);
    keys.insert("embedding_length_per_layer_input", Value::U32(per_layer));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Metadata;
    use crate::families::gemma::GEMMA4;

    fn converted(more: &str) -> Result<Metadata> {
        let text = format!(
            r#"{{"num_hidden_layers": 4, "head_dim": 256, "global_head_dim": 512, "num_key_value_heads": 8, "intermediate_size": 64,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"] {more}}}"#
        );
        let config = Object::parse(&text, "config.json")?;
        let mut metadata = Metadata::default();
        let mut keys = Keys {
            metadata: &mut metadata,
            spec: &GEMMA4,
        };
        convert(&config, &mut keys)?;
        Ok(metadata)
    }

    /// As on the hub, and as transformers 5 writes it.
    #[test]
    fn both_forms_say_the_same() {
        let hub =
            converted(r#", "attention_k_eq_v": true, "num_global_key_value_heads": 2"#).unwrap();
        let layers = r#"{"1": {"head_dim": 512, "num_key_value_heads": 2}, "3": {"head_dim": 512, "num_key_value_heads": 2}}"#;
        let saved = converted(&format!(r#", "per_layer_config": {layers}"#)).unwrap();
        for metadata in [&hub, &saved] {
            let heads = metadata.u32s("gemma4.attention.head_count_kv").unwrap();
            assert_eq!(heads.as_ref(), [8, 2, 8, 2]);
            for (key, value) in [("", 512), ("_swa", 256)] {
                let key = format!("gemma4.attention.key_length{key}");
                assert_eq!(metadata.u32(&key), Ok(value));
            }
        }
        let without = converted(r#", "num_global_key_value_heads": 2"#).unwrap();
        let heads = without.u32s("gemma4.attention.head_count_kv").unwrap();
        assert_eq!(heads.as_ref(), [8; 4]);
    }

    #[test]
    fn layers_without_a_cache_are_twice_as_wide() {
        let shared = r#", "num_kv_shared_layers": 2, "use_double_wide_mlp": true"#;
        let metadata = converted(shared).unwrap();
        let widths = metadata.u32s("gemma4.feed_forward_length").unwrap();
        assert_eq!(widths.as_ref(), [64, 64, 128, 128]);
    }

    #[test]
    fn a_third_width_is_refused() {
        for layer in ["0", "3"] {
            let own = format!(r#"{{"1": {{"head_dim": 512}}, "{layer}": {{"head_dim": 128}}}}"#);
            let refused = converted(&format!(r#", "per_layer_config": {own}"#)).unwrap_err();
            assert!(
                refused.to_string().contains("per_layer_config"),
                "{refused}"
            );
        }
    }
}
