//! Front end of speech recognition: samples in, log-mel windows out, and what turns a Whisper model's logits into
//! segments and subtitles.
//!
//! Nothing uses this crate yet: it will be the part of `engine.audio` that runs on the CPU, in a WebAssembly module that
//! is fetched with the first request for sound.

mod error;
mod fft;
pub mod mel;
pub mod resample;
pub mod rules;
pub mod segments;
pub mod subtitles;
pub mod wav;

pub use error::AudioError;

/// Rate that Whisper's models hear, in samples a second.
pub const SAMPLE_RATE: u32 = 16_000;
