//! Speech models for tests: Whisper's real files and the tiny ones with drawn weights, what transformers makes of them,
//! and a recording.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hearth_audio::whisper::{Event, Loader, Options, SegmentText, Task, Transcription, Whisper};
use hearth_audio::{resample, wav};
use hearth_modelfile::Result;
use serde::Deserialize;

use crate::{golden_bytes, real_model};

/// Texts of a model's folder.
pub const TEXTS: [&str; 3] = ["config.json", "generation_config.json", "tokenizer.json"];
/// Bytes that are pushed at once: no divisor of anything.
pub const PIECE: usize = 999_983;

/// Loads a model from its folder of safetensors.
pub fn folder(path: &Path) -> Whisper {
    let mut loader = Loader::default();
    for name in TEXTS {
        loader.text(name, &std::fs::read_to_string(path.join(name)).unwrap());
    }
    push(
        loader,
        &std::fs::read(path.join("model.safetensors")).unwrap(),
    )
    .unwrap()
}

/// Loads a model from the bytes of its file.
///
/// # Errors
/// Errors of the loader.
pub fn push(mut loader: Loader, bytes: &[u8]) -> Result<Whisper> {
    for piece in bytes.chunks(PIECE) {
        loader.push(piece)?;
    }
    loader.finish()
}

/// Returns the language, if one was detected, and the segments.
pub fn transcribe(
    model: &Rc<Whisper>,
    samples: Vec<f32>,
    options: Options,
) -> (Option<(String, f64)>, Vec<SegmentText>) {
    let run = Transcription::new(Rc::clone(model), samples, options).unwrap();
    results(run, |_, event| event)
}

/// Returns what a transcription finds; `answered` computes what is asked of a network elsewhere, and returns the event after that.
pub fn results(
    mut run: Transcription,
    mut answered: impl FnMut(&mut Transcription, Event) -> Event,
) -> (Option<(String, f64)>, Vec<SegmentText>) {
    let (mut found, mut all) = (None, Vec::new());
    while let Some(event) = run.next().unwrap() {
        match answered(&mut run, event) {
            Event::Language {
                language,
                probability,
            } => found = Some((language, probability)),
            Event::Segments { segments } => all.extend(segments),
            Event::Progress { seconds, duration } => assert!(seconds <= duration),
            Event::Done { .. } => {}
            Event::Encode | Event::Decode { .. } | Event::Align { .. } => {
                panic!("nothing is computed elsewhere")
            }
        }
    }
    (found, all)
}

/// Joins the segments' texts.
pub fn text(segments: &[SegmentText]) -> String {
    segments
        .iter()
        .map(|segment| segment.text.as_str())
        .collect()
}

/// Returns the samples of a WAV file at 16 kHz.
pub fn sound(file: &Path) -> Vec<f32> {
    let sound = wav::read(&std::fs::read(file).unwrap()).unwrap();
    resample::to_16k(&sound.samples, sound.rate).unwrap()
}

/// Returns the samples of the recording, if there is one.
pub fn recording() -> Option<Vec<f32>> {
    Some(sound(&real_model("HEARTH_SPEECH_WAV", "a recording")?))
}

/// Golden of whisper-tiny.en on the recording.
#[derive(Deserialize)]
pub struct Real {
    pub long_form: LongForm,
    /// Tokens of the first 30 s with times, and when each ends.
    pub tokens: Vec<Token>,
    /// Ids of the first 30 s without times, from the text's start to its end.
    pub ids: Vec<usize>,
    /// Row 0, 100, 200, ... of the encoder's output of the first 30 s, 8 values each.
    pub encoder: Vec<Vec<f32>>,
}

/// Text and segments of a whole recording.
#[derive(Deserialize)]
pub struct LongForm {
    pub text: String,
    pub segments: Vec<Segment>,
}

/// A segment's text, and its seconds.
#[derive(Deserialize)]
pub struct Segment {
    pub start: f64,
    pub end: f64,
    pub text: String,
}

/// A token of a text with times.
#[derive(Deserialize)]
pub struct Token {
    pub id: usize,
    pub end: f64,
}

/// Returns the golden of whisper-tiny.en, the model and the recording.
pub fn tiny_en() -> Option<(Real, PathBuf, Vec<f32>)> {
    let path = real_model("HEARTH_WHISPER_TINY_EN", "whisper-tiny.en")?;
    let golden = serde_json::from_slice(&golden_bytes("real/whisper_tiny_en.json")).unwrap();
    Some((golden, path, recording()?))
}

/// Golden of a tiny model with drawn weights.
#[derive(Deserialize)]
pub struct Tiny {
    pub samples_bin: Bin,
    pub encoder_bin: Bin,
    pub logits_bin: Bin,
    pub languages: HashMap<String, f64>,
    pub runs: Vec<TinyRun>,
}

impl Tiny {
    /// Reads the golden of the model `name`.
    pub fn read(name: &str) -> Self {
        serde_json::from_slice(&golden_bytes(&format!("whisper/{name}.json"))).unwrap()
    }
}

/// Values of a golden in a file of their own, of these rows and after these ids.
#[derive(Deserialize)]
pub struct Bin {
    pub file: String,
    #[serde(default)]
    pub rows: Vec<usize>,
    #[serde(default)]
    pub ids: Vec<usize>,
}

/// Settings of a transcription, and its tokens.
#[derive(Deserialize)]
pub struct TinyRun {
    pub name: String,
    pub language: String,
    pub task: Task,
    pub with_times: bool,
    pub greedy_ids: Vec<usize>,
}

/// Text that the run `previous` goes on from.
pub const PREVIOUS: &str = "The lamp of the harbour, and the oil.";

/// Reads a golden's values.
pub fn floats(name: &str) -> Vec<f32> {
    let bytes = golden_bytes(&format!("whisper/{name}"));
    let fours = bytes.as_chunks().0.iter();
    fours.map(|four| f32::from_le_bytes(*four)).collect()
}
