//! Model file formats: everything a file says about itself, before any weight is read.
//!
//! * [`ModelHeader`]: metadata and tensors, whatever the format; [`limits`]: what a header may claim.
//! * [`gguf`]: the header of a GGUF file, from a prefix that may still be growing.
//! * [`metadata`]: the typed key-value pairs in that header.
//! * [`safetensors`], [`crate::huggingface`]: the same information from a folder in Hugging Face's format.
//! * [`arrangement`]: layouts of tensors that differ from GGUF's; [`transposed`]: rows of a matrix stored by columns.
//! * [`overrides`]: values that take the place of a file's.
//! * [`ggml_type`]: the block formats in which a tensor can be stored.
//! * [`writer`]: writes small GGUF files, for tests and benches.

pub mod arrangement;
pub mod factor;
pub mod ggml_type;
pub mod gguf;
mod header;
pub mod limits;
pub mod metadata;
pub mod overrides;
mod q2_0;
mod reader;
pub mod safetensors;
mod sniff;
pub mod transposed;
pub mod writer;

#[cfg(test)]
mod hostile_tests;

pub use arrangement::{Arrangement, Fp8, Range};
pub use ggml_type::GgmlType;
pub(crate) use header::not_in_gguf;
pub use header::{Container, ModelHeader, Parsed, TensorInfo};
pub use metadata::{Array, Metadata, Value};
