//! Requests to the engine, and its answers step by step.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::engine::adapters::AdapterUse;
use crate::engine::logprobs::{MOST_ALTERNATIVES, TokenLogprobs};
use crate::ops::state::{ADJUST, PENALISED, ROUND, STEP};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::for_sampling_params;
use hearth_modelfile::sampling::AdvisedSampling;
use hearth_modelfile::text::template::Message;

/// Defines the request and the sampling parameters, which are declared in `hearth_modelfile::sampling`.
macro_rules! request {
    (
        { $(#[$meta:meta])* pub struct $request:ident { $($fields:tt)* } }
        $($(#[$doc:meta])* $name:ident: $kind:ident, $min:literal..=$max:literal, default $default:literal, word $word:literal;)*
    ) => {
        $(#[$meta])*
        pub struct $request {
            $($fields)*
            $($(#[$doc])* pub $name: Option<$kind>,)*
        }

        /// Sampling parameters within their ranges.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Sampling {
            $($(#[$doc])* pub $name: $kind,)*
            /// Token ids and what is added to their logits.
            pub logit_bias: Vec<(u32, f32)>,
        }

        impl Sampling {
            /// The default of every parameter.
            const DEFAULT: Self = Self {
                $($name: $default,)*
                logit_bias: Vec::new(),
            };

            /// Checks a request's parameters; `self` has the values of those that it does not set.
            fn of(self, request: &$request) -> Result<Self> {
                Ok(Self {
                    $($name: within(
                        stringify!($name),
                        request.$name.unwrap_or(self.$name),
                        $min..=$max,
                    )?,)*
                    ..self
                })
            }

            /// Writes each parameter to its word of the step state; `words` begins at [`STEP`].
            fn write(&self, words: &mut [u32]) {
                $(words[$word - STEP] = self.$name.word();)*
            }
        }
    };
}

for_sampling_params!(request! {
    /// A request for a completion. Fields are OpenAI's and vLLM's.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
    #[cfg_attr(
        feature = "typescript",
        ts(rename = "GenerateRequest", optional_fields)
    )]
    #[serde(default)]
    pub struct Request {
        /// A conversation, rendered by the model's chat template. Either this or `prompt`.
        pub messages: Option<Vec<Message>>,
        /// The last message is an unfinished answer to continue; only its continuation is returned (vLLM's name).
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub continue_final_message: bool,
        /// Plain text to continue, without a template.
        pub prompt: Option<String>,
        /// Most tokens to generate; default: what the context holds.
        pub max_tokens: Option<usize>,
        /// From a token's id, in decimal, to what is added to its logit.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub logit_bias: BTreeMap<String, f32>,
        /// Texts that end the answer; they are not part of it.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub stop: Vec<String>,
        /// Whether each token comes with its log-probability; then steps are read back one by one, with all their logits.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub logprobs: bool,
        /// Number of the likeliest tokens that come with it, at most 20.
        pub top_logprobs: Option<usize>,
        /// False leaves special tokens in the text, but for the one that ends it (vLLM's name). Default true.
        pub skip_special_tokens: Option<bool>,
        /// The answer's first tokens, generated on another device: generation resumes after them as if they had been made
        /// here, with the random numbers that come next.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub resume_ids: Vec<u32>,
        /// Whether `resume_ids` and their text come again, with the answer's first step: for whoever has kept the tokens
        /// alone. Not beside `logprobs`.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub repeat_resumed: bool,
        /// Tools for the chat template to describe: OpenAI's list.
        #[cfg_attr(feature = "typescript", ts(type = "unknown[]", optional))]
        pub tools: Option<Json>,
        /// Whether the model thinks before it answers, where its template lets one choose. Default: the template's.
        pub enable_thinking: Option<bool>,
        /// Most tokens of thoughts; then their closing mark is written for the model (vLLM's name).
        pub thinking_token_budget: Option<usize>,
        /// Whether the oldest tokens go when the context is full. Default: the answer ends with `"length"` there, and a
        /// prompt that is too long is refused.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub context_shift: bool,
        /// Tokens at the beginning that a shift keeps, up to half of the context (llama.cpp's name). Default 1.
        pub n_keep: Option<usize>,
        /// Adapters that the answer is made with, of those that the engine has. Default: none.
        #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
        pub adapters: Vec<AdapterUse>,
        /// Further variables of the template (vLLM's name).
        #[cfg_attr(feature = "typescript", ts(type = "Record<string, unknown>", optional))]
        pub chat_template_kwargs: Option<Map<String, Json>>,
    }
});

/// A parameter's value in a word of the step state.
trait Word {
    fn word(self) -> u32;
}

impl Word for f32 {
    fn word(self) -> u32 {
        self.to_bits()
    }
}

impl Word for u32 {
    fn word(self) -> u32 {
        self
    }
}

fn within<T: PartialOrd + Display>(field: &str, value: T, range: RangeInclusive<T>) -> Result<T> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Error::InvalidRequest {
        field: field.into(),
        expected: format!("between {} and {}", range.start(), range.end()),
        found: value.to_string(),
    })
}

impl Sampling {
    /// Always the largest logit.
    pub const GREEDY: Self = {
        let mut sampling = Self::DEFAULT;
        sampling.temperature = 0.0;
        sampling
    };

    /// The defaults of a model: what its makers advise, and [`Sampling::DEFAULT`] for the rest.
    fn advised(advice: Option<&AdvisedSampling>) -> Self {
        let AdvisedSampling {
            temperature,
            top_k,
            top_p,
            min_p,
            typical_p,
            repetition_penalty,
        } = advice.copied().unwrap_or_default();
        let or = |advised: Option<f64>, default: f32| advised.map_or(default, |value| value as f32);
        let default = Self::DEFAULT;
        Self {
            temperature: or(temperature, default.temperature),
            top_k: top_k.unwrap_or(default.top_k),
            top_p: or(top_p, default.top_p),
            min_p: or(min_p, default.min_p),
            typical_p: or(typical_p, default.typical_p),
            repetition_penalty: or(repetition_penalty, default.repetition_penalty),
            ..default
        }
    }

    /// Whether logits are changed before anything is chosen.
    pub(crate) fn adjusts(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.frequency_penalty != 0.0
            || self.presence_penalty != 0.0
            || !self.logit_bias.is_empty()
    }

    /// The state's words from STEP on, for a request of which `sampled` tokens have come.
    pub(crate) fn state_words(&self, sampled: usize) -> Vec<u32> {
        // (no drafts, and no round of them yet)
        let mut words = vec![0; ROUND + 1 - STEP];
        words[0] = sampled as u32;
        self.write(&mut words);
        words[ADJUST - STEP] = self.adjusts() as u32 * PENALISED;
        words
    }
}

impl Request {
    /// Returns the number of alternatives for each token's log-probability, if requested.
    pub(crate) fn alternatives(&self) -> Result<Option<usize>> {
        let count = self.top_logprobs.unwrap_or(0);
        if count > MOST_ALTERNATIVES {
            return Err(Error::InvalidRequest {
                field: "top_logprobs".into(),
                expected: format!("at most {MOST_ALTERNATIVES}"),
                found: count.to_string(),
            });
        }
        Ok((self.logprobs || count > 0).then_some(count))
    }

    /// The request's sampling parameters; those that it does not set are what the model's makers advise, if they do.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] naming the field that is out of range.
    pub fn sampling(&self, advice: Option<&AdvisedSampling>) -> Result<Sampling> {
        let logit_bias = self.logit_bias.iter().map(|(id, bias)| {
            let token = id.parse().map_err(|_| Error::InvalidRequest {
                field: "logit_bias".into(),
                expected: "token ids as keys".into(),
                found: id.clone(),
            })?;
            Ok((token, within("logit_bias", *bias, -100.0..=100.0)?))
        });
        Sampling {
            logit_bias: logit_bias.collect::<Result<_>>()?,
            ..Sampling::advised(advice)
        }
        .of(self)
    }
}

/// The result of one bounded piece of work.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TokenDelta {
    /// New text, possibly empty.
    pub text: String,
    /// New token ids.
    pub ids: Vec<u32>,
    /// One entry per id, if requested.
    pub logprobs: Vec<TokenLogprobs>,
    /// The template has begun the model's thoughts (`<think>`), so that the answer begins within them.
    pub in_thoughts: bool,
    pub phase: StepPhase,
    /// Tokens of the prompt that have been computed so far, or were cached.
    pub prompt_read: usize,
    /// Share of the work of looking at the prompt's pictures that is done, from 0 to 1; 1 if there is none to do.
    pub looked: f32,
    /// Set on the last step.
    pub finish_reason: Option<FinishReason>,
    pub usage: Usage,
}

/// The work that a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum StepPhase {
    /// The tower looked at a picture.
    Picture,
    Prefill,
    Decode,
}

/// Reasons why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "AnswerEnd"))]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model ended it, or a stop text was found.
    Stop,
    /// It has as many tokens as allowed, or the context is full.
    Length,
}

impl FinishReason {
    /// Returns OpenAI's name.
    pub const fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
        }
    }
}

/// Token counts, OpenAI's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Usage {
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    pub total_tokens: usize,
    pub prompt_tokens_details: PromptTokensDetails,
    pub completion_tokens_details: CompletionTokensDetails,
}

/// Counts of drafted tokens that proved right, and of those that proved wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CompletionTokensDetails {
    pub accepted_prediction_tokens: usize,
    pub rejected_prediction_tokens: usize,
}

/// The share of the prompt that was already in the KV cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct PromptTokensDetails {
    pub cached_tokens: usize,
}

/// Finds stop texts in a stream, holding back what may be the beginning of one.
#[derive(Debug, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    /// A matcher for these texts; empty ones are ignored.
    pub fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.iter().filter(|s| !s.is_empty()).cloned().collect(),
            held: String::new(),
        }
    }

    /// Takes new text; returns what may be shown, and whether a stop text was found.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let found = self.stops.iter().filter_map(|s| self.held.find(s.as_str()));
        if let Some(at) = found.min() {
            let mut shown = std::mem::take(&mut self.held);
            shown.truncate(at);
            return (shown, true);
        }
        // The longest end of the text that begins a stop text has to wait.
        let wait = (self.held.char_indices().map(|(at, _)| at))
            .find(|at| self.stops.iter().any(|s| s.starts_with(&self.held[*at..])))
            .unwrap_or(self.held.len());
        let rest = self.held.split_off(wait);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// Returns the text held back, when no more text comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_text_is_found_across_pushes_and_never_shown() {
        let mut matcher = StopMatcher::new(&["END".into()]);
        assert_eq!(matcher.push("one E"), ("one ".into(), false));
        assert_eq!(matcher.push("Nough EN"), ("ENough ".into(), false));
        assert_eq!(matcher.push("D two"), (String::new(), true));
    }

    #[test]
    fn text_held_back_comes_out_at_the_end() {
        let mut matcher = StopMatcher::new(&["\n\n".into()]);
        assert_eq!(matcher.push("a\n"), ("a".into(), false));
        assert_eq!(matcher.finish(), "\n");
    }

    /// As the package documents them.
    #[test]
    fn what_is_not_asked_for_is_the_default() {
        let found = Request::default().sampling(None).unwrap();
        assert_eq!(found.temperature, 0.7);
        assert_eq!((found.top_p, found.top_k, found.min_p), (1.0, 0, 0.0));
        assert_eq!((found.typical_p, found.repetition_penalty), (1.0, 1.0));
        assert_eq!(
            (found.frequency_penalty, found.presence_penalty),
            (0.0, 0.0)
        );
    }

    #[test]
    fn the_bounds_of_a_range_are_allowed() {
        let request = Request {
            temperature: Some(2.0),
            top_p: Some(0.0),
            repetition_penalty: Some(0.01),
            ..Default::default()
        };
        let found = request.sampling(None).unwrap();
        assert_eq!((found.top_p, found.repetition_penalty), (0.0, 0.01));
    }

    #[test]
    fn out_of_range_parameters_name_their_field() {
        let request = Request {
            top_p: Some(1.5),
            ..Default::default()
        };
        match request.sampling(None) {
            Err(Error::InvalidRequest { field, .. }) => assert_eq!(field, "top_p"),
            other => panic!("{other:?}"),
        }
        let nan = Request {
            temperature: Some(f32::NAN),
            ..Default::default()
        };
        assert!(nan.sampling(None).is_err());
    }
}
