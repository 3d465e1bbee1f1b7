//! Layers that encoder and decoder share.
//!
//! Source: Radford et al. 2022, arXiv:2212.04356; openai/whisper `model.py`.

pub use hearth_cpu::layers::elementwise::{add, gelu, scale};
pub use hearth_cpu::layers::{LayerNorm as Norm, Matrix, Memory, Past};

/// Epsilon of all of Whisper's normalisations.
pub const EPS: f32 = 1e-5;

/// A projection with its bias, which Whisper's keys lack.
pub struct Linear {
    pub weight: Matrix,
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// Returns x W^T + b for rows `x`.
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        self.weight.times(x, self.bias.as_deref())
    }
}

/// Feed-forward block: d -> 4 d -> d with GELU between.
pub struct FeedForward {
    pub norm: Norm,
    pub up: Linear,
    pub down: Linear,
}

impl FeedForward {
    /// Adds the block's result to `x`: [rows, d].
    pub fn add_to(&self, x: &mut [f32]) {
        let mut hidden = self.up.of(&self.norm.of(x));
        gelu(&mut hidden);
        add(x, &self.down.of(&hidden));
    }
}

/// Projections of one attention.
pub struct Attention {
    pub norm: Norm,
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub out: Linear,
}
