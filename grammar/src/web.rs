//! The JavaScript interface.

use wasm_bindgen::prelude::*;

use crate::{Format, Grammar, Vocabulary};

/// A model's tokens, as provided by the core.
#[wasm_bindgen(js_name = Vocabulary)]
pub struct JsVocabulary(Vocabulary);

#[wasm_bindgen(js_class = Vocabulary)]
impl JsVocabulary {
    /// Creates the vocabulary from `bytes`, those of all tokens in order; `lengths`, the number of bytes of each; and
    /// `eog`, the tokens that end an answer.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], lengths: &[u32], eog: &[u32]) -> Result<JsVocabulary, JsError> {
        let mut rest = bytes;
        let mut tokens = Vec::with_capacity(lengths.len());
        for length in lengths {
            let Some((token, after)) = rest.split_at_checked(*length as usize) else {
                return Err(JsError::new(
                    "the tokens' lengths are more than their bytes",
                ));
            };
            tokens.push(token.to_vec());
            rest = after;
        }
        Ok(Self(Vocabulary::new(&tokens, eog).map_err(to_js)?))
    }

    /// Starts to follow an answer in a format, given as JSON.
    pub fn grammar(&self, format: &str) -> Result<JsGrammar, JsError> {
        let format: Format = serde_json::from_str(format)?;
        Ok(JsGrammar(self.0.grammar(&format).map_err(to_js)?))
    }
}

/// A parser that follows one answer.
#[wasm_bindgen(js_name = Grammar)]
pub struct JsGrammar(Grammar);

#[wasm_bindgen(js_class = Grammar)]
impl JsGrammar {
    /// Sets the bits of the tokens allowed next; returns false at the end.
    pub fn allow(&mut self, bits: &mut [u32]) -> Result<bool, JsError> {
        self.0.allow(bits).map_err(to_js)
    }

    /// Returns the bytes that must come next.
    pub fn forced(&mut self) -> Vec<u8> {
        self.0.forced()
    }

    /// Advances by these tokens.
    pub fn accept(&mut self, ids: &[u32]) -> Result<(), JsError> {
        self.0.accept(ids).map_err(to_js)
    }
}

fn to_js(error: anyhow::Error) -> JsError {
    JsError::new(&error.to_string())
}
