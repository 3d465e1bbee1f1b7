//! Hearth: open language models on the visitor's own GPU.
//!
//! ```text
//! bytes -> load -> weights on the device
//! messages -> modelfile's text -> engine (prefill, captured decode) -> text
//! ```
//!
//! Dependencies point one way: web -> engine, load -> model -> weights -> device -> ops -> `hearth_modelfile`.

pub mod device;
pub mod engine;
pub mod load;
pub mod model;
pub mod ops;
#[cfg(target_arch = "wasm32")]
pub mod web;
mod weights;

pub use device::{Device, DeviceOptions};
pub use engine::Engine;
pub use engine::drafting::Drafts;
pub use engine::request::Request;
pub use hearth_modelfile::{Error, Result};
pub use load::{LoadOptions, Loader};
