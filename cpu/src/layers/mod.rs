//! Layers of encoders and decoders that run on the CPU alone: Whisper's, and those of translation models.
//!
//! * [`Matrix`]: weights in f32 or f16 as panels.
//! * [`Memory`], [`Past`]: attention to what is known, and to what grows.
//! * [`LayerNorm`], [`RmsNorm`], [`elementwise`].

mod attention;
pub mod elementwise;
mod matrix;
mod norm;

pub use attention::{Memory, Past};
pub use matrix::{Matrix, NoMemory, reserve};
pub use norm::{LayerNorm, RmsNorm};
