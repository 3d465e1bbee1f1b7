//! The surface that JavaScript sees: classes, JSON, errors with a code. No logic.

use std::rc::Rc;

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::subtitles::{Cue, srt, vtt};
use crate::vad::Listener;
use crate::whisper::{Handed, Loader, Options, Parts, Transcription, Whisper};
use crate::{resample, wav};
use hearth_modelfile::{Error, Result};

/// An error on its way to JavaScript.
pub struct Thrown(Error);

impl From<Error> for Thrown {
    fn from(error: Error) -> Self {
        Thrown(error)
    }
}

impl From<Thrown> for JsValue {
    fn from(Thrown(error): Thrown) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name("HearthError");
        for (key, value) in [("code", error.code()), ("hint", error.hint())] {
            // A fresh Error object accepts any property.
            let _ = js_sys::Reflect::set(&js, &key.into(), &value.into());
        }
        js.into()
    }
}

/// A model under way, see [`Loader`].
#[wasm_bindgen(js_name = SpeechLoader)]
#[derive(Default)]
pub struct SpeechLoader(Loader);

#[wasm_bindgen(js_class = SpeechLoader)]
impl SpeechLoader {
    /// Begins a load.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a text of the model's folder.
    pub fn text(&mut self, name: &str, text: &str) {
        self.0.text(name, text);
    }

    /// Takes the next bytes of the weights.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.push(chunk)?)
    }

    /// Makes tensors that come be handed over, to a network elsewhere, instead of kept.
    #[wasm_bindgen(js_name = handOver)]
    pub fn hand_over(&mut self) {
        self.0 = Loader::handing_over();
    }

    /// Returns the next tensor that is handed over, if it has come.
    pub fn handed(&mut self) -> Option<HandedTensor> {
        self.0.hand_over().map(HandedTensor)
    }

    /// Makes the model.
    pub fn finish(self) -> Result<SpeechModel, Thrown> {
        let model = self.0.finish()?;
        Ok(SpeechModel {
            parts: Rc::clone(&model.parts),
            parameters: model.parameters,
            bytes: model.bytes,
            network: Some(Rc::new(model)),
        })
    }

    /// Makes a model whose tensors were all handed over.
    #[wasm_bindgen(js_name = finishElsewhere)]
    pub fn finish_elsewhere(self) -> Result<SpeechModel, Thrown> {
        let (parts, parameters) = self.0.finish_elsewhere()?;
        Ok(SpeechModel {
            parts: Rc::new(parts),
            parameters,
            bytes: 0,
            network: None,
        })
    }
}

/// A tensor for a network elsewhere.
#[wasm_bindgen(js_name = HandedTensor)]
pub struct HandedTensor(Handed);

#[wasm_bindgen(js_class = HandedTensor)]
impl HandedTensor {
    /// Its name.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.name.clone()
    }

    /// Rows of a matrix; 1 of what is added.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Columns.
    #[wasm_bindgen(getter)]
    pub fn cols(&self) -> usize {
        self.0.cols
    }

    /// Whether the values are f16.
    #[wasm_bindgen(getter)]
    pub fn halves(&self) -> bool {
        self.0.halves
    }

    /// Returns the bytes of the values, once.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0.bytes)
    }
}

/// A loaded model.
#[wasm_bindgen(js_name = SpeechModel)]
pub struct SpeechModel {
    parts: Rc<Parts>,
    /// The network, if it is computed here.
    network: Option<Rc<Whisper>>,
    parameters: u64,
    bytes: u64,
}

#[wasm_bindgen(js_class = SpeechModel)]
impl SpeechModel {
    /// Returns what is known about the model, as JSON.
    pub fn info(&self) -> String {
        let specials = &self.parts.specials;
        let languages: Vec<&str> = match specials.languages.as_slice() {
            [] => vec!["en"],
            languages => languages.iter().map(|(code, _)| code.as_str()).collect(),
        };
        serde_json::json!({
            "isMultilingual": specials.is_multilingual(),
            "languages": languages,
            "nMels": self.parts.config.n_mels,
            "parameters": self.parameters,
            "bytes": self.bytes,
        })
        .to_string()
    }

    /// Returns what a network elsewhere has to know, as JSON.
    pub fn network(&self) -> String {
        self.parts.network()
    }

    /// Begins to write down samples at 16 kHz. `options`: [`Options`] as JSON.
    pub fn start(&self, samples: Vec<f32>, options: &str) -> Result<TranscriptionRun, Thrown> {
        let options: Options = parse("options", options)?;
        Ok(TranscriptionRun(match &self.network {
            Some(network) => Transcription::new(Rc::clone(network), samples, options)?,
            None => Transcription::elsewhere(Rc::clone(&self.parts), samples, options)?,
        }))
    }
}

/// A transcription under way.
#[wasm_bindgen(js_name = TranscriptionRun)]
pub struct TranscriptionRun(Transcription);

#[wasm_bindgen(js_class = TranscriptionRun)]
impl TranscriptionRun {
    /// Does some work; returns its event as JSON, or nothing after the end.
    pub fn next(&mut self) -> Result<Option<String>, Thrown> {
        let event = self.0.next()?;
        Ok(event.map(|event| serde_json::json!(event).to_string()))
    }

    /// Returns the window that a network elsewhere is to hear.
    pub fn mel(&self) -> Vec<f32> {
        self.0.mel().to_vec()
    }

    /// Takes the numbers of a network elsewhere; returns the event that they came to as JSON.
    pub fn answer(&mut self, numbers: &[f32]) -> Result<String, Thrown> {
        let event = self.0.answer(numbers)?;
        Ok(serde_json::json!(event).to_string())
    }
}

/// A detector of speech in a stream.
#[wasm_bindgen(js_name = VoiceListener)]
pub struct VoiceListener(Listener);

#[wasm_bindgen(js_class = VoiceListener)]
impl VoiceListener {
    /// Begins a stream of `rate` samples a second.
    #[wasm_bindgen(constructor)]
    pub fn new(rate: u32) -> Result<VoiceListener, Thrown> {
        Ok(Self(Listener::new(rate)?))
    }

    /// Takes the next samples; returns the probabilities of speech in the frames of 32 ms that have become whole.
    pub fn hear(&mut self, samples: &[f32]) -> Result<Vec<f32>, Thrown> {
        Ok(self.0.hear(samples)?)
    }
}

/// Reads a WAV file as mono samples at 16 kHz.
#[wasm_bindgen(js_name = decodeWav)]
pub fn decode_wav(bytes: &[u8]) -> Result<Vec<f32>, Thrown> {
    let sound = wav::read(bytes)?;
    Ok(resample::to_16k(&sound.samples, sound.rate)?)
}

/// Returns samples of any rate at 16 kHz.
#[wasm_bindgen(js_name = resample)]
pub fn resampled(samples: &[f32], rate: u32) -> Result<Vec<f32>, Thrown> {
    Ok(resample::to_16k(samples, rate)?)
}

/// Returns segments, given as JSON, as a file of subtitles: `srt` or `vtt`.
#[wasm_bindgen]
pub fn subtitles(kind: &str, segments: &str) -> Result<String, Thrown> {
    let cues: Vec<Cue> = parse("segments", segments)?;
    match kind {
        "srt" => Ok(srt(&cues)),
        "vtt" => Ok(vtt(&cues)),
        other => Err(Error::InvalidRequest {
            field: "response_format".into(),
            expected: "srt or vtt".into(),
            found: other.to_owned(),
        }
        .into()),
    }
}

fn parse<T: for<'a> Deserialize<'a>>(field: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::InvalidRequest {
        field: field.to_owned(),
        expected: "an object of the documented shape".into(),
        found: error.to_string(),
    })
}
