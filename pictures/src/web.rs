//! The surface that JavaScript sees: one class, facts of a file, errors with a code. No logic.

use hearth_modelfile::vision::Processor;
use hearth_modelfile::{Error, Result};
use js_sys::{JSON, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{Prepared, probe};

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
            set(&js, key, value);
        }
        js.into()
    }
}

/// Sets a property of an object that was made here, which accepts any.
fn set(object: &JsValue, key: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &key.into(), &value.into());
}

/// A prepared picture, see [`Prepared`].
#[wasm_bindgen(js_name = Prepared)]
pub struct PreparedPicture(Prepared);

#[wasm_bindgen(js_class = Prepared)]
impl PreparedPicture {
    /// Width in pixels of the picture that was given.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> u32 {
        self.0.width as u32
    }

    /// Height in pixels of the picture that was given.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> u32 {
        self.0.height as u32
    }

    /// Rows of tiles; 0 if the picture was not cut.
    #[wasm_bindgen(getter, js_name = tilesHigh)]
    pub fn tiles_high(&self) -> u32 {
        self.0.tiles_high as u32
    }

    /// Columns of tiles; 0 if the picture was not cut.
    #[wasm_bindgen(getter, js_name = tilesWide)]
    pub fn tiles_wide(&self) -> u32 {
        self.0.tiles_wide as u32
    }

    /// Height and width in patches of one frame after the other.
    #[wasm_bindgen(getter)]
    pub fn grids(&self) -> Vec<u32> {
        let sides = self.0.grids.iter().flatten();
        sides.map(|side| *side as u32).collect()
    }

    /// Bytes of all patches: one copy, made on each call.
    #[wasm_bindgen(getter)]
    pub fn pixels(&self) -> Uint8Array {
        Uint8Array::from(&self.0.pixels[..])
    }
}

/// Prepares a picture of straight RGBA by a model's processor (`ModelInfo.vision`), with a detail of `auto`, `high` or `low`.
#[wasm_bindgen]
pub fn prepare(
    rgba: Vec<u8>,
    width: u32,
    height: u32,
    processor: &JsValue,
    detail: &str,
) -> Result<PreparedPicture, Thrown> {
    let processor = read(processor)?;
    let (width, height) = (width as usize, height as usize);
    let prepared = crate::prepare(rgba, width, height, &processor, detail.parse()?)?;
    Ok(PreparedPicture(prepared))
}

fn read(processor: &JsValue) -> Result<Processor> {
    let refused = |found: String| Error::InvalidRequest {
        field: "processor".into(),
        expected: "an object of the documented shape".into(),
        found,
    };
    let json = JSON::stringify(processor)
        .ok()
        .and_then(|json| json.as_string());
    let json = json.ok_or_else(|| refused("something else".into()))?;
    serde_json::from_str(&json).map_err(|error| refused(error.to_string()))
}

/// Reads format and size from the first bytes of a file, 0 where they do not tell; nothing for formats that are not known.
#[wasm_bindgen(
    unchecked_return_type = "{ format: string; width: number; height: number } | undefined"
)]
pub fn probe(bytes: &[u8]) -> JsValue {
    let Some(facts) = probe::probe(bytes) else {
        return JsValue::UNDEFINED;
    };
    let found = Object::new();
    set(&found, "format", facts.format.name());
    let (width, height) = facts.size.unwrap_or_default();
    set(&found, "width", width);
    set(&found, "height", height);
    found.into()
}

/// Returns the most pixels that a picture may have.
#[wasm_bindgen(js_name = maxPixels)]
pub fn max_pixels() -> f64 {
    crate::MAX_PIXELS as f64
}

/// Returns the longest side that a picture may have, in pixels.
#[wasm_bindgen(js_name = maxSide)]
pub fn max_side() -> u32 {
    crate::MAX_SIDE as u32
}
