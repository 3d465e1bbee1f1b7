//! The stepper runs a model's steps on a device. Nothing else launches kernels or reads back.
//!
//! A step computes the tokens in a sequence's step state: a chunk of a prompt ([`chunk`]), one token, or one token and
//! the drafts after it. Decode steps are recorded once for each sequence and replayed ([`graph`]).

pub(crate) mod chunk;
pub(crate) mod graph;
pub(crate) mod look;
pub(crate) mod readback;

use burn::tensor::Tensor;

use crate::device::Device;
use crate::engine::sequence::Sequence;
use crate::engine::stats::Stats;
use crate::model::Transformer;
use crate::ops::buffer::{gpu_bytes, read_f32};
use crate::ops::sampling::draft::ROWS;
use crate::ops::state::{POS, RING, RING_LEN};
use graph::StepGraph;
use hearth_modelfile::error::Result;
use readback::{Read, started};

/// Runs the steps of one model on one device.
pub(crate) struct Stepper {
    pub(crate) device: Device,
    pub(crate) model: Transformer,
    pub(crate) timing: Timing,
    /// Counters; see [`Stepper::stats`] for those that are computed.
    pub(crate) stats: Stats,
    /// [ROWS, vocab], the logits of a step that checks drafts. Too large for the runtime's pools, whose pages a
    /// recording could not get.
    draft_logits: Tensor<2>,
    /// Read-backs of requests that ended before these were done. The runtime reuses their buffers only after they are,
    /// so they are awaited before anything else is read.
    abandoned: Vec<Read>,
    /// Launches before the counters were last reset.
    base_dispatches: u64,
}

/// Smoothed times of the work so far; 0 before the first measurement.
#[derive(Default)]
pub(crate) struct Timing {
    /// Milliseconds a generated token.
    pub(crate) ms_per_token: f64,
    /// Milliseconds of a prompt's token in one layer, on the CPU.
    pub(crate) layer_ms_per_token: f64,
    /// Milliseconds of a frame in one layer of the tower.
    pub(crate) tower_layer_ms: f64,
}

/// Smooths a value over its measurements; the first stands for itself.
pub(crate) fn smooth(before: f64, measured: f64) -> f64 {
    match before {
        before if before > 0.0 => 0.7 * before + 0.3 * measured,
        _ => measured,
    }
}

impl Stepper {
    /// Creates a stepper whose draft-checking steps sample from up to `draft_rows` rows.
    pub(crate) fn new(device: Device, model: Transformer, draft_rows: usize) -> Self {
        Self {
            draft_logits: (model.ops).alloc_f32(draft_rows, model.config.vocab_size),
            device,
            model,
            timing: Timing::default(),
            stats: Stats::default(),
            abandoned: Vec::new(),
            base_dispatches: 0,
        }
    }

    /// Makes room for the logits of steps that check drafts.
    pub(crate) fn reserve_draft_rows(&mut self, rows: usize) {
        if rows > self.draft_logits.dims()[0] {
            let vocab = self.model.config.vocab_size;
            self.draft_logits = self.model.ops.alloc_f32(rows, vocab);
        }
    }

    /// Returns the counters; those of a step's launches are of `sequence`.
    pub(crate) fn stats(&self, sequence: &Sequence) -> Stats {
        let dispatches =
            |graph: &Option<StepGraph>| graph.as_ref().map_or(0, StepGraph::dispatches);
        let mut stats = self.stats;
        stats.dispatches_per_token = dispatches(&sequence.recordings.decode);
        stats.dispatches_per_draft_step = dispatches(&sequence.recordings.drafts);
        stats.gpu_bytes = gpu_bytes(self.model.ops.device_handle());
        stats.dispatches = self.model.ops.dispatches() - self.base_dispatches
            + stats.replays * stats.dispatches_per_token
            + stats.draft_replays * stats.dispatches_per_draft_step;
        stats
    }

    /// Sets the counters to zero, and forgets the time that a token takes.
    pub(crate) fn reset_stats(&mut self) {
        self.stats = Stats::default();
        self.base_dispatches = self.model.ops.dispatches();
        self.timing.ms_per_token = 0.0;
    }

    /// Records the sequence's decode steps where that has not been done, running them on the way; what the sequence
    /// held is lost then.
    pub(crate) fn record(&mut self, sequence: &mut Sequence, with_drafts: bool) -> Result<()> {
        if !self.device.is_gpu() {
            return Ok(());
        }
        if sequence.recordings.decode.is_none() {
            sequence.recordings.decode = Some(self.record_step(sequence, 1)?);
        }
        if with_drafts && sequence.recordings.drafts.is_none() {
            sequence.recordings.drafts = Some(self.record_step(sequence, ROWS)?);
        }
        Ok(())
    }

    /// Records the step that computes `rows` tokens and samples after each of them.
    fn record_step(&mut self, sequence: &mut Sequence, rows: usize) -> Result<StepGraph> {
        let model = &self.model;
        sequence.clear(&model.ops);
        sequence.step.seek(&model.ops, 0, 1);
        let graph = StepGraph::capture(&model.ops, || {
            let logits = (rows > 1).then(|| self.draft_logits.clone());
            let (step, layers) = (&mut sequence.step, &mut sequence.layers);
            model.sampled_step(step, layers, &mut sequence.tables, rows, logits);
        });
        sequence.advance_drafts(rows);
        sequence.clear(&model.ops);
        graph
    }

    /// Enqueues a decode step of one token, which samples the next.
    pub(crate) fn decode(&mut self, sequence: &mut Sequence) -> Result<()> {
        if sequence.recordings.decode.is_none() {
            return self.launch_decode(sequence);
        }
        self.replay_decode(sequence)
    }

    /// Enqueues the recorded decode step, if there is one.
    pub(crate) fn replay_decode(&mut self, sequence: &mut Sequence) -> Result<()> {
        if let Some(graph) = &sequence.recordings.decode {
            graph.replay()?;
            self.stats.replays += 1;
            sequence.advance_step();
        }
        Ok(())
    }

    /// Launches the kernels of a decode step one by one.
    pub(crate) fn launch_decode(&mut self, sequence: &mut Sequence) -> Result<()> {
        let x = self.launch_token(sequence);
        self.sample(sequence, &x);
        Ok(())
    }

    /// Launches the layers on the token in the step state; the hidden states [1, d_model].
    pub(crate) fn launch_token(&mut self, sequence: &mut Sequence) -> Tensor<2> {
        sequence.advance_step();
        (self.model).forward(&sequence.step, &mut sequence.layers, 1)
    }

    /// Enqueues a step that checks the drafts of the one before it and makes new ones.
    pub(crate) fn check_drafts(&mut self, sequence: &mut Sequence) -> Result<()> {
        sequence.advance_drafts(ROWS);
        if let Some(graph) = &sequence.recordings.drafts {
            graph.replay()?;
            self.stats.draft_replays += 1;
            return Ok(());
        }
        let x = (self.model).forward(&sequence.step, &mut sequence.layers, ROWS);
        let logits = (self.model).all_logits(&x, &sequence.step, self.draft_logits.clone());
        self.sample_from(sequence, logits);
        Ok(())
    }

    /// Computes the logits after the hidden states `x` of a step: [1, vocab].
    pub(crate) fn logits(&self, sequence: &Sequence, x: &Tensor<2>) -> Tensor<2> {
        self.model.logits(x, &sequence.step)
    }

    /// Samples the next token from the hidden states `x` of a step.
    pub(crate) fn sample(&self, sequence: &mut Sequence, x: &Tensor<2>) {
        let logits = self.logits(sequence, x);
        self.sample_from(sequence, logits);
    }

    /// Samples the next token from `logits`.
    pub(crate) fn sample_from(&self, sequence: &mut Sequence, logits: Tensor<2>) {
        (self.model.ops).sample(logits, &mut sequence.step, &mut sequence.tables);
    }

    /// Starts reading `n` words of the ring of sampled ids, from its word `at` on; they do not wrap around.
    pub(crate) fn read_ring(&mut self, sequence: &Sequence, at: usize, n: usize) -> Read {
        self.read_back(sequence, RING + at % RING_LEN, n)
    }

    /// Starts a read-back that is done when everything enqueued so far is.
    pub(crate) fn fence(&mut self, sequence: &Sequence) -> Read {
        self.read_back(sequence, POS, 1)
    }

    fn read_back(&mut self, sequence: &Sequence, at: usize, n: usize) -> Read {
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * n as u64;
        started(sequence.step.read(at, n))
    }

    /// Starts reading a step's logits back, as the bits of [vocab].
    pub(crate) fn read_logits(&mut self, logits: &Tensor<2>) -> Read {
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * self.model.config.vocab_size as u64;
        let logits = logits.clone();
        started(async move {
            let values = read_f32(&logits).await?;
            Ok(values.into_iter().map(f32::to_bits).collect())
        })
    }

    /// Awaits a read-back.
    ///
    /// # Errors
    /// The errors of the device.
    pub(crate) async fn wait(&self, read: Read) -> Result<Vec<u32>> {
        self.device.wait(read).await
    }

    /// Awaits everything enqueued so far, uncounted: for measurements.
    pub(crate) async fn finish(&self, sequence: &Sequence) -> Result<()> {
        self.device.wait(sequence.step.read(POS, 1)).await?;
        self.device.check()
    }

    /// Reads a whole tensor.
    ///
    /// # Errors
    /// The errors of the device.
    pub(crate) async fn values(&self, tensor: &Tensor<2>) -> Result<Vec<f32>> {
        let values = self.device.wait(read_f32(tensor)).await?;
        self.device.check()?;
        Ok(values)
    }

    /// Gives up read-backs whose results are no longer wanted.
    pub(crate) fn abandon(&mut self, reads: impl Iterator<Item = Read>) {
        self.abandoned.extend(reads);
    }

    /// Drains the read-backs of cancelled requests; their results are discarded.
    pub(crate) async fn settle(&mut self) {
        for read in std::mem::take(&mut self.abandoned) {
            let _ = self.device.wait(read).await;
        }
    }
}
