//! Threads for the CPU path, where the host provides them.
//!
//! A pool keeps the block-quantised weights in a separate memory that its threads share, and multiplies there. In a
//! browser it is `hearth_cpu.wasm` on a shared memory, see the crate `hearth-cpu`; the core's own memory stays small
//! and needs no atomics. The ops of the CPU path look the pool up here, since a backend op is a function without any
//! place to keep one.

use std::cell::RefCell;
use std::rc::Rc;

use hearth_cpu::gate::Gate;
use hearth_cpu::rows::Format;

use hearth_modelfile::error::Result;

/// Addresses of a weight in the pool's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooled {
    /// [rows, blocks, words of a block]
    pub quants: u32,
    /// [rows, blocks]
    pub scales: u32,
}

/// A product of a weight [rows, cols] with `tokens` rows of activations.
#[derive(Debug, Clone, Copy)]
pub struct PoolJob {
    pub weight: Pooled,
    pub format: Format,
    pub rows: usize,
    pub cols: usize,
    /// At most [`hearth_cpu::rows::MAX_TOKENS`].
    pub tokens: usize,
    /// Gate to apply, if the first half of the rows are gates of the second half: only for one token, and for a number of
    /// rows that is a multiple of [`hearth_cpu::rows::STREAMS`].
    pub gate: Option<Gate>,
}

/// Worker threads with their memory.
pub trait CpuPool {
    /// Returns the number of working threads, including the caller's.
    fn threads(&self) -> u32;

    /// Allocates `words` words and returns their address.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    fn alloc(&self, words: usize) -> Result<u32>;

    /// Writes words from address `at` on.
    fn write(&self, at: u32, words: &[u32]);

    /// Reads words from address `at` on.
    fn read(&self, at: u32, words: &mut [u32]);

    /// Computes y = x W^T. `x`: [tokens, cols], `y`: [tokens, rows], or [rows / 2] with a gate. After a failure, which
    /// [`CpuPool::check`] reports, the contents of `y` are undefined.
    fn product(&self, job: PoolJob, x: &[f32], y: &mut [f32]);

    /// Fails if a thread was lost since the last call: an op has no way to return an error.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`].
    fn check(&self) -> Result<()>;
}

thread_local! {
    static POOL: RefCell<Option<Rc<dyn CpuPool>>> = const { RefCell::new(None) };
}

/// Makes `pool` the pool of models loaded on this thread's CPU device from now on. Their weights live in it, so it
/// stays as long as they do.
pub fn install(pool: Rc<dyn CpuPool>) {
    POOL.with(|slot| *slot.borrow_mut() = Some(pool));
}

/// Returns the pool of this thread.
pub fn current() -> Option<Rc<dyn CpuPool>> {
    POOL.with(|slot| slot.borrow().clone())
}
