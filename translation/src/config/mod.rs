//! Sizes and switches of a model, from `config.json` and `generation_config.json` or from the metadata of a GGUF file.

mod bart;
mod gguf;
mod json;
mod t5;

use hearth_modelfile::container::{Metadata, TensorInfo};
use hearth_modelfile::{Error, Result};

use json::Json;

use crate::beams::{BEAMS, Rules, Stopping};

/// Kinds of models, by what their texts look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    T5,
    Marian,
    M2m100,
    Nllb,
}

impl Family {
    /// Returns the family's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::T5 => "t5",
            Self::Marian => "marian",
            Self::M2m100 => "m2m100",
            Self::Nllb => "nllb",
        }
    }
}

/// Activations of feed-forward blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Relu,
    /// With the error function.
    Gelu,
    /// With the hyperbolic tangent.
    GeluTanh,
    Silu,
}

/// Formulas of sinusoidal positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sinusoid {
    Marian,
    M2m100,
}

/// The way in which a model knows the order of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Biases of scores, by buckets of distances; otherwise the first layer's are those of all.
    Relative {
        buckets: usize,
        max_distance: usize,
        in_each_layer: bool,
    },
    /// Rows that are added to those of tokens, for `max` of them.
    Sinusoid { kind: Sinusoid, max: usize },
}

/// A prefix of T5's that asks for a translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub source: String,
    pub target: String,
    pub prefix: String,
}

/// Everything that the files say besides weights and vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub family: Family,
    pub d_model: usize,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
    pub encoder_heads: usize,
    pub decoder_heads: usize,
    /// Width of a head, if it is not d_model / heads.
    pub head_dim: Option<usize>,
    pub encoder_ff: usize,
    pub decoder_ff: usize,
    pub n_vocab: usize,
    /// Rows of the decoder's embedding, where it has one of its own.
    pub n_target: Option<usize>,
    pub activation: Activation,
    pub is_gated: bool,
    pub is_post_norm: bool,
    pub eps: f32,
    pub positions: Positions,
    pub embedding_scale: f32,
    pub head_scale: f32,
    /// Whether the head is the embedding.
    pub is_tied: bool,
    /// Tokens of a text, if they are limited, and of an answer.
    pub max_input: Option<usize>,
    pub max_output: usize,
    /// The token before an answer.
    pub start: u32,
    /// Tokens that end an answer.
    pub ends: Vec<u32>,
    /// Tokens that are never written.
    pub suppressed: Vec<u32>,
    /// Translations that T5 was taught.
    pub tasks: Vec<Task>,
    /// Parts of a beam search.
    pub rules: Rules,
}

/// Returns the parts of a beam search that the files choose: `generation_config.json`, and `config.json` where there is none, as in
/// the reference.
///
/// # Errors
/// [`Error::Metadata`] for a number of beams or a penalty out of range.
fn rules(config: &Json, generation: &Json) -> Result<Rules> {
    let file = if generation.is_empty() {
        config
    } else {
        generation
    };
    let usual = Rules::default();
    let key = "early_stopping";
    Ok(Rules {
        advised: (file.opt_size("num_beams")?).map_or(1, |beams| beams.min(*BEAMS.end())),
        length_penalty: file
            .number("length_penalty")?
            .unwrap_or(usual.length_penalty),
        stopping: match file.get(key) {
            None => usual.stopping,
            Some(value) if *value == true => Stopping::Early,
            Some(value) if *value == false => Stopping::Heuristic,
            Some(value) if *value == "never" => Stopping::Never,
            Some(value) => {
                let expected = "true, false or \"never\"";
                return Err(metadata(key, expected, value.to_string()));
            }
        },
        is_renormalised: file.bool("renormalize_logits")?.unwrap_or(false),
    })
}

/// Range of sizes: beyond it a header is damaged.
const SIZES: std::ops::RangeInclusive<u64> = 1..=1 << 22;
/// Tokens of T5's answers where nothing says so: what it was trained with.
const T5_TOKENS: usize = 512;

impl Config {
    /// Reads the texts of transformers' folder.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for another model, [`Error::BadFile`] for invalid JSON, [`Error::Metadata`] for a size
    /// that is missing or absurd, or for mathematics that is not implemented.
    pub fn from_texts(config: &str, generation: Option<&str>, is_nllb: bool) -> Result<Self> {
        let json = Json::parse("config.json", config)?;
        let generation = match generation {
            Some(text) => Json::parse("generation_config.json", text)?,
            None => Json::empty("generation_config.json"),
        };
        let kind = json.str("model_type")?.unwrap_or("none");
        match kind {
            "t5" | "mt5" | "umt5" => t5::read(&json, &generation, kind),
            "marian" => bart::read(&json, &generation, Family::Marian),
            "m2m_100" => {
                let family = if is_nllb {
                    Family::Nllb
                } else {
                    Family::M2m100
                };
                bart::read(&json, &generation, family)
            }
            other => Err(unsupported(other)),
        }?
        .checked()
    }

    /// Reads the header of a GGUF file.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for another model, [`Error::Metadata`].
    pub fn from_gguf(metadata: &Metadata, tensors: &[TensorInfo]) -> Result<Self> {
        match metadata.str("general.architecture")? {
            "t5" => gguf::read(metadata, tensors)?.checked(),
            other => Err(unsupported(other)),
        }
    }

    /// Returns the number of ids of answers.
    pub fn n_written(&self) -> usize {
        self.n_target.unwrap_or(self.n_vocab)
    }

    /// Returns the sizes if they fit each other.
    fn checked(self) -> Result<Self> {
        for (key, heads) in [
            ("encoder_attention_heads", self.encoder_heads),
            ("decoder_attention_heads", self.decoder_heads),
        ] {
            if self.head_dim.is_none() && !self.d_model.is_multiple_of(heads) {
                let expected = format!("a divisor of d_model, {}", self.d_model);
                return Err(metadata(key, &expected, heads.to_string()));
            }
        }
        for (key, found, range) in [
            ("d_model", self.d_model, 4..=16_384),
            ("encoder_layers", self.encoder_layers, 1..=256),
            ("decoder_layers", self.decoder_layers, 1..=256),
            ("encoder_attention_heads", self.encoder_heads, 1..=1_024),
            ("decoder_attention_heads", self.decoder_heads, 1..=1_024),
            ("d_kv", self.head_dim.unwrap_or(1), 1..=4_096),
            ("max_position_embeddings", self.max_output, 2..=65_536),
        ] {
            if !range.contains(&found) {
                let expected = format!("{} to {}", range.start(), range.end());
                return Err(metadata(key, &expected, found.to_string()));
            }
        }
        if let Positions::Relative {
            buckets,
            max_distance,
            ..
        } = self.positions
        {
            // (half of the buckets are of distances to the other side, and half of those are exact)
            if !(8..=4_096).contains(&buckets) || !buckets.is_multiple_of(4) {
                let found = buckets.to_string();
                let key = "relative_attention_num_buckets";
                return Err(metadata(key, "a multiple of 4 from 8 to 4096", found));
            }
            if !(buckets..=4_096).contains(&max_distance) {
                let expected = format!("{buckets} to 4096");
                let found = max_distance.to_string();
                return Err(metadata(
                    "relative_attention_max_distance",
                    &expected,
                    found,
                ));
            }
        }
        let ids = [self.start];
        let ids = ids.iter().chain(&self.ends).chain(&self.suppressed);
        let n = self.n_written();
        if let Some(id) = ids.copied().find(|id| *id as usize >= n) {
            let key = match self.n_target {
                Some(_) => "decoder_vocab_size",
                None => "vocab_size",
            };
            let expected = format!("ids below {key}, {n}");
            return Err(metadata("special tokens", &expected, id.to_string()));
        }
        if self.ends.is_empty() {
            return Err(metadata("eos_token_id", "an id", "none".into()));
        }
        Ok(self)
    }
}

fn unsupported(found: &str) -> Error {
    Error::UnsupportedArchitecture {
        found: found.to_owned(),
        known: vec!["t5", "mt5", "umt5", "marian", "m2m_100"],
    }
}

fn metadata(key: &str, expected: &str, found: String) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found,
    }
}

#[cfg(test)]
mod tests;
