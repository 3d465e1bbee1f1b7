//! Formats in which models write tool calls and thoughts, as far as their templates show them.

use serde::Serialize;

/// Formats in which models write tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum ToolStyle {
    /// `<tool_call>{"name": ..., "arguments": ...}</tool_call>`: Hermes, Qwen.
    Hermes,
    /// `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`: Qwen3-Coder.
    Xml,
    /// `{"name": ..., "parameters": ...}` is the whole answer: Llama 3.1 and later.
    Llama,
    /// `[TOOL_CALLS]` before a list, or before a name and `[ARGS]`.
    Mistral,
    /// Messages on channels: gpt-oss.
    Harmony,
}

impl ToolStyle {
    /// Finds the style in a template's source; `None` if it knows no tools, or writes calls in a format that nothing
    /// here parses.
    pub(super) fn of(source: &str) -> Option<Self> {
        let has = |text| source.contains(text);
        match () {
            () if has("<|channel|>") => Some(Self::Harmony),
            () if !has("tools") => None,
            () if has("[TOOL_CALLS]") => Some(Self::Mistral),
            // These share `<tool_call>` with Hermes.
            () if has("<function=") && has("<parameter=") => Some(Self::Xml),
            () if has("<arg_key>") => None,
            () if has("<tool_call>") => Some(Self::Hermes),
            () if has("<|python_tag|>") || has("\"parameters\":") => Some(Self::Llama),
            () => None,
        }
    }
}

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
/// Length of the longest mark in bytes.
const LONGEST: usize = 40;

impl ThoughtMarks {
    /// Finds the first marks of thoughts that a template's source spells: two bracketed words for thoughts, the
    /// second of which closes the first (`<think>` and `</think>`, `[THINK]` and `[/THINK]`, `<|START_THINKING|>` and
    /// `<|END_THINKING|>`). The closing mark alone is enough: many templates only remove old thoughts.
    pub(super) fn of(source: &str) -> Option<Self> {
        // Channels have their own marks.
        if source.contains("<|channel|>") {
            return None;
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

    /// Returns the separator between a mark and the text inside it: a line break for `<think>`, which is on a
    /// separate line.
    pub(super) fn line(&self) -> &'static str {
        match self.open.as_str() {
            "<think>" => "\n",
            _ => "",
        }
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
