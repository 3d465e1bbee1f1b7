//! Measurements of an engine, for benchmarks.

use crate::device::info::TIMESTAMPS;
use crate::engine::Engine;
use crate::engine::request::Sampling;
use crate::engine::sequence::Sequence;
use crate::engine::stepper::Stepper;
use crate::engine::stepper::graph::StepGraph;
use crate::platform::{now_ms, record_times, recorded_times};
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

    /// Measures each launch of a decode step at position `pos` by the device's own clock: names of the kernels' first modules
    /// with microseconds, the least of `steps`, in order; NaN where the device gave no time. Each launch is submitted by itself.
    /// Empty on a device that was opened without timestamps.
    ///
    /// # Errors
    /// As [`Engine::decode_ms`].
    pub async fn launch_us(
        &mut self,
        pos: usize,
        steps: usize,
    ) -> Result<Vec<(&'static str, f64)>> {
        self.idle().await;
        self.clear();
        self.check_fits(pos + steps + 1)?;
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let mut best: Vec<(&'static str, f64)> = Vec::new();
        if !stepper.device.info().features.contains(&TIMESTAMPS) {
            return Ok(best);
        }
        let ops = &stepper.model.ops;
        (sequence.step).set_sampling(ops, Sampling::GREEDY.state_words(0));
        sequence.step.seek(ops, pos, 1);
        // Compiles what has not been launched yet.
        stepper.launch_decode(sequence)?;
        stepper.finish(sequence).await?;
        for _ in 0..steps {
            record_times();
            let launched = stepper.launch_decode(sequence);
            let times = recorded_times().await;
            launched?;
            stepper.finish(sequence).await?;
            best.resize(times.len(), ("", f64::NAN));
            for (best, (name, us)) in best.iter_mut().zip(times) {
                *best = (name, best.1.min(us.unwrap_or(f64::NAN)));
            }
        }
        self.clear();
        Ok(best)
    }

    /// Measures milliseconds in which a token is sampled from logits that are there, averaged over `times`.
    ///
    /// # Errors
    /// As [`Engine::decode_ms`].
    pub async fn sampler_ms(&mut self, sampling: &Sampling, times: usize) -> Result<f64> {
        self.idle().await;
        self.clear();
        self.check_fits(times + 1)?;
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let ops = &stepper.model.ops;
        // Falls off like a model's logits, in an order that tells nothing.
        let vocab = stepper.model.config.vocab_size;
        let at = |i: usize| (i * 7919 % vocab) as f32 / vocab as f32;
        let values: Vec<f32> = (0..vocab).map(|i| -20.0 * at(i).sqrt()).collect();
        let logits = ops.upload_row(&values);
        sequence.step.set_sampling(ops, sampling.state_words(0));
        sequence.step.seek(ops, 0, 1);
        stepper.sample_from(sequence, logits.clone());
        stepper.finish(sequence).await?;
        let start = now_ms();
        for _ in 0..times {
            stepper.sample_from(sequence, logits.clone());
        }
        stepper.finish(sequence).await?;
        let ms = (now_ms() - start) / times as f64;
        self.clear();
        Ok(ms)
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
