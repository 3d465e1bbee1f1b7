//! Objects of JSON files, read key by key.

use hearth_modelfile::{Error, Result};
use serde_json::Value;

use super::{SIZES, metadata};

/// A JSON object of a file.
pub struct Json(Value);

impl Json {
    pub fn parse(file: &'static str, text: &str) -> Result<Self> {
        let bad = |found: String| Error::BadFile {
            format: file,
            what: "the text".into(),
            expected: "a JSON object".into(),
            found,
        };
        let value: Value = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        match value.is_object() {
            true => Ok(Self(value)),
            false => Err(bad("another value".into())),
        }
    }

    pub fn empty(_file: &'static str) -> Self {
        Self(Value::Null)
    }

    /// Tells whether there is no such file.
    pub fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// Returns the value, unless it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(value) => Ok(Some(value)),
                None => Err(metadata(key, expected, value.to_string())),
            },
        }
    }

    pub fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a text", Value::as_str)
    }

    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub fn float(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a number of at least 0", |value| {
            let value = value.as_f64()? as f32;
            (value.is_finite() && value >= 0.0).then_some(value)
        })
    }

    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, "a number from -100 to 100", |value| {
            value.as_f64().filter(|value| value.abs() <= 100.0)
        })
    }

    pub fn opt_size(&self, key: &str) -> Result<Option<usize>> {
        let expected = format!("a whole number from 1 to {}", SIZES.end());
        self.typed(key, &expected, |value| {
            let n = value.as_u64().filter(|n| SIZES.contains(n))?;
            Some(n as usize)
        })
    }

    pub fn size(&self, key: &str) -> Result<usize> {
        let found = self.opt_size(key)?;
        found.ok_or_else(|| metadata(key, "a whole number", "nothing".into()))
    }

    /// Returns one id, or several.
    pub fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let found = self.typed(key, "an id or a list of ids", |value| match value {
            Value::Array(list) => list.iter().map(id).collect(),
            value => Some(vec![id(value)?]),
        });
        Ok(found?.unwrap_or_default())
    }
}

/// Returns the first id that a key has in one of the files.
pub fn first_id(files: [&Json; 2], key: &str) -> Result<Option<u32>> {
    for file in files {
        if let Some(id) = file.ids(key)?.first() {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

/// Returns the ids that end an answer, by both files.
pub fn ends(config: &Json, generation: &Json) -> Result<Vec<u32>> {
    let mut ids = generation.ids("eos_token_id")?;
    if ids.is_empty() {
        ids = config.ids("eos_token_id")?;
    }
    Ok(ids)
}

/// Returns the ids that are never written: `suppress_tokens`, and bad words of one token.
pub fn suppressed(files: [&Json; 2]) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(file.ids("suppress_tokens")?);
        let key = "bad_words_ids";
        let Some(words) = file.get(key) else { continue };
        let wrong = || metadata(key, "a list of lists with one id each", words.to_string());
        for word in words.as_array().ok_or_else(wrong)? {
            match word.as_array().map(Vec::as_slice) {
                Some([id]) => all.extend(id.as_u64().and_then(|id| u32::try_from(id).ok())),
                _ => return Err(wrong()),
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
