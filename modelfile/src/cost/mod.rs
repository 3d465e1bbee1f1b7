//! A cost model of a decode step that needs no GPU: counters of each launch, and the time that they take on a class of
//! devices.
//!
//! T = sum over launches of gap + latency + max(bytes / bandwidth, instructions / rate, bank rounds / clock, cached
//! bytes / L2 bandwidth). The kernels count themselves, in `crate/src/ops`; here are the counters' meaning, the devices'
//! constants and the sum. docs/benchmarks/cost.md has what it predicts, and what to measure first.

mod class;
mod counters;
mod predict;

pub use class::{CLASSES, DeviceClass};
pub use counters::Counters;
pub use predict::{Speed, StepTime, step_time};
