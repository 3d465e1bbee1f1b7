//! Whisper's network, for the module that recognises speech.

use wasm_bindgen::prelude::*;

use super::{Device, Thrown, busy};
use crate::engine::speech::{Pick, Speech, SpeechConfig, SpeechLoader};
use hearth_modelfile::error::Error;

/// A network on its way to the device.
#[wasm_bindgen]
pub struct SpeechNetworkLoader(Option<SpeechLoader>);

#[wasm_bindgen]
impl SpeechNetworkLoader {
    /// Begins a load.
    #[wasm_bindgen(constructor)]
    pub fn new(device: &Device) -> SpeechNetworkLoader {
        Self(Some(SpeechLoader::new(device.0.clone())))
    }

    /// Takes a tensor by its name, from the bytes of its values: f16 with `halves`, or else f32.
    pub fn tensor(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
        halves: bool,
        bytes: &[u8],
    ) -> Result<(), Thrown> {
        let loader = self.0.as_mut().ok_or_else(busy)?;
        Ok(loader.tensor(name, [rows, cols], halves, bytes)?)
    }

    /// Makes the network. `config`: its sizes and sets of banned ids, as JSON.
    pub fn finish(&mut self, config: &str) -> Result<SpeechNetwork, Thrown> {
        let loader = self.0.take().ok_or_else(busy)?;
        let config: SpeechConfig =
            serde_json::from_str(config).map_err(|error| Error::InvalidRequest {
                field: "config".into(),
                expected: "sizes of a network".into(),
                found: error.to_string(),
            })?;
        Ok(SpeechNetwork(Some(loader.finish(&config)?)))
    }
}

/// A network on a device, and the window that it hears. A call while another one runs fails as busy.
#[wasm_bindgen]
pub struct SpeechNetwork(Option<Speech>);

#[wasm_bindgen]
impl SpeechNetwork {
    /// Returns the bytes of weights on the device.
    pub fn bytes(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |speech| speech.bytes() as f64)
    }

    /// Begins to hear a window.
    pub fn hear(&mut self, mel: &[f32]) -> Result<(), Thrown> {
        Ok(self.0.as_mut().ok_or_else(busy)?.hear(mel)?)
    }

    /// Hears some more of it; returns how many layers are left.
    pub async fn listen(&mut self) -> Result<usize, Thrown> {
        Ok(self.0.as_mut().ok_or_else(busy)?.listen().await?)
    }

    /// Computes tokens from position `from` on and returns numbers. `picks`: for each, the index of a token, the number of ranges (or
    /// 0 for all logits), and of each range the first id, the one behind the last, and its set.
    pub async fn decode(
        &mut self,
        from: usize,
        ids: &[u32],
        picks: &[u32],
    ) -> Result<Vec<f32>, Thrown> {
        let picks = picks_of(picks)?;
        let speech = self.0.as_mut().ok_or_else(busy)?;
        Ok(speech.decode(from, ids, &picks).await?)
    }

    /// Computes a whole text again and returns where heads look: weights [heads, ids, rows of the sound]. `heads`: for each, the number
    /// of its layer and its own.
    pub async fn align(&mut self, ids: &[u32], heads: &[u32]) -> Result<Vec<f32>, Thrown> {
        let speech = self.0.as_mut().ok_or_else(busy)?;
        Ok(speech.align(ids, heads.as_chunks().0).await?)
    }
}

/// Reads picks.
fn picks_of(mut words: &[u32]) -> Result<Vec<Pick>, Error> {
    let mut picks = Vec::new();
    while let [row, n, rest @ ..] = words {
        let of_ranges = (*n as usize).checked_mul(3).and_then(|n| rest.get(..n));
        let of_ranges = of_ranges.ok_or_else(|| Error::Internal {
            what: "speech".into(),
            message: "picks without all of their ranges".into(),
        })?;
        words = &rest[of_ranges.len()..];
        picks.push(Pick {
            row: *row as usize,
            ranges: of_ranges.as_chunks().0.to_vec(),
        });
    }
    Ok(picks)
}
