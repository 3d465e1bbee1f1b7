//! Steps launched ahead of the tokens they bring: each takes the token that the one before it sampled, on the device.

use super::{Generation, Resources};
use crate::ops::state::RING_LEN;
use hearth_modelfile::error::Result;

/// Most steps between two read-backs.
const MAX_BATCH: usize = 16;

/// Chooses the time of the steps between two read-backs on a device whose read-back takes `readback_ms`: long enough to hide
/// one and not to be mostly that, short enough to stop within and to be read along.
pub(super) fn batch_ms(readback_ms: f64) -> f64 {
    (8.0 * readback_ms).clamp(4.0, 20.0)
}

impl Generation {
    /// Launches steps of one token until enough are in flight.
    pub(super) async fn launch_pipelined(&mut self, with: &mut Resources<'_>) -> Result<()> {
        if !with.stepper.device.is_gpu() {
            if self.launched < self.max_tokens {
                self.decode_in_slices(with).await?;
            }
            return Ok(());
        }
        let ms_per_token = with.stepper.timing.ms_per_token;
        let batch_ms = batch_ms(with.stepper.device.info().readback_ms);
        let depth = if ms_per_token > batch_ms { 1 } else { 2 };
        let batch = match ms_per_token {
            ms if ms > 0.0 => ((batch_ms / ms) as usize).clamp(1, MAX_BATCH),
            _ => 1,
        };
        while self.in_flight.len() < depth && self.launched < self.max_tokens {
            let n = batch
                .min(self.max_tokens - self.launched)
                .min(RING_LEN - (self.earlier + self.launched) % RING_LEN);
            for _ in 0..n {
                with.stepper.replay_decode(with.sequence)?;
            }
            self.read_tokens(with, n);
            (with.sequence).take_answer_snapshot(&with.stepper.model.ops);
        }
        Ok(())
    }

    /// Runs a slice of a decode step on the CPU. Its read-back is on its way afterwards, unless the rest of the step is
    /// left for the next call.
    async fn decode_in_slices(&mut self, with: &mut Resources<'_>) -> Result<()> {
        let mut chunk = match self.chunk.take() {
            Some(chunk) => chunk,
            None => with.stepper.begin_token(with.sequence),
        };
        with.stepper.run_slice(with.sequence, &mut chunk).await?;
        if !with.stepper.is_through(&chunk) {
            self.chunk = Some(chunk);
            return Ok(());
        }
        let x = chunk.into_hidden();
        with.stepper.sample(with.sequence, &x);
        self.read_tokens(with, 1);
        (with.sequence).take_answer_snapshot(&with.stepper.model.ops);
        Ok(())
    }
}
