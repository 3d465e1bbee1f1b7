//! Tokens that `tokenizer.json` puts around a text, and between two of them.
//!
//! Source: Hugging Face tokenizers, `processors/template.rs`, `processors/roberta.rs`, `processors/bert.rs`.

use serde_json::Value as Json;

use super::Object;
use super::steps::in_turn;

/// Returns the token that the post-processor puts in front of a text.
pub(super) fn begins_with(json: &Object) -> Option<&str> {
    match processor(json)? {
        Processor::Template(template) => special(template["single"].as_array()?.first()?),
        Processor::Fixed(step) => step["cls"][0].as_str(),
    }
}

/// Returns the one token that the post-processor puts in front of a text, if it puts exactly one there.
pub(super) fn begins_with_one(json: &Object) -> Option<&str> {
    let one = match processor(json)? {
        Processor::Template(template) => {
            let single = template["single"].as_array()?;
            single.get(1).is_some_and(|next| special(next).is_none())
        }
        Processor::Fixed(_) => true,
    };
    begins_with(json).filter(|_| one)
}

/// Returns the token that the post-processor puts behind a text.
pub(super) fn ends_with(json: &Object) -> Option<&str> {
    match processor(json)? {
        Processor::Template(template) => special(template["single"].as_array()?.last()?),
        Processor::Fixed(step) => step["sep"][0].as_str(),
    }
}

/// Returns the token between the end of a first text and a second one, if there is any.
pub(super) fn separator(json: &Object) -> Option<&str> {
    match processor(json)? {
        Processor::Template(template) => {
            let pair = template["pair"].as_array()?;
            let is_text = |part: &Json| special(part).is_none();
            let mut behind = pair.iter().skip_while(|part| !is_text(part)).skip(1);
            // (the first of them ends a single text too)
            behind.next().and_then(special)?;
            behind.next().and_then(special)
        }
        // RoBERTa ends the first text and begins the second by the same token.
        Processor::Fixed(step) if step["type"] == "RobertaProcessing" => step["sep"][0].as_str(),
        Processor::Fixed(_) => None,
    }
}

/// A post-processor that adds tokens.
enum Processor<'a> {
    /// Tokens and texts in order.
    Template(&'a Json),
    /// One token before and one behind each text.
    Fixed(&'a Json),
}

fn processor(json: &Object) -> Option<Processor<'_>> {
    let all = in_turn(json.get("post_processor"), "processors");
    all.into_iter()
        .find_map(|step| match step["type"].as_str()? {
            "TemplateProcessing" => Some(Processor::Template(step)),
            "RobertaProcessing" | "BertProcessing" => Some(Processor::Fixed(step)),
            _ => None,
        })
}

/// Returns the token that a part of a template is, unless it is a text.
fn special(part: &Json) -> Option<&str> {
    part["SpecialToken"]["id"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(processor: &str) -> Object {
        let text = format!(r#"{{"post_processor": {processor}}}"#);
        Object::parse(&text, "tokenizer.json").unwrap()
    }

    #[test]
    fn texts_are_framed_as_the_post_processor_says() {
        let token = |id: &str| format!(r#"{{"SpecialToken": {{"id": "{id}", "type_id": 0}}}}"#);
        let text = |id: &str| format!(r#"{{"Sequence": {{"id": "{id}", "type_id": 0}}}}"#);
        let (a, b, s, e) = (text("A"), text("B"), token("<s>"), token("</s>"));
        let template = |single: [&String; 3], pair: &[&String]| {
            let list = |parts: &[&String]| {
                parts
                    .iter()
                    .map(|p| p.as_str())
                    .collect::<Vec<_>>()
                    .join(",")
            };
            of(&format!(
                r#"{{"type": "TemplateProcessing", "single": [{}], "pair": [{}]}}"#,
                list(&single),
                list(pair)
            ))
        };
        let fixed = |kind: &str| {
            of(&format!(
                r#"{{"type": "Sequence", "processors": [{{"type": "{kind}", "cls": ["<s>", 0], "sep": ["</s>", 2]}}]}}"#
            ))
        };
        for (json, between) in [
            (
                template([&s, &a, &e], &[&s, &a, &e, &e, &b, &e]),
                Some("</s>"),
            ),
            (template([&s, &a, &e], &[&s, &a, &e, &b, &e]), None),
            (fixed("RobertaProcessing"), Some("</s>")),
            (fixed("BertProcessing"), None),
        ] {
            assert_eq!(begins_with(&json), Some("<s>"));
            assert_eq!(begins_with_one(&json), Some("<s>"));
            assert_eq!(ends_with(&json), Some("</s>"));
            assert_eq!(separator(&json), between);
        }
        let two = template([&s, &s, &a], &[]);
        assert_eq!(
            (begins_with(&two), begins_with_one(&two)),
            (Some("<s>"), None)
        );
        assert_eq!((ends_with(&two), separator(&two)), (None, None));
        let none = of(r#"{"type": "ByteLevel"}"#);
        assert_eq!((begins_with(&none), separator(&none)), (None, None));
    }
}
