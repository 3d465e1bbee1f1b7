//! The host's threads as the CPU path's pool.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

use crate::ops::pool::{CpuPool, PoolJob};
use hearth_modelfile::error::Error;

#[wasm_bindgen]
extern "C" {
    /// Threads that multiply for the CPU path; `at` is an address in their memory.
    pub type JsCpuPool;

    #[wasm_bindgen(method)]
    fn threads(this: &JsCpuPool) -> u32;
    #[wasm_bindgen(method, catch)]
    fn alloc(this: &JsCpuPool, bytes: u32) -> Result<u32, JsValue>;
    #[wasm_bindgen(method)]
    fn free(this: &JsCpuPool, at: u32, bytes: u32);
    #[wasm_bindgen(method)]
    fn write(this: &JsCpuPool, at: u32, words: &[u32]);
    #[wasm_bindgen(method)]
    fn read(this: &JsCpuPool, at: u32, words: &mut [u32]);
    /// Runs a job; `stages` are the words of `Stage`s in cpu/src/job.rs. `input` comes to the first of `floats` floats, and `output`
    /// is read from float `at` on.
    #[wasm_bindgen(method, catch)]
    fn run(
        this: &JsCpuPool,
        tokens: u32,
        stages: &[u32],
        floats: u32,
        input: &[f32],
        at: u32,
        output: &mut [f32],
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
    /// Error thrown by a job. Passed on through the core, it would leave the running call without an end.
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

    fn free(&self, at: u32, words: usize) {
        self.threads.free(at, words as u32 * 4);
    }

    fn write(&self, at: u32, words: &[u32]) {
        self.threads.write(at, words);
    }

    fn read(&self, at: u32, words: &mut [u32]) {
        self.threads.read(at, words);
    }

    fn run(&self, job: PoolJob<'_>, input: &[f32], output: &mut [f32]) {
        let stages = hearth_cpu::job::words(job.stages);
        let [tokens, floats, at] = [job.tokens, job.floats, job.output_at].map(|n| n as u32);
        let done = (self.threads).run(tokens, stages, floats, input, at, output);
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
