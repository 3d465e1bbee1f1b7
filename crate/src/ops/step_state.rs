//! The buffer of a sequence's step state: see [`crate::ops::state`] for its words.

use burn::tensor::{Int, Tensor};

use crate::ops::Ops;
use crate::ops::buffer::read_words;
use crate::ops::in_place::InPlace;
use crate::ops::inject::Place;
use crate::ops::state::{ADJUST, DRAFT, IDS, N_TOKENS, POS, STATE_WORDS, STEP};
use hearth_modelfile::error::Result;

/// Position, tokens and sampling parameters of a sequence's next step, on the device.
pub struct StepState {
    /// [1, n] u32.
    words: InPlace<Tensor<2, Int>>,
    /// Types of the next step's tokens, [t, 2] with an unused column, if they are not all of the first type.
    types: Option<Tensor<2>>,
    /// Whether the next step's tokens all see each other.
    is_block: bool,
    /// Table of rotary positions in the place of the layers' own, [1, n_ctx * rope_dim], whose first row is that of position 0.
    rope: Option<InPlace<Tensor<2>>>,
    /// Positions that each token of the next steps sees in layers with ranges, [t, 2].
    ranges: Option<Tensor<2>>,
    /// Texts that share the next step, if it has several.
    texts: Option<Box<Texts>>,
}

/// Texts in one step, one behind the other, of which none sees another.
pub(in crate::ops) struct Texts {
    /// Positions that each token sees, [t, 2].
    pub(in crate::ops) ranges: Tensor<2>,
    /// State whose ids are each token's place in its text.
    pub(in crate::ops) places: StepState,
}

impl StepState {
    /// Allocates a state whose steps take up to `ids` tokens.
    pub fn new(ops: &Ops, ids: usize) -> Self {
        Self {
            words: InPlace::new(ops.alloc_words(STATE_WORDS.max(IDS + ids))),
            types: None,
            is_block: false,
            rope: None,
            ranges: None,
            texts: None,
        }
    }

    /// Returns the words as an operand of an op that reads them.
    pub(in crate::ops) fn words(&self) -> Tensor<2, Int> {
        self.words.get().clone()
    }

    /// Lets an op write the words; returns the op's second result.
    pub(in crate::ops) fn update_with<R>(
        &mut self,
        write: impl FnOnce(Tensor<2, Int>) -> (Tensor<2, Int>, R),
    ) -> R {
        self.words.update_with(write)
    }

    /// Writes `words` from word `at` on.
    pub fn write(&mut self, ops: &Ops, at: usize, words: Vec<u32>) {
        self.words.update(|state| ops.write_words(state, at, words));
    }

    /// Makes `ids`, the first of them at `position`, the tokens of the next step.
    pub fn begin(&mut self, ops: &Ops, position: usize, ids: &[u32]) {
        self.seek(ops, position, ids.len());
        self.write(ops, IDS, ids.to_vec());
    }

    /// Sets position and number of tokens of the next step, and keeps the ids.
    pub fn seek(&mut self, ops: &Ops, position: usize, n: usize) {
        self.write(ops, POS, vec![position as u32, n as u32]);
    }

    /// Makes the tokens of the next steps from number `second` on tokens of the second type, until it is set to `None`.
    pub fn set_types(&mut self, ops: &Ops, second: Option<usize>, n: usize) {
        self.types = second.map(|second| {
            let of = |i: usize| [f32::from(u8::from(i >= second)), 0.0];
            let types: Vec<f32> = (0..n).flat_map(of).collect();
            ops.upload_f32(&types, [n, 2])
        });
    }

    /// Returns the types of the next step's tokens, see [`Ops::bias_of`].
    pub fn types(&self) -> Option<&Tensor<2>> {
        self.types.as_ref()
    }

    /// Makes the tokens of the next steps see each other both ways, until it is set to false. Each step is then a block of its own.
    pub fn set_block(&mut self, is_block: bool) {
        self.is_block = is_block;
    }

    /// Returns whether the next step's tokens all see each other.
    pub fn is_block(&self) -> bool {
        self.is_block
    }

    /// Makes the next steps rotate by this table instead of the layers' own.
    pub fn set_rope(&mut self, table: Tensor<2>) {
        self.rope = Some(InPlace::new(table));
    }

    /// Returns the table that takes the place of the layers' own.
    pub(in crate::ops) fn rope(&self) -> Option<&Tensor<2>> {
        self.rope.as_ref().map(InPlace::get)
    }

    /// Makes the tokens of the next steps see these positions in layers with ranges: [t, 2], the first one and the one behind the last.
    /// From token to token neither decreases, and none sees nothing.
    pub fn set_ranges(&mut self, ranges: Tensor<2>) {
        self.ranges = Some(ranges);
    }

    /// Returns the positions that each token sees in layers with ranges.
    pub(in crate::ops) fn ranges(&self) -> Option<&Tensor<2>> {
        self.ranges.as_ref()
    }

    /// Makes the next step, from position 0 on, one of several texts with these numbers of tokens, until it is set to none. It computes
    /// `rows`, at least as many as there are tokens.
    pub fn set_texts(&mut self, ops: &Ops, lens: &[usize], rows: usize) {
        let mut ranges = Vec::with_capacity(2 * rows);
        let mut places = Vec::with_capacity(rows);
        let mut at = 0;
        for len in lens {
            ranges.extend([at as f32, (at + len) as f32].repeat(*len));
            places.extend(0..*len as u32);
            at += len;
        }
        // (rows behind the last token are computed, and never read)
        let last = ranges[ranges.len().saturating_sub(2)..].to_vec();
        ranges.extend(last.repeat(rows.saturating_sub(at)));
        self.texts = (at > 0).then(|| {
            let mut state = Self::new(ops, places.len());
            state.begin(ops, 0, &places);
            Box::new(Texts {
                ranges: ops.upload_f32(&ranges, [rows.max(at), 2]),
                places: state,
            })
        });
    }

    /// Returns the texts that share the next step, if it has several.
    pub(in crate::ops) fn texts(&self) -> Option<&Texts> {
        self.texts.as_deref()
    }

    /// Writes rows of that table, [positions, rope_dim], from position `at` on.
    pub fn write_rope(&mut self, ops: &Ops, at: usize, rows: &[f32], rope_dim: usize) {
        let n = rows.len() / rope_dim;
        if let Some(rope) = self.rope.as_mut().filter(|_| n > 0) {
            let place = Place { from: 0, to: at, n };
            let rows = ops.upload_f32(rows, [n, rope_dim]);
            rope.update(|table| ops.inject(table, &rows, place, false));
        }
    }

    /// Sets the number of tokens sampled so far and the sampling parameters: the words from [`STEP`] on.
    pub fn set_sampling(&mut self, ops: &Ops, words: Vec<u32>) {
        self.write(ops, STEP, words);
    }

    /// Sets how the sampler's tables adjust the logits: bits of [`ADJUST`].
    pub fn set_adjust(&mut self, ops: &Ops, bits: u32) {
        self.write(ops, ADJUST, vec![bits]);
    }

    /// Makes the next step one of a single token, after which up to `most` tokens are drafted; counts rounds from 0.
    pub fn set_drafts(&mut self, ops: &Ops, most: usize) {
        self.write(ops, N_TOKENS, vec![1]);
        self.write(ops, DRAFT, vec![most as u32, 0]);
    }

    /// Reads `n` words from word `at` on, once the steps launched so far are done.
    ///
    /// # Errors
    /// The errors of [`read_words`].
    pub fn read(
        &self,
        at: usize,
        n: usize,
    ) -> impl Future<Output = Result<Vec<u32>>> + use<> + 'static {
        let words = self.words();
        async move { read_words(&words, at, n).await }
    }
}
