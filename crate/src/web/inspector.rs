//! A report on a model from the beginning of its file.

use wasm_bindgen::prelude::*;

use super::{Thrown, from_js, to_js};
use crate::boundary::InspectorOptions;
use crate::model::report::inspect;
use hearth_modelfile::container::{Parsed, gguf};
use hearth_modelfile::error::Error;
use hearth_modelfile::files::Files as CoreFiles;

/// A file of which only the header is read.
#[wasm_bindgen]
pub struct Inspector {
    options: InspectorOptions,
    prefix: Vec<u8>,
    total: Option<u64>,
    wanted: u64,
}

#[wasm_bindgen]
impl Inspector {
    /// An inspector of a file of `total_bytes`, if that is known.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "InspectorOptions")] options: JsValue,
        total_bytes: Option<f64>,
    ) -> Result<Inspector, Thrown> {
        Ok(Inspector {
            options: from_js("options", options)?,
            prefix: Vec::new(),
            total: total_bytes.map(|n| n as u64),
            wanted: 0,
        })
    }

    /// Consumes the file's next bytes; returns the report as soon as they suffice, null before.
    #[wasm_bindgen(unchecked_return_type = "ModelReport | null")]
    pub fn push(&mut self, chunk: &[u8]) -> Result<JsValue, Thrown> {
        self.prefix.extend_from_slice(chunk);
        let all = self.total == Some(self.prefix.len() as u64);
        if (self.prefix.len() as u64) < self.wanted && !all {
            return Ok(JsValue::NULL);
        }
        match gguf::parse(&self.prefix, self.total)? {
            Parsed::NeedMore { at_least } => {
                self.wanted = at_least;
                Ok(JsValue::NULL)
            }
            Parsed::Header(gguf) => to_js(&inspect(&gguf, self.options.without_device())),
        }
    }

    /// Returns the report at the end of the file. If its length was unknown, it may end before the requested prefix.
    #[wasm_bindgen(unchecked_return_type = "ModelReport")]
    pub fn finish(&mut self) -> Result<JsValue, Thrown> {
        let length = self.prefix.len() as u64;
        match gguf::parse(&self.prefix, Some(length))? {
            Parsed::Header(gguf) => to_js(&inspect(&gguf, self.options.without_device())),
            Parsed::NeedMore { at_least } => Err(Error::Truncated {
                what: "the header".into(),
                needed: at_least,
                available: length,
            }
            .into()),
        }
    }
}

/// The headers of a model in several files. The loader that takes them over frees them.
#[wasm_bindgen]
#[derive(Default)]
pub struct Files(CoreFiles);

#[wasm_bindgen]
impl Files {
    /// No headers yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Files {
        Files::default()
    }

    /// Adds one of the texts next to the safetensors files, by name.
    pub fn text(&mut self, name: &str, text: String) {
        self.0.text(name, text);
    }

    /// Consumes the next bytes from the beginning of a file of `length` bytes; returns true when it has enough.
    pub fn header(&mut self, index: usize, chunk: &[u8], length: f64) -> Result<bool, Thrown> {
        Ok(self.0.header(index, chunk, length as u64)?)
    }

    /// Returns the report on the model, and drops the headers.
    #[wasm_bindgen(unchecked_return_type = "ModelReport")]
    pub fn report(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "InspectorOptions")] options: JsValue,
    ) -> Result<JsValue, Thrown> {
        let options: InspectorOptions = from_js("options", options)?;
        let (gguf, _) = self.take().join()?;
        to_js(&inspect(&gguf, options.without_device()))
    }

    pub(super) fn take(&mut self) -> CoreFiles {
        std::mem::take(&mut self.0)
    }
}
