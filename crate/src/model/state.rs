//! The memory that a layer keeps of a sequence.
//!
//! A KV cache has an entry for each position, so any number of tokens can be cut off its end at no cost. A recurrent
//! state is a sum of all tokens: nothing can be taken out of it again, so it can only be kept whole, set back to a
//! copy made earlier, or emptied. Prefix reuse, drafts and chunks given up halfway ask the state, through the methods
//! here, what it can do.

#[cfg(test)]
use crate::model::mixer::running_sum::SumState;
use crate::ops::{KvCache, Ops};

/// A layer's state, of the kind that its mixer needs.
#[cfg_attr(
    test,
    expect(clippy::large_enum_variant, reason = "there is one a layer")
)]
pub enum LayerState {
    Kv(KvCache),
    #[cfg(test)]
    RunningSum(SumState),
}

/// A copy of a layer's state; [`LayerState::restore`] sets the layer back to it.
pub enum LayerSnapshot {
    #[cfg(test)]
    RunningSum(SumState),
}

impl LayerState {
    /// Returns whether tokens can be cut off the state's end. If not, the model's drafts could not be taken back, and
    /// a sequence keeps snapshots.
    pub fn can_be_cut(&self) -> bool {
        match self {
            LayerState::Kv(_) => true,
            #[cfg(test)]
            LayerState::RunningSum(_) => false,
        }
    }

    /// Cuts the state, which has seen `reached` tokens, to the first `n` of them. Returns the number of tokens kept,
    /// which may be less; a state that cannot be cut is emptied.
    #[cfg_attr(
        not(test),
        expect(unused_variables, reason = "a KV cache needs none of them")
    )]
    pub fn keep(&mut self, ops: &Ops, n: usize, reached: usize) -> usize {
        match self {
            LayerState::Kv(_) => n,
            #[cfg(test)]
            LayerState::RunningSum(state) => state.keep(ops, n, reached),
        }
    }

    /// Copies the state; `None` where [`LayerState::keep`] does as well.
    pub fn snapshot(&self) -> Option<LayerSnapshot> {
        match self {
            LayerState::Kv(_) => None,
            #[cfg(test)]
            LayerState::RunningSum(state) => Some(LayerSnapshot::RunningSum(state.copy())),
        }
    }

    /// Sets the state back to a snapshot of the same layer.
    #[cfg_attr(
        not(test),
        expect(unused_variables, reason = "a KV cache needs none of them")
    )]
    pub fn restore(&mut self, snapshot: &LayerSnapshot) {
        match self {
            LayerState::Kv(_) => {}
            #[cfg(test)]
            LayerState::RunningSum(state) => match snapshot {
                LayerSnapshot::RunningSum(kept) => *state = kept.copy(),
            },
        }
    }
}
