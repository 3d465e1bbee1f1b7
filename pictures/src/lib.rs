//! Pictures as vision models want them: straight RGBA in; resized, cut into tiles and patches out, as bytes.
//!
//! ```text
//! probe: the head of a file -> format and size, before anything is decoded
//! RGBA -> rgba (composited on white) -> one file a kind of model (sizes, tiles) -> resample (as Pillow) -> prepared (patches)
//! ```
//!
//! Everything is as transformers' image processors on PIL have it, byte for byte, up to their normalisation, which the core does on
//! the device. The crate becomes a WebAssembly module of its own that is fetched with the first picture.

mod clip;
mod detail;
mod gemma3;
mod gemma4;
#[cfg(test)]
mod goldens;
mod idefics3;
mod lfm2;
mod limits;
mod pixtral;
mod prepare;
mod prepared;
pub mod probe;
mod qwen;
pub mod resample;
pub mod rgba;

#[cfg(target_arch = "wasm32")]
mod web;

pub use detail::Detail;
pub use limits::{MAX_PIXELS, MAX_SIDE};
pub use prepare::prepare;
pub use prepared::Prepared;

use hearth_modelfile::Error;

fn bad(message: impl Into<String>) -> Error {
    Error::BadPicture {
        message: message.into(),
    }
}
