//! The engine: one model on one device, one conversation's KV cache, one request at a time.
//!
//! [`Engine::start`] takes a request, [`Engine::next`] does a bounded piece of work (a prefill chunk, or the
//! tokens of one submission) and returns what came of it, so that a caller can stop between any two. The KV
//! of the longest common prefix with the previous request is kept: a chat's next turn prefills only what is
//! new.

mod bench;
pub mod constraint;
pub mod drafting;
pub mod embed;
mod generation;
mod graph;
mod lockstep;
pub mod logprobs;
mod prefill;
mod readback;
pub mod request;
mod score;
mod start;

use burn::tensor::{Int, Tensor};
use serde::Serialize;

use crate::device::Device;
use crate::engine::drafting::{Drafts, Speculation};
use crate::engine::generation::Run;
use crate::engine::graph::StepGraph;
use crate::engine::readback::Read;
use crate::engine::request::{Sampling, Step};
use crate::model::Decoder;
use crate::ops::state::{IDS, STATE_WORDS};
use crate::ops::words::gpu_bytes;
use crate::ops::{KvType, LayerCache, SampleMemory};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::Gguf;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::text::template::{ChatTemplate, ThoughtMarks, ToolStyle};
use hearth_modelfile::text::tokenizer::Tokenizer;

/// Describes the loaded model.
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
    /// Storage type of the KV cache.
    pub kv_type: KvType,
    /// The way in which the model writes tool calls; none where its chat template knows no tools.
    pub tool_style: Option<ToolStyle>,
    /// The texts round the model's thoughts; none where its chat template does not speak of thoughts.
    pub thought_marks: Option<ThoughtMarks>,
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
    /// Launches of one step that checks drafts.
    pub dispatches_per_draft_step: u64,
    /// Steps that checked drafts.
    pub draft_steps: u64,
    /// Draft steps replayed from their captured graph.
    pub draft_replays: u64,
    /// Tokens drafted for them, and how many were right.
    pub drafted: u64,
    pub accepted: u64,
    /// Read-backs.
    pub readbacks: u64,
    /// Bytes read back.
    pub bytes_read: u64,
    /// Bytes that the runtime holds on the GPU: weights, KV cache, and what a step works in; of every engine on the
    /// device. 0 on the CPU.
    pub gpu_bytes: u64,
}

/// A model ready to answer.
pub struct Engine {
    pub(crate) device: Device,
    pub(crate) decoder: Decoder,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: ChatTemplate,
    info: ModelInfo,
    pub(crate) cache: Vec<LayerCache>,
    /// Taken out while an op writes it.
    pub(crate) state: Option<Tensor<2, Int>>,
    /// The sampler's data on each token.
    pub(crate) memory: SampleMemory,
    /// Tokens whose K and V are in the cache, from position 0 on.
    pub(crate) context: Vec<u32>,
    pub(crate) graph: Option<StepGraph>,
    /// The step that checks drafts.
    pub(crate) draft_graph: Option<StepGraph>,
    /// [ROWS, vocab], what that step samples from. Too large for the runtime's pools, whose pages a recording could
    /// not get.
    pub(crate) draft_logits: Tensor<2>,
    pub(crate) speculation: Speculation,
    pub(crate) run: Option<Run>,
    /// Read-backs of requests that ended before they came. The runtime takes their buffers back only when they
    /// are done, so they are awaited before anything else is read.
    abandoned: Vec<Read>,
    /// Launches before the counters were last reset.
    base_dispatches: u64,
    pub(crate) stats: Stats,
    /// Smoothed milliseconds a token, 0 before the first measurement.
    pub(crate) ms_per_token: f64,
    /// Smoothed milliseconds of a prompt's token in one layer, on the CPU.
    pub(crate) layer_ms_per_token: f64,
}

impl Engine {
    pub(crate) fn new(
        device: Device,
        decoder: Decoder,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        gguf: &Gguf,
        drafts: Drafts,
    ) -> Result<Self> {
        let mut quants = std::collections::BTreeMap::new();
        for tensor in &gguf.tensors {
            *quants.entry(tensor.dtype.name().to_owned()).or_insert(0) += 1;
        }
        let info = ModelInfo {
            n_ctx: decoder.n_ctx,
            kv_type: decoder.kv,
            tool_style: template.tool_style(),
            thought_marks: template.thought_marks().cloned(),
            parameters: gguf
                .tensors
                .iter()
                .map(|t| t.shape.iter().product::<u64>())
                .sum(),
            weight_bytes: decoder.weight_bytes,
            kv_bytes: decoder.config.kv_bytes(decoder.n_ctx, decoder.kv),
            quants,
            config: decoder.config.clone(),
        };
        let cache = decoder.new_cache();
        // An encoder takes a whole text in one step.
        let state_words = match decoder.config.spec.causal {
            true => STATE_WORDS,
            false => STATE_WORDS.max(IDS + decoder.n_ctx),
        };
        let state = decoder.ops.alloc_words(state_words);
        let vocab = decoder.config.vocab_size;
        let memory = decoder.ops.sample_memory(vocab, decoder.n_ctx);
        let drafts = drafts.worthwhile(&device);
        let draft_logits = decoder.ops.alloc_f32(drafts.rows(), vocab);
        device.check()?;
        Ok(Self {
            device,
            decoder,
            tokenizer,
            template,
            info,
            cache,
            state: Some(state),
            memory,
            context: Vec::new(),
            graph: None,
            draft_graph: None,
            draft_logits,
            speculation: Speculation::new(drafts),
            run: None,
            abandoned: Vec::new(),
            base_dispatches: 0,
            stats: Stats::default(),
            ms_per_token: 0.0,
            layer_ms_per_token: 0.0,
        })
    }

    /// Describes the loaded model.
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
        stats.dispatches_per_draft_step =
            (self.draft_graph.as_ref()).map_or(0, StepGraph::dispatches);
        stats.gpu_bytes = gpu_bytes(self.decoder.ops.anchor());
        stats.dispatches = self.decoder.ops.dispatches() - self.base_dispatches
            + stats.replays * stats.dispatches_per_token
            + stats.draft_replays * stats.dispatches_per_draft_step;
        stats
    }

    /// Runs a short request through every pipeline, so that the first real one compiles nothing, and so that a
    /// device that cannot run the model says so at load.
    ///
    /// # Errors
    /// Any error of the device.
    pub async fn warm_up(&mut self) -> Result<()> {
        if self.decoder.config.pooling.is_some() {
            self.embed("warm", true).await?;
        }
        if self.decoder.config.spec.causal {
            self.start_ids(vec![0, 0], Sampling::GREEDY, Some(1), &[])?;
            while self.next().await?.finish_reason.is_none() {}
        }
        self.context.clear();
        self.stats = Stats::default();
        self.base_dispatches = self.decoder.ops.dispatches();
        self.ms_per_token = 0.0;
        Ok(())
    }

    /// Gives up the running request. Steps already submitted finish unseen.
    pub fn cancel(&mut self) {
        if let Some(mut run) = self.run.take() {
            self.remember(&run);
            self.abandon(&mut run);
        }
    }

    fn abandon(&mut self, run: &mut Run) {
        let reads = run.in_flight.drain(..).map(|batch| batch.words);
        self.abandoned.extend(run.fences.drain(..).chain(reads));
    }

    /// Awaits the read-backs that nobody waits for any more; what they bring is of no interest.
    pub(crate) async fn settle(&mut self) {
        for read in std::mem::take(&mut self.abandoned) {
            let _ = self.device.wait(read).await;
        }
    }

    /// Does the next piece of work of the running request.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] when nothing is running; else what the device says. After an error the
    /// request is over and the engine ready for another (unless the device is lost).
    pub async fn next(&mut self) -> Result<Step> {
        self.settle().await;
        let result = self.advance().await;
        match &result {
            Err(_) => {
                self.cancel();
                // What the cache holds now is unknown.
                self.context.clear();
            }
            Ok(step) if step.finish_reason.is_some() => self.cancel(),
            Ok(_) => {}
        }
        result
    }

    pub(crate) fn check_generates(&self) -> Result<()> {
        match self.decoder.config.spec.causal {
            true => Ok(()),
            false => Err(Error::InvalidRequest {
                field: "model".into(),
                expected: "one that writes text".into(),
                found: "one that makes embeddings only".into(),
            }),
        }
    }

    pub(crate) fn check_ids(&self, field: &str, ids: &[u32]) -> Result<()> {
        let vocab = self.decoder.config.vocab_size as u32;
        let bad = |expected: String, found: String| Error::InvalidRequest {
            field: field.into(),
            expected,
            found,
        };
        if ids.is_empty() {
            return Err(bad("at least one token".into(), "none".into()));
        }
        match ids.iter().find(|id| **id >= vocab) {
            Some(id) => Err(bad(format!("ids below {vocab}"), id.to_string())),
            None => Ok(()),
        }
    }
}
