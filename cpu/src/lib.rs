//! Hearth's inner loops on the CPU.
//!
//! The core uses [`dot`] and [`rows`] as a library. Compiled alone for WebAssembly with atomics, the crate is a
//! module of a few kilobytes whose instances, one per thread, share the rows of products in one memory
//! ([`job`], `threads`): the core itself needs no atomics, and no second build with them.

#![no_std]

#[cfg(any(test, feature = "layers"))]
extern crate std;

pub mod attention;
pub mod dot;
pub mod formats;
pub mod gate;
pub mod gemm;
pub mod grid_formats;
#[rustfmt::skip]
pub mod grids;
pub mod job;
mod kernel;
pub mod lanes;
#[cfg(feature = "layers")]
pub mod layers;
pub mod math;
pub mod norm;
pub mod rows;
pub mod share;
#[cfg(feature = "threads")]
mod threads;
