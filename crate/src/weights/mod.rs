//! Loading a file's tensors into weights on the device: their destinations ([`plan`]), the bytes as they arrive
//! ([`writer`]; 8-bit floats wait for their scales in [`fp8_rows`]), a weight of several tensors ([`builder`]).

pub mod builder;
mod fp8_rows;
pub mod plan;
pub mod writer;
