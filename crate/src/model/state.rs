//! The memory that a layer keeps of a sequence.
//!
//! A KV cache has an entry for each position, so any number of tokens can be cut off its end at no cost. A history of
//! the last inputs lets a few be cut off. A state that sums all tokens can only be kept whole, set back to a copy made
//! earlier, or emptied. Prefix reuse, drafts and chunks given up halfway ask the state, through the methods here, what it
//! can do.

use burn::tensor::Tensor;
use hearth_modelfile::config::DRAFT_ROWS;
use hearth_modelfile::layer_spec::HISTORY;

#[cfg(test)]
use crate::model::mixer::running_sum::SumState;
use crate::ops::in_place::InPlace;
use crate::ops::{KvCache, Ops};

/// A layer's state, of the kind that its mixer needs.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub enum LayerState {
    Kv(KvCache),
    Recurrent(RecurrentState),
    /// Two mixers side by side.
    Both(KvCache, RecurrentState),
    /// The layer reads the KV cache of an earlier one, or has no mixer.
    Shared,
    #[cfg(test)]
    RunningSum(SumState),
}

/// A copy of a layer's state; [`LayerState::restore`] sets the layer back to it.
pub enum LayerSnapshot {
    Recurrent(RecurrentState),
    #[cfg(test)]
    RunningSum(SumState),
}

impl LayerSnapshot {
    /// Returns the copy of a state of fixed size.
    pub fn recurrent(&self) -> Option<&RecurrentState> {
        match self {
            LayerSnapshot::Recurrent(state) => Some(state),
            #[cfg(test)]
            LayerSnapshot::RunningSum(_) => None,
        }
    }
}

impl LayerState {
    /// Returns the KV cache, if the layer has one.
    pub fn kv(&self) -> Option<&KvCache> {
        match self {
            LayerState::Kv(cache) | LayerState::Both(cache, _) => Some(cache),
            _ => None,
        }
    }

    /// Returns the KV cache for writing, if the layer has one.
    pub fn kv_mut(&mut self) -> Option<&mut KvCache> {
        match self {
            LayerState::Kv(cache) | LayerState::Both(cache, _) => Some(cache),
            _ => None,
        }
    }

    /// Returns the state of fixed size, if the layer has one.
    pub fn recurrent(&self) -> Option<&RecurrentState> {
        match self {
            LayerState::Recurrent(state) | LayerState::Both(_, state) => Some(state),
            _ => None,
        }
    }

    /// Returns whether drafts that turn out wrong leave no trace in the state.
    pub fn takes_drafts(&self) -> bool {
        match self {
            LayerState::Kv(_) | LayerState::Shared => true,
            LayerState::Recurrent(_) | LayerState::Both(..) => true,
            #[cfg(test)]
            LayerState::RunningSum(_) => false,
        }
    }

    /// Returns whether a sequence needs snapshots of the state to go back to an earlier position.
    pub fn needs_snapshots(&self) -> bool {
        !matches!(self, LayerState::Kv(_) | LayerState::Shared)
    }

    /// Returns whether the state, which has seen at most `reached` tokens, can be cut to the first `n` of them.
    pub fn can_keep(&self, n: usize, reached: usize) -> bool {
        match self {
            LayerState::Kv(_) | LayerState::Shared => true,
            LayerState::Recurrent(state) | LayerState::Both(_, state) => state.can_keep(n, reached),
            #[cfg(test)]
            LayerState::RunningSum(_) => n == reached || n == 0,
        }
    }

    /// Cuts the state to the first `n` of `reached` tokens, where [`LayerState::can_keep`] allows it.
    #[cfg_attr(
        not(test),
        expect(
            unused_variables,
            reason = "sizes do not change, so nothing is allocated"
        )
    )]
    pub fn keep(&mut self, ops: &Ops, n: usize, reached: usize) {
        match self {
            LayerState::Kv(_) | LayerState::Shared => {}
            LayerState::Recurrent(state) | LayerState::Both(_, state) => state.keep(n, reached),
            #[cfg(test)]
            LayerState::RunningSum(state) => state.keep(ops, n),
        }
    }

    /// Copies the state, into the memory of `old` if there is one; `None` where no snapshots are needed.
    pub fn snapshot(&self, ops: &Ops, old: Option<LayerSnapshot>) -> Option<LayerSnapshot> {
        match self {
            LayerState::Kv(_) | LayerState::Shared => None,
            LayerState::Recurrent(state) | LayerState::Both(_, state) => {
                let old = match old {
                    Some(LayerSnapshot::Recurrent(old)) => Some(old),
                    _ => None,
                };
                Some(LayerSnapshot::Recurrent(state.copy(ops, old)))
            }
            #[cfg(test)]
            LayerState::RunningSum(state) => Some(LayerSnapshot::RunningSum(state.copy())),
        }
    }

    /// Sets the state back to a snapshot of the same layer, made after `n` tokens.
    pub fn restore(&mut self, ops: &Ops, snapshot: &LayerSnapshot, n: usize) {
        match (self, snapshot) {
            (
                LayerState::Recurrent(state) | LayerState::Both(_, state),
                LayerSnapshot::Recurrent(kept),
            ) => {
                ops.copy(&kept.values, &mut state.values);
                state.oldest = kept.oldest.max(first_row(n));
            }
            #[cfg(test)]
            (LayerState::RunningSum(state), LayerSnapshot::RunningSum(kept)) => {
                *state = kept.copy();
            }
            _ => {}
        }
    }
}

/// A state of fixed size. Steps at position 0 take it for empty, whatever it holds.
pub struct RecurrentState {
    /// [1, n]: the history of a convolution ([`crate::ops::recurrent::conv`]), then whatever its mixer keeps besides.
    pub values: InPlace<Tensor<2>>,
    /// The taps of the convolution, if the history is all there is: then some tokens can be cut off.
    taps: Option<usize>,
    /// First position whose row of the history is there.
    oldest: usize,
}

impl RecurrentState {
    /// Allocates an empty state of `values` f32; `taps` if the history of a convolution is all there is.
    pub fn new(ops: &Ops, values: usize, taps: Option<usize>) -> Self {
        Self {
            values: InPlace::new(ops.alloc_f32(1, values)),
            taps,
            oldest: 0,
        }
    }

    /// Number of its values.
    #[expect(clippy::len_without_is_empty, reason = "no state is empty")]
    pub fn len(&self) -> usize {
        self.values.get().dims()[1]
    }

    /// First position whose row of the history is there.
    pub fn oldest(&self) -> usize {
        self.oldest
    }

    /// Returns a state of the same kind with these values, which have the history from position `oldest` on.
    pub fn with_values(&self, ops: &Ops, oldest: usize, words: Vec<u32>) -> Self {
        let mut state = Self::new(ops, self.len(), self.taps);
        state.values.update(|values| ops.write_bits(values, words));
        state.oldest = oldest;
        state
    }

    fn can_keep(&self, n: usize, reached: usize) -> bool {
        match self.taps {
            _ if n == 0 => true,
            Some(taps) => n.saturating_sub(taps - 1) >= self.oldest.max(first_row(reached)),
            None => n == reached,
        }
    }

    fn keep(&mut self, n: usize, reached: usize) {
        self.oldest = match n {
            0 => 0,
            _ => self.oldest.max(first_row(reached)),
        };
    }

    fn copy(&self, ops: &Ops, old: Option<Self>) -> Self {
        let mut copy = old.unwrap_or_else(|| Self::new(ops, self.len(), self.taps));
        ops.copy(&self.values, &mut copy.values);
        copy.oldest = self.oldest;
        copy
    }
}

/// Returns the first position whose row of the history is there after `reached` tokens and the drafts of a step.
fn first_row(reached: usize) -> usize {
    (reached + DRAFT_ROWS - 1).saturating_sub(HISTORY)
}
