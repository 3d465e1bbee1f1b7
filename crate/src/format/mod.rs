//! Model file formats: what a file says about itself, before any weight is read.
//!
//! * [`gguf`]: the header of a GGUF file, from a prefix that may still be growing.
//! * [`metadata`]: the typed key-value pairs in that header.
//! * [`ggml_type`]: the block formats a tensor can be stored in.
//! * [`writer`]: makes small GGUF files, for tests and benches.

pub mod ggml_type;
pub mod gguf;
pub mod metadata;
mod reader;
mod sniff;
pub mod writer;

#[cfg(test)]
mod hostile_tests;

pub use ggml_type::GgmlType;
pub use gguf::{Gguf, Parsed, TensorInfo};
pub use metadata::{Array, Metadata, Value};
