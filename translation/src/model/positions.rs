//! Sinusoidal positions (Vaswani et al. 2017, arXiv:1706.03762), sines in the first half of a row and cosines in the second.

use crate::config::Sinusoid;

/// Positions that are added to rows of tokens.
pub enum Positions {
    /// None: the order of tokens is known otherwise.
    None,
    /// A table of the file, [positions, d].
    Stored(Vec<f32>),
    Computed(Sinusoid),
}

impl Positions {
    /// Adds the rows of positions to `x` [.., d], whose first row is at `from`.
    pub fn add(&self, x: &mut [f32], from: usize, d: usize) {
        match self {
            Self::None => {}
            Self::Stored(rows) => {
                let rows = rows.get(from * d..).into_iter().flatten();
                x.iter_mut().zip(rows).for_each(|(v, row)| *v += row);
            }
            Self::Computed(kind) => {
                for (at, row) in x.chunks_exact_mut(d.max(1)).enumerate() {
                    add_sinusoid(*kind, from + at, row);
                }
            }
        }
    }
}

fn add_sinusoid(kind: Sinusoid, position: usize, row: &mut [f32]) {
    let d = row.len();
    let half = d / 2;
    let angle = |i: usize| match kind {
        Sinusoid::Marian => position as f64 / 10_000f64.powf((2 * i) as f64 / d as f64),
        // The reference computes in f32. (The first two rows are those of padding.)
        Sinusoid::M2m100 => {
            let step = -(10_000f64.ln() / (half.max(2) - 1) as f64) as f32;
            f64::from((position + 2) as f32 * (i as f32 * step).exp())
        }
    };
    let (sines, cosines) = row.split_at_mut(half);
    for (i, (sine, cosine)) in sines.iter_mut().zip(cosines).enumerate() {
        *sine += angle(i).sin() as f32;
        *cosine += angle(i).cos() as f32;
    }
}
