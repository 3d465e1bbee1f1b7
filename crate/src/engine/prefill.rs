//! Prompts on their way through the layers, in pieces short enough to stop between.
//!
//! A chunk of the prompt goes through the layers together. Where that takes long (a CPU, a slow GPU, a large model), it is
//! interrupted between layers: nobody waits for a whole chunk who wants it to end, no driver takes the GPU for hung, and a
//! CPU's chunk may be long enough to read each weight for many tokens.

use burn::tensor::Tensor;

use crate::device::tune::CHUNK_MS;
use crate::engine::Engine;
use crate::engine::generation::{Run, smooth};
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::state::{IDS, POS};
use crate::ops::words::read_words;
use crate::platform::now_ms;
use hearth_modelfile::error::Result;

/// Time that the CPU computes before it checks for a stop, and the share that one layer of a chunk may take.
const CPU_SLICE_MS: f64 = 40.0;
const CPU_LAYER_MS: f64 = 30.0;
/// Most tokens of a CPU's chunk.
const CPU_CHUNK: usize = 64;

/// Tokens on their way through the layers.
pub(crate) struct Chunk {
    /// Hidden states so far: [>= n, d_model].
    pub(crate) x: Tensor<2>,
    /// Layers that they have been through.
    layer: usize,
    /// Tokens.
    n: usize,
}

impl Engine {
    /// Does a piece of the prompt; true when it was the last and the first token is on its way.
    pub(crate) async fn prefill(&mut self, run: &mut Run) -> Result<bool> {
        let (at, n_layers) = (run.prefilled, self.decoder.layers.len());
        let chunk = match run.chunk.take() {
            Some(chunk) => chunk,
            None => {
                let n = (run.prompt.len() - at).min(self.chunk_len());
                self.begin_chunk(at, &run.prompt[at..at + n])
            }
        };
        let chunk = self.run_slice(chunk).await?;
        if !self.is_through(&chunk) {
            run.chunk = Some(chunk);
            return Ok(false);
        }
        run.prefilled += chunk.n;
        self.context
            .extend_from_slice(&run.prompt[at..run.prefilled]);
        if run.prefilled == run.prompt.len() {
            match run.is_stepwise() {
                true => self.begin_steps(run, chunk.x)?,
                false => {
                    self.sample(&chunk.x)?;
                    self.read_tokens(run, 1)?;
                }
            }
            self.await_fences(run, 0).await?;
            return Ok(true);
        }
        // The next one may be launched while this one runs, where that does not make the time to stop too long.
        let ms = n_layers as f64 * self.decoder.ops.tuning().layer_ms(chunk.n, n_layers);
        let fence = self.read_back(POS, 1)?;
        run.fences.push_back(fence);
        let ahead = usize::from(self.device.is_gpu() && ms < CHUNK_MS / 2.0);
        self.await_fences(run, ahead).await?;
        Ok(false)
    }

    /// A plain decode step on the CPU; its read-back is on its way unless `run` has the rest of the step.
    pub(crate) async fn decode_on_cpu(&mut self, run: &mut Run) -> Result<()> {
        let chunk = match run.chunk.take() {
            Some(chunk) => chunk,
            None => Chunk {
                x: self.decoder.embed(&self.state()?, 1),
                layer: 0,
                n: 1,
            },
        };
        let chunk = self.run_slice(chunk).await?;
        if !self.is_through(&chunk) {
            run.chunk = Some(chunk);
            return Ok(());
        }
        self.sample(&chunk.x)?;
        self.read_tokens(run, 1)
    }

    /// Launches the layers on `ids` at position `at`, all at once; the hidden states [>= n, d_model].
    pub(crate) fn run_chunk(&mut self, at: usize, ids: &[u32]) -> Tensor<2> {
        let chunk = self.begin_chunk(at, ids);
        self.run_layers(chunk, self.decoder.layers.len()).x
    }

    /// Runs a chunk in slices. Nothing else may run meanwhile.
    pub(crate) async fn run_chunk_in_slices(
        &mut self,
        at: usize,
        ids: &[u32],
    ) -> Result<Tensor<2>> {
        let mut chunk = self.begin_chunk(at, ids);
        while !self.is_through(&chunk) {
            chunk = self.run_slice(chunk).await?;
        }
        Ok(chunk.x)
    }

    /// Tokens of the next chunk.
    fn chunk_len(&self) -> usize {
        let fixed = self.decoder.ops.tuning().chunk;
        match self.layer_ms_per_token {
            ms if ms > 0.0 && !self.device.is_gpu() => {
                let fitting =
                    (CPU_LAYER_MS / ms) as usize / TILE_TOKENS as usize * TILE_TOKENS as usize;
                fitting.clamp(fixed.min(CPU_CHUNK), CPU_CHUNK)
            }
            _ => fixed,
        }
    }

    fn begin_chunk(&mut self, at: usize, ids: &[u32]) -> Chunk {
        self.write_state(POS, vec![at as u32, ids.len() as u32]);
        self.write_state(IDS, ids.to_vec());
        self.decoder.ops.write_tokens(&mut self.memory, at, ids);
        let rows = match ids.len() {
            1 => 1,
            n => n.next_multiple_of(TILE_TOKENS as usize),
        };
        Chunk {
            x: match &self.state {
                Some(state) => self.decoder.embed(state, rows),
                None => unreachable!("write_state puts the state back"),
            },
            layer: 0,
            n: ids.len(),
        }
    }

    fn is_through(&self, chunk: &Chunk) -> bool {
        chunk.layer == self.decoder.layers.len()
    }

    /// Takes `chunk` through layers for as long as one may go on undisturbed.
    async fn run_slice(&mut self, mut chunk: Chunk) -> Result<Chunk> {
        let (first, n_layers) = (chunk.layer, self.decoder.layers.len());
        if !self.device.is_gpu() {
            let begin = now_ms();
            let mut ms = 0.0;
            while chunk.layer < n_layers && ms < CPU_SLICE_MS {
                let end = chunk.layer + 1;
                chunk = self.run_layers(chunk, end);
                ms = now_ms() - begin;
            }
            if chunk.n > 1 {
                let rows = chunk.n * (chunk.layer - first);
                self.layer_ms_per_token = smooth(self.layer_ms_per_token, ms / rows as f64);
            }
            return Ok(chunk);
        }
        let fitting = CHUNK_MS / self.decoder.ops.tuning().layer_ms(chunk.n, n_layers);
        let layers = (fitting as usize).clamp(1, n_layers);
        // What is left then is not worth a wait.
        let end = match first + layers + layers / 2 {
            end if end >= n_layers => n_layers,
            _ => first + layers,
        };
        let chunk = self.run_layers(chunk, end);
        if end < n_layers {
            self.fence().await?;
        }
        Ok(chunk)
    }

    fn run_layers(&mut self, chunk: Chunk, end: usize) -> Chunk {
        let Some(state) = &self.state else {
            unreachable!("every use puts the state back")
        };
        let layers = chunk.layer..end;
        Chunk {
            x: (self.decoder).run_layers(chunk.x, layers, state, &mut self.cache),
            layer: end,
            n: chunk.n,
        }
    }

    /// Waits until only `left` of the chunks that were launched may be running.
    async fn await_fences(&mut self, run: &mut Run, left: usize) -> Result<()> {
        while run.fences.len() > left {
            if let Some(fence) = run.fences.pop_front() {
                self.device.wait(fence).await?;
                self.device.check()?;
            }
        }
        Ok(())
    }

    /// Waits for what was launched: what bounds the time to stop, and the time that a driver sees the GPU busy.
    async fn fence(&mut self) -> Result<()> {
        let state = self.state()?;
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4;
        self.device.wait(read_words(&state, POS, 1)).await?;
        self.device.check()
    }
}
