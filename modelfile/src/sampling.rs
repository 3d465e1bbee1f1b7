//! Sampling parameters: their one declaration.

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
            /// Divisor of the logits; at 0 the likeliest token is always chosen. Up to 2, as at OpenAI. Default 0.7.
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

#[cfg(test)]
mod tests {
    use super::*;

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
