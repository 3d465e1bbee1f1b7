//! Everything a model's files say, before any weight is on a device: no burn, no GPU, all of it fuzzed.
//!
//! ```text
//! bytes -> container (GGUF, safetensors; huggingface: a folder's texts) -> config, families -> weight_requests, budget, cost
//! messages -> text::template -> text::tokenizer -> ids
//! tensor bytes -> quant -> words that kernels read
//! an adapter's bytes -> adapter -> changes of weights
//! ```
//!
//! Imports point one way: adapter -> huggingface, budget -> weight_requests -> config -> families, and files -> huggingface -> quant -> container ->
//! error; `text` and `sampling` need container alone. tests/tests/native/layers.rs holds this.

pub mod adapter;
pub mod budget;
mod by_layer;
pub mod config;
pub mod container;
pub mod cost;
pub mod error;
pub mod families;
pub mod files;
pub mod huggingface;
mod json;
pub mod kv_type;
mod layer_kinds;
pub mod layer_spec;
mod mathematics;
pub mod quant;
pub mod rope;
pub mod router;
pub mod sampling;
pub mod text;
pub mod vision;
pub mod weight_requests;

pub use error::{Error, Result};
