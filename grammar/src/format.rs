//! The kinds of formats that a request may ask for.

use anyhow::{Result, ensure};
use llguidance::api::TopLevelGrammar;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::names::with_text;

/// The required format of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "AnswerFormat"))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON described by a schema, on one line, with a space after each comma and colon: models write it so by
    /// default, and the more of the text is fixed, the less needs computing.
    JsonSchema(#[cfg_attr(feature = "typescript", ts(type = "unknown"))] Value),
    /// llguidance's dialect of Lark.
    Grammar(String),
    /// A regular expression of the `regex` crate that matches the whole answer.
    Regex(String),
    /// One of several texts.
    Choice(Vec<String>),
}

/// Maximum nesting of a schema, the same as for JSON that serde_json reads, and of a grammar's brackets.
const MOST_LEVELS: usize = 128;

impl Format {
    /// Compiles the format. `text`: the text of a token that the vocabulary does not have as a special one, by its name.
    pub(crate) fn compile<'n>(
        &'n self,
        text: impl Fn(&'n str) -> Option<&'n str>,
    ) -> Result<TopLevelGrammar> {
        let levels = match self {
            Format::JsonSchema(schema) => depth(schema),
            Format::Grammar(text) | Format::Regex(text) => brackets(text),
            Format::Choice(_) => 0,
        };
        ensure!(
            levels <= MOST_LEVELS,
            "it is nested more than {MOST_LEVELS} levels deep"
        );
        Ok(match self {
            Format::JsonSchema(schema) => TopLevelGrammar::from_json_schema(on_one_line(schema)),
            Format::Grammar(lark) => TopLevelGrammar::from_lark(with_text(lark, text)),
            Format::Regex(regex) => TopLevelGrammar::from_regex(regex),
            Format::Choice(texts) => {
                ensure!(!texts.is_empty(), "there is nothing to choose from");
                ensure!(
                    texts.iter().all(|text| !text.is_empty()),
                    "one of the texts to choose from is empty"
                );
                let quoted: Vec<String> =
                    texts.iter().map(|text| json!(text).to_string()).collect();
                TopLevelGrammar::from_lark(format!("start: {}", quoted.join(" | ")))
            }
        })
    }
}

/// Returns the nesting depth of a schema, without recursion, since deep recursion is what the limit prevents.
fn depth(schema: &Value) -> usize {
    let mut deepest = 0;
    let mut left = vec![(schema, 1)];
    while let Some((value, level)) = left.pop() {
        deepest = deepest.max(level);
        match value {
            Value::Array(items) => left.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|field| (field, level + 1))),
            _ => {}
        }
    }
    deepest
}

/// Returns the maximum number of simultaneously open brackets; those in quotes count as well.
fn brackets(text: &str) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// The string formats that llguidance supports.
const KNOWN_FORMATS: [&str; 11] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "uri",
    "unknown",
];
/// Keywords whose values are not schemas.
const VALUES: [&str; 4] = ["const", "enum", "default", "examples"];

/// Removes unknown `format`s: in JSON Schema they are annotations (2020-12, validation, section 7.2.1), in llguidance
/// errors.
fn without_unknown_formats(schema: &mut Value) {
    let mut left = vec![schema];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => {
                let format = fields.get("format").and_then(Value::as_str);
                if format.is_some_and(|format| !KNOWN_FORMATS.contains(&format)) {
                    fields.remove("format");
                }
                let schemas = fields
                    .iter_mut()
                    .filter(|(key, _)| !VALUES.contains(&key.as_str()));
                left.extend(schemas.map(|(_, value)| value));
            }
            _ => {}
        }
    }
}

/// Returns the schema without unknown formats, with llguidance's options added unless it already sets them.
fn on_one_line(schema: &Value) -> Value {
    let mut schema = schema.clone();
    without_unknown_formats(&mut schema);
    let options =
        json!({ "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": " });
    match &mut schema {
        Value::Object(fields) if !fields.contains_key("x-guidance") => {
            fields.insert("x-guidance".into(), options);
            schema
        }
        Value::Bool(true) => json!({ "x-guidance": options }),
        _ => schema,
    }
}
