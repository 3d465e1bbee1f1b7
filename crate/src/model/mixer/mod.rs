//! Mixers: the part of a layer that lets tokens see each other. Each kind has its own file and its own
//! [`LayerState`](crate::model::state::LayerState).

mod attention;
mod gated_delta;
mod latent;
mod mamba;
#[cfg(test)]
pub(crate) mod running_sum;
mod short_conv;

use burn::tensor::Tensor;

use crate::model::state::LayerState;
use crate::ops::{KvType, Norm, Ops, StepState};

pub use attention::AttentionMixer;
pub use gated_delta::GatedDeltaMixer;
pub use latent::LatentMixer;
pub use mamba::{AttentionAndMamba, MambaMixer};
pub use short_conv::ShortConvMixer;

/// A layer's mixer.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
pub enum Mixer {
    Attention(AttentionMixer),
    Latent(LatentMixer),
    ShortConv(ShortConvMixer),
    GatedDelta(GatedDeltaMixer),
    Mamba(MambaMixer),
    AttentionAndMamba(AttentionAndMamba),
    /// The layer is a feed-forward block alone.
    None,
    #[cfg(test)]
    RunningSum(running_sum::RunningSum),
}

impl Mixer {
    /// Allocates the state that this mixer keeps of a sequence of up to `n_ctx` tokens.
    pub fn new_state(&self, ops: &Ops, n_ctx: usize, kv: KvType) -> LayerState {
        match self {
            Mixer::Attention(attention) if attention.reads_earlier() => LayerState::Shared,
            Mixer::None => LayerState::Shared,
            Mixer::Attention(attention) => LayerState::Kv(attention.new_cache(ops, n_ctx, kv)),
            Mixer::Latent(latent) => LayerState::Kv(latent.new_cache(ops, n_ctx, kv)),
            Mixer::GatedDelta(delta) => LayerState::Recurrent(delta.new_state(ops)),
            Mixer::ShortConv(conv) => LayerState::Recurrent(conv.new_state(ops)),
            Mixer::Mamba(mamba) => LayerState::Recurrent(mamba.new_state(ops)),
            Mixer::AttentionAndMamba(both) => LayerState::Both(
                both.attention.new_cache(ops, n_ctx, kv),
                both.mamba.new_state(ops),
            ),
            #[cfg(test)]
            Mixer::RunningSum(sum) => LayerState::RunningSum(sum.new_state(ops)),
        }
    }

    /// Returns the block's output for norm(x), or for x if there is no norm: [t, d_model]; with `add` it is added to x,
    /// in the memory of x. Moves `state` on by the step's tokens; it is that of the earlier layer if this one shares it.
    pub fn forward(
        &self,
        ops: &Ops,
        x: Tensor<2>,
        norm: Option<&Norm>,
        step: &StepState,
        state: &mut LayerState,
        add: bool,
    ) -> Tensor<2> {
        match (self, state) {
            (Mixer::None, _) => x,
            (Mixer::Attention(attention), LayerState::Kv(cache)) => {
                attention.forward(ops, x, norm, step, cache, add)
            }
            (Mixer::Latent(latent), LayerState::Kv(cache)) => {
                latent.forward(ops, x, norm, step, cache, add)
            }
            (Mixer::GatedDelta(delta), LayerState::Recurrent(state)) => {
                delta.forward(ops, x, norm, step, state, add)
            }
            (Mixer::ShortConv(conv), LayerState::Recurrent(state)) => {
                conv.forward(ops, x, norm, step, state, add)
            }
            (Mixer::Mamba(mamba), LayerState::Recurrent(state)) => {
                mamba.forward(ops, x, norm, step, state, add)
            }
            (Mixer::AttentionAndMamba(both), LayerState::Both(cache, state)) => {
                both.forward(ops, x, norm, step, cache, state, add)
            }
            #[cfg(test)]
            (Mixer::RunningSum(sum), LayerState::RunningSum(state)) => {
                sum.forward(ops, x, norm, step, state, add)
            }
            _ => unreachable!("`new_state` made the state of another mixer"),
        }
    }
}
