//! Values that take the place of what a model's files say.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Array, ModelHeader, Value};
use crate::error::{Error, Result};

/// Values that take the place of what a model's files say. They are checked as if the files had them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Overrides {
    /// Jinja source of the chat template.
    pub chat_template: Option<String>,
    /// Base of the rotary embedding's frequencies.
    pub rope_theta: Option<f64>,
    /// Scaling of the rotary embedding, for contexts longer than those of the training.
    pub rope_scaling: Option<RopeScaling>,
    /// Metadata by GGUF's keys (`"tokenizer.ggml.eos_token_id"`); null removes a key.
    #[cfg_attr(
        feature = "typescript",
        ts(
            type = "Record<string, string | number | boolean | string[] | number[] | null>",
            optional
        )
    )]
    pub metadata: BTreeMap<String, Json>,
}

/// Scaling of the rotary embedding.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RopeScaling {
    /// `"linear"`, `"yarn"` or `"none"`.
    pub kind: String,
    /// Ratio of the longer context to that of the training.
    pub factor: Option<f64>,
    /// Context of the training in tokens.
    pub original_context: Option<u32>,
}

impl Overrides {
    /// Puts the values into a header.
    ///
    /// # Errors
    /// [`Error::Metadata`] for a value of another type than the file's, or of none that GGUF has.
    pub fn apply(&self, header: &mut ModelHeader) -> Result<()> {
        let metadata = &mut header.metadata;
        for (key, value) in &self.metadata {
            if value.is_null() {
                metadata.remove(key);
                continue;
            }
            let converted = convert(value, metadata.get(key)).ok_or_else(|| Error::Metadata {
                key: key.clone(),
                expected: match metadata.get(key) {
                    Some(found) => {
                        format!("a value of the type of the file's {}", found.describe())
                    }
                    None => "a text, number, truth value, or list of texts or numbers".into(),
                },
                found: value.to_string(),
            })?;
            metadata.insert(key.clone(), converted);
        }
        if let Some(source) = &self.chat_template {
            metadata.insert("tokenizer.chat_template", Value::String(source.clone()));
        }
        let architecture = metadata.str("general.architecture")?.to_owned();
        let key = |name: &str| format!("{architecture}.rope.{name}");
        if let Some(theta) = self.rope_theta {
            metadata.insert(key("freq_base"), Value::F32(theta as f32));
        }
        if let Some(scaling) = &self.rope_scaling {
            let kind = Value::String(scaling.kind.clone());
            metadata.insert(key("scaling.type"), kind);
            if let Some(factor) = scaling.factor {
                metadata.insert(key("scaling.factor"), Value::F32(factor as f32));
            }
            if let Some(context) = scaling.original_context {
                let context = Value::U32(context);
                metadata.insert(key("scaling.original_context_length"), context);
            }
        }
        Ok(())
    }
}

/// Converts a value to the type that the file has, or to the nearest of GGUF's.
fn convert(value: &Json, file: Option<&Value>) -> Option<Value> {
    Some(match (file, value) {
        (Some(Value::F32(_)), Json::Number(n)) => Value::F32(n.as_f64()? as f32),
        (Some(Value::F64(_)), Json::Number(n)) => Value::F64(n.as_f64()?),
        (Some(Value::Bool(_)) | None, Json::Bool(value)) => Value::Bool(*value),
        (Some(Value::String(_)) | None, Json::String(text)) => Value::String(text.clone()),
        (Some(Value::Array(_)) | None, Json::Array(items)) => Value::Array(array(items, file)?),
        (Some(file), Json::Number(n)) if file.integer().is_some() => Value::I64(integer(n)?),
        (None, Json::Number(n)) => match integer(n) {
            Some(integer) => Value::I64(integer),
            None => Value::F64(n.as_f64()?),
        },
        _ => return None,
    })
}

/// Returns a number without a fraction; JavaScript's numbers may come as floats.
fn integer(number: &serde_json::Number) -> Option<i64> {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 9e15).then_some(x as i64);
    number.as_i64().or_else(|| whole(number.as_f64()?))
}

fn array(items: &[Json], file: Option<&Value>) -> Option<Array> {
    fn all<T>(items: &[Json], convert: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
        items.iter().map(convert).collect()
    }
    let texts = || all(items, |item| item.as_str().map(str::to_owned));
    let floats = || all(items, |item| Some(item.as_f64()? as f32));
    let integers = || {
        all(items, |item| {
            i32::try_from(integer(item.as_number()?)?).ok()
        })
    };
    match file {
        Some(Value::Array(Array::String(_))) => texts().map(Array::String),
        Some(Value::Array(Array::F32(_))) => floats().map(Array::F32),
        _ => (texts().map(Array::String))
            .or_else(|| integers().map(Array::I32))
            .or_else(|| floats().map(Array::F32)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Container, Metadata};
    use super::*;

    fn header() -> ModelHeader {
        let mut metadata = Metadata::default();
        metadata.insert("general.architecture", Value::String("llama".into()));
        metadata.insert("eps", Value::F32(1e-5));
        metadata.insert("count", Value::U32(3));
        metadata.insert("texts", Value::Array(Array::String(vec!["a".into()])));
        ModelHeader {
            container: Container::Gguf,
            metadata,
            tensors: vec![],
            data_offset: 0,
            tower: None,
        }
    }

    fn applied(overrides: Json) -> Result<ModelHeader> {
        let mut header = header();
        let overrides: Overrides = serde_json::from_value(overrides).unwrap();
        overrides.apply(&mut header).map(|()| header)
    }

    #[test]
    fn values_take_the_types_of_those_that_they_replace() {
        let metadata = json!({"eps": 1, "count": 4.0, "texts": [], "new": [1, 2], "flag": true, "half": 0.5, "none": null});
        let found = applied(json!({"metadata": metadata})).unwrap().metadata;
        for (key, value) in [
            ("eps", Value::F32(1.0)),
            ("count", Value::I64(4)),
            ("texts", Value::Array(Array::String(vec![]))),
            ("new", Value::Array(Array::I32(vec![1, 2]))),
            ("flag", Value::Bool(true)),
            ("half", Value::F64(0.5)),
        ] {
            assert_eq!(found.get(key), Some(&value), "{key}");
        }
        assert_eq!(found.u32("count"), Ok(4));
        let removed = applied(json!({"metadata": {"count": null}})).unwrap();
        assert_eq!(removed.metadata.get("count"), None);
        assert_eq!(applied(json!({})).unwrap(), header());
    }

    #[test]
    fn values_of_another_type_are_refused_by_name() {
        for (key, value) in [
            ("count", json!(0.5)),
            ("count", json!("3")),
            ("eps", json!(true)),
            ("texts", json!([1])),
            ("new", json!([{}])),
            ("new", json!({"a": 1})),
        ] {
            match applied(json!({"metadata": {(key): value}})) {
                Err(Error::Metadata { key: named, .. }) => assert_eq!(named, key),
                other => panic!("{key}: {other:?}"),
            }
        }
    }

    #[test]
    fn template_and_rope_have_names_of_their_own() {
        let scaling = json!({"kind": "yarn", "factor": 4, "originalContext": 2048});
        let overrides = json!({"chatTemplate": "x", "ropeTheta": 1e6, "ropeScaling": scaling});
        let found = applied(overrides).unwrap().metadata;
        assert_eq!(found.str("tokenizer.chat_template"), Ok("x"));
        assert_eq!(found.get("llama.rope.freq_base"), Some(&Value::F32(1e6)));
        assert_eq!(found.str("llama.rope.scaling.type"), Ok("yarn"));
        assert_eq!(
            found.get("llama.rope.scaling.factor"),
            Some(&Value::F32(4.0))
        );
        assert_eq!(
            found.u32("llama.rope.scaling.original_context_length"),
            Ok(2048)
        );
        assert!(serde_json::from_value::<Overrides>(json!({"ropeBase": 1})).is_err());
    }
}
