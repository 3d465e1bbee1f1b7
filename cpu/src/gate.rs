//! Gates v / (1 + e^x) of feed-forward blocks, where x is a polynomial of v: y = gate(v) * up.

use crate::math::exp_all;

/// A gate by its number, which is passed to the threads. Sources: Elfwing et al. 2017, arXiv:1702.03118; Hendrycks &
/// Gimpel 2016, arXiv:1606.08415.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Gate {
    Silu = 1,
    /// GELU with the approximation by tanh.
    Gelu = 2,
    QuickGelu = 3,
}

impl Gate {
    const ALL: [Self; 3] = [Self::Silu, Self::Gelu, Self::QuickGelu];

    /// Returns the gate with a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| *gate as u32 == number)
    }

    /// Returns the exponent of e in the gate of `v`.
    #[inline(always)]
    pub fn exponent(self, v: f32) -> f32 {
        match self {
            Gate::Silu => -v,
            // 2 sqrt(2 / pi), since (1 + tanh u) / 2 = 1 / (1 + e^-2u)
            Gate::Gelu => -1.595_769 * (v + 0.044_715 * v * v * v),
            Gate::QuickGelu => -1.702 * v,
        }
    }

    /// Replaces each of `values` by gate(value) * up, with its number in `up`.
    pub fn apply(self, values: &mut [f32], up: &[f32]) {
        let mut powers = [0.0; 256];
        let pieces = values.chunks_mut(powers.len());
        for (values, up) in pieces.zip(up.chunks(powers.len())) {
            let powers = &mut powers[..values.len()];
            for (e, v) in powers.iter_mut().zip(&*values) {
                *e = self.exponent(*v);
            }
            exp_all(powers, 0.0);
            for ((v, e), up) in values.iter_mut().zip(&*powers).zip(up) {
                *v = *v / (1.0 + e) * up;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn gates_are_those_of_their_definitions() {
        let values: Vec<f32> = (-400..400).map(|i| i as f32 / 37.0).collect();
        let up: Vec<f32> = values.iter().map(|v| 1.5 - v).collect();
        let exact = |gate, v: f64| match gate {
            Gate::Silu => v / (1.0 + (-v).exp()),
            Gate::Gelu => {
                let inner = (2.0 / core::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
                v / 2.0 * (1.0 + inner.tanh())
            }
            Gate::QuickGelu => v / (1.0 + (-1.702 * v).exp()),
        };
        for gate in Gate::ALL {
            assert_eq!(Gate::from_number(gate as u32), Some(gate));
            let mut made = values.clone();
            gate.apply(&mut made, &up);
            for ((v, up), found) in values.iter().zip(&up).zip(made) {
                let expected = exact(gate, f64::from(*v)) * f64::from(*up);
                let error = (f64::from(found) - expected).abs();
                assert!(error <= 2e-6 * expected.abs().max(1e-3), "{gate:?} {v}");
            }
        }
        assert_eq!(Gate::from_number(0), None);
    }
}
