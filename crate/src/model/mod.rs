//! A model on a device: [`Decoder`], put together from a file's tensors by [`assemble`].

pub mod assemble;
pub mod decoder;
pub mod feed_forward;
mod parts;

pub use decoder::Decoder;
