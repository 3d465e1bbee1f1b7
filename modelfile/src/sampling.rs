//! Sampling parameters: their one declaration, and the values that a model's files advise.

use serde::Serialize;

use crate::container::{Metadata, Value};

/// A sampling parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingParam {
    /// Name in requests.
    pub name: &'static str,
    /// Smallest and largest value.
    pub min: f64,
    pub max: f64,
    /// Value in requests that do not set it.
    pub default: f64,
    /// Only integers are values.
    pub is_integer: bool,
}

impl SamplingParam {
    /// Returns whether the range holds a value.
    pub fn allows(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value) && (!self.is_integer || value.fract() == 0.0)
    }
}

/// Declares every sampling parameter once, for whichever macro `$with` needs the list:
/// documentation, name: type, range, default, and the word of the step state (`ops/state.rs` in `hearth-llm`) that
/// holds the value. `$own` is passed to the macro before the list.
///
/// From it come the request's fields, their check and the step state in `engine/request.rs`, the words' names in
/// `ops/state.rs`, [`SAMPLING_PARAMS`], and TypeScript's types and range checks.
#[macro_export]
macro_rules! for_sampling_params {
    ($with:ident! { $($own:tt)* }) => {
        $with! {
            { $($own)* }
            /// Divisor of the logits; at 0 the likeliest token is always chosen. Up to 2, as at OpenAI. Default 0.7; here and
            /// below, what the model's makers advise in its files comes first.
            temperature: f32, 0.0..=2.0, default 0.7, word 3;
            /// Number of likeliest tokens to keep. Default 0 (off).
            top_k: u32, 0..=4294967295, default 0, word 4;
            /// Probability mass of the likeliest tokens to keep. 0 is a value, as at OpenAI, and keeps the likeliest token
            /// only, as in llama.cpp; other servers refuse it. Default 1 (off).
            top_p: f32, 0.0..=1.0, default 1.0, word 5;
            /// Probability of the tokens to keep, at least, relative to the likeliest one's. Default 0 (off).
            min_p: f32, 0.0..=1.0, default 0.0, word 6;
            /// Seed of the random numbers. Default: drawn by the caller.
            seed: u32, 0..=4294967295, default 0, word 7;
            /// Probability mass of the tokens to keep whose surprise is nearest to the expected one. Default 1 (off).
            typical_p: f32, 0.0..=1.0, default 1.0, word 8;
            /// Divisor of the logits of tokens in the prompt or the answer. Default 1 (off).
            repetition_penalty: f32, 0.01..=10.0, default 1.0, word 9;
            /// Subtracted from a token's logit for each time the answer has it. Default 0 (off).
            frequency_penalty: f32, -2.0..=2.0, default 0.0, word 10;
            /// Subtracted from a token's logit if the answer has it. Default 0 (off).
            presence_penalty: f32, -2.0..=2.0, default 0.0, word 11;
        }
    };
}

macro_rules! tables {
    ({} $($(#[$doc:meta])* $name:ident: $kind:ident, $min:literal..=$max:literal, default $default:literal, word $word:literal;)*) => {
        /// All sampling parameters.
        pub const SAMPLING_PARAMS: &[SamplingParam] = &[$(SamplingParam {
            name: stringify!($name),
            min: $min as $kind as f64,
            max: $max as $kind as f64,
            default: $default as $kind as f64,
            is_integer: matches!(stringify!($kind).as_bytes(), b"u32"),
        }),*];

        /// Words of the step state, by parameter.
        pub struct SamplingWords {
            $($(#[$doc])* pub $name: usize,)*
        }

        /// The word of each parameter in the step state.
        pub const SAMPLING_WORDS: SamplingWords = SamplingWords { $($name: $word,)* };
    };
}

for_sampling_params!(tables! {});

/// Returns the declaration of the parameter called `name`.
pub fn sampling_param(name: &str) -> Option<&'static SamplingParam> {
    SAMPLING_PARAMS.iter().find(|param| param.name == name)
}

/// Sampling that a model's makers advise, as far as its files say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
pub struct AdvisedSampling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
}

/// Keys of the advice: llama.cpp's, which its converter fills from `generation_config.json`, and one that it lacks.
pub(crate) const ADVICE_KEYS: [(&str, &str); 6] = [
    ("temperature", "general.sampling.temp"),
    ("top_k", "general.sampling.top_k"),
    ("top_p", "general.sampling.top_p"),
    ("min_p", "general.sampling.min_p"),
    ("typical_p", "hearth.sampling.typical_p"),
    ("repetition_penalty", "general.sampling.penalty_repeat"),
];

impl AdvisedSampling {
    /// Reads the advice of a model; `None` if it gives none.
    ///
    /// Values of another type or out of range are left out, not errors: a model runs without advice, and its other
    /// values still hold. A negative `top_k` means all tokens, as in llama.cpp and vLLM.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        let value = |name: &str| -> Option<f64> {
            let (_, key) = ADVICE_KEYS.iter().find(|(param, _)| *param == name)?;
            let value = metadata.get(key)?.number()?;
            let value = match name {
                "top_k" => value.max(0.0),
                _ => value,
            };
            sampling_param(name)?.allows(value).then_some(value)
        };
        let advice = Self {
            temperature: value("temperature"),
            top_k: value("top_k").map(|k| k as u32),
            top_p: value("top_p"),
            min_p: value("min_p"),
            typical_p: value("typical_p"),
            repetition_penalty: value("repetition_penalty"),
        };
        (advice != Self::default()).then_some(advice)
    }
}

impl Value {
    /// Returns a number of any type. A float of 32 bits becomes the shortest decimal fraction that rounds to it: files
    /// say 0.95, not 0.949999988.
    fn number(&self) -> Option<f64> {
        Some(match *self {
            Value::F32(x) => x.to_string().parse().ok()?,
            Value::F64(x) => x,
            _ => self.integer()? as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(entries: &[(&str, Value)]) -> Option<AdvisedSampling> {
        let mut metadata = Metadata::default();
        for (key, value) in entries {
            metadata.insert(format!("general.sampling.{key}"), value.clone());
        }
        AdvisedSampling::from_metadata(&metadata)
    }

    #[test]
    fn advice_has_the_numbers_that_its_author_wrote() {
        let found = advice(&[
            ("temp", Value::F32(0.6)),
            ("top_k", Value::I32(20)),
            ("top_p", Value::F32(0.95)),
            ("min_p", Value::F64(0.05)),
            ("penalty_repeat", Value::F32(1.05)),
        ]);
        let wanted = AdvisedSampling {
            temperature: Some(0.6),
            top_k: Some(20),
            top_p: Some(0.95),
            min_p: Some(0.05),
            typical_p: None,
            repetition_penalty: Some(1.05),
        };
        assert_eq!(found, Some(wanted));
        let json = serde_json::to_string(&wanted).unwrap();
        assert!(
            json.starts_with(r#"{"temperature":0.6,"top_k":20,"top_p":0.95"#),
            "{json}"
        );
        assert!(!json.contains("typical_p"), "{json}");
    }

    #[test]
    fn advice_out_of_range_is_left_out() {
        let bad = [
            ("temp", Value::F32(f32::NAN)),
            ("top_k", Value::F32(0.5)),
            ("top_p", Value::F32(1.5)),
            ("min_p", Value::String("0.1".into())),
            ("penalty_repeat", Value::F32(0.0)),
        ];
        assert_eq!(advice(&bad), None);
        assert_eq!(advice(&[]), None);
        let found = advice(&[bad[2].clone(), ("temp", Value::U32(1))]).unwrap();
        assert_eq!((found.temperature, found.top_p), (Some(1.0), None));
        assert_eq!(advice(&[("top_k", Value::I32(-1))]).unwrap().top_k, Some(0));
    }

    #[test]
    fn words_follow_one_another() {
        let mut words = vec![];
        macro_rules! collect {
            ({} $($(#[$doc:meta])* $name:ident: $kind:ident, $min:literal..=$max:literal, default $default:literal, word $word:literal;)*) => {
                words.extend([$((stringify!($name), $word)),*]);
            };
        }
        for_sampling_params!(collect! {});
        assert!(
            words.windows(2).all(|two| two[1].1 == two[0].1 + 1),
            "{words:?}"
        );
        for param in SAMPLING_PARAMS {
            assert!(param.allows(param.default), "{}", param.name);
        }
    }
}
