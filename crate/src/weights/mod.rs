//! Loading a file's tensors into weights on the device: their destinations ([`plan`]), the bytes as they arrive
//! ([`writer`]), a weight of several tensors ([`builder`]).

pub mod builder;
pub mod plan;
pub mod writer;
