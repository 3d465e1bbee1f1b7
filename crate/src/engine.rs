//! The engine: one model on one device, one conversation's KV cache, one request at a time.
//!
//! [`Engine::start`] takes a request, [`Engine::next`] does a bounded piece of work (a prefill chunk, or the
//! tokens of one submission) and returns what came of it, so that a caller can stop between any two. The KV
//! of the longest common prefix with the previous request is kept: a chat's next turn prefills only what is
//! new.

use std::collections::VecDeque;
use std::pin::Pin;

use burn::tensor::{Int, Tensor};
use serde::Serialize;

use crate::chat_template::{ChatTemplate, Message, RenderOptions};
use crate::device::{Device, now_ms, wall_clock};
use crate::error::{Error, Result};
use crate::format::Gguf;
use crate::graph::StepGraph;
use crate::model::{Decoder, ModelConfig};
use crate::ops::state::{IDS, POS, RING, RING_LEN, STATE_WORDS, STEP};
use crate::ops::words::{read_f32, read_words};
use crate::ops::{LayerCache, state};
use crate::request::{PromptTokensDetails, Request, Sampling, Step, StopMatcher, Usage};
use crate::tokenizer::{Stream, Tokenizer};

/// What is loaded.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    #[serde(flatten)]
    pub config: ModelConfig,
    /// Positions of the KV cache.
    pub n_ctx: usize,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
    /// Bytes of KV cache on the device.
    pub kv_bytes: u64,
    /// Number of tensors by storage type in the file.
    pub quants: std::collections::BTreeMap<String, usize>,
}

/// Exact counters since the engine was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Kernel launches, replayed ones included.
    pub dispatches: u64,
    /// Decode steps replayed from the captured graph.
    pub replays: u64,
    /// Launches of one decode step.
    pub dispatches_per_token: u64,
    /// Read-backs.
    pub readbacks: u64,
    /// Bytes read back.
    pub bytes_read: u64,
}

/// A model ready to answer.
pub struct Engine {
    device: Device,
    decoder: Decoder,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    info: ModelInfo,
    cache: Vec<LayerCache>,
    /// Taken out while an op writes it.
    state: Option<Tensor<2, Int>>,
    /// Tokens whose K and V are in the cache, from position 0 on.
    context: Vec<u32>,
    graph: Option<StepGraph>,
    run: Option<Run>,
    stats: Stats,
    /// Smoothed milliseconds a token, 0 before the first measurement.
    ms_per_token: f64,
}

type Read = Pin<Box<dyn Future<Output = Result<Vec<u32>>>>>;

/// A request being answered.
struct Run {
    prompt: Vec<u32>,
    /// Prompt tokens in the cache.
    prefilled: usize,
    /// Prompt tokens that were there before.
    cached: usize,
    generated: Vec<u32>,
    max_tokens: usize,
    /// Tokens sampled or about to be, those in flight included.
    launched: usize,
    in_flight: VecDeque<(usize, Read)>,
    stream: Stream,
    stop: StopMatcher,
    /// When the last tokens came.
    last_ms: f64,
}

impl Engine {
    pub(crate) fn new(
        device: Device,
        decoder: Decoder,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        gguf: &Gguf,
    ) -> Result<Self> {
        let mut quants = std::collections::BTreeMap::new();
        for tensor in &gguf.tensors {
            *quants.entry(tensor.dtype.name().to_owned()).or_insert(0) += 1;
        }
        let info = ModelInfo {
            n_ctx: decoder.n_ctx,
            parameters: gguf
                .tensors
                .iter()
                .map(|t| t.shape.iter().product::<u64>())
                .sum(),
            weight_bytes: decoder.weight_bytes,
            kv_bytes: decoder.config.kv_bytes(decoder.n_ctx),
            quants,
            config: decoder.config.clone(),
        };
        let cache = decoder.new_cache();
        let state = decoder.ops.alloc_words(STATE_WORDS);
        device.check()?;
        Ok(Self {
            device,
            decoder,
            tokenizer,
            template,
            info,
            cache,
            state: Some(state),
            context: Vec::new(),
            graph: None,
            run: None,
            stats: Stats::default(),
            ms_per_token: 0.0,
        })
    }

    /// What is loaded.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.dispatches_per_token = self.graph.as_ref().map_or(0, StepGraph::dispatches);
        stats.dispatches =
            self.decoder.ops.dispatches() + stats.replays * stats.dispatches_per_token;
        stats
    }

    /// The ids of a conversation with the beginning of an answer.
    ///
    /// # Errors
    /// [`Error::Template`] or [`Error::Tokenizer`].
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        let options = RenderOptions {
            add_generation_prompt: true,
            now: Some(wall_clock()),
            ..Default::default()
        };
        let rendered = self.template.render(messages, &options, &self.tokenizer)?;
        self.tokenizer.encode_template(&rendered)
    }

    /// Starts to answer a request; one that was running is given up.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`], [`Error::ContextOverflow`], or what the template and tokenizer say.
    pub fn start(&mut self, request: &Request) -> Result<()> {
        self.cancel();
        let sampling = request.sampling()?;
        let prompt = match (&request.messages, &request.prompt) {
            (Some(messages), None) => self.encode_chat(messages)?,
            (None, Some(prompt)) => {
                let mut ids = Vec::new();
                ids.extend(self.tokenizer.bos().filter(|_| self.tokenizer.add_bos()));
                ids.extend(self.tokenizer.encode(prompt)?);
                ids
            }
            _ => {
                return Err(Error::InvalidRequest {
                    field: "messages".into(),
                    expected: "given, or else prompt".into(),
                    found: "both or neither".into(),
                });
            }
        };
        self.start_ids(prompt, sampling, request.max_tokens, &request.stop)
    }

    /// Starts to continue token ids.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for an empty prompt or an id beyond the vocabulary;
    /// [`Error::ContextOverflow`] where no room is left for an answer.
    pub fn start_ids(
        &mut self,
        prompt: Vec<u32>,
        sampling: Sampling,
        max_tokens: Option<usize>,
        stop: &[String],
    ) -> Result<()> {
        self.cancel();
        let n_ctx = self.decoder.n_ctx;
        self.check_ids(&prompt)?;
        if prompt.len() >= n_ctx {
            return Err(Error::ContextOverflow {
                needed: prompt.len() + 1,
                n_ctx,
            });
        }
        if max_tokens == Some(0) {
            return Err(Error::InvalidRequest {
                field: "max_tokens".into(),
                expected: "at least 1".into(),
                found: "0".into(),
            });
        }
        let room = n_ctx - prompt.len();
        let cached = self.reuse_prefix(&prompt);
        self.write_state(
            STEP,
            vec![
                0,
                sampling.temperature.to_bits(),
                sampling.top_k,
                sampling.top_p.to_bits(),
                sampling.min_p.to_bits(),
                sampling.seed,
            ],
        );
        self.run = Some(Run {
            prompt,
            prefilled: cached,
            cached,
            generated: Vec::new(),
            max_tokens: max_tokens.unwrap_or(room).min(room),
            launched: 0,
            in_flight: VecDeque::new(),
            stream: self.tokenizer.stream(),
            stop: StopMatcher::new(stop),
            last_ms: now_ms(),
        });
        Ok(())
    }

    /// Runs a short request through every pipeline, so that the first real one compiles nothing, and so that a
    /// device that cannot run the model says so at load.
    ///
    /// # Errors
    /// What the device says.
    pub async fn warm_up(&mut self) -> Result<()> {
        let greedy = Sampling {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            seed: 0,
        };
        self.start_ids(vec![0, 0], greedy, Some(1), &[])?;
        while self.next().await?.finish_reason.is_none() {}
        if self.device.is_gpu() && self.graph.is_none() {
            self.write_state(POS, vec![2, 1]);
            self.capture()?;
            let state = self.state()?;
            self.device.wait(read_words(&state, POS, 1)).await?;
            self.device.check()?;
        }
        self.context.clear();
        self.stats = Stats::default();
        self.ms_per_token = 0.0;
        Ok(())
    }

    /// CPU microseconds of a plain launch and of a replayed dispatch, averaged over decode steps.
    ///
    /// # Errors
    /// What the device says; on the CPU both are 0.
    pub async fn dispatch_cost(&mut self) -> Result<(f64, f64)> {
        const STEPS: u64 = 8;
        self.cancel();
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

    /// Gives up the running request. Steps already submitted finish unseen.
    pub fn cancel(&mut self) {
        if let Some(run) = self.run.take() {
            self.remember(&run);
        }
    }

    /// Does the next piece of work of the running request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] when nothing is running; else what the device says. After an error the
    /// request is over and the engine ready for another (unless the device is lost).
    pub async fn next(&mut self) -> Result<Step> {
        let result = self.advance().await;
        match &result {
            Err(_) => {
                // What the cache holds now is unknown.
                self.context.clear();
                self.run = None;
            }
            Ok(step) if step.finish_reason.is_some() => self.cancel(),
            Ok(_) => {}
        }
        result
    }

    /// The logits after `ids`: [vocab]. For tests and scoring; reuses the cached prefix like a request.
    ///
    /// # Errors
    /// As [`Engine::start_ids`] and [`Engine::next`].
    pub async fn logits(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.cancel();
        self.check_ids(ids)?;
        if ids.len() > self.decoder.n_ctx {
            return Err(Error::ContextOverflow {
                needed: ids.len(),
                n_ctx: self.decoder.n_ctx,
            });
        }
        let mut at = self.reuse_prefix(ids);
        loop {
            let n = (ids.len() - at).min(self.decoder.ops.tuning().chunk);
            let chunk = &ids[at..at + n];
            let x = self.run_chunk(at, chunk);
            at += n;
            self.context.extend_from_slice(chunk);
            if at == ids.len() {
                let state = self.state()?;
                let logits = self.decoder.logits(&x, &state);
                let values = self.device.wait(read_f32(&logits)).await?;
                self.device.check()?;
                return Ok(values);
            }
        }
    }

    fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let vocab = self.decoder.config.vocab_size as u32;
        let bad = |field: &str, expected: String, found: String| Error::InvalidRequest {
            field: field.into(),
            expected,
            found,
        };
        if ids.is_empty() {
            return Err(bad("prompt", "at least one token".into(), "none".into()));
        }
        match ids.iter().find(|id| **id >= vocab) {
            Some(id) => Err(bad("prompt", format!("ids below {vocab}"), id.to_string())),
            None => Ok(()),
        }
    }

    /// Cuts the remembered context to what `ids` shares with it, less the last id, which must be computed
    /// for its logits. Returns the number of positions kept.
    fn reuse_prefix(&mut self, ids: &[u32]) -> usize {
        let shared = (ids.iter().zip(&self.context))
            .take_while(|(a, b)| a == b)
            .count();
        self.context.truncate(shared.min(ids.len() - 1));
        self.context.len()
    }

    /// Notes which positions of the cache are valid after a run.
    fn remember(&mut self, run: &Run) {
        // The last generated token's K and V may not have been computed.
        let generated = run.generated.len().saturating_sub(1);
        if run.prefilled == run.prompt.len() {
            self.context.clear();
            self.context.extend_from_slice(&run.prompt);
            self.context.extend_from_slice(&run.generated[..generated]);
        }
    }

    fn state(&self) -> Result<Tensor<2, Int>> {
        self.state.clone().ok_or_else(|| Error::Internal {
            what: "state".into(),
            message: "taken".into(),
        })
    }

    fn write_state(&mut self, at: usize, words: Vec<u32>) {
        if let Some(state) = self.state.take() {
            self.state = Some(self.decoder.ops.write_words(state, at, words));
        }
    }

    /// Launches the layers on a prefill chunk at position `at`; the hidden states [>= n, d_model].
    fn run_chunk(&mut self, at: usize, ids: &[u32]) -> Tensor<2> {
        self.write_state(POS, vec![at as u32, ids.len() as u32]);
        self.write_state(IDS, ids.to_vec());
        let rows = match ids.len() {
            1 => 1,
            n => n.next_multiple_of(self.decoder.ops.tuning().prefill_tokens as usize),
        };
        match &self.state {
            Some(state) => self.decoder.forward(state, &mut self.cache, rows),
            None => unreachable!("write_state puts the state back"),
        }
    }

    fn sample(&mut self, x: &Tensor<2>) -> Result<()> {
        let logits = self.decoder.logits(x, &self.state()?);
        if let Some(state) = self.state.take() {
            self.state = Some(self.decoder.ops.sample(&logits, state));
        }
        Ok(())
    }

    async fn advance(&mut self) -> Result<Step> {
        let Some(mut run) = self.run.take() else {
            return Err(Error::InvalidRequest {
                field: "request".into(),
                expected: "started".into(),
                found: "none running".into(),
            });
        };
        if run.prefilled < run.prompt.len() {
            let done = self.prefill_chunk(&mut run).await?;
            if !done {
                let step = run.step("prefill");
                self.run = Some(run);
                return Ok(step);
            }
        } else {
            self.launch_decode(&mut run)?;
        }
        let step = self.collect(&mut run).await;
        self.run = Some(run);
        step
    }

    /// Prefills one chunk; true when it was the last and the first token is on its way.
    async fn prefill_chunk(&mut self, run: &mut Run) -> Result<bool> {
        let at = run.prefilled;
        let n = (run.prompt.len() - at).min(self.decoder.ops.tuning().chunk);
        let x = self.run_chunk(at, &run.prompt[at..at + n]);
        run.prefilled += n;
        self.context.extend_from_slice(&run.prompt[at..at + n]);
        if run.prefilled == run.prompt.len() {
            self.sample(&x)?;
            self.read_tokens(run, 1)?;
            return Ok(true);
        }
        // One chunk in flight: what bounds the time to stop, and the time a driver sees the GPU busy.
        let state = self.state()?;
        self.device.wait(read_words(&state, POS, 1)).await?;
        self.device.check()?;
        Ok(false)
    }

    /// Starts reading the next `n` sampled tokens back.
    fn read_tokens(&mut self, run: &mut Run, n: usize) -> Result<()> {
        let state = self.state()?;
        let at = RING + run.launched % RING_LEN;
        run.launched += n;
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * n as u64;
        let mut read: Read = Box::pin(async move { read_words(&state, at, n).await });
        // A first poll puts the copy on the queue, right behind the steps it reads.
        let waker = std::task::Waker::noop();
        match read
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker))
        {
            std::task::Poll::Ready(words) => {
                run.in_flight
                    .push_back((n, Box::pin(std::future::ready(words))));
            }
            std::task::Poll::Pending => run.in_flight.push_back((n, read)),
        }
        Ok(())
    }

    /// Keeps the device busy: launches steps until enough are in flight.
    fn launch_decode(&mut self, run: &mut Run) -> Result<()> {
        if !self.device.is_gpu() {
            if run.launched < run.max_tokens {
                self.decode_step()?;
                self.read_tokens(run, 1)?;
            }
            return Ok(());
        }
        // A batch takes about 20 ms: long enough to hide a read-back, short enough to stop within.
        const BATCH_MS: f64 = 20.0;
        let depth = if self.ms_per_token > BATCH_MS { 1 } else { 2 };
        let batch = match self.ms_per_token {
            ms if ms > 0.0 => ((BATCH_MS / ms) as usize).clamp(1, 16),
            _ => 1,
        };
        while run.in_flight.len() < depth && run.launched < run.max_tokens {
            let n = batch
                .min(run.max_tokens - run.launched)
                .min(RING_LEN - run.launched % RING_LEN);
            let mut steps = n;
            if self.graph.is_none() {
                self.capture()?;
                steps -= 1;
            }
            if let Some(graph) = &self.graph {
                for _ in 0..steps {
                    graph.replay()?;
                    self.stats.replays += 1;
                }
            }
            self.read_tokens(run, n)?;
        }
        Ok(())
    }

    /// Captures the decode step; runs it once on the way.
    fn capture(&mut self) -> Result<()> {
        let state = self.state()?;
        let Self { decoder, cache, .. } = self;
        let graph = StepGraph::capture(&decoder.ops, || {
            let x = decoder.forward(&state, cache, 1);
            let logits = decoder.logits(&x, &state);
            let _ = decoder.ops.sample(&logits, state.clone());
        })?;
        self.graph = Some(graph);
        Ok(())
    }

    fn decode_step(&mut self) -> Result<()> {
        let x = match &self.state {
            Some(state) => self.decoder.forward(state, &mut self.cache, 1),
            None => unreachable!("every use puts the state back"),
        };
        self.sample(&x)
    }

    /// Awaits the oldest tokens in flight and turns them into text.
    async fn collect(&mut self, run: &mut Run) -> Result<Step> {
        let Some((n, read)) = run.in_flight.pop_front() else {
            let mut step = run.step("decode");
            step.text = run.finish_text();
            step.finish_reason = Some("length");
            return Ok(step);
        };
        let ids = self.device.wait(read).await?;
        self.device.check()?;
        let now = now_ms();
        if !run.generated.is_empty() {
            let ms = (now - run.last_ms) / n as f64;
            self.ms_per_token = match self.ms_per_token {
                before if before > 0.0 => 0.7 * before + 0.3 * ms,
                _ => ms,
            };
        }
        run.last_ms = now;
        let mut step = run.step("decode");
        for id in ids {
            if self.tokenizer.is_eog(id) {
                run.generated.push(id);
                step.text += &run.finish_text();
                step.finish_reason = Some("stop");
                break;
            }
            run.generated.push(id);
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
        step.usage = run.usage();
        Ok(step)
    }
}

impl Run {
    fn usage(&self) -> Usage {
        let (prompt_tokens, completion_tokens) = (self.prompt.len(), self.generated.len());
        Usage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens + completion_tokens,
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: self.cached,
            },
        }
    }

    fn step(&self, phase: &'static str) -> Step {
        Step {
            text: String::new(),
            ids: Vec::new(),
            phase,
            finish_reason: None,
            usage: self.usage(),
        }
    }

    /// What stream and stop matcher still hold.
    fn finish_text(&mut self) -> String {
        let tail = self.stream.finish();
        let (mut text, stopped) = self.stop.push(&tail);
        if !stopped {
            text += &self.stop.finish();
        }
        text
    }
}

// The state's layout is the contract with the kernels: STEP is followed by the sampling parameters.
const _: () = {
    assert!(state::TEMPERATURE == STEP + 1 && state::TOP_K == STEP + 2);
    assert!(state::TOP_P == STEP + 3 && state::MIN_P == STEP + 4 && state::SEED == STEP + 5);
    assert!(state::N_TOKENS == POS + 1);
};
