//! The host's threads as the CPU path's pool.

use wasm_bindgen::prelude::*;

use crate::ops::pool::{CpuPool, PoolJob, Pooled};
use hearth_modelfile::error::Error;

#[wasm_bindgen]
extern "C" {
    /// `WasmCpuPool` of pkg/src/core/wasm-contract.ts.
    pub type JsCpuPool;

    #[wasm_bindgen(method)]
    fn threads(this: &JsCpuPool) -> u32;
    #[wasm_bindgen(method, catch)]
    fn alloc(this: &JsCpuPool, bytes: u32) -> Result<u32, JsValue>;
    #[wasm_bindgen(method)]
    fn write(this: &JsCpuPool, at: u32, words: &[u32]);
    #[wasm_bindgen(method)]
    fn read(this: &JsCpuPool, at: u32, words: &mut [u32]);
    #[wasm_bindgen(method)]
    fn product(
        this: &JsCpuPool,
        format: u32,
        quants: u32,
        scales: u32,
        rows: u32,
        cols: u32,
        x: &[f32],
        y: &mut [f32],
    );
}

impl CpuPool for JsCpuPool {
    fn threads(&self) -> u32 {
        JsCpuPool::threads(self)
    }

    fn alloc(&self, words: usize) -> crate::Result<u32> {
        let out_of_memory = |needed| Error::OutOfMemory {
            what: "the memory of the CPU's threads".into(),
            needed,
            available: u64::from(u32::MAX),
        };
        let bytes = words as u64 * 4;
        let fits = u32::try_from(bytes).map_err(|_| out_of_memory(bytes))?;
        JsCpuPool::alloc(self, fits).map_err(|_| out_of_memory(bytes))
    }

    fn write(&self, at: u32, words: &[u32]) {
        JsCpuPool::write(self, at, words);
    }

    fn read(&self, at: u32, words: &mut [u32]) {
        JsCpuPool::read(self, at, words);
    }

    fn product(&self, job: PoolJob, x: &[f32], y: &mut [f32]) {
        let (rows, cols) = (job.rows as u32, job.cols as u32);
        let format = job.format as u32;
        let Pooled { quants, scales } = job.weight;
        JsCpuPool::product(self, format, quants, scales, rows, cols, x, y);
    }
}
