//! Layers that all families are made of.

use hearth_cpu::layers::elementwise::{add, gelu, scale};
use hearth_cpu::layers::{LayerNorm, RmsNorm};
use hearth_cpu::math::exp;

use crate::config::Activation;
use crate::weight::Weight;

/// Rows that go through a feed-forward block at once: its hidden values are many.
const ROWS: usize = 256;

/// Normalisation of rows.
pub enum Norm {
    Layer(LayerNorm),
    Rms(RmsNorm),
}

impl Norm {
    /// Returns the normalised rows of `x`: [rows, d].
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        match self {
            Self::Layer(norm) => norm.of(x),
            Self::Rms(norm) => norm.of(x),
        }
    }
}

/// A projection, with a bias where the family has them.
pub struct Linear {
    pub weight: Weight,
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// Returns x W^T + b for rows `x`.
    pub fn of(&self, x: &[f32]) -> Vec<f32> {
        self.weight.times(x, self.bias.as_deref())
    }
}

/// Place of a sublayer's normalisation.
pub struct Sublayer {
    pub norm: Norm,
    /// Whether it normalises the sum of input and result, instead of the input.
    pub is_post: bool,
}

impl Sublayer {
    /// Replaces `x` by the sum of it and what `compute` makes of it.
    pub fn apply(&self, x: &mut Vec<f32>, compute: impl FnOnce(&[f32]) -> Vec<f32>) {
        if self.is_post {
            let more = compute(x);
            add(x, &more);
            *x = self.norm.of(x);
        } else {
            let more = compute(&self.norm.of(x));
            add(x, &more);
        }
    }
}

/// Projections of one attention.
pub struct Attention {
    pub place: Sublayer,
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub out: Linear,
    pub heads: usize,
    pub head_dim: usize,
    /// Whether queries are multiplied by head_dim^-0.5, which T5's are not.
    pub is_scaled: bool,
}

impl Attention {
    /// Returns the queries of rows `x`.
    pub fn queries(&self, x: &[f32]) -> Vec<f32> {
        let mut queries = self.query.of(x);
        if self.is_scaled {
            scale(&mut queries, self.head_dim);
        }
        queries
    }
}

/// Feed-forward block.
pub struct FeedForward {
    pub place: Sublayer,
    pub up: Linear,
    /// Projection whose activated values multiply those of `up`; without it those of `up` are activated.
    pub gate: Option<Linear>,
    pub down: Linear,
    pub activation: Activation,
}

impl FeedForward {
    /// Applies the block to `x`: [rows, d].
    pub fn apply(&self, x: &mut Vec<f32>) {
        self.place.apply(x, |x| {
            let d = self.up.weight.shape().1;
            let mut out = Vec::with_capacity(x.len());
            for rows in x.chunks(ROWS * d.max(1)) {
                out.extend(self.of(rows));
            }
            out
        });
    }

    fn of(&self, x: &[f32]) -> Vec<f32> {
        let mut hidden = self.up.of(x);
        match &self.gate {
            Some(gate) => {
                let mut gate = gate.of(x);
                activate(self.activation, &mut gate);
                for (hidden, gate) in hidden.iter_mut().zip(&gate) {
                    *hidden *= gate;
                }
            }
            None => activate(self.activation, &mut hidden),
        }
        self.down.of(&hidden)
    }
}

/// Applies an activation in place.
fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
        Activation::Gelu => gelu(values),
        Activation::GeluTanh => values.iter_mut().for_each(|v| *v = gelu_tanh(*v)),
        Activation::Silu => values.iter_mut().for_each(|v| *v /= 1.0 + exp(-*v)),
    }
}

/// Returns GELU by the hyperbolic tangent (Hendrycks & Gimpel 2016, arXiv:1606.08415).
fn gelu_tanh(v: f32) -> f32 {
    const ROOT: f32 = 0.797_884_6; // sqrt(2 / pi)
    let inner = ROOT * (v + 0.044_715 * v * v * v);
    // v / 2 (1 + tanh(inner)), with tanh(i) = 1 - 2 / (1 + exp(2 i))
    v * (1.0 - 1.0 / (1.0 + exp(2.0 * inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_of_known_points() {
        let points = [-40.0, -3.0, -1.0, 0.0, 0.5, 2.0, 60.0];
        let cases = [
            (Activation::Relu, [0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 60.0]),
            (
                Activation::GeluTanh,
                [
                    0.0,
                    -0.003_637_39,
                    -0.158_808,
                    0.0,
                    0.345_714,
                    1.954_597_7,
                    60.0,
                ],
            ),
            (
                Activation::Gelu,
                [
                    0.0,
                    -0.004_049_7,
                    -0.158_655_25,
                    0.0,
                    0.345_731_23,
                    1.954_499_7,
                    60.0,
                ],
            ),
            (
                Activation::Silu,
                [
                    0.0,
                    -0.142_277_6,
                    -0.268_941_4,
                    0.0,
                    0.311_229_7,
                    1.761_594_2,
                    60.0,
                ],
            ),
        ];
        for (activation, wanted) in cases {
            let mut values = points;
            activate(activation, &mut values);
            for (got, wanted) in values.iter().zip(wanted) {
                assert!((got - wanted).abs() < 2e-6, "{activation:?} {got} {wanted}");
            }
        }
    }
}
