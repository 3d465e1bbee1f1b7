//! The host's threads as the CPU path's pool.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

use crate::ops::pool::{CpuPool, PoolJob, Pooled};
use hearth_modelfile::error::Error;

#[wasm_bindgen]
extern "C" {
    /// Threads that multiply for the CPU path; `at`, `quants` and `scales` are addresses in their memory.
    pub type JsCpuPool;

    #[wasm_bindgen(method)]
    fn threads(this: &JsCpuPool) -> u32;
    #[wasm_bindgen(method, catch)]
    fn alloc(this: &JsCpuPool, bytes: u32) -> Result<u32, JsValue>;
    #[wasm_bindgen(method)]
    fn write(this: &JsCpuPool, at: u32, words: &[u32]);
    #[wasm_bindgen(method)]
    fn read(this: &JsCpuPool, at: u32, words: &mut [u32]);
    /// Computes y = x W^T; `format` is the number of a `Format` in cpu/src/rows.rs. `x`: [tokens, cols], `y`: [tokens, rows].
    /// `gate` is the number of a `Gate` in cpu/src/gate.rs, or 0: one token's first rows then gate the others, `y`: [rows / 2].
    #[wasm_bindgen(method, catch)]
    fn product(
        this: &JsCpuPool,
        format: u32,
        gate: u32,
        quants: u32,
        scales: u32,
        rows: u32,
        cols: u32,
        x: &[f32],
        y: &mut [f32],
    ) -> Result<(), JsValue>;
}

/// The code and the message of an error that the threads threw.
struct Failure {
    code: Option<String>,
    message: String,
}

/// The threads, and the first failure of theirs.
pub struct HostPool {
    threads: JsCpuPool,
    /// Error thrown by a product. Passed on through the core, it would leave the running call without an end.
    failure: RefCell<Option<Failure>>,
}

impl HostPool {
    pub fn new(threads: JsCpuPool) -> Self {
        Self {
            threads,
            failure: RefCell::new(None),
        }
    }
}

impl CpuPool for HostPool {
    fn threads(&self) -> u32 {
        self.threads.threads()
    }

    fn alloc(&self, words: usize) -> crate::Result<u32> {
        let out_of_memory = |needed| Error::OutOfMemory {
            what: "the memory of the CPU's threads".into(),
            needed,
            available: u64::from(u32::MAX),
        };
        let bytes = words as u64 * 4;
        let fits = u32::try_from(bytes).map_err(|_| out_of_memory(bytes))?;
        (self.threads.alloc(fits)).map_err(|_| out_of_memory(bytes))
    }

    fn write(&self, at: u32, words: &[u32]) {
        self.threads.write(at, words);
    }

    fn read(&self, at: u32, words: &mut [u32]) {
        self.threads.read(at, words);
    }

    fn product(&self, job: PoolJob, x: &[f32], y: &mut [f32]) {
        let (rows, cols) = (job.rows as u32, job.cols as u32);
        let format = job.format as u32;
        let gate = job.gate.map_or(0, |gate| gate as u32);
        let Pooled { quants, scales } = job.weight;
        let done = (self.threads).product(format, gate, quants, scales, rows, cols, x, y);
        if let Err(thrown) = done {
            let message = thrown.dyn_ref::<js_sys::Error>().map(|e| e.message());
            let code = js_sys::Reflect::get(&thrown, &"code".into());
            self.failure.borrow_mut().get_or_insert(Failure {
                code: code.ok().and_then(|code| code.as_string()),
                message: message.map_or_else(|| format!("{thrown:?}"), String::from),
            });
        }
    }

    fn check(&self) -> crate::Result<()> {
        // The failure is kept, since lost threads do not come back.
        match &*self.failure.borrow() {
            Some(Failure { code, message }) if code.as_deref() == Some("out_of_memory") => {
                Err(Error::OutOfMemory {
                    what: format!("the memory of the CPU's threads ({message})"),
                    needed: 0,
                    available: 0,
                })
            }
            Some(Failure { message, .. }) => Err(Error::DeviceLost {
                reason: message.clone(),
            }),
            None => Ok(()),
        }
    }
}
