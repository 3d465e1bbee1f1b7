//! Options of a transcription.

use hearth_modelfile::{Error, Result};
use serde::Deserialize;

use super::config::Specials;
use crate::rules::{TEMPERATURES, Thresholds};

/// Most texts that are drawn of a window.
const MOST_DRAWN: usize = 16;

/// Language of what is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// That which is spoken.
    #[default]
    Transcribe,
    /// English.
    Translate,
}

/// Options of one transcription; the defaults are those of openai/whisper, but that a window is not told what came before
/// it, which makes repetitions rarer (as in transformers).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    pub task: Task,
    /// Code of the spoken language; detected if absent.
    pub language: Option<String>,
    /// Text that sets style and spelling, as if it had been said before.
    pub prompt: Option<String>,
    /// Temperatures to try, in order.
    pub temperatures: Vec<f32>,
    /// Texts that are drawn at a temperature above 0; the likeliest of them counts.
    pub best_of: usize,
    /// Whether segments have times. Sound of more than one window is always cut by times.
    pub timestamps: bool,
    /// Whether words have times.
    pub words: bool,
    /// Whether what is no speech is cut out before anything is written down.
    pub vad_filter: bool,
    pub condition_on_previous_text: bool,
    /// Probability of silence above which a window without confidence has no text.
    pub no_speech_threshold: f64,
    /// Mean log-probability below which a window is decoded again.
    pub logprob_threshold: f64,
    /// Ratio of a text's bytes to those of its zlib stream above which a window is decoded again.
    pub compression_ratio_threshold: f64,
    /// Seed of sampling at temperatures above 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        let usual = Thresholds::default();
        Self {
            task: Task::Transcribe,
            language: None,
            prompt: None,
            temperatures: TEMPERATURES.to_vec(),
            best_of: 1,
            timestamps: true,
            words: false,
            vad_filter: false,
            condition_on_previous_text: false,
            no_speech_threshold: usual.no_speech_prob,
            logprob_threshold: usual.avg_logprob,
            compression_ratio_threshold: usual.compression_ratio,
            seed: 0,
        }
    }
}

impl Options {
    /// Checks what is asked of a model; returns the index of the language that is given.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a language that the model lacks, a translation by a model that knows English only, or options
    /// out of range.
    pub fn check(&self, specials: &Specials) -> Result<Option<usize>> {
        if self.task == Task::Translate && !specials.is_multilingual() {
            let found = "one for English alone".to_owned();
            return Err(refuse("model", "a multilingual model to translate", found));
        }
        let is_hot = |t: &f32| !(0.0..=2.0).contains(t);
        if self.temperatures.is_empty() || self.temperatures.iter().any(is_hot) {
            let found = format!("{:?}", self.temperatures);
            return Err(refuse("temperature", "numbers from 0 to 2", found));
        }
        if !(1..=MOST_DRAWN).contains(&self.best_of) {
            let expected = format!("a number from 1 to {MOST_DRAWN}");
            return Err(refuse("best_of", &expected, self.best_of.to_string()));
        }
        match self.language.as_deref() {
            None => Ok(None),
            Some("en") if !specials.is_multilingual() => Ok(None),
            Some(code) => {
                let mut known = specials.languages.iter();
                let found = known.position(|(known, _)| known == code);
                let expected = "one that the model knows";
                let found =
                    found.ok_or_else(|| refuse("language", expected, format!("\"{code}\"")))?;
                Ok(Some(found))
            }
        }
    }
}

fn refuse(field: &str, expected: &str, found: String) -> Error {
    Error::InvalidRequest {
        field: field.to_owned(),
        expected: expected.to_owned(),
        found,
    }
}
