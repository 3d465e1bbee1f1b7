//! Model file formats: what a file says about itself, before any weight is read.
//!
//! * [`gguf`]: the header of a GGUF file, from a prefix that may still be growing.
//! * [`metadata`]: the typed key-value pairs in that header.
//! * [`safetensors`], [`crate::huggingface`]: the same from a folder as Hugging Face has them.
//! * [`arrangement`]: how tensors lie where it is not as in GGUF; [`transposed`]: rows of a matrix that is kept by columns.
//! * [`ggml_type`]: the block formats a tensor can be stored in.
//! * [`writer`]: makes small GGUF files, for tests and benches.

pub mod arrangement;
pub mod ggml_type;
pub mod gguf;
pub mod metadata;
mod reader;
pub mod safetensors;
mod sniff;
pub mod transposed;
pub mod writer;

#[cfg(test)]
mod hostile_tests;

pub use arrangement::{Arrangement, Range};
pub use ggml_type::GgmlType;
pub use gguf::{Gguf, Parsed, TensorInfo};
pub use metadata::{Array, Metadata, Value};
