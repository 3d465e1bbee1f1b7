//! From a file's tensors to weights on the device: which goes where ([`plan`]), bytes as they come ([`writer`]), a weight of
//! several tensors ([`builder`]).

pub mod builder;
pub mod plan;
pub mod writer;
