//! A request being answered: its prompt, the steps in flight, and the text so far.
//!
//! Tokens come in one of three [modes](Mode): launched ahead of the tokens they bring, by drafts that are checked
//! several at once, or in lockstep with the host.

mod drafting;
mod lockstep;
mod looking;
mod pipelined;
mod prefill;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::engine::draft_policy::DraftPolicy;
use crate::engine::interruption::{Interruption, Limits, ThoughtBudget};
use crate::engine::logprobs::logprobs;
use crate::engine::pictures::{Key, Pictures};
use crate::engine::request::{
    CompletionTokensDetails, FinishReason, PromptTokensDetails, Sampling, StepPhase, StopMatcher,
    TokenDelta, Usage,
};
use crate::engine::sequence::{Mark, Sequence};
use crate::engine::stepper::chunk::Chunk;
use crate::engine::stepper::readback::Read;
use crate::engine::stepper::{Stepper, smooth};
use crate::model::tower::{Look, Tower};
use crate::ops::sampling::draft::ROWS;
use crate::ops::state::BROKEN;
use crate::platform::now_ms;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::tokenizer::{Stream, Tokenizer};
use hearth_modelfile::vision::Span;

pub(crate) use lockstep::Lockstep;

/// The parts of the engine that a generation works with.
pub(crate) struct Resources<'a> {
    pub(crate) stepper: &'a mut Stepper,
    pub(crate) sequence: &'a mut Sequence,
    pub(crate) policy: &'a mut DraftPolicy,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) tower: Option<&'a Tower>,
    pub(crate) pictures: &'a mut Pictures,
}

/// The order in which the steps of an answer are launched and read back.
pub(crate) enum Mode {
    /// Steps of one token are launched ahead of the tokens they bring.
    Pipelined,
    /// Steps check drafts; `round` is the number of these steps so far.
    Drafting { round: usize },
    /// Each step waits for the host.
    Lockstep(Lockstep),
}

/// Steps on the device whose words are on their way back.
struct Batch {
    steps: usize,
    /// Whether they check drafts: their words are records ([`crate::ops::sampling`]) instead of ids.
    drafts: bool,
    words: Read,
    /// Raw bits of the step's logits, [vocab], if log-probabilities were requested.
    logits: Option<Read>,
}

/// A snapshot ([`Sequence::take_unconfirmed_snapshot`]) whose position is not known yet.
struct Unconfirmed {
    snapshot: usize,
    /// Steps that check drafts which have to come back before it is.
    steps: usize,
}

/// The tokens of a conversation and of the answer so far.
pub(crate) struct Tokens {
    pub(crate) prompt: Vec<u32>,
    pub(crate) answer: Vec<u32>,
    /// Tokens of the answer so far, those included that the context lost.
    pub(crate) earlier: usize,
    /// Tokens of the request's prompt, those included that the context lost.
    pub(crate) prompt_tokens: usize,
    /// Frames of pictures in the prompt, and the keys of the pictures.
    pub(crate) spans: Vec<Span>,
    pub(crate) keys: Vec<Key>,
}

/// The limits and the beginning of an answer.
pub(crate) struct Start<'a> {
    pub(crate) tokens: Tokens,
    pub(crate) sampling: Sampling,
    pub(crate) limits: Limits,
    /// Number of ids that the sequence holds already.
    pub(crate) cached: usize,
    /// Positions within the ids at which the sequence keeps a copy of its states.
    pub(crate) marks: Vec<(usize, Mark)>,
    /// Most new tokens.
    pub(crate) max_tokens: usize,
    pub(crate) stop: &'a [String],
    /// The step state's ADJUST without a constraint.
    pub(crate) adjust: u32,
}

/// A request being answered.
pub(crate) struct Generation {
    /// Tokens that are computed before the first new one.
    pub(crate) prompt: Vec<u32>,
    /// Number of these, at the end, that are the answer's.
    pub(crate) resumed: usize,
    /// Tokens of the answer before the new ones, and of the request's prompt; see [`Tokens`].
    pub(crate) earlier: usize,
    pub(crate) prompt_tokens: usize,
    pub(crate) sampling: Sampling,
    pub(crate) limits: Limits,
    pub(crate) budget: Option<ThoughtBudget>,
    /// The answer has to begin again.
    pub(crate) interruption: Option<Interruption>,
    /// Prompt tokens that were cached.
    cached: usize,
    /// Prompt tokens in the sequence.
    prefilled: usize,
    /// Positions at which the sequence keeps a copy of its states.
    marks: Vec<(usize, Mark)>,
    /// A copy of the states whose position is known once this many steps that check drafts came back.
    unconfirmed: Option<Unconfirmed>,
    /// Frames of pictures in the prompt, and the keys of the pictures.
    pub(crate) spans: Vec<Span>,
    pub(crate) keys: Vec<Key>,
    /// A frame that is in the tower, by its number in `spans`.
    look: Option<(usize, Look)>,
    /// Layers of the tower that the prompt's frames have been through, and all that they have to.
    looked: [usize; 2],
    /// Tokens that are between two layers.
    chunk: Option<Chunk>,
    /// Chunks that may be running: each read-back comes when its chunk is done.
    fences: VecDeque<Read>,
    pub(crate) generated: Vec<u32>,
    max_tokens: usize,
    /// Tokens sampled or about to be, those in flight included.
    pub(crate) launched: usize,
    in_flight: VecDeque<Batch>,
    pub(crate) mode: Mode,
    pub(crate) stream: Stream,
    pub(crate) stop: StopMatcher,
    /// Tokens drafted for it, and how many were right.
    pub(crate) predictions: CompletionTokensDetails,
    /// When the last tokens came.
    last_ms: f64,
    /// The step state's ADJUST without a constraint.
    pub(crate) adjust: u32,
    /// The template has begun the model's thoughts.
    pub(crate) in_thoughts: bool,
    /// Tokens of the answer before the new ones, and their text, which come again with the first step.
    pub(crate) repeated: Option<(Vec<u32>, String)>,
}

impl Generation {
    /// Starts an answer. Its text is shown as `stream` decodes it.
    pub(crate) fn new(start: Start<'_>, stream: Stream) -> Self {
        let Tokens {
            prompt,
            answer,
            earlier,
            prompt_tokens,
            spans,
            keys,
        } = start.tokens;
        Self {
            resumed: answer.len(),
            prompt: [prompt, answer].concat(),
            earlier,
            prompt_tokens,
            spans,
            keys,
            look: None,
            looked: [0, 0],
            sampling: start.sampling,
            limits: start.limits,
            budget: None,
            interruption: None,
            cached: start.cached,
            prefilled: start.cached,
            marks: start.marks,
            unconfirmed: None,
            chunk: None,
            fences: VecDeque::new(),
            generated: Vec::new(),
            max_tokens: start.max_tokens,
            launched: 0,
            in_flight: VecDeque::new(),
            mode: Mode::Pipelined,
            stream,
            stop: StopMatcher::new(start.stop),
            predictions: CompletionTokensDetails::default(),
            last_ms: now_ms(),
            adjust: start.adjust,
            in_thoughts: false,
            repeated: None,
        }
    }

    /// Does a bounded piece of work.
    pub(crate) async fn advance(&mut self, with: &mut Resources<'_>) -> Result<TokenDelta> {
        if self.prefilled < self.prompt.len() {
            let before = self.looked[0];
            if !self.prefill(with).await? {
                let phase = match self.looked[0] > before {
                    true => StepPhase::Picture,
                    false => StepPhase::Prefill,
                };
                return Ok(self.step(phase));
            }
        } else {
            self.launch(with).await?;
        }
        match self.chunk {
            Some(_) => Ok(self.step(StepPhase::Decode)),
            None => self.collect(with).await,
        }
    }

    /// Keeps the device busy: launches steps until enough are in flight.
    async fn launch(&mut self, with: &mut Resources<'_>) -> Result<()> {
        if let Mode::Lockstep(_) = self.mode {
            return self.launch_lockstep(with);
        }
        if self.chunk.is_none() && !self.choose_mode(with) {
            return Ok(());
        }
        match &self.mode {
            Mode::Drafting { .. } => self.launch_drafts(with),
            _ => self.launch_pipelined(with).await,
        }
    }

    /// Returns the tokens that the context has: those of the prompt, and those of the answer.
    pub(crate) fn tokens(&self) -> (Vec<u32>, Vec<u32>) {
        let (prompt, answer) = self.prompt.split_at(self.prompt.len() - self.resumed);
        (prompt.to_vec(), [answer, &self.generated].concat())
    }

    /// Returns the number of tokens known so far: prompt and answer.
    fn known(&self) -> usize {
        self.prompt.len() + self.generated.len()
    }

    /// Returns the number of steps whose tokens have not come.
    fn steps_in_flight(&self) -> usize {
        self.in_flight.iter().map(|batch| batch.steps).sum()
    }

    /// Starts reading the next `n` sampled tokens back.
    fn read_tokens(&mut self, with: &mut Resources<'_>, n: usize) {
        let at = self.earlier + self.launched;
        let words = with.stepper.read_ring(with.sequence, at, n);
        self.launched += n;
        self.in_flight.push_back(Batch {
            steps: n,
            drafts: false,
            words,
            logits: None,
        });
    }

    /// Awaits the oldest tokens in flight and turns them into text.
    async fn collect(&mut self, with: &mut Resources<'_>) -> Result<TokenDelta> {
        let mut step = self.step(StepPhase::Decode);
        let forced = match &mut self.mode {
            Mode::Lockstep(lockstep) => std::mem::take(&mut lockstep.ready),
            _ => Vec::new(),
        };
        let Some(batch) = self.in_flight.pop_front() else {
            self.give(with, forced, &mut step);
            if step.finish_reason.is_none() && self.interruption.is_none() {
                step.text += &self.finish_text();
                let is_complete = matches!(&self.mode, Mode::Lockstep(l) if l.is_complete);
                step.finish_reason = Some(if is_complete {
                    FinishReason::Stop
                } else {
                    FinishReason::Length
                });
            }
            step.usage = self.usage();
            return Ok(step);
        };
        let words = with.stepper.wait(batch.words).await?;
        let logits = match batch.logits {
            Some(read) => Some(with.stepper.wait(read).await?),
            None => None,
        };
        with.stepper.device.check()?;
        // In a record of several ids only the first carries flags.
        let every = if batch.drafts { ROWS } else { 1 };
        if words.iter().step_by(every).any(|word| word & BROKEN != 0) {
            return Err(Error::NotFinite);
        }
        let now = now_ms();
        let ms = now - self.last_ms;
        self.last_ms = now;
        let ids = if batch.drafts {
            self.drafted_ids(with, &words, ms)
        } else {
            // The first token's time is mostly the prompt's.
            if !self.generated.is_empty() {
                let timing = &mut with.stepper.timing;
                timing.ms_per_token = smooth(timing.ms_per_token, ms / batch.steps as f64);
            }
            words
        };
        let mut alternatives = None;
        if let Mode::Lockstep(lockstep) = &mut self.mode {
            lockstep.accept(with.tokenizer, &ids)?;
            alternatives = lockstep.logprobs;
        }
        let (sampled, before) = (ids.first().copied(), forced.len());
        self.give(with, [forced, ids].concat(), &mut step);
        if let (Some(logits), Some(id), Some(count)) = (logits, sampled, alternatives)
            && step.ids.len() > before
        {
            let logits: Vec<f32> = logits.into_iter().map(f32::from_bits).collect();
            (step.logprobs).push(logprobs(&logits, id, count, with.tokenizer));
        }
        step.usage = self.usage();
        Ok(step)
    }

    /// Turns tokens into text until one ends the answer.
    fn give(&mut self, with: &mut Resources<'_>, ids: Vec<u32>, step: &mut TokenDelta) {
        for id in ids {
            if with.tokenizer.is_eog(id) {
                self.generated.push(id);
                step.text += &self.finish_text();
                step.finish_reason = Some(FinishReason::Stop);
                break;
            }
            self.generated.push(id);
            with.policy.saw(id);
            step.ids.push(id);
            let text = self.stream.push(id);
            let is_spent = (self.budget.as_mut()).is_some_and(|budget| budget.is_spent_by(&text));
            let (shown, stopped) = self.stop.push(&text);
            step.text += &shown;
            if stopped {
                step.finish_reason = Some(FinishReason::Stop);
                break;
            }
            let is_last = self.generated.len() == self.max_tokens;
            if is_spent {
                self.interruption = Some(Interruption::Thoughts);
                break;
            }
            if is_last && self.limits.keep.is_some() && !self.is_at_limit() {
                self.interruption = Some(Interruption::Context);
                break;
            }
            if is_last {
                step.text += &self.finish_text();
                step.finish_reason = Some(FinishReason::Length);
                break;
            }
        }
    }

    /// Returns whether the answer has as many tokens as the request allows.
    fn is_at_limit(&self) -> bool {
        let tokens = self.earlier + self.generated.len();
        (self.limits.max_tokens).is_some_and(|most| tokens >= most)
    }

    /// Ends the answer: notes what the sequence holds, and gives up what is in flight.
    pub(crate) fn end(&mut self, stepper: &mut Stepper, sequence: &mut Sequence) {
        if self.prefilled == self.prompt.len() {
            // The last generated token may not have been computed.
            let computed = self.generated.len().saturating_sub(1);
            sequence.hold(&self.prompt, &self.generated[..computed]);
        }
        let words = self.in_flight.drain(..).map(|batch| batch.words);
        stepper.abandon(self.fences.drain(..).chain(words));
    }

    fn usage(&self) -> Usage {
        let prompt_tokens = self.prompt_tokens;
        let completion_tokens = self.earlier + self.generated.len();
        Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: self.cached.min(prompt_tokens),
            },
            completion_tokens_details: self.predictions,
        }
    }

    fn step(&self, phase: StepPhase) -> TokenDelta {
        TokenDelta {
            text: String::new(),
            ids: Vec::new(),
            logprobs: Vec::new(),
            in_thoughts: self.in_thoughts,
            phase,
            prompt_read: self.prefilled.min(self.prompt_tokens),
            looked: match self.looked {
                [_, 0] => 1.0,
                [done, all] => done.min(all) as f32 / all as f32,
            },
            finish_reason: None,
            usage: self.usage(),
        }
    }

    /// Returns the text that stream and stop matcher still hold.
    pub(crate) fn finish_text(&mut self) -> String {
        let tail = self.stream.finish();
        let (mut text, stopped) = self.stop.push(&tail);
        if !stopped {
            text += &self.stop.finish();
        }
        text
    }
}
