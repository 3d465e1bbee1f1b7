//! Hearth: open language models on the visitor's own GPU.
//!
//! ```text
//! bytes -> load -> weights on the device
//! messages -> modelfile's text -> engine (prefill, captured decode) -> text
//! ```
//!
//! Imports point one way: web -> boundary -> load -> engine -> model -> weights -> device -> ops -> platform -> `hearth_modelfile`;
//! tests/tests/native/layers.rs holds this.

pub mod boundary;
pub mod device;
pub mod engine;
pub mod load;
pub mod model;
pub mod ops;
mod platform;
#[cfg(target_arch = "wasm32")]
pub mod web;
mod weights;

pub use device::{Device, DeviceOptions};
pub use engine::Drafts;
pub use engine::Engine;
pub use engine::request::Request;
pub use hearth_modelfile::{Error, Result};
pub use load::{LoadOptions, Loader};
