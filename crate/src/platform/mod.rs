//! Differences between browsers and other platforms: clocks, adapters, how a read-back is awaited. The only place with
//! `cfg(target_arch)` besides the exports of [`crate::web`].

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
mod timestamps;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::*;
#[cfg(target_arch = "wasm32")]
pub use web::*;

/// Names that an adapter gives itself.
pub struct AdapterNames {
    pub name: String,
    pub vendor: String,
    pub architecture: String,
}
