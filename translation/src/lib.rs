//! Machine translation: text in, text out, by encoder-decoder models on the CPU.
//!
//! ```text
//! bytes -> loader (GGUF, safetensors; config, vocabulary) -> Translator
//! text -> languages -> ids -> encoder -> what the cross attention reads -> decoder, token by token -> text
//! ```
//!
//! Families: T5 (v1, v1.1, flan, mT5, UMT5, MADLAD-400), Marian (opus-mt), M2M100 and NLLB. Everything runs in a WebAssembly module
//! of its own that is fetched with the first request for a translation.

mod beams;
mod config;
mod languages;
mod loader;
mod model;
mod nllb;
mod repetition;
mod run;
pub mod sentencepiece;
mod tensors;
mod translator;
mod vocabulary;
mod weight;

#[cfg(target_arch = "wasm32")]
mod web;

pub use beams::{BEAMS, Rules, Stopping};
pub use config::{Activation, Config, Family, Positions};
pub use languages::{Language, Languages};
pub use loader::{File, Loader, MODEL_FILES};
pub use model::bias::bucket;
pub use run::{Event, Finish, Run};
pub use translator::{Answer, Files, Input, Limits, Translator};
pub use vocabulary::Vocabulary;
