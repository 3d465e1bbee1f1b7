//! A sequence of tokens on the device: what a conversation keeps between its requests.

use crate::engine::stepper::graph::Recordings;
use crate::model::Transformer;
use crate::model::state::{LayerSnapshot, LayerState};
use crate::ops::{Ops, SamplerTables, StepState};

/// One conversation's state on the device. A model can have several; the stepper runs one at a time.
pub(crate) struct Sequence {
    pub(crate) layers: Vec<LayerState>,
    pub(crate) step: StepState,
    pub(crate) tables: SamplerTables,
    /// Recorded steps, which are bound to the buffers above.
    pub(crate) recordings: Recordings,
    /// Tokens that the layers have seen, from position 0 on.
    ids: Vec<u32>,
    /// Number of tokens that all layers were given, those of steps whose tokens nobody wanted included.
    reached: usize,
    /// A chunk between two layers: the first `layers` of them have seen `n` tokens more.
    ahead: Option<Ahead>,
    /// Copy of the states at an earlier position; none where every state can be cut.
    snapshot: Option<Snapshot>,
}

struct Ahead {
    layers: usize,
    n: usize,
}

struct Snapshot {
    n: usize,
    layers: Vec<Option<LayerSnapshot>>,
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
        Self {
            layers: model.new_states(),
            step: StepState::new(&model.ops, ids_of_step),
            tables: SamplerTables::new(&model.ops, model.config.vocab_size, model.n_ctx),
            recordings: Recordings::default(),
            ids: Vec::new(),
            reached: 0,
            ahead: None,
            snapshot: None,
        }
    }

    /// Returns whether tokens can be cut off its end, as steps that check drafts do.
    pub(crate) fn can_be_cut(&self) -> bool {
        self.layers.iter().all(LayerState::can_be_cut)
    }

    /// Cuts the sequence to a prefix of `ids` as long as its layers can keep. The last of `ids` is never part of it,
    /// since it must be computed for its logits. Returns the number of tokens kept.
    pub(crate) fn keep_prefix(&mut self, ops: &Ops, ids: &[u32]) -> usize {
        let shared = (ids.iter().zip(&self.ids))
            .take_while(|(a, b)| a == b)
            .count()
            .min(ids.len().saturating_sub(1));
        let kept = self.keep(ops, shared);
        self.ids.truncate(kept);
        self.reached = kept;
        self.ahead = None;
        kept
    }

    /// Cuts every layer to the same number of tokens, at most `n`; returns it.
    fn keep(&mut self, ops: &Ops, n: usize) -> usize {
        let Self {
            layers,
            reached,
            ahead,
            snapshot,
            ..
        } = self;
        snapshot.take_if(|snapshot| snapshot.n > n);
        let reached_by = |i: usize| match &*ahead {
            Some(ahead) if i < ahead.layers => *reached + ahead.n,
            _ => *reached,
        };
        let is_there = (0..layers.len()).all(|i| reached_by(i) == n);
        if let Some(snapshot) = snapshot.as_ref().filter(|_| !is_there) {
            for (layer, copy) in layers.iter_mut().zip(&snapshot.layers) {
                if let Some(copy) = copy {
                    layer.restore(copy);
                }
            }
            return snapshot.n;
        }
        // A layer that keeps less than asked makes the others keep less as well.
        let mut kept = n;
        loop {
            let cut = |(i, layer): (usize, &mut LayerState)| layer.keep(ops, kept, reached_by(i));
            let least = layers.iter_mut().enumerate().map(cut).min();
            match least {
                Some(least) if least < kept => kept = least,
                _ => return kept,
            }
        }
    }

    /// Keeps a copy of the states as they are, where they cannot be cut back to here later.
    pub(crate) fn take_snapshot(&mut self) {
        if !self.can_be_cut() && self.ahead.is_none() && self.reached == self.ids.len() {
            self.snapshot = Some(Snapshot {
                n: self.reached,
                layers: self.layers.iter().map(LayerState::snapshot).collect(),
            });
        }
    }

    /// Forgets everything: the contents of the layers are unknown, or of no further use.
    pub(crate) fn clear(&mut self, ops: &Ops) {
        self.keep_prefix(ops, &[]);
        self.snapshot = None;
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

    /// Notes that a step of `n` tokens after those so far was launched.
    pub(crate) fn advance_step(&mut self, n: usize) {
        self.reached += n;
    }
}
