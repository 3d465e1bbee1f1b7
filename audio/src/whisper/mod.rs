//! Whisper (Radford et al. 2022, arXiv:2212.04356), on the CPU or with a network elsewhere.
//!
//! ```text
//! bytes -> loader (ggml, tensors, config, vocabulary) -> model
//! samples -> mel -> encoder -> sound -> decoder -> rules -> segments
//! ```

mod config;
mod decoder;
mod elsewhere;
mod encoder;
mod event;
mod filter;
mod ggml;
mod heads;
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
pub use event::{Event, SegmentText};
pub(crate) use layers::Linear;
pub use loader::Loader;
pub use model::{Parts, Whisper};
pub use options::{Options, Task};
pub use tensors::Handed;
pub(crate) use tensors::Tensors;
pub use transcription::Transcription;
pub use vocabulary::Vocabulary;
pub use words::Word;
