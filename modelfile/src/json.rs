//! JSON objects of a model's folder, read key by key with errors that name the file and the key.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};

/// A JSON object, and the name of its file for errors.
pub(crate) struct Object {
    file: &'static str,
    map: Map<String, Json>,
}

/// Infinity as Python writes it, which is no JSON.
const INFINITY: &str = "Infinity";

/// Returns `text` with every infinity that is not in a string made one.
fn quoted_infinities(text: &str) -> String {
    let (mut out, mut rest, mut in_string) = (String::new(), text, false);
    while let Some(first) = rest.chars().next() {
        if let (false, Some(after)) = (in_string, rest.strip_prefix(INFINITY)) {
            out.push_str("\"Infinity\"");
            rest = after;
            continue;
        }
        let escaped = in_string && first == '\\';
        let piece = rest.chars().take(if escaped { 2 } else { 1 });
        let len = piece.map(char::len_utf8).sum();
        in_string ^= first == '"';
        let (done, after) = rest.split_at(len);
        out.push_str(done);
        rest = after;
    }
    out
}

impl Object {
    /// Parses the text of `file`.
    ///
    /// # Errors
    /// [`Error::BadFile`] for anything but a JSON object.
    pub(crate) fn parse(text: &str, file: &'static str) -> Result<Self> {
        let map = serde_json::from_str(text).or_else(|wrong| {
            let quoted = text.contains(INFINITY).then(|| quoted_infinities(text));
            let map = quoted.and_then(|text| serde_json::from_str(&text).ok());
            map.ok_or(wrong)
        });
        let map = map.map_err(|e| Error::BadFile {
            format: file,
            what: "the text".into(),
            expected: "a JSON object".into(),
            found: e.to_string(),
        })?;
        Ok(Self { file, map })
    }

    pub(crate) fn empty(file: &'static str) -> Self {
        let map = Map::new();
        Self { file, map }
    }

    /// Returns the value, unless it is absent or null.
    /// Returns all keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// Returns whether a key has a value other than null, false and empty ones.
    pub(crate) fn says(&self, key: &str) -> bool {
        match self.get(key) {
            None | Some(Json::Null | Json::Bool(false)) => false,
            Some(Json::Array(values)) => !values.is_empty(),
            Some(Json::Object(values)) => !values.is_empty(),
            Some(_) => true,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Returns the language model's settings. Vision models nest them under `text_config`; top-level keys apply where
    /// it is silent.
    pub(crate) fn of_text(self) -> Result<Self> {
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
    pub(crate) fn or(&self, defaults: &[(&str, f64)]) -> Self {
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
    pub(crate) fn renamed(&self, aliases: &[(&str, &str)]) -> Self {
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

    /// Refuses an object that leaves one of these keys to a default.
    ///
    /// # Errors
    /// [`Error::Metadata`] with the key.
    pub(crate) fn must_state(&self, keys: &[&str]) -> Result<()> {
        match keys.iter().find(|key| self.get(key).is_none()) {
            Some(missing) => Err(self.wrong(missing, "stated")),
            None => Ok(()),
        }
    }

    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Error {
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

    pub(crate) fn str(&self, key: &str) -> Result<Option<&str>> {
        self.as_type(key, "a string", Json::as_str)
    }

    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.as_type(key, "true or false", Json::as_bool)
    }

    pub(crate) fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.as_type(key, "a number", |v| v.as_f64().map(|v| v as f32))
    }

    pub(crate) fn u32(&self, key: &str) -> Result<Option<u32>> {
        self.as_type(key, "a whole number", |v| v.as_u64()?.try_into().ok())
    }

    pub(crate) fn f32s(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.as_type(key, "an array of numbers", |v| {
            let values = v.as_array()?.iter();
            values.map(|v| v.as_f64().map(|v| v as f32)).collect()
        })
    }

    pub(crate) fn u32s(&self, key: &str) -> Result<Option<Vec<u32>>> {
        self.as_type(key, "an array of whole numbers", |v| {
            let values = v.as_array()?.iter();
            values.map(|v| v.as_u64()?.try_into().ok()).collect()
        })
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<Object>> {
        let map = self.as_type(key, "an object", Json::as_object)?;
        let file = self.file;
        Ok(map.cloned().map(|map| Object { file, map }))
    }

    /// Returns a token's text: a string, or an object that contains it.
    pub(crate) fn token(&self, key: &str) -> Option<&str> {
        let value = self.get(key)?;
        value.as_str().or_else(|| value.get("content")?.as_str())
    }

    /// Returns `chat_template`: one text, or the one named default of several.
    pub(crate) fn template(&self) -> Option<String> {
        let value = self.get("chat_template")?;
        let named = || {
            let mut all = value.as_array()?.iter();
            let default = all.find(|t| t["name"] == "default")?;
            default["template"].as_str()
        };
        value.as_str().or_else(named).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinity_is_read_as_a_string() {
        let text = r#"{"limit": [0.0, Infinity], "text": "\"Infinity\\", "é": Infinity}"#;
        let object = Object::parse(text, "config.json").unwrap();
        let limit = object.get("limit").and_then(|limit| limit.as_array());
        assert_eq!(limit.unwrap()[1], "Infinity");
        assert_eq!(object.str("text"), Ok(Some("\"Infinity\\")));
        assert_eq!(object.str("é"), Ok(Some("Infinity")));
        for wrong in ["{Infinity", "{\"a\": -Infinity}", "{\"a\": Infinity \"\\"] {
            assert!(Object::parse(wrong, "config.json").is_err(), "{wrong}");
        }
    }
}
