//! Breaks look-alikes of special tokens in everything that a template reads.

use minijinja::Value;
use serde_json::Value as Json;

use super::{Message, RenderOptions, failed};
use crate::error::Result;
use crate::text::marked::free_marker;
use crate::text::tokenizer::Tokenizer;

/// Maximum nesting depth of JSON input; `serde_json` itself stops at 128.
const MAX_DEPTH: usize = 100;

/// Converts input to template values and puts markers into look-alikes of special tokens.
pub(super) struct Guard<'a> {
    tokenizer: &'a Tokenizer,
    marker: char,
    input_size: usize,
    /// Tokens that an answer may contain, see [`super::ChatTemplate::answer_tokens`].
    answers: Vec<u32>,
}

impl<'a> Guard<'a> {
    /// Chooses a marker that occurs neither in the input nor in the `fixed` texts; `answers` are the tokens that an
    /// answer may contain.
    pub(super) fn new(
        tokenizer: &'a Tokenizer,
        fixed: [&str; 3],
        messages: impl Iterator<Item = &'a Message>,
        options: &'a RenderOptions,
        answers: Vec<u32>,
    ) -> Result<Self> {
        let mut texts: Vec<&str> = Vec::new();
        for message in messages {
            texts.push(&message.role);
            collect(&message.content, 0, &mut texts)?;
            for (key, value) in &message.extra {
                texts.push(key);
                collect(value, 0, &mut texts)?;
            }
        }
        if let Some(tools) = &options.tools {
            collect(tools, 0, &mut texts)?;
        }
        for (key, value) in &options.extra {
            texts.push(key);
            collect(value, 0, &mut texts)?;
        }
        let input_size = texts.iter().map(|text| text.len()).sum();
        let special = tokenizer.special_tokens().map(|(_, text)| text);
        let marker =
            free_marker(texts.into_iter().chain(fixed).chain(special)).ok_or_else(|| {
                failed("the input uses every private-use character of Unicode".to_owned())
            })?;
        Ok(Guard {
            tokenizer,
            marker,
            input_size,
            answers,
        })
    }

    pub(super) fn marker(&self) -> char {
        self.marker
    }

    /// Returns the bytes of all strings in the input.
    pub(super) fn input_size(&self) -> usize {
        self.input_size
    }

    pub(super) fn message(&self, message: &Message) -> Result<Value> {
        let own_words = matches!(message.role.as_str(), "assistant" | "model");
        let mut fields = vec![
            (Value::from("role"), self.text(&message.role, own_words)),
            (
                Value::from("content"),
                self.convert(&message.content, own_words)?,
            ),
        ];
        for (key, value) in &message.extra {
            fields.push((self.text(key, own_words), self.convert(value, own_words)?));
        }
        Ok(Value::from_pairs(fields))
    }

    pub(super) fn value(&self, json: &Json) -> Result<Value> {
        self.convert(json, false)
    }

    fn convert(&self, json: &Json, own_words: bool) -> Result<Value> {
        Ok(match json {
            Json::Null => Value::from(()),
            Json::Bool(b) => Value::from(*b),
            Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
                (Some(i), ..) => Value::from(i),
                (_, Some(u), _) => Value::from(u),
                (.., Some(f)) => Value::from(f),
                _ => Value::from(n.to_string()),
            },
            Json::String(text) => self.text(text, own_words),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.convert(item, own_words));
                Value::from(items.collect::<Result<Vec<_>>>()?)
            }
            Json::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| {
                    Ok((self.text(key, own_words), self.convert(value, own_words)?))
                });
                Value::from_pairs(fields.collect::<Result<Vec<_>>>()?)
            }
        })
    }

    /// Marks text that the model itself wrote.
    pub(super) fn marked(&self, text: &str) -> String {
        (self.mark(text, true)).unwrap_or_else(|| text.to_owned())
    }

    fn text(&self, text: &str, own_words: bool) -> Value {
        match self.mark(text, own_words) {
            Some(marked) => Value::from(marked),
            None => Value::from(text),
        }
    }

    fn mark(&self, text: &str, own_words: bool) -> Option<String> {
        let answers = own_words.then_some(self.answers.as_slice());
        self.tokenizer.mark(text, self.marker, answers)
    }
}

fn collect<'a>(json: &'a Json, depth: usize, texts: &mut Vec<&'a str>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(failed(format!(
            "the input is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    match json {
        Json::String(text) => texts.push(text),
        Json::Array(items) => {
            for item in items {
                collect(item, depth + 1, texts)?;
            }
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                texts.push(key);
                collect(value, depth + 1, texts)?;
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
    Ok(())
}
