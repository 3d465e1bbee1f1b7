//! Measurements of an engine, for benchmarks.

use crate::engine::Engine;
use crate::engine::request::Sampling;
use crate::ops::state::{POS, STEP};
use crate::ops::words::read_words;
use crate::platform::now_ms;
use hearth_modelfile::error::{Error, Result};

impl Engine {
    /// CPU microseconds of a plain launch and of a replayed dispatch, averaged over decode steps.
    ///
    /// # Errors
    /// What the device says; on the CPU both are 0.
    pub async fn dispatch_cost(&mut self) -> Result<(f64, f64)> {
        const STEPS: u64 = 8;
        self.cancel();
        self.settle().await;
        self.context.clear();
        let Some(graph) = &self.graph else {
            return Ok((0.0, 0.0));
        };
        let per_step = graph.dispatches();
        self.write_state(POS, vec![0, 1]);
        let mut cost = [0.0; 2];
        for (kind, cost) in cost.iter_mut().enumerate() {
            let start = now_ms();
            for _ in 0..STEPS {
                match (&self.graph, kind) {
                    (Some(graph), 1) => graph.replay()?,
                    _ => self.decode_step()?,
                }
            }
            *cost = (now_ms() - start) * 1e3 / (STEPS * per_step) as f64;
            let state = self.state()?;
            self.device.wait(read_words(&state, POS, 1)).await?;
        }
        Ok((cost[0], cost[1]))
    }

    /// Milliseconds of a decode step at position `pos`, whatever the cache holds, averaged over `steps`; and its
    /// launches. For benchmarks.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`], or what the device says.
    pub async fn decode_ms(&mut self, pos: usize, steps: usize) -> Result<(f64, u64)> {
        let before = self.stats().dispatches;
        let ms = self.step_ms(pos, steps, |engine| match &engine.graph {
            Some(graph) => {
                graph.replay()?;
                engine.stats.replays += 1;
                Ok(())
            }
            None => engine.decode_step(),
        });
        let ms = ms.await?;
        Ok((ms, (self.stats().dispatches - before) / steps as u64))
    }

    /// Measures a step that checks drafts, like [`Engine::decode_ms`].
    ///
    /// # Errors
    /// As [`Engine::decode_ms`].
    pub async fn draft_ms(&mut self, pos: usize, steps: usize) -> Result<f64> {
        self.step_ms(pos, steps, Engine::draft_step).await
    }

    async fn step_ms(
        &mut self,
        pos: usize,
        steps: usize,
        step: impl Fn(&mut Self) -> Result<()>,
    ) -> Result<f64> {
        self.cancel();
        self.settle().await;
        self.context.clear();
        let n_ctx = self.decoder.n_ctx;
        if pos + steps > n_ctx {
            let needed = pos + steps;
            return Err(Error::ContextOverflow { needed, n_ctx });
        }
        self.write_state(STEP, Sampling::GREEDY.state_words(0));
        self.write_state(POS, vec![pos as u32, 1]);
        let start = now_ms();
        for _ in 0..steps {
            step(self)?;
        }
        let state = self.state()?;
        self.device.wait(read_words(&state, POS, 1)).await?;
        self.device.check()?;
        Ok((now_ms() - start) / steps as f64)
    }
}
