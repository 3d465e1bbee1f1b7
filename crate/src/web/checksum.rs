//! SHA-256 of a file while it arrives: the browser's own digest wants all of it at once.

use sha2::{Digest, Sha256 as Hash};
use wasm_bindgen::prelude::*;

/// An incremental SHA-256.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256(Hash);

#[wasm_bindgen]
impl Sha256 {
    /// Starts a checksum of no bytes.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Sha256 {
        Self::default()
    }

    /// Adds the file's next bytes.
    pub fn update(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    /// Returns the sum in hexadecimal digits, and starts again.
    pub fn finish(&mut self) -> String {
        let sum = self.0.finalize_reset();
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
