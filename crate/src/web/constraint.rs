//! The seam to the module that knows schemas and grammars.

use wasm_bindgen::prelude::*;

use crate::engine::Engine;
use crate::engine::constraint::Constraint;
use hearth_modelfile::error::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// A constraint of one answer, from the module that implements formats.
    pub type JsConstraint;

    #[wasm_bindgen(method, catch)]
    fn allow(this: &JsConstraint, bits: &mut [u32]) -> Result<bool, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn forced(this: &JsConstraint) -> Result<Vec<u8>, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn accept(this: &JsConstraint, ids: &[u32]) -> Result<(), JsValue>;
}

impl Constraint for JsConstraint {
    fn allow(&mut self, bits: &mut [u32]) -> Result<bool> {
        JsConstraint::allow(self, bits).map_err(failed)
    }

    fn forced(&mut self) -> Result<Vec<u8>> {
        JsConstraint::forced(self).map_err(failed)
    }

    fn accept(&mut self, ids: &[u32]) -> Result<()> {
        JsConstraint::accept(self, ids).map_err(failed)
    }
}

fn failed(error: JsValue) -> Error {
    let message = js_sys::Reflect::get(&error, &"message".into());
    let message = message.ok().and_then(|message| message.as_string());
    Error::Grammar {
        message: message.unwrap_or_else(|| "it failed without a reason".into()),
    }
}

/// A model's tokens, from which the module that implements formats makes its vocabulary.
#[wasm_bindgen]
pub struct Vocabulary {
    bytes: Vec<u8>,
    lengths: Vec<u32>,
    eog: Vec<u32>,
}

impl Vocabulary {
    pub(super) fn of(engine: &Engine) -> Self {
        let tokens = engine.vocabulary();
        Self {
            lengths: tokens.iter().map(|bytes| bytes.len() as u32).collect(),
            bytes: tokens.concat(),
            eog: engine.tokenizer().eog().to_vec(),
        }
    }
}

#[wasm_bindgen]
impl Vocabulary {
    /// Bytes of all tokens, one token after the other.
    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Number of bytes of each token: [vocab]
    #[wasm_bindgen(getter)]
    pub fn lengths(&self) -> Vec<u32> {
        self.lengths.clone()
    }

    /// The tokens that end an answer.
    #[wasm_bindgen(getter)]
    pub fn eog(&self) -> Vec<u32> {
        self.eog.clone()
    }
}
