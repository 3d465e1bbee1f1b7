//! Whisper's network at work: windows of sound in, logits or what rules need of them out. The rules, the prompt and the choice of
//! tokens are their caller's.

use burn::tensor::{Int, Tensor};
use half::f16;
use serde::Deserialize;

use crate::device::Device;
use crate::device::tune::CHUNK_MS;
use crate::engine::stepper::graph::StepGraph;
use crate::engine::stepper::smooth;
use crate::model::build::speech::{SpeechTensors, Values};
use crate::model::speech::{Hearing, SpeechModel, SpeechShape, SpeechState, rows_of};
use crate::ops::KvType;
use crate::ops::buffer::{read_f32, read_pieces};
use crate::ops::in_place::InPlace;
use crate::ops::sampling::ranges::{FOUND, RANGE};
use crate::ops::state::POS;
use crate::platform::now_ms;
use hearth_modelfile::error::{Error, Result};

/// Ranges that a recorded step searches: text and times.
const RECORDED_RANGES: usize = 2;

/// Description of a model whose tensors have been taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpeechConfig {
    pub shape: SpeechShape,
    /// Sets of ids that searches leave out; those of no set are the first.
    pub banned: Vec<Vec<usize>>,
    /// Storage type of keys and values; default f16 on a GPU.
    #[serde(default)]
    pub kv_type: Option<KvType>,
}

/// A model on its way to the device, tensor by tensor.
pub struct SpeechLoader {
    device: Device,
    tensors: SpeechTensors,
}

impl SpeechLoader {
    /// Begins a load.
    pub fn new(device: Device) -> Self {
        Self {
            tensors: SpeechTensors::new(&device),
            device,
        }
    }

    /// Takes a tensor [rows, cols] by transformers' name without the `model.` before it, from the bytes of its values, f16 with
    /// `halves` or else f32: a matrix, or with one row a vector. Tables that are added are vectors.
    ///
    /// # Errors
    /// As [`SpeechTensors::matrix`].
    pub fn tensor(
        &mut self,
        name: &str,
        [rows, cols]: [usize; 2],
        halves: bool,
        bytes: &[u8],
    ) -> Result<()> {
        let words = bytes.as_chunks().0.iter();
        let words = words.map(|word| u32::from_le_bytes(*word));
        match (rows, halves) {
            (1, false) => {
                self.tensors
                    .vector(name, words.map(f32::from_bits).collect());
                Ok(())
            }
            (_, true) => (self.tensors).matrix(name, rows, cols, Values::Halves(words.collect())),
            (_, false) => {
                let values = words.map(f32::from_bits).collect();
                (self.tensors).matrix(name, rows, cols, Values::Floats(values))
            }
        }
    }

    /// Makes the network of its tensors, and records its steps of one token.
    ///
    /// # Errors
    /// As [`SpeechTensors::build`]; those of the device.
    pub fn finish(self, config: &SpeechConfig) -> Result<Speech> {
        Speech::new(self.device, self.tensors, config)
    }
}

/// Numbers that are wanted of a step's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// Index of the token in the step.
    pub row: usize,
    /// First id, the one behind the last, and the set of banned ids of each range; with none, all logits are returned.
    pub ranges: Vec<[u32; 3]>,
}

/// Work done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpeechStats {
    pub dispatches: u64,
    /// Kernel launches of a recorded step of one token; 0 where none is recorded.
    pub dispatches_per_token: u64,
    pub replays: u64,
    pub readbacks: u64,
    pub bytes_read: u64,
}

/// A step of one token, recorded, and where its result is.
struct Recorded {
    graph: StepGraph,
    found: Tensor<2>,
}

/// A model on a device, and the window that it hears.
pub struct Speech {
    device: Device,
    model: SpeechModel,
    state: SpeechState,
    hearing: Option<Hearing>,
    /// Whether the state is of a window.
    has_sound: bool,
    banned: Tensor<2, Int>,
    sets: usize,
    /// Ranges of a recorded step.
    ranges: InPlace<Tensor<2, Int>>,
    recorded: Option<Recorded>,
    /// Smoothed milliseconds of a layer of the encoder; 0 before the first measurement.
    layer_ms: f64,
    stats: SpeechStats,
}

impl Speech {
    fn new(device: Device, tensors: SpeechTensors, config: &SpeechConfig) -> Result<Self> {
        let kv = match config.kv_type {
            Some(kv) => kv,
            None if device.is_gpu() => KvType::F16,
            None => KvType::F32,
        };
        let model = tensors.build(config.shape, kv)?;
        let ops = &model.ops;
        let set_words = config.shape.n_vocab.div_ceil(32);
        let mut words = vec![0; (config.banned.len() + 1) * set_words];
        for (set, ids) in config.banned.iter().enumerate() {
            // (ids that the vocabulary lacks are none of it)
            for id in ids.iter().filter(|id| **id < config.shape.n_vocab) {
                words[(set + 1) * set_words + id / 32] |= 1 << (id % 32);
            }
        }
        let mut speech = Self {
            banned: ops.write_words(ops.alloc_words(words.len()), 0, words),
            sets: config.banned.len() + 1,
            ranges: InPlace::new(ops.alloc_words(RECORDED_RANGES * RANGE)),
            state: model.new_state(),
            device,
            model,
            hearing: None,
            has_sound: false,
            recorded: None,
            layer_ms: 0.0,
            stats: SpeechStats::default(),
        };
        if speech.device.is_gpu() {
            speech.recorded = Some(speech.record()?);
        }
        speech.device.check()?;
        Ok(speech)
    }

    /// Records a step of one token; the state is of no window then.
    fn record(&mut self) -> Result<Recorded> {
        let Self {
            model,
            state,
            banned,
            ranges,
            ..
        } = self;
        state.begin(model, 0, &[0]);
        let mut found = None;
        let graph = StepGraph::capture(&model.ops, || {
            // The step that warms up gives back what it found: a recording must not allocate.
            found = None;
            let x = model.forward(state, 1);
            let logits = model.logits(&x, &state.step);
            found = Some(model.ops.search_ranges(&logits, banned, ranges.get()));
        })?;
        let found = found.ok_or_else(|| internal("a step that was not captured"))?;
        Ok(Recorded { graph, found })
    }

    /// Returns the sizes of the model.
    pub fn shape(&self) -> SpeechShape {
        self.model.shape
    }

    /// Returns the bytes of weights on the device.
    pub fn bytes(&self) -> u64 {
        self.model.bytes
    }

    /// Returns the counters.
    pub fn stats(&self) -> SpeechStats {
        let a_token = self.recorded.as_ref().map(|of| of.graph.dispatches());
        let a_token = a_token.unwrap_or_default();
        SpeechStats {
            dispatches: self.model.ops.dispatches() + self.stats.replays * a_token,
            dispatches_per_token: a_token,
            ..self.stats
        }
    }

    /// Begins to hear a window, [n_mels, frames]; it is heard once [`Speech::listen`] has returned 0.
    ///
    /// # Errors
    /// [`Error::Internal`] for another number of values.
    pub fn hear(&mut self, mel: &[f32]) -> Result<()> {
        let shape = self.model.shape;
        if mel.len() != shape.n_mels * shape.frames() {
            return Err(internal("a window of another size"));
        }
        self.has_sound = false;
        self.hearing = Some(self.model.hear(mel));
        Ok(())
    }

    /// Takes the window through as many layers as may run without a chance to stop, and waits for them; returns how many are left.
    ///
    /// # Errors
    /// Errors of the device.
    pub async fn listen(&mut self) -> Result<usize> {
        let Some(hearing) = &mut self.hearing else {
            return Ok(0);
        };
        let layers = match self.layer_ms {
            ms if ms > 0.0 => (CHUNK_MS / ms) as usize,
            _ => 1,
        };
        let left = self.model.left(hearing);
        let layers = layers.clamp(1, left.max(1));
        let begin = now_ms();
        self.model.run(hearing, layers);
        let left = self.model.left(hearing);
        if left == 0 {
            self.model.keep(hearing, &mut self.state);
            self.hearing = None;
            self.has_sound = true;
        }
        self.fence().await?;
        let ms = (now_ms() - begin) / layers as f64;
        self.layer_ms = smooth(self.layer_ms, ms);
        Ok(left)
    }

    /// Returns the encoder's rows of the window that is heard, [audio_ctx, d_model], in the place of the last [`Speech::listen`]. For
    /// tests.
    ///
    /// # Errors
    /// Errors of the device; [`Error::Internal`] before [`Speech::hear`].
    pub async fn rows(&mut self) -> Result<Vec<f32>> {
        let hearing = self.hearing.as_mut();
        let hearing = hearing.ok_or_else(|| internal("no window that is heard"))?;
        let left = self.model.left(hearing);
        self.model.run(hearing, left);
        let rows = self.model.rows(hearing);
        let mut values = self.values(&rows).await?;
        values.truncate(self.model.shape.audio_ctx * self.model.shape.d_model);
        Ok(values)
    }

    /// Computes tokens of the window, the first of them at position `from`, and returns what `picks` want of them one after the other:
    /// four numbers a range, see [`crate::ops::sampling::ranges`], or all logits.
    ///
    /// # Errors
    /// [`Error::Internal`] for tokens, rows, ids or sets that do not exist, or without a window; [`Error::NotFinite`]; those of the
    /// device.
    pub async fn decode(&mut self, from: usize, ids: &[u32], picks: &[Pick]) -> Result<Vec<f32>> {
        self.check(from, ids, picks)?;
        self.state.begin(&self.model, from, ids);
        if let ([_], [pick], Some(recorded)) = (ids, picks, &self.recorded)
            && pick.ranges.len() == RECORDED_RANGES
        {
            let words = words_of(&pick.ranges);
            let ops = &self.model.ops;
            (self.ranges).update(|ranges| ops.write_words(ranges, 0, words));
            recorded.graph.replay()?;
            self.stats.replays += 1;
            let found = recorded.found.clone();
            return self.found(&found).await;
        }
        let x = self.model.forward(&mut self.state, rows_of(ids.len()));
        let mut all = Vec::new();
        for pick in picks {
            // The head reads the step's last token.
            self.state.step.seek(&self.model.ops, from, pick.row + 1);
            let logits = self.model.logits(&x, &self.state.step);
            if pick.ranges.is_empty() {
                all.extend(self.values(&logits).await?);
                continue;
            }
            let ops = &self.model.ops;
            let words = words_of(&pick.ranges);
            let ranges = ops.write_words(ops.alloc_words(words.len()), 0, words);
            let found = ops.search_ranges(&logits, &self.banned, &ranges);
            all.extend(self.found(&found).await?);
        }
        Ok(all)
    }

    /// Computes a whole text of the window again, and returns where some heads of the attention to the sound look at each of its tokens:
    /// weights [heads, ids, audio_ctx]. `heads`: numbers of a layer and of a head of it.
    ///
    /// # Errors
    /// As [`Speech::decode`].
    pub async fn align(&mut self, ids: &[u32], heads: &[[u32; 2]]) -> Result<Vec<f32>> {
        self.check(0, ids, &[])?;
        let shape = self.model.shape;
        let (d, columns) = (shape.d_model, shape.d_model / shape.decoder_heads);
        self.state.begin(&self.model, 0, ids);
        let mut queries = Vec::new();
        let rows = rows_of(ids.len());
        let mut see = |layer: usize, q: &Tensor<2>| {
            if heads.iter().any(|of| of[0] as usize == layer) {
                queries.push((layer, q.clone()));
            }
        };
        (self.model).forward_with(&mut self.state, rows, Some(&mut see));
        let mut all = Vec::with_capacity(heads.len() * ids.len() * shape.audio_ctx);
        let mut read: Option<(usize, Vec<f32>)> = None;
        for [layer, head] in heads.iter().map(|of| of.map(|n| n as usize)) {
            let of_layer = queries.iter().find(|(of, _)| *of == layer);
            let keys = self.model.keys(&self.state, layer, head);
            let (Some((_, of_layer)), Some(keys)) = (of_layer, keys) else {
                return Err(internal("a head that the model has not"));
            };
            let q = match read.take() {
                Some((of, q)) if of == layer => q,
                _ => self.values(of_layer).await?,
            };
            let keys = self.device.wait(read_pieces(vec![keys])).await?;
            self.stats.readbacks += 1;
            self.stats.bytes_read += 4 * keys.len() as u64;
            let keys = floats_of(&keys, shape.audio_ctx * columns)?;
            for q in q.chunks_exact(d).take(ids.len()) {
                let q = &q[head * columns..(head + 1) * columns];
                all.extend(weights(q, &keys));
            }
            read = Some((layer, q));
        }
        self.device.check()?;
        Ok(all)
    }

    fn check(&self, from: usize, ids: &[u32], picks: &[Pick]) -> Result<()> {
        let shape = &self.model.shape;
        let sets = self.sets as u32;
        let right = |pick: &Pick| {
            let of_range = |[from, to, set]: &[u32; 3]| {
                from <= to && *to as usize <= shape.n_vocab && *set < sets
            };
            pick.row < ids.len() && pick.ranges.iter().all(of_range)
        };
        let is_right = self.has_sound
            && !ids.is_empty()
            && from + ids.len() <= shape.text_ctx
            && ids.iter().all(|id| (*id as usize) < shape.n_vocab)
            && picks.iter().all(right);
        match is_right {
            true => Ok(()),
            false => Err(internal("a step that the window has no place for")),
        }
    }

    /// Reads what a search found.
    async fn found(&mut self, found: &Tensor<2>) -> Result<Vec<f32>> {
        let values = self.values(found).await?;
        match values.chunks_exact(FOUND).all(|range| range[3] == 0.0) {
            true => Ok(values),
            false => Err(Error::NotFinite),
        }
    }

    async fn values(&mut self, tensor: &Tensor<2>) -> Result<Vec<f32>> {
        let values = self.device.wait(read_f32(tensor)).await?;
        self.device.check()?;
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4 * values.len() as u64;
        Ok(values)
    }

    /// Waits for everything enqueued so far.
    async fn fence(&mut self) -> Result<()> {
        self.device.wait(self.state.step.read(POS, 1)).await?;
        self.stats.readbacks += 1;
        self.stats.bytes_read += 4;
        self.device.check()
    }

    /// Waits for everything enqueued, for callers that drop the model behind it.
    ///
    /// # Errors
    /// Errors of the device.
    pub async fn close(mut self) -> Result<()> {
        self.fence().await
    }
}

/// Returns the softmax of a query's scores with keys, [n, columns of the query].
fn weights(q: &[f32], keys: &[f32]) -> Vec<f32> {
    let scale = 1.0 / (q.len() as f32).sqrt();
    let score = |key: &[f32]| scale * q.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
    let mut scores: Vec<f32> = keys.chunks_exact(q.len()).map(score).collect();
    let top = scores.iter().copied().fold(f32::MIN, f32::max);
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - top).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

/// Returns `n` values of a cache, which are f32 or pairs of f16.
fn floats_of(words: &[u32], n: usize) -> Result<Vec<f32>> {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    match words.len() {
        len if len == n => Ok(words.iter().map(|word| f32::from_bits(*word)).collect()),
        len if 2 * len == n => Ok(words
            .iter()
            .flat_map(|word| [half(*word), half(word >> 16)])
            .collect()),
        _ => Err(internal("keys of another type")),
    }
}

/// Returns the words of ranges, see [`crate::ops::sampling::ranges`].
fn words_of(ranges: &[[u32; 3]]) -> Vec<u32> {
    let words = ranges
        .iter()
        .flat_map(|[from, to, set]| [*from, *to, *set, 0]);
    words.collect()
}

fn internal(message: &str) -> Error {
    Error::Internal {
        what: "speech".into(),
        message: message.to_owned(),
    }
}
