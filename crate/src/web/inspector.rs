//! A report on a model from the beginning of its file.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::{from_js, to_js};
use crate::format::{Gguf, Parsed};
use crate::inspect::{InspectOptions, inspect};
use crate::ops::KvType;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct InspectorOptions {
    context_size: Option<usize>,
    kv_type: Option<KvType>,
    bandwidth: Option<f64>,
}

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
    pub fn new(options: JsValue, total_bytes: Option<f64>) -> Result<Inspector, JsValue> {
        Ok(Inspector {
            options: from_js("options", options)?,
            prefix: Vec::new(),
            total: total_bytes.map(|n| n as u64),
            wanted: 0,
        })
    }

    /// Takes the file's next bytes; gives the report as soon as they are enough, null before.
    pub fn push(&mut self, chunk: &[u8]) -> Result<JsValue, JsValue> {
        self.prefix.extend_from_slice(chunk);
        let all = self.total == Some(self.prefix.len() as u64);
        if (self.prefix.len() as u64) < self.wanted && !all {
            return Ok(JsValue::NULL);
        }
        match Gguf::parse(&self.prefix, self.total)? {
            Parsed::NeedMore { at_least } => {
                self.wanted = at_least;
                Ok(JsValue::NULL)
            }
            Parsed::Header(gguf) => to_js(&inspect(
                &gguf,
                InspectOptions {
                    context_size: self.options.context_size,
                    kv_type: self.options.kv_type,
                    device: None,
                    bandwidth: self.options.bandwidth,
                },
            )),
        }
    }
}
