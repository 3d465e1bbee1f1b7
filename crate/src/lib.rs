//! Hearth: open language models on the visitor's own GPU.
//!
//! ```text
//! bytes -> loader -> weights on the device
//! messages -> chat_template -> tokenizer -> engine (prefill, captured decode) -> text
//! ```
//!
//! Dependencies point one way: web -> engine -> model -> ops -> quant -> format -> error.

pub mod constraint;
pub mod device;
pub mod device_info;
pub mod embedding;
pub mod engine;
mod fault;
mod filling;
mod graph;
pub mod loader;
pub mod logprobs;
mod matrix;
mod measure;
pub mod model;
pub mod ops;
mod prefill;
mod readback;
pub mod request;
mod run;
mod scoring;
mod speculation;
mod start;
mod stepwise;
pub mod tune;
#[cfg(target_arch = "wasm32")]
pub mod web;
mod weights;

pub use device::{Device, DeviceOptions};
pub use engine::Engine;
pub use hearth_modelfile::{Error, Result};
pub use loader::{LoadOptions, Loader};
pub use request::Request;
pub use speculation::Drafts;
