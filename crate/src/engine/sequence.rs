//! A sequence of tokens on the device: what a conversation keeps between its requests.

use crate::engine::stepper::graph::Recordings;
use crate::model::Transformer;
use crate::model::state::{LayerSnapshot, LayerState};
use crate::ops::{Ops, SamplerTables, StepState};
use hearth_modelfile::config::SNAPSHOTS;
use hearth_modelfile::layer_spec::HISTORY;
use hearth_modelfile::vision::Span;
use hearth_modelfile::vision::positions::text_positions;

/// Tokens between two snapshots of an answer, of which two are kept: as many as are in flight at most, so that one of
/// them is not after its end.
const ANSWER_TOKENS: usize = 32;
/// Tokens at a prompt's end that may be replaced when the next request repeats it: a template renders the beginning of an
/// answer otherwise once the answer is there.
const PROMPT_END: usize = 16;
/// Shared tokens without a snapshot that are worth one.
const SHARED_TOKENS: usize = 64;

/// One conversation's state on the device. A model can have several; the stepper runs one at a time.
pub(crate) struct Sequence {
    pub(crate) layers: Vec<LayerState>,
    pub(crate) step: StepState,
    pub(crate) tables: SamplerTables,
    /// Recorded steps, which are bound to the buffers above.
    pub(crate) recordings: Recordings,
    /// Tokens that the layers have seen, from position 0 on.
    ids: Vec<u32>,
    /// Number of tokens that all layers were given, those of steps whose tokens nobody wanted included; the most that
    /// they can be if not `is_exact`.
    reached: usize,
    /// Whether `reached` is known: not while steps check drafts.
    is_exact: bool,
    /// A chunk between two layers: the first `layers` of them have seen `n` tokens more.
    ahead: Option<Ahead>,
    /// Copies of the states at earlier positions, by [`Mark`]; empty where every state can be cut.
    snapshots: [Snapshot; SNAPSHOTS],
    /// Position of the last snapshot.
    last_snapshot: usize,
    /// Positions in time, height and width of all places, by which the step's table of rotations was made; empty in models whose
    /// positions have one dimension.
    positions: Vec<[usize; 3]>,
}

struct Ahead {
    layers: usize,
    n: usize,
}

#[derive(Default)]
struct Snapshot {
    /// Number of tokens that the states had seen; `None` if it is of no use.
    n: Option<usize>,
    layers: Vec<Option<LayerSnapshot>>,
}

/// A position that the next request may go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The end of what two requests had in common: a system prompt, in all likelihood.
    Shared,
    /// The end of the prompt but for the beginning of the answer.
    Prompt,
    /// Within an answer; the last two are kept.
    Answer,
}

/// The part of a request's tokens that a sequence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Number of tokens that were kept.
    pub(crate) kept: usize,
    /// Number of tokens that it had in common.
    pub(crate) shared: usize,
}

impl Sequence {
    /// Allocates an empty sequence.
    pub(crate) fn new(model: &Transformer) -> Self {
        // An encoder takes a whole text in one step.
        let ids_of_step = if model.config.spec.causal {
            0
        } else {
            model.n_ctx
        };
        let mut step = StepState::new(&model.ops, ids_of_step);
        let turns = model.config.rope_sections.is_some();
        if turns {
            step.set_rope(model.ops.alloc_f32(model.n_ctx, model.config.rope.dim));
        }
        Self {
            layers: model.new_states(),
            step,
            positions: Vec::new(),
            tables: SamplerTables::new(&model.ops, model.config.vocab_size, model.n_ctx),
            recordings: Recordings::default(),
            ids: Vec::new(),
            reached: 0,
            is_exact: true,
            ahead: None,
            snapshots: Default::default(),
            last_snapshot: 0,
        }
    }

    /// Makes the places of the next request's tokens and pictures theirs; `spans`: frames with their height and width in rows.
    pub(crate) fn place(&mut self, model: &Transformer, spans: &[(Span, [usize; 2])]) {
        let Some(sections) = &model.config.rope_sections else {
            return;
        };
        let positions = text_positions(spans, model.n_ctx);
        let same = (positions.iter().zip(&self.positions)).take_while(|(a, b)| a == b);
        let first = same.count();
        let rope = &model.config.rope;
        let rows = rope.table_of(&positions[first..], sections);
        self.step.write_rope(&model.ops, first, &rows, rope.dim);
        self.positions = positions;
    }

    /// Returns whether steps may check drafts, whose tokens are cut off again if they were wrong.
    pub(crate) fn takes_drafts(&self) -> bool {
        self.layers.iter().all(LayerState::takes_drafts)
    }

    /// Returns whether it keeps copies of states, to go back to earlier positions.
    pub(crate) fn needs_snapshots(&self) -> bool {
        self.layers.iter().any(LayerState::needs_snapshots)
    }

    /// Cuts the sequence to a prefix of `ids` as long as its layers can keep. The last of `ids` is never part of it,
    /// since it must be computed for its logits.
    pub(crate) fn keep_prefix(&mut self, ops: &Ops, ids: &[u32]) -> Prefix {
        let shared = (ids.iter().zip(&self.ids))
            .take_while(|(a, b)| a == b)
            .count()
            .min(ids.len().saturating_sub(1));
        let kept = self.keep(ops, shared);
        self.ids.truncate(kept);
        self.reached = kept;
        self.is_exact = true;
        self.ahead = None;
        self.last_snapshot = kept;
        Prefix { kept, shared }
    }

    /// Cuts every layer to the same number of tokens, at most `n`; returns it.
    fn keep(&mut self, ops: &Ops, n: usize) -> usize {
        let Self {
            layers,
            reached,
            ahead,
            snapshots,
            ..
        } = self;
        for snapshot in snapshots.iter_mut() {
            snapshot.n.take_if(|at| *at > n);
        }
        let reached_by = |i: usize| match &*ahead {
            Some(ahead) if i < ahead.layers => *reached + ahead.n,
            _ => *reached,
        };
        let layers = layers.iter_mut().enumerate();
        let mut layers: Vec<_> = layers.map(|(i, layer)| (layer, reached_by(i))).collect();
        let can_keep = |n: usize, layers: &[(&mut LayerState, usize)]| {
            (layers.iter()).all(|(layer, reached)| layer.can_keep(n, *reached))
        };
        if !can_keep(n, &layers) {
            let newest = snapshots.iter().max_by_key(|snapshot| snapshot.n);
            if let Some((at, newest)) = newest.and_then(|snapshot| Some((snapshot.n?, snapshot))) {
                for ((layer, _), copy) in layers.iter_mut().zip(&newest.layers) {
                    if let Some(copy) = copy {
                        layer.restore(ops, copy, at);
                    }
                }
                return at;
            }
        }
        let kept = if can_keep(n, &layers) { n } else { 0 };
        for (layer, reached) in &mut layers {
            layer.keep(ops, kept, *reached);
        }
        kept
    }

    /// Returns the positions within a prompt of `len` tokens at which prefill should stop for a snapshot.
    pub(crate) fn marks(&self, prefix: Prefix, len: usize) -> Vec<(usize, Mark)> {
        if !self.needs_snapshots() {
            return Vec::new();
        }
        let Prefix { kept, shared } = prefix;
        let end = len.saturating_sub(PROMPT_END);
        let mut marks = Vec::new();
        if shared >= kept + SHARED_TOKENS && shared < end {
            marks.push((shared, Mark::Shared));
        }
        if end > kept {
            marks.push((end, Mark::Prompt));
        }
        marks
    }

    /// Keeps a copy of the states as they are, where they cannot be cut back to here later.
    pub(crate) fn take_snapshot(&mut self, ops: &Ops, mark: Mark) {
        if self.is_exact && self.needs_snapshots() && self.ahead.is_none() {
            let at = self.copy_states(ops, mark);
            self.confirm_snapshot(at, self.reached);
        }
    }

    /// Keeps a copy of the states within an answer, if the last one is long ago.
    pub(crate) fn take_answer_snapshot(&mut self, ops: &Ops) {
        if self.reached >= self.last_snapshot + ANSWER_TOKENS {
            self.take_snapshot(ops, Mark::Answer);
        }
    }

    /// Like [`Sequence::take_answer_snapshot`] while steps check drafts, and at least `known` tokens are known: the
    /// position is [confirmed](Sequence::confirm_snapshot) once it is known. Returns the snapshot's number.
    pub(crate) fn take_unconfirmed_snapshot(&mut self, ops: &Ops, known: usize) -> Option<usize> {
        let due = known >= self.last_snapshot + ANSWER_TOKENS && self.needs_snapshots();
        due.then(|| self.copy_states(ops, Mark::Answer))
    }

    /// Notes that the states of a snapshot had seen `n` tokens.
    pub(crate) fn confirm_snapshot(&mut self, at: usize, n: usize) {
        if let Some(snapshot) = self.snapshots.get_mut(at) {
            snapshot.n = Some(n);
            self.last_snapshot = n;
        }
    }

    /// Copies the states; returns the snapshot's number.
    fn copy_states(&mut self, ops: &Ops, mark: Mark) -> usize {
        let at = match mark {
            Mark::Shared => 0,
            Mark::Prompt => 1,
            Mark::Answer if self.snapshots[2].n <= self.snapshots[3].n => 2,
            Mark::Answer => 3,
        };
        let snapshot = &mut self.snapshots[at];
        snapshot.n = None;
        let mut old = std::mem::take(&mut snapshot.layers).into_iter();
        let layers = self.layers.iter();
        snapshot.layers = layers
            .map(|layer| layer.snapshot(ops, old.next().flatten()))
            .collect();
        at
    }

    /// Forgets everything: the contents of the layers are unknown, or of no further use.
    pub(crate) fn clear(&mut self, ops: &Ops) {
        self.keep_prefix(ops, &[]);
    }

    /// Returns the tokens that it holds.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Returns the copies of states that are worth keeping: at a prompt's end, and the last one of an answer.
    pub(crate) fn kept_snapshots(
        &self,
    ) -> impl Iterator<Item = (Mark, usize, &[Option<LayerSnapshot>])> {
        let [_, prompt, a, b] = &self.snapshots;
        let answer = if a.n < b.n { b } else { a };
        [(Mark::Prompt, prompt), (Mark::Answer, answer)]
            .into_iter()
            .filter_map(|(mark, snapshot)| Some((mark, snapshot.n?, &snapshot.layers[..])))
    }

    /// Notes that the rows of `ids`, from position `from` on, were written into the KV caches. States that cannot be
    /// cut have not seen them: they are right again from a [snapshot](Sequence::put_snapshot).
    pub(crate) fn put_rows(&mut self, from: usize, ids: &[u32]) {
        for snapshot in &mut self.snapshots {
            snapshot.n.take_if(|at| *at > from);
        }
        self.ids.truncate(from);
        self.ids.extend_from_slice(ids);
        self.ahead = None;
        self.is_exact = !self.needs_snapshots();
        self.reached = match self.is_exact {
            true => self.ids.len(),
            // (more than any state can be cut back from)
            false => self.ids.len() + 2 * HISTORY,
        };
    }

    /// Keeps copies of states that have seen the first `n` tokens.
    pub(crate) fn put_snapshot(
        &mut self,
        mark: Mark,
        n: usize,
        layers: Vec<Option<LayerSnapshot>>,
    ) {
        let at = if mark == Mark::Prompt { 1 } else { 2 };
        self.snapshots[at] = Snapshot { n: Some(n), layers };
    }

    /// Number of tokens that it holds.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Number of tokens that all layers were given.
    pub(crate) fn reached(&self) -> usize {
        self.reached
    }

    /// Notes tokens that all layers have seen.
    pub(crate) fn extend(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
    }

    /// Notes that the sequence holds `prompt` and after it `answer`.
    pub(crate) fn hold(&mut self, prompt: &[u32], answer: &[u32]) {
        self.ids.clear();
        self.ids.extend_from_slice(prompt);
        self.ids.extend_from_slice(answer);
    }

    /// Notes that the first `layers` layers were given `n` tokens from `position` on.
    pub(crate) fn advance(&mut self, position: usize, n: usize, layers: usize) {
        if layers == self.layers.len() {
            self.reached = position + n;
            self.ahead = None;
        } else {
            self.reached = position;
            self.ahead = Some(Ahead { layers, n });
        }
    }

    /// Notes that a step of one token after those so far was launched.
    pub(crate) fn advance_step(&mut self) {
        self.reached += 1;
    }

    /// Notes that a step was launched that checks drafts and keeps at most `rows` tokens.
    pub(crate) fn advance_drafts(&mut self, rows: usize) {
        self.reached += rows;
        self.is_exact = false;
    }

    /// Notes that nothing is in flight and the next token's position is `reached`.
    pub(crate) fn settle(&mut self, reached: usize) {
        self.reached = reached;
        self.is_exact = true;
    }
}
