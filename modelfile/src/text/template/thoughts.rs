//! Marks around the thoughts of models, as far as their templates show them.

use serde::Serialize;

use crate::text::tokenizer::Tokenizer;

/// The texts around a model's thoughts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ThoughtMarks {
    /// E.g. `<think>`.
    pub open: String,
    /// E.g. `</think>`.
    pub close: String,
}

impl Default for ThoughtMarks {
    fn default() -> Self {
        ThoughtMarks {
            open: "<think>".to_owned(),
            close: "</think>".to_owned(),
        }
    }
}

/// Words that occur in the marks of thoughts.
const THOUGHTS: [&str; 3] = ["think", "thought", "reasoning"];
/// Brackets of marks. The pairs with a bar come first: they contain others.
const BRACKETS: [(&str, &str); 4] = [("<|", "|>"), ("<", ">"), ("[", "]"), ("◁", "▷")];
/// Marks of Gemma 4's channels.
const CHANNEL: [&str; 2] = ["<|channel>", "<channel|>"];
/// Length of the longest mark in bytes.
const LONGEST: usize = 40;

impl ThoughtMarks {
    /// Finds the first marks of thoughts that a template's source spells: two bracketed words for thoughts, the
    /// second of which closes the first (`<think>` and `</think>`, `[THINK]` and `[/THINK]`, `<|START_THINKING|>` and
    /// `<|END_THINKING|>`). The closing mark alone is enough: many templates only remove old thoughts.
    pub(super) fn of(source: &str) -> Option<Self> {
        // Harmony's channels have their own parser.
        if source.contains("<|channel|>") {
            return None;
        }
        if source.contains(CHANNEL[0]) && source.contains(CHANNEL[1]) {
            return Some(ThoughtMarks {
                open: [CHANNEL[0], "thought"].concat(),
                close: CHANNEL[1].to_owned(),
            });
        }
        BRACKETS
            .iter()
            .flat_map(|brackets| closing(source, *brackets))
            .min_by_key(|(at, _)| *at)
            .map(|(_, marks)| marks)
    }

    /// Returns whether a prompt ends with the beginning of the model's thoughts.
    pub(super) fn are_open(&self, prompt: &str) -> bool {
        prompt.trim_end().ends_with(&self.open)
    }

    /// Returns the line breaks after the opening mark, before the closing one and after it: `<think>` is on a line of
    /// its own.
    pub(super) fn line_breaks(&self) -> [&'static str; 3] {
        match self.open.as_str() {
            "<think>" => ["\n", "\n", "\n\n"],
            open if open.starts_with(CHANNEL[0]) => ["\n", "", ""],
            _ => [""; 3],
        }
    }

    /// Returns the special tokens that the marks consist of.
    pub(super) fn tokens(&self, tokenizer: &Tokenizer) -> Vec<u32> {
        let is_part = |text: &str| self.open.contains(text) || self.close.contains(text);
        (tokenizer.special_tokens())
            .filter(|(_, text)| is_part(text))
            .map(|(id, _)| id)
            .collect()
    }
}

/// Finds the closing marks in such brackets, each with its offset and the matching opening mark.
fn closing<'a>(
    source: &'a str,
    (left, right): (&'static str, &'static str),
) -> impl Iterator<Item = (usize, ThoughtMarks)> + 'a {
    source.match_indices(left).filter_map(move |(at, _)| {
        let inside = &source[at + left.len()..];
        let inside = &inside[..inside.find(right).filter(|end| *end <= LONGEST)?];
        let word = match inside.strip_prefix('/') {
            Some(word) => word.to_owned(),
            None => inside
                .strip_prefix("END_")
                .map(|word| ["START_", word].concat())?,
        };
        let lower = word.to_ascii_lowercase();
        let is_name = word
            .chars()
            .all(|c| c.is_alphanumeric() || "_:-".contains(c));
        let is_about_thoughts = THOUGHTS.iter().any(|about| lower.contains(about));
        (is_name && is_about_thoughts).then(|| {
            let marks = ThoughtMarks {
                open: [left, &word, right].concat(),
                close: [left, inside, right].concat(),
            };
            (at, marks)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_thoughts_in_any_spelling() {
        for (source, open, close) in [
            ("{{ content.split('</think>')[-1] }}", "<think>", "</think>"),
            ("a [THINK]{{ t }}[/THINK]", "[THINK]", "[/THINK]"),
            (
                "'<seed:think>' ~ t ~ '</seed:think>'",
                "<seed:think>",
                "</seed:think>",
            ),
            (
                "<|START_THINKING|>{{ t }}<|END_THINKING|>",
                "<|START_THINKING|>",
                "<|END_THINKING|>",
            ),
            ("◁think▷{{ t }}◁/think▷", "◁think▷", "◁/think▷"),
            (
                "<|thought|>{{ t }}<|/thought|>",
                "<|thought|>",
                "<|/thought|>",
            ),
            (
                "{{ '<|channel>thought\n' + t + '<channel|>' }}",
                "<|channel>thought",
                "<channel|>",
            ),
            (
                "<b></b> </reasoning> </think>",
                "<reasoning>",
                "</reasoning>",
            ),
        ] {
            let marks = ThoughtMarks::of(source).unwrap();
            assert_eq!(
                (marks.open.as_str(), marks.close.as_str()),
                (open, close),
                "{source}"
            );
        }
        for none in [
            "",
            "{{ enable_thinking }}",
            "</b> [/INST] <think>",
            "{% if a < think and /think > 3 %}",
            "<|channel|>analysis </think>",
        ] {
            assert_eq!(ThoughtMarks::of(none), None, "{none}");
        }
    }
}
