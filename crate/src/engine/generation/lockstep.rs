//! Answers computed a step at a time: what may come next depends on what came, or each token's logits are wanted on
//! the host.
//!
//! Where a constraint leaves no choice, the tokens that must come are computed together, as a prompt is.

use burn::tensor::Tensor;

use super::{Generation, Mode, Resources};
use crate::engine::constraint::Constraint;
use hearth_modelfile::error::Result;
use hearth_modelfile::text::tokenizer::Tokenizer;

/// The state of an answer in lockstep.
#[derive(Default)]
pub(crate) struct Lockstep {
    /// Limits the tokens of the answer.
    pub(crate) constraint: Option<Box<dyn Constraint>>,
    /// Number of alternatives requested with each token's log-probability.
    pub(crate) logprobs: Option<usize>,
    /// Tokens that had to come, not given yet; those in flight come after them.
    pub(super) ready: Vec<u32>,
    /// The constraint lets nothing follow.
    pub(super) is_complete: bool,
}

impl Lockstep {
    /// Moves the constraint on by sampled tokens.
    pub(super) fn accept(&mut self, tokenizer: &Tokenizer, ids: &[u32]) -> Result<()> {
        let Some(constraint) = &mut self.constraint else {
            return Ok(());
        };
        let written: Vec<u32> = (ids.iter().copied())
            .filter(|id| !tokenizer.is_eog(*id))
            .collect();
        constraint.accept(&written)
    }

    /// Tells the sampler which tokens may come; false where the answer is complete.
    fn write_mask(&mut self, with: &mut Resources<'_>) -> Result<bool> {
        let Some(constraint) = &mut self.constraint else {
            return Ok(true);
        };
        let model = &with.stepper.model;
        let mut bits = vec![0; model.config.vocab_size.div_ceil(32)];
        if !constraint.allow(&mut bits)? {
            self.is_complete = true;
            return Ok(false);
        }
        with.sequence.tables.allow(&model.ops, bits);
        Ok(true)
    }

    /// Returns the tokens that must come next, at most `room` of them, already accepted. The last one of what must come
    /// is left to the model, which may choose a longer token there.
    fn forced(&mut self, with: &mut Resources<'_>, room: usize) -> Result<Vec<u32>> {
        // A token that is not sampled has no log-probability.
        let Some(constraint) = self.constraint.as_mut().filter(|_| self.logprobs.is_none()) else {
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
        let mut ids = with.tokenizer.encode(text)?;
        ids.pop();
        let most = with.stepper.model.ops.tuning().chunk - 1;
        ids.truncate(most.min(room));
        // Some tokenizers write a blank before a text, which then is not what must come.
        let written: Vec<u8> = (ids.iter())
            .flat_map(|id| with.tokenizer.token_bytes(*id))
            .collect();
        if ids.is_empty() || !bytes.starts_with(&written) {
            return Ok(Vec::new());
        }
        constraint.accept(&ids)?;
        Ok(ids)
    }
}

impl Generation {
    /// Returns the state in lockstep, which the answer is computed in from now on.
    pub(crate) fn lockstep(&mut self) -> &mut Lockstep {
        if !matches!(self.mode, Mode::Lockstep(_)) {
            self.mode = Mode::Lockstep(Lockstep::default());
        }
        match &mut self.mode {
            Mode::Lockstep(lockstep) => lockstep,
            _ => unreachable!("set above"),
        }
    }

    /// Samples the first token from the hidden states `x` of the prompt's last chunk.
    pub(super) fn begin_lockstep(&mut self, with: &mut Resources<'_>, x: Tensor<2>) -> Result<()> {
        let forced = self.forced(with)?;
        let x = match forced.is_empty() {
            true => x,
            false => (with.stepper).run_chunk(with.sequence, self.prompt.len(), &forced),
        };
        self.lockstep().ready = forced;
        self.sample_in_lockstep(with, &x)
    }

    /// Launches the step that samples the token after the last one.
    pub(super) fn launch_lockstep(&mut self, with: &mut Resources<'_>) -> Result<()> {
        (with.sequence).take_answer_snapshot(&with.stepper.model.ops);
        let forced = self.forced(with)?;
        let Some(last) = (self.generated.last().copied()).filter(|_| !forced.is_empty()) else {
            let is_recorded = with.sequence.recordings.decode.is_some();
            if !is_recorded || self.lockstep().logprobs.is_some() {
                let x = with.stepper.launch_token(with.sequence);
                return self.sample_in_lockstep(with, &x);
            }
            // The recording samples as well, so the mask has to be there before.
            if self.lockstep().write_mask(with)? {
                with.stepper.replay_decode(with.sequence)?;
                self.read_tokens(with, 1);
            }
            return Ok(());
        };
        let at = self.known() - 1;
        let x = (with.stepper).run_chunk(with.sequence, at, &[&[last], &forced[..]].concat());
        self.lockstep().ready = forced;
        self.sample_in_lockstep(with, &x)
    }

    fn forced(&mut self, with: &mut Resources<'_>) -> Result<Vec<u32>> {
        let room = self.max_tokens - self.generated.len();
        self.lockstep().forced(with, room)
    }

    /// Samples from the hidden states `x`, unless the answer ends here. The device computes while the mask is made.
    fn sample_in_lockstep(&mut self, with: &mut Resources<'_>, x: &Tensor<2>) -> Result<()> {
        let accepted = self.generated.len() + self.lockstep().ready.len();
        if accepted == self.max_tokens {
            return Ok(());
        }
        let logits = with.stepper.logits(with.sequence, x);
        if !self.lockstep().write_mask(with)? {
            return Ok(());
        }
        // Starts before the sampler changes the logits.
        let wanted = self.lockstep().logprobs.is_some();
        let read = wanted.then(|| with.stepper.read_logits(&logits));
        with.stepper.sample_from(with.sequence, logits);
        self.read_tokens(with, 1);
        if let Some(batch) = self.in_flight.back_mut() {
            batch.logits = read;
        }
        Ok(())
    }
}
