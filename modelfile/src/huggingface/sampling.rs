//! Translates the sampling that `generation_config.json` advises.

use serde_json::Value as Json;

use crate::container::{Metadata, Value};
use crate::json::Object;
use crate::sampling::ADVICE_KEYS;

/// Copies the advised values to the keys that llama.cpp's converter writes. What is no number is left out: a model
/// runs without advice.
///
/// `do_sample: false` means the likeliest token, whatever the parameters of sampling next to it say; penalties still
/// apply. Where it is absent the parameters count, as in vLLM and llama.cpp's converter.
pub(super) fn convert(generation_config: &Object, metadata: &mut Metadata) {
    let is_greedy = generation_config.get("do_sample") == Some(&Json::Bool(false));
    for (name, key) in ADVICE_KEYS {
        let value = match name {
            "temperature" if is_greedy => Some(0.0),
            "repetition_penalty" => generation_config.get(name).and_then(Json::as_f64),
            _ if is_greedy => None,
            _ => generation_config.get(name).and_then(Json::as_f64),
        };
        if let Some(value) = value {
            metadata.insert(key, Value::F64(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::AdvisedSampling;

    fn advice(text: &str) -> Option<AdvisedSampling> {
        let mut metadata = Metadata::default();
        convert(
            &Object::parse(text, "generation_config.json").unwrap(),
            &mut metadata,
        );
        AdvisedSampling::from_metadata(&metadata)
    }

    #[test]
    fn the_values_of_qwen3_are_read() {
        let found = advice(
            r#"{"do_sample": true, "eos_token_id": [1, 2], "temperature": 0.6, "top_k": 20, "top_p": 0.95,
                "typical_p": 0.9, "repetition_penalty": 1.05, "min_p": null}"#,
        );
        let wanted = AdvisedSampling {
            temperature: Some(0.6),
            top_k: Some(20),
            top_p: Some(0.95),
            min_p: None,
            typical_p: Some(0.9),
            repetition_penalty: Some(1.05),
        };
        assert_eq!(found, Some(wanted));
    }

    #[test]
    fn a_model_that_does_not_sample_is_greedy() {
        let found = advice(
            r#"{"do_sample": false, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.1}"#,
        );
        let wanted = AdvisedSampling {
            temperature: Some(0.0),
            repetition_penalty: Some(1.1),
            ..Default::default()
        };
        assert_eq!(found, Some(wanted));
    }

    #[test]
    fn values_that_are_no_advice_are_left_out() {
        assert_eq!(advice(r#"{"eos_token_id": 2}"#), None);
        assert_eq!(
            advice(r#"{"temperature": "warm", "top_p": 7, "top_k": [1]}"#),
            None
        );
    }
}
