//! The surface that JavaScript sees: classes, JSON, errors with a code. No logic.
//!
//! ```ts
//! // One load: texts of the folder first (those that it has), then the weights in pieces of any size.
//! class TranslationLoader {
//!   constructor();
//!   /** Names of the files to give, where a folder has them: JSON, a list. Those with `"binary": true` go to `file`. A folder has
//!    *  tokenizer.json, or vocab.json and an .spm file (and target_vocab.json, where answers have other ids), or spiece.model, or for
//!    *  NLLB sentencepiece.bpe.model: what is missing is named by `finish`. */
//!   static files(): string; // [{ "name": "config.json", "binary": false, "required": true }, ...]
//!   text(name: string, text: string): void;       // config.json, generation_config.json, tokenizer.json, tokenizer_config.json,
//!                                                 // vocab.json, target_vocab.json, added_tokens.json, README.md (which names
//!                                                 // the licence)
//!   file(name: string, bytes: Uint8Array): void;  // source.spm, target.spm, spiece.model, sentencepiece.bpe.model
//!   push(chunk: Uint8Array): void;                // model.safetensors (shards one after another), or one GGUF file and no texts
//!   finish(): Translator;                         // the loader is gone afterwards
//! }
//! class Translator {
//!   /** { family: "t5" | "marian" | "m2m100" | "nllb", name: string | null, licence: string | null, parameters: number,
//!    *    bytes: number, maxInputTokens: number | null, maxOutputTokens: number, beams: number } - `beams`: what the files advise */
//!   info(): string;
//!   /** { sources: string[], targets: string[], needsSource: boolean, needsTarget: boolean, plain: boolean }
//!    *  BCP-47 codes. No `sources`: the model is not told the language of its input, and reads those that it learnt.
//!    *  `plain`: a text without a target is taken as it is ("text to text", with an instruction of its own). */
//!   languages(): string;
//!   /** Tokens that the text takes as input, its marks included. Long texts are cut into sentences before. */
//!   countTokens(text: string, source: string | undefined, target: string | undefined): number;
//!   /** One segment. `maxTokens`: limit of the answer; default 2 * input + 10, without a target the model's, and never more. */
//!   begin(text: string, source?: string, target?: string, maxTokens?: number, beams?: number): TranslationRun;
//! }
//! class TranslationRun {
//!   /** The next event as JSON, or undefined after `done`. To stop, call `free()` instead.
//!    *  { type: "encoding", layer: number, layers: number }
//!    *  { type: "token", text: string, tokens: number }     // text: the characters that it completes, often none
//!    *  { type: "done", text: string, inputTokens: number, tokens: number, finish: "stop" | "length" | "repetition" }
//!    *  `text` of `done` is the whole answer: what is shown at last. */
//!   step(): string | undefined;
//! }
//! ```
//!
//! Each method throws an `Error` named `HearthError` with `code` and `hint`, as the other modules do: `invalid_request` for a pair
//! of languages that the model has not (the message lists those that it has) and for texts without any word,
//! `context_overflow` for a segment longer than the model's input, `unsupported_architecture`, `missing_tensor`, `bad_metadata`,
//! `tokenizer_error`, `bad_file`, `truncated_file`, `out_of_memory`, `not_finite`.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use crate::loader::{Loader, MODEL_FILES};
use crate::run::Run;
use crate::translator::{Limits, Translator as Model};
use hearth_modelfile::Error;

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
#[wasm_bindgen(js_name = TranslationLoader)]
#[derive(Default)]
pub struct TranslationLoader(Loader);

#[wasm_bindgen(js_class = TranslationLoader)]
impl TranslationLoader {
    /// Begins a load.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the files to give, as JSON.
    pub fn files() -> String {
        serde_json::json!(MODEL_FILES).to_string()
    }

    /// Gives a text of the model's folder.
    pub fn text(&mut self, name: &str, text: &str) {
        self.0.text(name, text);
    }

    /// Gives another file of the model's folder.
    pub fn file(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.file(name, bytes);
    }

    /// Takes the next bytes of the weights.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Thrown> {
        Ok(self.0.push(chunk)?)
    }

    /// Makes the model.
    pub fn finish(self) -> Result<Translator, Thrown> {
        Ok(Translator(Rc::new(self.0.finish()?)))
    }
}

/// A loaded model.
#[wasm_bindgen(js_name = Translator)]
pub struct Translator(Rc<Model>);

#[wasm_bindgen(js_class = Translator)]
impl Translator {
    /// Returns what is known about the model, as JSON.
    pub fn info(&self) -> String {
        let config = &self.0.model.config;
        let (parameters, bytes) = self.0.size();
        serde_json::json!({
            "family": config.family.name(),
            "name": self.0.name(),
            "licence": self.0.licence(),
            "parameters": parameters,
            "bytes": bytes,
            "maxInputTokens": config.max_input,
            "maxOutputTokens": config.max_output,
            "beams": config.rules.advised,
        })
        .to_string()
    }

    /// Returns the languages, as JSON.
    pub fn languages(&self) -> String {
        self.0.languages().to_json()
    }

    /// Returns the number of tokens that a text takes.
    #[wasm_bindgen(js_name = countTokens)]
    pub fn count_tokens(
        &self,
        text: &str,
        source: Option<String>,
        target: Option<String>,
    ) -> Result<u32, Thrown> {
        let count = self.0.count(text, source.as_deref(), target.as_deref())?;
        Ok(count as u32)
    }

    /// Begins to translate a segment.
    pub fn begin(
        &self,
        text: &str,
        source: Option<String>,
        target: Option<String>,
        #[wasm_bindgen(js_name = maxTokens)] max_tokens: Option<u32>,
        beams: Option<u32>,
    ) -> Result<TranslationRun, Thrown> {
        let limits = Limits {
            max_tokens: max_tokens.map(|n| n as usize),
            beams: beams.map(|n| n as usize),
            ..Limits::default()
        };
        let (source, target) = (source.as_deref(), target.as_deref());
        Ok(TranslationRun {
            run: self.0.begin(text, source, target, limits)?,
            model: Rc::clone(&self.0),
        })
    }
}

/// A translation under way.
#[wasm_bindgen(js_name = TranslationRun)]
pub struct TranslationRun {
    model: Rc<Model>,
    run: Run,
}

#[wasm_bindgen(js_class = TranslationRun)]
impl TranslationRun {
    /// Does some work; returns its event as JSON, or nothing after the end.
    pub fn step(&mut self) -> Result<Option<String>, Thrown> {
        let event = self.run.step(&self.model)?;
        Ok(event.map(|event| serde_json::json!(event).to_string()))
    }
}
