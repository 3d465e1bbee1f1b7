//! Threads for the CPU path, where the host provides them.
//!
//! A pool keeps the block-quantised weights in a separate memory that its threads share, and multiplies there. In a
//! browser it is `hearth_cpu.wasm` on a shared memory, see the crate `hearth-cpu`; the core's own memory stays small
//! and needs no atomics. The ops of the CPU path look the pool up here, since a backend op is a function without any
//! place to keep one.

use std::cell::RefCell;
use std::rc::Rc;

use hearth_cpu::job::{Attend, NO_NORM, Product, Stage};

use hearth_modelfile::error::Result;

/// Addresses of a weight in the pool's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooled {
    /// [rows, blocks, words of a block]
    pub quants: u32,
    /// [rows, blocks]
    pub scales: u32,
}

/// Products one after the other, see [`hearth_cpu::job`].
#[derive(Debug, Clone, Copy)]
pub struct PoolJob<'a> {
    /// Rows of activations, at most [`hearth_cpu::rows::MAX_TOKENS`].
    pub tokens: usize,
    /// At most [`hearth_cpu::job::MAX_STAGES`].
    pub stages: &'a [Stage],
    /// Number of floats in which stages have their places. The first of them are the input.
    pub floats: usize,
    /// Place of the output.
    pub output_at: usize,
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

    /// Gives back what [`CpuPool::alloc`] returned for so many words.
    fn free(&self, at: u32, words: usize);

    /// Writes words from address `at` on.
    fn write(&self, at: u32, words: &[u32]);

    /// Reads words from address `at` on.
    fn read(&self, at: u32, words: &mut [u32]);

    /// Runs a job on `input` and copies its results to `output`. After a failure, which [`CpuPool::check`] reports, the contents of
    /// `output` are undefined.
    fn run(&self, job: PoolJob<'_>, input: &[f32], output: &mut [f32]);

    /// Fails if a thread was lost since the last call: an op has no way to return an error.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`].
    fn check(&self) -> Result<()>;
}

/// A job in the making.
pub(in crate::ops) struct JobBuilder {
    tokens: usize,
    parts: Vec<Part>,
    floats: usize,
}

/// A stage whose scratch has no place yet.
enum Part {
    Product(Product),
    Attend(Attend),
}

impl JobBuilder {
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            parts: Vec::new(),
            floats: 0,
        }
    }

    /// Takes so many floats, and returns their place.
    pub fn place(&mut self, floats: usize) -> usize {
        self.floats += floats;
        self.floats - floats
    }

    /// Adds a product, whose scratch gets its place later.
    pub fn multiply(&mut self, product: Product) {
        self.parts.push(Part::Product(product));
    }

    /// Adds attention, whose scratch gets its place later.
    pub fn attend(&mut self, attend: Attend) {
        self.parts.push(Part::Attend(attend));
    }

    /// Runs the job on its first floats, and copies results from a place on. No token of its attention sees anything from `end` on.
    pub fn run(
        mut self,
        pool: &dyn CpuPool,
        end: usize,
        input: &[f32],
        output_at: usize,
        output: &mut [f32],
    ) {
        let tokens = self.tokens;
        let scratches = self.parts.iter().map(|part| match part {
            Part::Product(product) => {
                Product::scratch(tokens, product.cols as usize, product.norm != NO_NORM)
            }
            Part::Attend(attend) => attend.scratch(tokens, pool.threads() as usize, end),
        });
        // Behind everything else: no two stages use it at a time.
        let scratch = scratches.max().unwrap_or(0);
        let scratch = self.place(scratch) as u32;
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Product(product) => Product { scratch, ..product }.into(),
            Part::Attend(attend) => Attend { scratch, ..attend }.into(),
        });
        let stages: Vec<Stage> = parts.collect();
        let job = PoolJob {
            tokens,
            stages: &stages,
            floats: self.floats,
            output_at,
        };
        pool.run(job, input, output);
    }
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
