//! Sizes of a Whisper model, and the ids that its decoding needs.

use hearth_modelfile::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::languages::LANGUAGES;
use crate::rules::Ids;

/// Ids of text in the vocabulary of models for English alone; the first special one, the end of text, follows.
const ENGLISH_TEXT: usize = 50_256;
/// Vocabulary of the models for English alone; that of the multilingual ones is larger.
const ENGLISH_VOCAB: usize = 51_864;
/// Ids of a multilingual vocabulary other than those of languages.
const NO_LANGUAGES: usize = 51_766;
/// Largest of each size: beyond it a header is damaged. The largest model has d = 1280 and 32 layers.
const MAX_SIZE: u64 = 1 << 20;

/// Hyperparameters of encoder and decoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    pub d_model: usize,
    pub encoder_layers: usize,
    pub encoder_heads: usize,
    pub decoder_layers: usize,
    pub decoder_heads: usize,
    pub n_mels: usize,
    pub n_vocab: usize,
    /// Rows of the encoder's output: 1500 for 30 s.
    pub audio_ctx: usize,
    /// Tokens of prompt and answer in one window.
    pub text_ctx: usize,
}

impl Config {
    /// Reads `config.json` of transformers.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for another model, [`Error::Metadata`] for a size that is missing or absurd, or for
    /// mathematics that Whisper has not.
    pub fn from_json(text: &str) -> Result<Self> {
        let json = parse("config.json", text)?;
        let kind = json["model_type"].as_str().unwrap_or("none");
        if kind != "whisper" {
            return Err(Error::UnsupportedArchitecture {
                found: kind.to_owned(),
                known: vec!["whisper"],
            });
        }
        for (key, is_known) in [
            (
                "activation_function",
                json["activation_function"].as_str().unwrap_or("gelu") == "gelu",
            ),
            (
                "scale_embedding",
                !json["scale_embedding"].as_bool().unwrap_or(false),
            ),
        ] {
            if !is_known {
                return Err(metadata(
                    key,
                    "that of OpenAI's models",
                    json[key].to_string(),
                ));
            }
        }
        let size = |key: &str| -> Result<usize> {
            let found = &json[key];
            match found.as_u64() {
                Some(n) if (1..=MAX_SIZE).contains(&n) => Ok(n as usize),
                _ => Err(metadata(
                    key,
                    "a whole number of at least 1",
                    found.to_string(),
                )),
            }
        };
        Self {
            d_model: size("d_model")?,
            encoder_layers: size("encoder_layers")?,
            encoder_heads: size("encoder_attention_heads")?,
            decoder_layers: size("decoder_layers")?,
            decoder_heads: size("decoder_attention_heads")?,
            n_mels: size("num_mel_bins")?,
            n_vocab: size("vocab_size")?,
            audio_ctx: size("max_source_positions")?,
            text_ctx: size("max_target_positions")?,
        }
        .checked()
    }

    /// Returns the sizes if they fit each other.
    ///
    /// # Errors
    /// [`Error::Metadata`].
    pub fn checked(self) -> Result<Self> {
        for (key, heads) in [
            ("encoder_attention_heads", self.encoder_heads),
            ("decoder_attention_heads", self.decoder_heads),
        ] {
            if heads == 0 || !self.d_model.is_multiple_of(heads) {
                let expected = format!("a divisor of d_model, {}", self.d_model);
                return Err(metadata(key, &expected, heads.to_string()));
            }
        }
        if self.n_mels != 80 && self.n_mels != 128 {
            return Err(metadata(
                "num_mel_bins",
                "80 or 128",
                self.n_mels.to_string(),
            ));
        }
        if self.audio_ctx != 1_500 {
            let found = self.audio_ctx.to_string();
            return Err(metadata(
                "max_source_positions",
                "1500, that is 30 s",
                found,
            ));
        }
        for (key, found, range) in [
            ("d_model", self.d_model, 8..=8_192),
            ("max_target_positions", self.text_ctx, 16..=4_096),
            ("encoder_layers", self.encoder_layers, 1..=256),
            ("decoder_layers", self.decoder_layers, 1..=256),
        ] {
            if !range.contains(&found) {
                let expected = format!("{} to {}", range.start(), range.end());
                return Err(metadata(key, &expected, found.to_string()));
            }
        }
        Ok(self)
    }
}

/// Special tokens, and which ids are never written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specials {
    pub ids: Ids,
    /// `<|startoftranscript|>`
    pub start: usize,
    /// `<|startofprev|>`: text before the window follows.
    pub previous: usize,
    /// `<|transcribe|>` and `<|translate|>`, which models for English alone are not told.
    pub transcribe: usize,
    pub translate: usize,
    /// Code and id of each language; none in models for English alone.
    pub languages: Vec<(String, usize)>,
    /// Ids that are never written.
    pub suppress: Vec<usize>,
    /// Ids that do not begin a window.
    pub begin_suppress: Vec<usize>,
    /// Layer and head of the cross attention that follows the sound, for the times of words.
    pub alignment_heads: Vec<(usize, usize)>,
}

impl Specials {
    /// Returns the ids of OpenAI's vocabularies by their size.
    ///
    /// # Errors
    /// [`Error::Metadata`] for another size.
    pub fn of_vocab(n_vocab: usize) -> Result<Self> {
        if !(ENGLISH_VOCAB..=NO_LANGUAGES + LANGUAGES.len()).contains(&n_vocab) {
            let expected = format!("{ENGLISH_VOCAB} to {}", NO_LANGUAGES + LANGUAGES.len());
            return Err(metadata("n_vocab", &expected, n_vocab.to_string()));
        }
        let multilingual = n_vocab > ENGLISH_VOCAB;
        let languages = n_vocab.saturating_sub(NO_LANGUAGES);
        let eot = ENGLISH_TEXT + usize::from(multilingual);
        let start = eot + 1;
        // The models for English alone have the ids of 99 languages as well, but one less of text.
        let after = start + if multilingual { languages } else { 99 } + 1;
        let codes = LANGUAGES
            .iter()
            .take(if multilingual { languages } else { 0 });
        Ok(Self {
            ids: Ids {
                eot,
                no_timestamps: after + 5,
                max_initial_timestamp: Some(50),
            },
            start,
            previous: after + 3,
            transcribe: after + 1,
            translate: after,
            languages: codes
                .enumerate()
                .map(|(i, code)| ((*code).to_owned(), start + 1 + i))
                .collect(),
            suppress: Vec::new(),
            begin_suppress: vec![220, eot],
            alignment_heads: Vec::new(),
        })
    }

    /// Reads `generation_config.json` of transformers. Where it says nothing of an id, `of_vocab` knows it.
    ///
    /// # Errors
    /// [`Error::Metadata`] for an id that is missing, no number, or not in the vocabulary.
    pub fn from_json(text: &str, n_vocab: usize) -> Result<Self> {
        let json = parse("generation_config.json", text)?;
        let known = Self::of_vocab(n_vocab);
        let id = |key: &str, found: &Value, known: Option<usize>| -> Result<usize> {
            match (found.as_u64(), known) {
                (Some(id), _) if (id as usize) < n_vocab => Ok(id as usize),
                (None, Some(known)) if found.is_null() => Ok(known),
                _ => Err(metadata(key, "the id of a token", found.to_string())),
            }
        };
        let list = |key: &str| -> Result<Vec<usize>> {
            let found = json[key].as_array().map(Vec::as_slice).unwrap_or_default();
            found.iter().map(|found| id(key, found, None)).collect()
        };
        let known = known.as_ref().ok();
        let mut languages = Vec::new();
        if let Some(map) = json["lang_to_id"].as_object() {
            for (name, found) in map {
                let code = name.trim_start_matches("<|").trim_end_matches("|>");
                languages.push((code.to_owned(), id("lang_to_id", found, None)?));
            }
            languages.sort_by_key(|(_, id)| *id);
        } else if json["is_multilingual"].as_bool() != Some(false) {
            languages = known
                .map(|known| known.languages.clone())
                .unwrap_or_default();
        }
        let tasks = &json["task_to_id"];
        let no_timestamps = id(
            "no_timestamps_token_id",
            &json["no_timestamps_token_id"],
            known.map(|known| known.ids.no_timestamps),
        )?;
        let heads = json["alignment_heads"].as_array();
        let pair = |pair: &Value| -> Option<(usize, usize)> {
            Some((pair[0].as_u64()? as usize, pair[1].as_u64()? as usize))
        };
        let specials = Self {
            ids: Ids {
                eot: id(
                    "eos_token_id",
                    &json["eos_token_id"],
                    known.map(|known| known.ids.eot),
                )?,
                no_timestamps,
                max_initial_timestamp: json["max_initial_timestamp_index"]
                    .as_u64()
                    .map(|n| n as usize),
            },
            start: id(
                "decoder_start_token_id",
                &json["decoder_start_token_id"],
                known.map(|known| known.start),
            )?,
            previous: id(
                "prev_sot_token_id",
                &json["prev_sot_token_id"],
                known
                    .map(|known| known.previous)
                    .or(no_timestamps.checked_sub(2)),
            )?,
            transcribe: id(
                "task_to_id",
                &tasks["transcribe"],
                known
                    .map(|known| known.transcribe)
                    .or(no_timestamps.checked_sub(4)),
            )?,
            translate: id(
                "task_to_id",
                &tasks["translate"],
                known
                    .map(|known| known.translate)
                    .or(no_timestamps.checked_sub(5)),
            )?,
            languages,
            suppress: list("suppress_tokens")?,
            begin_suppress: list("begin_suppress_tokens")?,
            alignment_heads: heads
                .map(|heads| heads.iter().filter_map(pair).collect())
                .unwrap_or_default(),
        };
        if specials.ids.timestamp_begin() >= n_vocab || specials.ids.eot >= no_timestamps {
            let found = no_timestamps.to_string();
            return Err(metadata(
                "no_timestamps_token_id",
                "an id after the text's end and before the timestamps",
                found,
            ));
        }
        Ok(specials)
    }

    /// Tells whether the model knows languages other than English.
    pub fn is_multilingual(&self) -> bool {
        !self.languages.is_empty()
    }
}

pub(super) fn metadata(key: &str, expected: &str, found: String) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found,
    }
}

fn parse(name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::BadFile {
        format: "JSON",
        what: name.to_owned(),
        expected: "an object".into(),
        found: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids as published in each model's generation_config.json.
    #[test]
    fn ids_follow_from_the_size_of_the_vocabulary() {
        let english = Specials::of_vocab(51_864).unwrap();
        assert_eq!((english.ids.eot, english.start), (50_256, 50_257));
        assert_eq!((english.translate, english.transcribe), (50_357, 50_358));
        assert_eq!(
            (english.previous, english.ids.no_timestamps),
            (50_360, 50_362)
        );
        assert!(!english.is_multilingual());
        for (n_vocab, languages, no_timestamps) in [(51_865, 99, 50_363), (51_866, 100, 50_364)] {
            let found = Specials::of_vocab(n_vocab).unwrap();
            assert_eq!((found.ids.eot, found.start), (50_257, 50_258));
            assert_eq!(found.languages.len(), languages);
            assert_eq!(found.languages[1], ("zh".into(), 50_260));
            assert_eq!(found.ids.no_timestamps, no_timestamps);
            assert_eq!(found.transcribe, no_timestamps - 4);
        }
        assert!(Specials::of_vocab(50_000).is_err() && Specials::of_vocab(60_000).is_err());
    }

    #[test]
    fn other_models_and_sizes_are_refused_by_name() {
        let code = |text: &str| Config::from_json(text).map_err(|error| error.code());
        assert_eq!(code("{}"), Err("unsupported_architecture"));
        assert_eq!(code("["), Err("bad_file"));
        assert_eq!(code(r#"{"model_type":"whisper"}"#), Err("bad_metadata"));
        let whole = r#"{"model_type":"whisper","d_model":64,"encoder_layers":2,"encoder_attention_heads":4,
            "decoder_layers":2,"decoder_attention_heads":4,"num_mel_bins":80,"vocab_size":2000,
            "max_source_positions":1500,"max_target_positions":448}"#;
        assert!(code(whole).is_ok());
        for (from, to) in [
            ("\"num_mel_bins\":80", "\"num_mel_bins\":81"),
            (
                "\"encoder_attention_heads\":4",
                "\"encoder_attention_heads\":5",
            ),
            ("1500", "15000000000"),
            ("\"d_model\":64", "\"d_model\":-64"),
            (
                "\"d_model\":64",
                "\"d_model\":64,\"activation_function\":\"relu\"",
            ),
        ] {
            assert_eq!(code(&whole.replace(from, to)), Err("bad_metadata"), "{to}");
        }
    }
}
