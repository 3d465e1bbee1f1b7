//! A model on a device: [`Decoder`], built from a file's tensors by [`build`].

pub mod build;
pub mod decoder;
pub mod feed_forward;
mod loaded;

pub use decoder::Decoder;
