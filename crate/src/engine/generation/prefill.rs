//! The prompt of a request, a piece at a time.

use super::{Generation, Mode, Resources};
use crate::device::tune::CHUNK_MS;
use crate::engine::sequence::Mark;
use hearth_modelfile::error::Result;

/// Tokens from which on it pays to give the last one a step of its own.
const WORTH_A_STEP: usize = 16;

impl Generation {
    /// Does a piece of the prompt; true when it was the last and the first token is on its way.
    pub(super) async fn prefill(&mut self, with: &mut Resources<'_>) -> Result<bool> {
        let at = self.prefilled;
        let mut chunk = match self.chunk.take() {
            Some(chunk) => chunk,
            None => {
                let marks = self.marks.iter().map(|(mark, _)| *mark);
                let end = marks.filter(|mark| *mark > at).min();
                let end = end.unwrap_or(self.prompt.len());
                let mut n = (end - at).min(with.stepper.chunk_len());
                // Only the last token has to go through layers that keep nothing: it goes alone, where it is not cheaper
                // to read the weights once.
                let left = self.prompt.len() - at;
                let model = &with.stepper.model;
                let is_split = model.layers_with_state() < model.layers.len();
                if is_split && n == left && n > WORTH_A_STEP {
                    n -= 1;
                }
                n = self.within_pictures(with, n);
                if self.look(with, at..at + n).await? {
                    return Ok(false);
                }
                let ids = &self.prompt[at..at + n];
                let mut chunk = (with.stepper).begin_chunk(with.sequence, at, ids, n == left);
                self.show(with, &mut chunk, at..at + n);
                chunk
            }
        };
        let is_block = self.is_block(with, at, chunk.n);
        with.sequence.step.set_block(is_block);
        let ran = with.stepper.run_slice(with.sequence, &mut chunk).await;
        with.sequence.step.set_block(false);
        ran?;
        if !with.stepper.is_through(&chunk) {
            self.chunk = Some(chunk);
            return Ok(false);
        }
        self.prefilled += chunk.n;
        (with.sequence).extend(&self.prompt[at..self.prefilled]);
        let ops = &with.stepper.model.ops;
        let here = |(at, _): &&(usize, Mark)| *at == self.prefilled;
        if let Some((_, mark)) = self.marks.iter().find(here) {
            with.sequence.take_snapshot(ops, *mark);
        }
        if self.prefilled == self.prompt.len() {
            with.sequence.take_snapshot(ops, Mark::Answer);
            let x = chunk.into_hidden();
            match self.mode {
                Mode::Lockstep(_) => self.begin_lockstep(with, x)?,
                _ => {
                    with.stepper.sample(with.sequence, &x);
                    self.read_tokens(with, 1);
                }
            }
            self.await_fences(with, 0).await?;
            return Ok(true);
        }
        // The next one may be launched while this one runs, where that does not make the time to stop too long.
        let ms = with.stepper.chunk_ms(chunk.n);
        (self.fences).push_back(with.stepper.fence(with.sequence));
        let ahead = usize::from(with.stepper.device.is_gpu() && ms < CHUNK_MS / 2.0);
        self.await_fences(with, ahead).await?;
        Ok(false)
    }

    /// Waits until only `left` of the chunks that were launched may be running.
    async fn await_fences(&mut self, with: &mut Resources<'_>, left: usize) -> Result<()> {
        while self.fences.len() > left {
            if let Some(fence) = self.fences.pop_front() {
                with.stepper.wait(fence).await?;
                with.stepper.device.check()?;
            }
        }
        Ok(())
    }
}
