//! Options of a transcription.

use serde::Deserialize;

use crate::rules::{TEMPERATURES, Thresholds};

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
    /// Whether segments have times. Sound of more than one window is always cut by times.
    pub timestamps: bool,
    /// Whether words have times.
    pub words: bool,
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
            timestamps: true,
            words: false,
            condition_on_previous_text: false,
            no_speech_threshold: usual.no_speech_prob,
            logprob_threshold: usual.avg_logprob,
            compression_ratio_threshold: usual.compression_ratio,
            seed: 0,
        }
    }
}
