//! Speech recognition: samples in; log-mel windows, Whisper's text, segments and subtitles out.
//!
//! Everything runs on the CPU, in a WebAssembly module of its own that is fetched with the first request for sound.

mod fft;
pub mod mel;
pub mod resample;
pub mod rules;
pub mod segments;
pub mod silence;
pub mod subtitles;
pub mod vad;
pub mod wav;
pub mod whisper;

#[cfg(target_arch = "wasm32")]
mod web;

use hearth_modelfile::Error;

/// Rate that Whisper's models hear, in samples a second.
pub const SAMPLE_RATE: u32 = 16_000;

fn bad(message: impl Into<String>) -> Error {
    Error::BadAudio {
        message: message.into(),
    }
}

fn not_finite() -> Error {
    bad("a sample is not a finite number")
}
