//! Formats in which models write tool calls, as far as their templates show them.

use serde::Serialize;

/// Formats in which models write tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ToolStyle {
    /// `<tool_call>{"name": ..., "arguments": ...}</tool_call>`: Hermes, Qwen, Granite 4.
    Hermes,
    /// `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`: Qwen3-Coder, Qwen 3.5,
    /// Nemotron 3.
    Xml,
    /// `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`: GLM 4.5 and later.
    Glm,
    /// `{"name": ..., "parameters": ...}` is the whole answer: Llama 3.1 and later.
    Llama,
    /// `[TOOL_CALLS]` before a list: Mistral up to version 7 of its tokenizer.
    Mistral,
    /// `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{...}`: version 11.
    MistralIds,
    /// `[TOOL_CALLS]NAME[ARGS]{...}`: version 13.
    MistralArgs,
    /// Messages on channels: gpt-oss.
    Harmony,
    /// `<|tool_call>call:NAME{key:value}<tool_call|>`: Gemma 4.
    Gemma4,
    /// `<|tool_call_start|>[NAME(key='value')]<|tool_call_end|>`: LFM2.
    Pythonic,
    /// `<|tool_call|>` before a list: Granite 3.
    Granite,
    /// `<|tool_call|>[...]<|/tool_call|>`, with the tools in the system message: Phi-4-mini.
    Phi,
    /// `<|START_ACTION|>[{"tool_name": ..., "parameters": ...}]<|END_ACTION|>`: Command R7B and later.
    Cohere,
}

impl ToolStyle {
    /// Finds the style in a template's source; `None` if it knows no tools, or writes calls in a format that nothing
    /// here parses.
    pub(super) fn of(source: &str) -> Option<Self> {
        let has = |text| source.contains(text);
        match () {
            () if has("<|channel|>") => Some(Self::Harmony),
            () if !has("tools") => None,
            () if has("<|tool_call>") => Some(Self::Gemma4),
            // LFM2.5's first template spells no mark at all.
            () if has("<|tool_call_start|>")
                || has("<|tool_list_start|>")
                || has("List of tools: [") =>
            {
                Some(Self::Pythonic)
            }
            () if has("[TOOL_CALLS]") && has("[CALL_ID]") => Some(Self::MistralIds),
            () if has("[TOOL_CALLS]") && has("[ARGS]") => Some(Self::MistralArgs),
            () if has("[TOOL_CALLS]") => Some(Self::Mistral),
            () if has("<|START_ACTION|>") => Some(Self::Cohere),
            // These share `<tool_call>` with Hermes.
            () if has("<function=") && has("<parameter=") => Some(Self::Xml),
            () if has("<arg_key>") && has("<arg_value>") => Some(Self::Glm),
            () if has("<arg_key>") => None,
            () if has("<tool_call>") => Some(Self::Hermes),
            () if has("<|start_of_role|>") => Some(Self::Granite),
            () if has("<|tool|>") || has("<|tool_call|>") => Some(Self::Phi),
            () if has("<|python_tag|>") || has("\"parameters\":") => Some(Self::Llama),
            () => None,
        }
    }

    /// Returns the texts around calls in the styles whose templates may not write calls themselves; see
    /// [`super::adapt`].
    pub(super) fn call_marks(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Pythonic => Some(["<|tool_call_start|>", "<|tool_call_end|>"]),
            Self::Phi => Some(["<|tool_call|>", "<|/tool_call|>"]),
            _ => None,
        }
    }
}
