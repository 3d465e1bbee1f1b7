//! Requests that are answered a step at a time: what may come next depends on what came, or each token's logits are
//! wanted on the host.
//!
//! Where a constraint leaves no choice, the tokens that must come are computed together, as a prompt is.

use burn::tensor::Tensor;

use crate::engine::Engine;
use crate::engine::generation::Run;
use crate::engine::readback::{Read, started};
use crate::ops::words::read_f32;
use hearth_modelfile::error::Result;

impl Run {
    /// Whether steps cannot be launched ahead of what they bring.
    pub(crate) fn is_stepwise(&self) -> bool {
        self.constraint.is_some() || self.logprobs.is_some()
    }

    /// Tokens that it may still have.
    fn room(&self) -> usize {
        self.max_tokens - self.generated.len() - self.ready.len()
    }
}

impl Engine {
    /// The first token, from the hidden states `x` of the prompt's last chunk.
    pub(crate) fn begin_steps(&mut self, run: &mut Run, x: Tensor<2>) -> Result<()> {
        let forced = self.forced(run)?;
        let x = match forced.is_empty() {
            true => x,
            false => self.run_chunk(run.prompt.len(), &forced),
        };
        run.ready = forced;
        self.sample_step(run, &x)
    }

    /// The token after the last one.
    pub(crate) fn launch_step(&mut self, run: &mut Run) -> Result<()> {
        let forced = self.forced(run)?;
        let Some(last) = run.generated.last().copied().filter(|_| !forced.is_empty()) else {
            let Some(graph) = self.graph.as_ref().filter(|_| run.logprobs.is_none()) else {
                let state = self.state()?;
                let x = self.decoder.forward(&state, &mut self.cache, 1);
                // An op that writes the state in place must not find it shared.
                drop(state);
                return self.sample_step(run, &x);
            };
            // The recording samples as well, so the mask has to be there before.
            if write_mask(&self.decoder, &mut self.memory, run)? {
                graph.replay()?;
                self.stats.replays += 1;
                self.read_tokens(run, 1)?;
            }
            return Ok(());
        };
        let at = run.prompt.len() + run.generated.len() - 1;
        let x = self.run_chunk(at, &[&[last], &forced[..]].concat());
        run.ready = forced;
        self.sample_step(run, &x)
    }

    /// Samples from the hidden states `x`, unless the answer ends here. The device computes while the mask is made.
    fn sample_step(&mut self, run: &mut Run, x: &Tensor<2>) -> Result<()> {
        if run.room() == 0 {
            return Ok(());
        }
        let logits = self.decoder.logits(x, &self.state()?);
        if !write_mask(&self.decoder, &mut self.memory, run)? {
            return Ok(());
        }
        // On its way before the sampler changes them.
        let read = run.logprobs.map(|_| self.read_logits(&logits));
        self.sample_from(logits);
        self.read_tokens(run, 1)?;
        if let Some(batch) = run.in_flight.back_mut() {
            batch.logits = read;
        }
        Ok(())
    }

    fn read_logits(&mut self, logits: &Tensor<2>) -> Read {
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * self.decoder.config.vocab_size as u64;
        let logits = logits.clone();
        started(async move {
            let values = read_f32(&logits).await?;
            Ok(values.into_iter().map(f32::to_bits).collect())
        })
    }

    /// The tokens that must come next, already accepted. The last one of what must come is left to the model: it may go
    /// on into what it has a choice of.
    fn forced(&mut self, run: &mut Run) -> Result<Vec<u32>> {
        // Nobody could tell how likely they were.
        let Some(constraint) = run.constraint.as_mut().filter(|_| run.logprobs.is_none()) else {
            return Ok(Vec::new());
        };
        let bytes = constraint.forced()?;
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = self.tokenizer.encode(text)?;
        ids.pop();
        let most = self.decoder.ops.tuning().chunk - 1;
        ids.truncate(most.min(run.max_tokens - run.generated.len()));
        // Some tokenizers write a blank before a text, which then is not what must come.
        let written: Vec<u8> = (ids.iter())
            .flat_map(|id| self.tokenizer.token_bytes(*id))
            .collect();
        if ids.is_empty() || !bytes.starts_with(&written) {
            return Ok(Vec::new());
        }
        constraint.accept(&ids)?;
        Ok(ids)
    }
}

/// Tells the sampler what may come; false where the answer is complete.
fn write_mask(
    decoder: &crate::model::Decoder,
    memory: &mut crate::ops::SampleMemory,
    run: &mut Run,
) -> Result<bool> {
    let Some(constraint) = &mut run.constraint else {
        return Ok(true);
    };
    let mut bits = vec![0; decoder.config.vocab_size.div_ceil(32)];
    if !constraint.allow(&mut bits)? {
        run.is_complete = true;
        return Ok(false);
    }
    decoder.ops.write_allowed(memory, bits);
    Ok(true)
}
