//! Measurements of an engine, for benchmarks.

use crate::engine::Engine;
use crate::engine::request::Sampling;
use crate::engine::sequence::Sequence;
use crate::engine::stepper::Stepper;
use crate::engine::stepper::graph::StepGraph;
use crate::platform::now_ms;
use hearth_modelfile::error::Result;

impl Engine {
    /// CPU microseconds of a plain launch and of a replayed dispatch, averaged over decode steps.
    ///
    /// # Errors
    /// The device's errors; on the CPU both are 0.
    pub async fn dispatch_cost(&mut self) -> Result<(f64, f64)> {
        const STEPS: u64 = 8;
        self.idle().await;
        self.clear();
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let per_step = (sequence.recordings.decode.as_ref()).map_or(0, StepGraph::dispatches);
        if per_step == 0 {
            return Ok((0.0, 0.0));
        }
        sequence.step.seek(&stepper.model.ops, 0, 1);
        let replays = stepper.stats.replays;
        let mut cost = [0.0; 2];
        for (step, cost) in [Stepper::launch_decode, Stepper::replay_decode]
            .into_iter()
            .zip(&mut cost)
        {
            let start = now_ms();
            for _ in 0..STEPS {
                step(stepper, sequence)?;
            }
            *cost = (now_ms() - start) * 1e3 / (STEPS * per_step) as f64;
            stepper.finish(sequence).await?;
        }
        stepper.stats.replays = replays;
        self.clear();
        Ok((cost[0], cost[1]))
    }

    /// Milliseconds of a decode step at position `pos`, whatever the cache holds, averaged over `steps`; and its
    /// launches. For benchmarks.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`](hearth_modelfile::error::Error::ContextOverflow), or the device's errors.
    pub async fn decode_ms(&mut self, pos: usize, steps: usize) -> Result<(f64, u64)> {
        let before = self.stats().dispatches;
        let ms = self.step_ms(pos, steps, Stepper::decode).await?;
        Ok((ms, (self.stats().dispatches - before) / steps as u64))
    }

    /// Measures a step that checks drafts, like [`Engine::decode_ms`].
    ///
    /// # Errors
    /// As [`Engine::decode_ms`].
    pub async fn draft_ms(&mut self, pos: usize, steps: usize) -> Result<f64> {
        self.step_ms(pos, steps, Stepper::check_drafts).await
    }

    async fn step_ms(
        &mut self,
        pos: usize,
        steps: usize,
        step: impl Fn(&mut Stepper, &mut Sequence) -> Result<()>,
    ) -> Result<f64> {
        self.idle().await;
        self.clear();
        self.check_fits(pos + steps)?;
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let ops = &stepper.model.ops;
        (sequence.step).set_sampling(ops, Sampling::GREEDY.state_words(0));
        sequence.step.seek(ops, pos, 1);
        let start = now_ms();
        for _ in 0..steps {
            step(stepper, sequence)?;
        }
        stepper.finish(sequence).await?;
        let ms = (now_ms() - start) / steps as f64;
        self.clear();
        Ok(ms)
    }
}
