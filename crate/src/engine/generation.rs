//! The work of a running request: batches of replayed decode steps, ids into text. (Its prompt: [`crate::engine::prefill`].)

use std::collections::VecDeque;

use burn::tensor::{Int, Tensor};

use crate::engine::Engine;
use crate::engine::constraint::Constraint;
use crate::engine::drafting::Drafts;
use crate::engine::graph::StepGraph;
use crate::engine::logprobs::logprobs;
use crate::engine::prefill::Chunk;
use crate::engine::readback::Read;
use crate::engine::request::{
    CompletionTokensDetails, PromptTokensDetails, Step, StopMatcher, Usage,
};
use crate::ops::sampling::draft::ROWS;
use crate::ops::state::{BROKEN, POS, RING, RING_LEN};
use crate::platform::now_ms;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::tokenizer::Stream;

/// Chooses the time of the steps between two read-backs on a device whose read-back takes `readback_ms`: long enough to hide
/// one and not to be mostly that, short enough to stop within and to be read along.
pub(crate) fn batch_ms(readback_ms: f64) -> f64 {
    (8.0 * readback_ms).clamp(4.0, 20.0)
}

/// Steps on the device whose words are on their way back.
pub(crate) struct Batch {
    pub(crate) steps: usize,
    /// They check drafts: what comes are records ([`crate::ops::sampling`]) instead of ids.
    pub(crate) drafts: bool,
    pub(crate) words: Read,
    /// Raw bits of the step's logits, [vocab], if they were requested.
    pub(crate) logits: Option<Read>,
}

/// A value smoothed over its measurements; the first stands for itself.
pub(crate) fn smooth(before: f64, measured: f64) -> f64 {
    match before {
        before if before > 0.0 => 0.7 * before + 0.3 * measured,
        _ => measured,
    }
}

/// A request being answered.
pub(crate) struct Run {
    /// Tokens that are computed before the first new one.
    pub(crate) prompt: Vec<u32>,
    /// Number of these that are the answer's first tokens.
    pub(crate) given: usize,
    /// Prompt tokens in the cache.
    pub(crate) prefilled: usize,
    /// Tokens that are between two layers.
    pub(crate) chunk: Option<Chunk>,
    /// Chunks that may be running: each read-back comes when its chunk is done.
    pub(crate) fences: VecDeque<Read>,
    /// Prompt tokens that were there before.
    pub(crate) cached: usize,
    pub(crate) generated: Vec<u32>,
    pub(crate) max_tokens: usize,
    /// Tokens sampled or about to be, those in flight included.
    pub(crate) launched: usize,
    pub(crate) in_flight: VecDeque<Batch>,
    pub(crate) stream: Stream,
    pub(crate) stop: StopMatcher,
    /// Tokens drafted for it, and how many were right.
    pub(crate) predictions: CompletionTokensDetails,
    /// When the last tokens came.
    pub(crate) last_ms: f64,
    /// The state's ADJUST without a constraint.
    pub(crate) adjust: u32,
    /// Limits the tokens of the answer.
    pub(crate) constraint: Option<Box<dyn Constraint>>,
    /// Tokens that had to come, not given yet; those in flight come after them.
    pub(crate) ready: Vec<u32>,
    /// The template has begun the model's thoughts.
    pub(crate) in_thoughts: bool,
    /// The constraint lets nothing follow.
    pub(crate) is_complete: bool,
    /// Number of alternatives requested with each token's log-probability.
    pub(crate) logprobs: Option<usize>,
}

impl Run {
    fn usage(&self) -> Usage {
        let prompt_tokens = self.prompt.len() - self.given;
        let completion_tokens = self.given + self.generated.len();
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

    fn step(&self, phase: &'static str) -> Step {
        Step {
            text: String::new(),
            ids: Vec::new(),
            logprobs: Vec::new(),
            in_thoughts: self.in_thoughts,
            phase,
            finish_reason: None,
            usage: self.usage(),
        }
    }

    /// Returns the text that stream and stop matcher still hold.
    fn finish_text(&mut self) -> String {
        let tail = self.stream.finish();
        let (mut text, stopped) = self.stop.push(&tail);
        if !stopped {
            text += &self.stop.finish();
        }
        text
    }
}

impl Engine {
    pub(crate) async fn advance(&mut self) -> Result<Step> {
        let Some(mut run) = self.run.take() else {
            return Err(Error::InvalidRequest {
                field: "request".into(),
                expected: "started".into(),
                found: "none running".into(),
            });
        };
        let step = self.work(&mut run).await;
        // Also after an error: its read-backs have to be awaited.
        self.run = Some(run);
        step
    }

    async fn work(&mut self, run: &mut Run) -> Result<Step> {
        if run.prefilled == run.prompt.len() {
            match run.is_stepwise() {
                true => self.launch_step(run)?,
                false => self.launch_decode(run).await?,
            }
        } else if !self.prefill(run).await? {
            return Ok(run.step("prefill"));
        }
        match run.chunk {
            Some(_) => Ok(run.step("decode")),
            None => self.collect(run).await,
        }
    }

    /// Starts reading the next `n` sampled tokens back.
    pub(crate) fn read_tokens(&mut self, run: &mut Run, n: usize) -> Result<()> {
        let words = self.read_back(RING + (run.given + run.launched) % RING_LEN, n)?;
        run.launched += n;
        run.in_flight.push_back(Batch {
            steps: n,
            drafts: false,
            words,
            logits: None,
        });
        Ok(())
    }

    /// Keeps the device busy: launches steps until enough are in flight.
    async fn launch_decode(&mut self, run: &mut Run) -> Result<()> {
        if run.chunk.is_none() {
            match self.drafts_on(run) {
                Some(true) => return self.launch_drafts(run),
                Some(false) => {}
                None => return Ok(()),
            }
        }
        if !self.device.is_gpu() {
            if run.launched < run.max_tokens {
                self.decode_on_cpu(run).await?;
            }
            return Ok(());
        }
        let batch_ms = batch_ms(self.device.info().readback_ms);
        let depth = if self.ms_per_token > batch_ms { 1 } else { 2 };
        let batch = match self.ms_per_token {
            ms if ms > 0.0 => ((batch_ms / ms) as usize).clamp(1, 16),
            _ => 1,
        };
        while run.in_flight.len() < depth && run.launched < run.max_tokens {
            let n = batch
                .min(run.max_tokens - run.launched)
                .min(RING_LEN - (run.given + run.launched) % RING_LEN);
            if let Some(graph) = &self.graph {
                for _ in 0..n {
                    graph.replay()?;
                    self.stats.replays += 1;
                }
            }
            self.read_tokens(run, n)?;
        }
        Ok(())
    }

    /// Captures the decode steps where that has not been done, running them on the way: before a first request, when
    /// there is nothing that they could spoil.
    pub(crate) fn capture(&mut self) -> Result<()> {
        if self.device.is_gpu() && self.graph.is_none() {
            self.graph = Some(self.capture_step(1)?);
        }
        let drafts = self.speculation.drafts != Drafts::Off;
        if self.device.is_gpu() && drafts && self.draft_graph.is_none() {
            self.draft_graph = Some(self.capture_step(ROWS)?);
        }
        Ok(())
    }

    /// Captures the step that computes `rows` tokens and samples after each of them.
    fn capture_step(&mut self, rows: usize) -> Result<StepGraph> {
        self.context.clear();
        self.write_state(POS, vec![0, 1]);
        let state = self.state()?;
        let Self {
            decoder,
            cache,
            memory,
            draft_logits,
            ..
        } = self;
        StepGraph::capture(&decoder.ops, || {
            let x = decoder.forward(&state, cache, rows);
            let logits = match rows {
                1 => decoder.logits(&x, &state),
                _ => decoder.all_logits(&x, &state, draft_logits.clone()),
            };
            let _ = decoder.ops.sample(logits, state.clone(), memory);
        })
    }

    pub(crate) fn decode_step(&mut self) -> Result<()> {
        let x = match &self.state {
            Some(state) => self.decoder.forward(state, &mut self.cache, 1),
            None => unreachable!("every use puts the state back"),
        };
        self.sample(&x)
    }

    /// Awaits the oldest tokens in flight and turns them into text.
    async fn collect(&mut self, run: &mut Run) -> Result<Step> {
        let mut step = run.step("decode");
        let forced = std::mem::take(&mut run.ready);
        let Some(batch) = run.in_flight.pop_front() else {
            self.give(run, forced, &mut step);
            if step.finish_reason.is_none() {
                step.text += &run.finish_text();
                step.finish_reason = Some(if run.is_complete { "stop" } else { "length" });
            }
            step.usage = run.usage();
            return Ok(step);
        };
        let words = self.device.wait(batch.words).await?;
        let logits = match batch.logits {
            Some(read) => Some(self.device.wait(read).await?),
            None => None,
        };
        self.device.check()?;
        // (of a step with drafts its first word tells)
        let every = if batch.drafts { ROWS } else { 1 };
        if words.iter().step_by(every).any(|word| word & BROKEN != 0) {
            return Err(Error::NotFinite);
        }
        let now = now_ms();
        let ms = now - run.last_ms;
        run.last_ms = now;
        let ids = if batch.drafts {
            self.drafted_ids(run, &words, ms)
        } else {
            // The first token's time is mostly the prompt's.
            if !run.generated.is_empty() {
                self.ms_per_token = smooth(self.ms_per_token, ms / batch.steps as f64);
            }
            words
        };
        if let Some(constraint) = &mut run.constraint {
            let written: Vec<u32> = (ids.iter().copied())
                .filter(|id| !self.tokenizer.is_eog(*id))
                .collect();
            constraint.accept(&written)?;
        }
        let (sampled, before) = (ids.first().copied(), forced.len());
        self.give(run, [forced, ids].concat(), &mut step);
        if let (Some(logits), Some(id), Some(count)) = (logits, sampled, run.logprobs)
            && step.ids.len() > before
        {
            let logits: Vec<f32> = logits.into_iter().map(f32::from_bits).collect();
            (step.logprobs).push(logprobs(&logits, id, count, &self.tokenizer));
        }
        step.usage = run.usage();
        Ok(step)
    }

    /// Turns tokens into text until one ends the answer.
    fn give(&mut self, run: &mut Run, ids: Vec<u32>, step: &mut Step) {
        for id in ids {
            if self.tokenizer.is_eog(id) {
                run.generated.push(id);
                step.text += &run.finish_text();
                step.finish_reason = Some("stop");
                break;
            }
            run.generated.push(id);
            self.speculation.saw(id);
            step.ids.push(id);
            let (shown, stopped) = run.stop.push(&run.stream.push(id));
            step.text += &shown;
            if stopped {
                step.finish_reason = Some("stop");
                break;
            }
            if run.generated.len() == run.max_tokens {
                step.text += &run.finish_text();
                step.finish_reason = Some("length");
                break;
            }
        }
    }

    /// Cuts the remembered context to what `ids` shares with it, less the last id, which must be computed
    /// for its logits. Returns the number of positions kept.
    pub(crate) fn reuse_prefix(&mut self, ids: &[u32]) -> usize {
        let shared = (ids.iter().zip(&self.context))
            .take_while(|(a, b)| a == b)
            .count();
        self.context.truncate(shared.min(ids.len() - 1));
        self.context.len()
    }

    /// Notes which positions of the cache are valid after a run.
    pub(crate) fn remember(&mut self, run: &Run) {
        // The last generated token's K and V may not have been computed.
        let generated = run.generated.len().saturating_sub(1);
        if run.prefilled == run.prompt.len() {
            self.context.clear();
            self.context.extend_from_slice(&run.prompt);
            self.context.extend_from_slice(&run.generated[..generated]);
        }
    }

    pub(crate) fn state(&self) -> Result<Tensor<2, Int>> {
        self.state.clone().ok_or_else(|| Error::Internal {
            what: "state".into(),
            message: "taken".into(),
        })
    }

    pub(crate) fn write_state(&mut self, at: usize, words: Vec<u32>) {
        if let Some(state) = self.state.take() {
            self.state = Some(self.decoder.ops.write_words(state, at, words));
        }
    }

    pub(crate) fn sample(&mut self, x: &Tensor<2>) -> Result<()> {
        let logits = self.decoder.logits(x, &self.state()?);
        self.sample_from(logits);
        Ok(())
    }

    pub(crate) fn sample_from(&mut self, logits: Tensor<2>) {
        if let Some(state) = self.state.take() {
            self.state = Some(self.decoder.ops.sample(logits, state, &mut self.memory));
        }
    }
}
