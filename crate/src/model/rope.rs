//! Tables of rotary positions.

use crate::error::{Error, Result};
use crate::format::Gguf;

/// How one kind of layer rotates.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the frequencies.
    pub theta: f32,
    /// Dimensions of a head that are rotated; 0 for none.
    pub dim: usize,
    /// Positions are divided by this (linear scaling); 1 without.
    pub scale: f32,
    /// cos and sin are multiplied by this (LongRoPE); 1 without.
    pub factor: f32,
}

impl Rope {
    /// cos and sin for every position and pair: [n_ctx, dim / 2, 2]. `divisors` divide the frequencies.
    ///
    /// In f64, because an f32 angle of 8,192 radians is already off by half a thousandth.
    pub fn table(&self, n_ctx: usize, divisors: Option<&[f32]>) -> Vec<f32> {
        let pairs = self.dim / 2;
        let frequencies: Vec<f64> = (0..pairs)
            .map(|i| {
                let exponent = 2.0 * i as f64 / self.dim as f64;
                let divisor = divisors.and_then(|d| d.get(i)).copied().unwrap_or(1.0);
                f64::from(self.theta).powf(-exponent) / f64::from(divisor)
            })
            .collect();
        let factor = f64::from(self.factor);
        let mut table = Vec::with_capacity(n_ctx * pairs * 2);
        for position in 0..n_ctx {
            let position = position as f64 / f64::from(self.scale);
            for frequency in &frequencies {
                let (sin, cos) = (position * frequency).sin_cos();
                table.extend([(cos * factor) as f32, (sin * factor) as f32]);
            }
        }
        table
    }
}

/// The factor of linear scaling in the metadata; 1 without.
///
/// # Errors
/// [`Error::Metadata`] for another kind of scaling.
pub fn linear_scale(gguf: &Gguf, architecture: &str) -> Result<f32> {
    let key = format!("{architecture}.rope.scaling.type");
    let factor = format!("{architecture}.rope.scaling.factor");
    match gguf.metadata.opt_str(&key)? {
        // LongRoPE is in tensors.
        None | Some("none" | "longrope") => Ok(1.0),
        Some("linear") => Ok(gguf.metadata.opt_f32(&factor)?.unwrap_or(1.0)),
        Some(other) => Err(Error::Metadata {
            key,
            expected: "none, linear or longrope".into(),
            found: other.to_owned(),
        }),
    }
}
