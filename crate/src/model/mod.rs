//! A model on a device: [`Transformer`], built from a file's tensors by [`build`].

pub mod adapters;
pub mod bounds;
pub mod build;
pub mod cost;
pub mod feed_forward;
mod jobs;
mod loaded;
pub mod mixer;
pub mod outline;
pub(crate) mod pipelines;
pub mod report;
pub mod speech;
pub mod state;
pub mod tower;
pub mod transformer;

pub use transformer::Transformer;
