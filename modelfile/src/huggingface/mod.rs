//! A model in Hugging Face's format: `config.json`, `tokenizer.json` and others next to weights in safetensors. Their
//! contents are translated to a GGUF header, so that everything downstream is the same for both.
//!
//! Three things differ in the weights: rows of q and k are not reordered, so rotary pairs are always (i, i + d/2)
//! (`hearth.rope.halves`), Gemma's norms lack the 1 that GGUF's converter adds (`hearth.norm.offset`), and some
//! matrices of GPT-2 and gpt-oss are stored in another order ([`TensorInfo::arrangement`]).

mod config;
mod gpt_oss;
mod rope;
mod tensors;
mod tokenizer;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::container::{Metadata, TensorInfo, Value};
use crate::error::{Error, Result};

/// The texts of a folder, by the names in [`TEXT_FILES`].
pub type Texts = BTreeMap<String, String>;

/// Texts that a folder may have; the first two are required. The last ones are a template in a separate file and,
/// from sentence-transformers, the method by which a text's hidden states become one embedding.
pub const TEXT_FILES: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "1_Pooling/config.json",
];

/// Returns the metadata, and the tensors under GGUF's names.
///
/// # Errors
/// [`Error::BadFile`] for invalid JSON, [`Error::UnsupportedArchitecture`], [`Error::Metadata`] with the file and
/// key,
/// [`Error::Tokenizer`].
pub fn convert(texts: &Texts, tensors: Vec<TensorInfo>) -> Result<(Metadata, Vec<TensorInfo>)> {
    let needed = |file: &'static str| match texts.get(file) {
        Some(text) => object(text, file),
        None => Err(Error::Io {
            what: file.into(),
            message: "it is not there".into(),
        }),
    };
    let optional = |file: &'static str| match texts.get(file) {
        Some(text) => object(text, file),
        None => Ok(Object::empty(file)),
    };
    let config = needed("config.json")?.of_text()?;
    let tokenizer = needed("tokenizer.json")?;
    let tokenizer_config = optional("tokenizer_config.json")?;
    let generation_config = optional("generation_config.json")?;
    let mut metadata = Metadata::default();
    let source = config::convert(&config, &mut metadata)?;
    let pooling = optional("1_Pooling/config.json")?;
    config::pooling(&pooling, source, &mut metadata)?;
    let ends = tokenizer::Ends {
        config: &config,
        generation_config: &generation_config,
        tokenizer_config: &tokenizer_config,
    };
    tokenizer::convert(&tokenizer, &ends, &mut metadata)?;
    let template = texts.get("chat_template.jinja").cloned();
    let template = template.or_else(|| tokenizer_config.template());
    if let Some(template) = template {
        metadata.insert("tokenizer.chat_template", Value::String(template));
    }
    let tied = config.bool("tie_word_embeddings")?.unwrap_or(false);
    Ok((metadata, tensors::rename(tensors, source, tied)?))
}

/// A JSON object, and the name of its file for errors.
struct Object {
    file: &'static str,
    map: Map<String, Json>,
}

fn object(text: &str, file: &'static str) -> Result<Object> {
    let map = serde_json::from_str(text).map_err(|e| Error::BadFile {
        format: file,
        what: "the text".into(),
        expected: "a JSON object".into(),
        found: e.to_string(),
    })?;
    Ok(Object { file, map })
}

impl Object {
    fn empty(file: &'static str) -> Self {
        let map = Map::new();
        Self { file, map }
    }

    /// Returns the value, unless it is absent or null.
    fn get(&self, key: &str) -> Option<&Json> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Returns the language model's settings. Vision models nest them under `text_config`; top-level keys apply where
    /// it is silent.
    fn of_text(self) -> Result<Self> {
        let Some(text) = self.object("text_config")? else {
            return Ok(self);
        };
        let mut map = self.map;
        map.extend(text.map.into_iter().filter(|(_, value)| !value.is_null()));
        Ok(Self {
            file: self.file,
            map,
        })
    }

    /// Returns a copy with default values for the keys that it lacks.
    fn or(&self, defaults: &[(&str, f64)]) -> Self {
        let mut map = self.map.clone();
        for (key, value) in defaults {
            if self.get(key).is_none() {
                let whole = (value.fract() == 0.0).then(|| Json::from(*value as u64));
                map.insert((*key).to_owned(), whole.unwrap_or(Json::from(*value)));
            }
        }
        Self {
            file: self.file,
            map,
        }
    }

    /// Returns a copy in which missing keys have the values of their aliases.
    fn renamed(&self, aliases: &[(&str, &str)]) -> Self {
        let mut map = self.map.clone();
        for (from, to) in aliases {
            if let Some(value) = self.get(from) {
                map.entry(*to).or_insert_with(|| value.clone());
            }
        }
        Self {
            file: self.file,
            map,
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        let found = match self.get(key) {
            Some(value) => value.to_string().chars().take(80).collect(),
            None => "nothing: the key is absent".to_owned(),
        };
        Error::Metadata {
            key: format!("{}: {key}", self.file),
            expected: expected.into(),
            found,
        }
    }

    fn as_type<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.wrong(key, expected)),
        }
    }

    fn str(&self, key: &str) -> Result<Option<&str>> {
        self.as_type(key, "a string", Json::as_str)
    }

    fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.as_type(key, "true or false", Json::as_bool)
    }

    fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.as_type(key, "a number", |v| v.as_f64().map(|v| v as f32))
    }

    fn u32(&self, key: &str) -> Result<Option<u32>> {
        self.as_type(key, "a whole number", |v| v.as_u64()?.try_into().ok())
    }

    fn f32s(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.as_type(key, "an array of numbers", |v| {
            let values = v.as_array()?.iter();
            values.map(|v| v.as_f64().map(|v| v as f32)).collect()
        })
    }

    fn object(&self, key: &str) -> Result<Option<Object>> {
        let map = self.as_type(key, "an object", Json::as_object)?;
        let file = self.file;
        Ok(map.cloned().map(|map| Object { file, map }))
    }

    /// Returns a token's text: a string, or an object that contains it.
    fn token(&self, key: &str) -> Option<&str> {
        let value = self.get(key)?;
        value.as_str().or_else(|| value.get("content")?.as_str())
    }

    /// Returns `chat_template`: one text, or the one named default of several.
    fn template(&self) -> Option<String> {
        let value = self.get("chat_template")?;
        let named = || {
            let mut all = value.as_array()?.iter();
            let default = all.find(|t| t["name"] == "default")?;
            default["template"].as_str()
        };
        value.as_str().or_else(named).map(str::to_owned)
    }
}
