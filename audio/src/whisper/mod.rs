//! Whisper on the CPU (Radford et al. 2022, arXiv:2212.04356).
//!
//! ```text
//! bytes -> loader (ggml, tensors, config, vocabulary) -> model
//! samples -> mel -> encoder -> sound -> decoder -> rules -> segments
//! ```

mod config;
mod decoder;
mod encoder;
mod ggml;
mod languages;
mod layers;
mod loader;
mod model;
mod options;
mod tensors;
mod transcription;
mod vocabulary;
mod window;
mod words;

pub use config::{Config, Specials};
pub use loader::Loader;
pub use model::Whisper;
pub use options::{Options, Task};
pub use transcription::{Event, SegmentText, Transcription};
pub use vocabulary::Vocabulary;
pub use words::Word;
