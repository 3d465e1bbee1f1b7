//! Sinusoidal positions (Vaswani et al. 2017, arXiv:1706.03762), sines in the first half of a row and cosines in the second.

use crate::config::Sinusoid;

/// Returns the rows of positions 0 to `count`: [count, d].
pub fn sinusoids(kind: Sinusoid, count: usize, d: usize) -> Vec<f32> {
    let half = d / 2;
    let mut out = Vec::with_capacity(count * d);
    for position in 0..count {
        let angle = |i: usize| match kind {
            Sinusoid::Marian => position as f64 / 10_000f64.powf((2 * i) as f64 / d as f64),
            // The reference computes in f32. (The first two rows are those of padding.)
            Sinusoid::M2m100 => {
                let step = -(10_000f64.ln() / (half.max(2) - 1) as f64) as f32;
                f64::from((position + 2) as f32 * (i as f32 * step).exp())
            }
        };
        out.extend((0..half).map(|i| angle(i).sin() as f32));
        out.extend((0..half).map(|i| angle(i).cos() as f32));
        out.resize((position + 1) * d, 0.0);
    }
    out
}
