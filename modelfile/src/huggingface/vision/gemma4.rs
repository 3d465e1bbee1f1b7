//! Gemma 4's tower in a folder.
//!
//! Source: transformers `models/gemma4/configuration_gemma4.py`, `models/gemma4/image_processing_pil_gemma4.py`.

use crate::container::{TensorInfo, Value};
use crate::error::Result;
use crate::families::Activation;
use crate::json::Object;
use crate::vision::positions::GEMMA4_THETA;

/// Pillow's number of the bicubic filter.
const BICUBIC_FILTER: u32 = 3;

/// Returns whether rows of pictures see each other both ways.
pub(super) fn sees_both_ways(config: &Object) -> Result<bool> {
    let text = config.object("text_config")?;
    let attention = text.map_or(Ok(None), |text| {
        let attention = text.str("use_bidirectional_attention")?;
        Ok(attention.map(str::to_owned))
    });
    Ok(attention?.is_some())
}

/// Writes down what differs between models, and refuses what is not honoured; `cell`: pixels of a row's side.
pub(super) fn convert(
    vision: &Object,
    rules: &Object,
    cell: u32,
    tensors: &[TensorInfo],
    insert: &mut impl FnMut(&str, Value) -> Option<Value>,
) -> Result<()> {
    const STANDARDIZE: &str = "standardize";
    let activation = vision.str("hidden_activation")?;
    if activation.is_some_and(|found| !Activation::Gelu.is_called(found)) {
        return Err(vision.wrong("hidden_activation", "gelu_pytorch_tanh"));
    }
    let heads = vision.u32("num_attention_heads")?.unwrap_or(12);
    if vision
        .u32("num_key_value_heads")?
        .is_some_and(|found| found != heads)
    {
        return Err(vision.wrong("num_key_value_heads", "num_attention_heads"));
    }
    if vision.bool("attention_bias")? == Some(true) {
        return Err(vision.wrong("attention_bias", "false"));
    }
    let rope = vision.object("rope_parameters")?;
    for rope in [Some(vision), rope.as_ref()].into_iter().flatten() {
        if rope
            .f32("rope_theta")?
            .is_some_and(|theta| theta != GEMMA4_THETA)
        {
            return Err(rope.wrong("rope_theta", &format!("{GEMMA4_THETA} in a tower")));
        }
        // (as files of before transformers 5.24 call it)
        let is_it = |kind: &str| matches!(kind, "axial" | "default");
        if rope.str("rope_type")?.is_some_and(|kind| !is_it(kind)) {
            return Err(rope.wrong("rope_type", "axial in a tower"));
        }
    }
    let has_standard = tensors.iter().any(|tensor| tensor.name == "v.std_scale");
    if vision.bool(STANDARDIZE)?.unwrap_or(false) != has_standard {
        return Err(vision.wrong(
            STANDARDIZE,
            "true with std_bias and std_scale, and not without",
        ));
    }
    if let Some(width) = vision.u32("head_dim")? {
        insert("vision.attention.key_length", Value::U32(width));
        insert("vision.attention.value_length", Value::U32(width));
    }
    for key in ["do_resize", "do_rescale"] {
        if rules.bool(key)? == Some(false) {
            return Err(rules.wrong(key, "true"));
        }
    }
    if rules
        .u32("resample")?
        .is_some_and(|filter| filter != BICUBIC_FILTER)
    {
        return Err(rules.wrong("resample", "3: bicubic"));
    }
    let factor = rules.f32("rescale_factor")?.unwrap_or(1.0 / 255.0);
    if (factor * 255.0 - 1.0).abs() > 1e-4 {
        return Err(rules.wrong("rescale_factor", "1/255"));
    }
    let rows = rules.u32("max_soft_tokens")?.unwrap_or(280);
    let area = cell.saturating_mul(cell).saturating_mul(rows);
    insert("vision.image_max_pixels", Value::U32(area));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(vision: &str, rules: &str) -> Result<Vec<(String, Value)>> {
        let parse = |text: &str| Object::parse(text, "preprocessor_config.json").unwrap();
        let mut written = Vec::new();
        let mut insert = |key: &str, value: Value| {
            written.push((key.to_owned(), value));
            None
        };
        convert(&parse(vision), &parse(rules), 48, &[], &mut insert)?;
        Ok(written)
    }

    #[test]
    fn the_budget_of_rows_is_an_area() {
        let rope = r#"{"rope_parameters": {"rope_type": "default", "rope_theta": 100.0}}"#;
        let area = |rows: u32| {
            vec![(
                "vision.image_max_pixels".to_owned(),
                Value::U32(rows * 48 * 48),
            )]
        };
        assert_eq!(converted(rope, "{}"), Ok(area(280)));
        assert_eq!(converted("{}", r#"{"max_soft_tokens": 70}"#), Ok(area(70)));
    }

    #[test]
    fn settings_that_are_not_honoured_are_refused_by_name() {
        for (vision, rules, key) in [
            (
                r#"{"hidden_activation": "silu"}"#,
                "{}",
                "hidden_activation",
            ),
            (r#"{"num_key_value_heads": 4}"#, "{}", "num_key_value_heads"),
            (r#"{"attention_bias": true}"#, "{}", "attention_bias"),
            (
                r#"{"rope_parameters": {"rope_theta": 1e4}}"#,
                "{}",
                "rope_theta",
            ),
            (
                r#"{"rope_parameters": {"rope_type": "linear"}}"#,
                "{}",
                "rope_type",
            ),
            (r#"{"standardize": true}"#, "{}", "standardize"),
            ("{}", r#"{"do_resize": false}"#, "do_resize"),
            ("{}", r#"{"resample": 2}"#, "resample"),
            ("{}", r#"{"rescale_factor": 0.5}"#, "rescale_factor"),
        ] {
            let error = converted(vision, rules).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn larger_models_look_both_ways() {
        let sees = |text: &str| sees_both_ways(&Object::parse(text, "config.json").unwrap());
        assert_eq!(
            sees(r#"{"text_config": {"use_bidirectional_attention": "vision"}}"#),
            Ok(true)
        );
        assert_eq!(
            sees(r#"{"text_config": {"use_bidirectional_attention": null}}"#),
            Ok(false)
        );
        assert_eq!(sees("{}"), Ok(false));
    }
}
