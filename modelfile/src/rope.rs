//! Tables of rotary positions.

use std::f64::consts::PI;

use crate::container::ModelHeader;
use crate::error::{Error, Result};

/// Rotation in one kind of layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Dimensions of a head that are rotated; 0 for none.
    pub dim: usize,
    pub scaling: Scaling,
    /// Factor of cos and sin (LongRoPE); 1 without.
    pub factor: f32,
}

/// Scaling that extends a rotation to contexts longer than it was trained for.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    None,
    /// Positions are divided by this.
    Linear(f32),
    Yarn(Yarn),
}

/// Slows down slow pairs and leaves fast ones unchanged. Peng et al. 2023, arXiv:2309.00071.
#[derive(Debug, Clone, PartialEq)]
pub struct Yarn {
    pub factor: f32,
    /// The context that the model was originally trained for.
    pub original_ctx: u32,
    /// Turns within that context at or above which a pair is unchanged, and at or below which it is fully slowed
    /// down.
    pub beta_fast: f32,
    pub beta_slow: f32,
    /// Rounds the bounds to whole pairs.
    pub rounds: bool,
    /// Share of the growth of cos and sin that is undone: 0 for none, 1 for all.
    pub log_multiplier: f32,
}

/// Pairs of a head that turn by the position in time, in height and in width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sections {
    /// Number of pairs of each.
    pub pairs: [usize; 3],
    /// They take turns, until those of height and width are through; otherwise they follow one another.
    pub interleaved: bool,
}

impl Sections {
    /// Returns the dimension by which pair `i` turns.
    fn dimension(&self, i: usize) -> usize {
        let [time, height, width] = self.pairs;
        if !self.interleaved {
            let of_height = time.saturating_add(height);
            return usize::from(i >= time) + usize::from(i >= of_height);
        }
        match i % 3 {
            1 if i < height.saturating_mul(3) => 1,
            2 if i < width.saturating_mul(3) => 2,
            _ => 0,
        }
    }
}

impl Rope {
    /// Computes cos and sin for every position and pair: [n_ctx, dim / 2, 2]. `divisors` divide the frequencies.
    ///
    /// Computed in f64, because an f32 angle of 8,192 radians is already off by half a thousandth.
    pub fn table(&self, n_ctx: usize, divisors: Option<&[f32]>) -> Vec<f32> {
        let frequencies = self.frequencies(divisors);
        let factor = f64::from(self.factor) * self.scaling.magnitude();
        let mut table = Vec::with_capacity(n_ctx * self.dim);
        for position in 0..n_ctx {
            for frequency in &frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                table.extend([(cos * factor) as f32, (sin * factor) as f32]);
            }
        }
        table
    }

    /// Computes cos and sin like [`Rope::table`] for positions in time, height and width: [positions, dim / 2, 2]. A pair turns by
    /// the dimension that `sections` says.
    pub fn table_of(&self, positions: &[[usize; 3]], sections: &Sections) -> Vec<f32> {
        let frequencies = self.frequencies(None);
        let factor = f64::from(self.factor) * self.scaling.magnitude();
        let mut table = Vec::with_capacity(positions.len() * self.dim);
        for position in positions {
            for (i, frequency) in frequencies.iter().enumerate() {
                let at = position[sections.dimension(i)];
                let (sin, cos) = (at as f64 * frequency).sin_cos();
                table.extend([(cos * factor) as f32, (sin * factor) as f32]);
            }
        }
        table
    }

    /// Returns the frequency of each pair: [dim / 2].
    fn frequencies(&self, divisors: Option<&[f32]>) -> Vec<f64> {
        let frequency = |i: usize| {
            let exponent = 2.0 * i as f64 / self.dim as f64;
            let divisor = divisors.and_then(|d| d.get(i)).copied().unwrap_or(1.0);
            f64::from(self.theta).powf(-exponent) / f64::from(divisor) * self.slowed(i)
        };
        (0..self.dim / 2).map(frequency).collect()
    }

    /// Returns the factor by which the scaling multiplies the frequency of pair `i`.
    fn slowed(&self, i: usize) -> f64 {
        match &self.scaling {
            Scaling::None => 1.0,
            Scaling::Linear(factor) => 1.0 / f64::from(*factor),
            Scaling::Yarn(yarn) => {
                let dim = self.dim as f64;
                let pair = |turns: f32| {
                    let turns = f64::from(turns);
                    let ratio = f64::from(yarn.original_ctx) / (turns * 2.0 * PI);
                    dim * ratio.ln() / (2.0 * f64::from(self.theta).ln())
                };
                let (mut low, mut high) = (pair(yarn.beta_fast), pair(yarn.beta_slow));
                if yarn.rounds {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, high) = (low.max(0.0), high.min(dim - 1.0));
                let ramp = ((i as f64 - low) / (high - low).max(1e-3)).clamp(0.0, 1.0);
                1.0 - ramp + ramp / f64::from(yarn.factor)
            }
        }
    }
}

impl Scaling {
    /// Reads the scaling from the metadata.
    ///
    /// # Errors
    /// [`Error::Metadata`] for an unknown kind of scaling.
    pub fn of(gguf: &ModelHeader, architecture: &str, rounds: bool) -> Result<Self> {
        let meta = &gguf.metadata;
        let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
        let at_least = |least: f32, name: &str, default: f32| -> Result<f32> {
            let key = key(name);
            match meta.opt_f32(&key)?.unwrap_or(default) {
                found if found.is_finite() && found >= least => Ok(found),
                found => Err(Error::Metadata {
                    key,
                    expected: if least > 0.0 {
                        "a number above 0"
                    } else {
                        "a number not below 0"
                    }
                    .into(),
                    found: found.to_string(),
                }),
            }
        };
        let positive = |name: &str, default: f32| at_least(f32::MIN_POSITIVE, name, default);
        match meta.opt_str(&key("type"))? {
            // LongRoPE's factors are in tensors.
            None | Some("none" | "longrope") => Ok(Scaling::None),
            Some("linear") => Ok(Scaling::Linear(positive("factor", 1.0)?)),
            Some("yarn") => Ok(Scaling::Yarn(Yarn {
                factor: positive("factor", 1.0)?,
                original_ctx: meta.u32(&key("original_context_length"))?.max(1),
                beta_fast: positive("yarn_beta_fast", 32.0)?,
                beta_slow: positive("yarn_beta_slow", 1.0)?,
                rounds,
                log_multiplier: at_least(0.0, "yarn_log_multiplier", 0.0)?,
            })),
            Some(other) => Err(Error::Metadata {
                key: key("type"),
                expected: "none, linear, yarn or longrope".into(),
                found: other.to_owned(),
            }),
        }
    }

    /// Reads the factor of cos and sin beside the scaling's own.
    ///
    /// `rope.scaling.yarn_attn_factor` is transformers' `attention_factor`, which has the scaling's own in it; llama.cpp takes
    /// its default, 1, for none. OLMo 3's first converter wrote that number as `rope.scaling.attn_factor`.
    ///
    /// # Errors
    /// [`Error::Metadata`] for numbers that are not finite, or not above 0.
    pub fn factor(&self, gguf: &ModelHeader, architecture: &str) -> Result<f32> {
        let number = |name: &str| {
            let key = format!("{architecture}.rope.scaling.{name}");
            match gguf.metadata.opt_f32(&key)?.unwrap_or(1.0) {
                found if found.is_finite() && found > 0.0 => Ok(found),
                found => Err(Error::Metadata {
                    key,
                    expected: "a number above 0".into(),
                    found: found.to_string(),
                }),
            }
        };
        let own = self.magnitude() as f32;
        let (factor, whole) = (number("attn_factor")?, number("yarn_attn_factor")?);
        Ok(match self {
            Scaling::Yarn(_) if whole != 1.0 => whole / own,
            Scaling::Yarn(_) if (factor - own).abs() < 1e-3 => 1.0,
            _ => factor,
        })
    }

    /// Returns the factor by which cos and sin are multiplied.
    fn magnitude(&self) -> f64 {
        match self {
            Scaling::Yarn(yarn) => {
                let grown = |by: f64| 0.1 * by * f64::from(yarn.factor).ln() + 1.0;
                grown(1.0) / grown(f64::from(yarn.log_multiplier))
            }
            Scaling::None | Scaling::Linear(_) => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_turn_by_three_dimensions_in_sections_or_interleaved() {
        let of = |pairs: [usize; 3], interleaved: bool| -> Vec<usize> {
            let n = pairs.iter().sum();
            let sections = Sections { pairs, interleaved };
            (0..n).map(|i| sections.dimension(i)).collect()
        };
        assert_eq!(of([2, 3, 3], false), [0, 0, 1, 1, 1, 2, 2, 2]);
        assert_eq!(of([4, 2, 2], true), [0, 1, 2, 0, 1, 2, 0, 0]);
    }
}
