//! Prompts on their way through the layers, in pieces short enough to stop between.
//!
//! A chunk of the prompt goes through the layers together. Where that takes long (a CPU, a slow GPU, a large model), it is
//! interrupted between layers: a request can be stopped within a chunk, no driver takes the GPU for hung, and a CPU's
//! chunk may be long enough to read each weight for many tokens.

use std::borrow::Cow;

use burn::tensor::Tensor;

use crate::device::tune::CHUNK_MS;
use crate::engine::sequence::Sequence;
use crate::engine::stepper::{Stepper, smooth};
use crate::ops::in_place::InPlace;
use crate::ops::inject::Place;
use crate::ops::projection::tile::TILE_TOKENS;
use crate::platform::now_ms;
use hearth_modelfile::error::Result;
use hearth_modelfile::vision::FIRST_ROW_ID;

/// Time that the CPU computes before it checks for a stop, and the share that one layer of a chunk may take.
const CPU_SLICE_MS: f64 = 40.0;
const CPU_LAYER_MS: f64 = 30.0;
/// Most tokens of a CPU's chunk.
const CPU_CHUNK: usize = 64;

/// Tokens on their way through the layers.
pub(crate) struct Chunk {
    /// Hidden states so far: [>= n, d_model].
    pub(super) x: InPlace<Tensor<2>>,
    /// Rows of pictures that are added behind layers.
    pub(super) added: Vec<Added>,
    /// Embeddings by layer, if the model has them.
    pub(super) per_layer: Option<Tensor<2>>,
    /// Layers that they have been through.
    layer: usize,
    /// Layers that they have to go through.
    layers: usize,
    /// Position of the first token.
    position: usize,
    /// Number of tokens.
    pub(crate) n: usize,
}

/// Rows that are added to the hidden states behind a layer.
pub(super) struct Added {
    pub(super) layer: usize,
    /// [>= n, d_model]
    pub(super) rows: Tensor<2>,
    pub(super) place: Place,
}

impl Chunk {
    /// Returns the hidden states.
    pub(crate) fn into_hidden(self) -> Tensor<2> {
        self.x.into_inner()
    }
}

/// Returns ids as the device knows them: rows of pictures by the token that stands for them.
pub(crate) fn on_device(ids: &[u32], row_token: u32) -> Cow<'_, [u32]> {
    match ids.iter().any(|id| *id >= FIRST_ROW_ID) {
        false => Cow::Borrowed(ids),
        true => {
            let of = |id: &u32| if *id >= FIRST_ROW_ID { row_token } else { *id };
            Cow::Owned(ids.iter().map(of).collect())
        }
    }
}

/// Returns the rows that are computed for `n` tokens.
pub(crate) fn rows_of(n: usize) -> usize {
    match n {
        1 => 1,
        n => n.next_multiple_of(TILE_TOKENS as usize),
    }
}

impl Stepper {
    /// Returns the length of the next chunk in tokens.
    pub(crate) fn chunk_len(&self) -> usize {
        let fixed = self.model.ops.tuning().chunk;
        match self.timing.layer_ms_per_token {
            ms if ms > 0.0 && !self.device.is_gpu() => {
                let tile = TILE_TOKENS as usize;
                let fitting = (CPU_LAYER_MS / ms) as usize / tile * tile;
                fitting.clamp(fixed.min(CPU_CHUNK), CPU_CHUNK)
            }
            _ => fixed,
        }
    }

    /// Returns the milliseconds that a chunk of `n` tokens takes on the GPU, as estimated when the device was opened.
    pub(crate) fn chunk_ms(&self, n: usize) -> f64 {
        let n_layers = self.model.layers.len();
        n_layers as f64 * self.model.ops.tuning().layer_ms(n, n_layers)
    }

    /// Begins to run `ids` from `position` on. Without `outputs`, their hidden states are not needed, and layers that keep nothing
    /// of them are left out.
    pub(crate) fn begin_chunk(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        ids: &[u32],
        outputs: bool,
    ) -> Chunk {
        let model = &self.model;
        let ids = &*on_device(ids, model.row_token);
        sequence.step.begin(&model.ops, position, ids);
        sequence.tables.write_ids(&model.ops, position, ids);
        let x = model.embed(&sequence.step, rows_of(ids.len()));
        Chunk {
            per_layer: model.embed_per_layer(&x, &sequence.step),
            x: InPlace::new(x),
            added: Vec::new(),
            layer: 0,
            layers: match outputs {
                true => model.layers.len(),
                false => model.layers_with_state(),
            },
            position,
            n: ids.len(),
        }
    }

    /// Begins a decode step of the token in the step state, to be run in slices.
    pub(crate) fn begin_token(&mut self, sequence: &Sequence) -> Chunk {
        let x = self.model.embed(&sequence.step, 1);
        Chunk {
            per_layer: self.model.embed_per_layer(&x, &sequence.step),
            x: InPlace::new(x),
            added: Vec::new(),
            layer: 0,
            layers: self.model.layers.len(),
            position: sequence.reached(),
            n: 1,
        }
    }

    /// Launches the layers on `ids` from `position` on, all at once; the hidden states [>= n, d_model].
    pub(crate) fn run_chunk(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        ids: &[u32],
    ) -> Tensor<2> {
        let mut chunk = self.begin_chunk(sequence, position, ids, true);
        self.run_layers(sequence, &mut chunk, self.model.layers.len());
        chunk.into_hidden()
    }

    /// Runs a chunk in slices to its end. Nothing else may run meanwhile.
    pub(crate) async fn run_chunk_in_slices(
        &mut self,
        sequence: &mut Sequence,
        position: usize,
        ids: &[u32],
    ) -> Result<Tensor<2>> {
        let mut chunk = self.begin_chunk(sequence, position, ids, true);
        while !self.is_through(&chunk) {
            self.run_slice(sequence, &mut chunk).await?;
        }
        Ok(chunk.into_hidden())
    }

    /// Returns whether a chunk has been through all layers that it has to go through.
    pub(crate) fn is_through(&self, chunk: &Chunk) -> bool {
        chunk.layer == chunk.layers
    }

    /// Takes `chunk` through as many layers as may run without a chance to stop.
    pub(crate) async fn run_slice(
        &mut self,
        sequence: &mut Sequence,
        chunk: &mut Chunk,
    ) -> Result<()> {
        let (first, n_layers) = (chunk.layer, chunk.layers);
        if !self.device.is_gpu() {
            let begin = now_ms();
            let mut ms = 0.0;
            while chunk.layer < n_layers && ms < CPU_SLICE_MS {
                self.run_layers(sequence, chunk, chunk.layer + 1);
                ms = now_ms() - begin;
            }
            if chunk.n > 1 {
                let rows = chunk.n * (chunk.layer - first);
                let timing = &mut self.timing;
                timing.layer_ms_per_token = smooth(timing.layer_ms_per_token, ms / rows as f64);
            }
            return Ok(());
        }
        let fitting = CHUNK_MS
            / self
                .model
                .ops
                .tuning()
                .layer_ms(chunk.n, self.model.layers.len());
        let layers = (fitting as usize).clamp(1, n_layers);
        // A short rest is not worth a wait.
        let end = match first + layers + layers / 2 {
            end if end >= n_layers => n_layers,
            _ => first + layers,
        };
        self.run_layers(sequence, chunk, end);
        if end < n_layers {
            // Bounds the time to stop, and the time that a driver sees the GPU busy.
            let fence = self.fence(sequence);
            self.wait(fence).await?;
            self.device.check()?;
        }
        Ok(())
    }

    /// Takes `chunk` through the layers before `end`.
    pub(in crate::engine) fn run_layers(
        &mut self,
        sequence: &mut Sequence,
        chunk: &mut Chunk,
        end: usize,
    ) {
        let model = &self.model;
        let per_layer = chunk.per_layer.as_ref();
        let mut first = chunk.layer;
        while first < end {
            // As far as the next layer behind which rows are added.
            let added = chunk.added.iter().map(|added| added.layer);
            let stop = added.filter(|layer| *layer >= first).min();
            let stop = stop.map_or(end, |layer| end.min(layer + 1));
            let (step, states) = (&sequence.step, &mut sequence.layers);
            (chunk.x).update(|x| model.run_layers(x, per_layer, first..stop, step, states));
            for added in chunk.added.iter().filter(|added| added.layer + 1 == stop) {
                (chunk.x).update(|x| model.ops.inject(x, &added.rows, added.place, true));
            }
            first = stop;
        }
        chunk.layer = end;
        let reached = match end == chunk.layers {
            true => self.model.layers.len(),
            false => end,
        };
        sequence.advance(chunk.position, chunk.n, reached);
    }
}
