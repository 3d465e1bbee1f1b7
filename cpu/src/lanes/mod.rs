//! Four f32 at once, and the integer dot products of a block: WebAssembly's instructions, or loops for the compiler.

#[cfg(not(target_feature = "simd128"))]
mod plain;
#[cfg(target_feature = "simd128")]
mod simd128;

#[cfg(not(target_feature = "simd128"))]
pub use plain::*;
#[cfg(target_feature = "simd128")]
pub use simd128::*;
