//! Discrete Fourier transform of the lengths that Whisper has: 400 = 4 * 4 * 5 * 5, in 64-bit floats, as the logarithm after it
//! enlarges errors.

use std::f64::consts::TAU;

/// A transform of one length, with its table of roots.
pub(crate) struct Fft {
    roots: Vec<(f64, f64)>,
}

impl Fft {
    /// Makes the table for `n` points.
    pub(crate) fn new(n: usize) -> Self {
        let roots = (0..n)
            .map(|k| (-TAU * k as f64 / n as f64).sin_cos())
            .map(|(sin, cos)| (cos, sin))
            .collect();
        Self { roots }
    }

    /// Returns the spectrum of real `input` `[n]` as complex numbers `[n]`.
    pub(crate) fn real(&self, input: &[f64]) -> Vec<(f64, f64)> {
        self.decimate(input, 0, 1, self.roots.len())
    }

    /// Transforms the `n` values from `start`, `stride` apart: each factor of `n` is split off in turn.
    fn decimate(&self, input: &[f64], start: usize, stride: usize, n: usize) -> Vec<(f64, f64)> {
        if n == 1 {
            return vec![(input.get(start).copied().unwrap_or(0.0), 0.0)];
        }
        let radix = [4, 5, 2, 3]
            .into_iter()
            .find(|radix| n.is_multiple_of(*radix))
            .unwrap_or(n);
        let part = n / radix;
        let parts: Vec<_> = (0..radix)
            .map(|r| self.decimate(input, start + r * stride, stride * radix, part))
            .collect();
        (0..n)
            .map(|k| {
                parts
                    .iter()
                    .enumerate()
                    .fold((0.0, 0.0), |(re, im), (r, part_of)| {
                        let (a, b) = part_of[k % part];
                        let (c, d) = self.roots[(r * k * stride) % self.roots.len()];
                        (re + a * c - b * d, im + a * d + b * c)
                    })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_sum_that_defines_it() {
        for n in [1, 2, 7, 12, 400] {
            let input: Vec<f64> = (0..n)
                .map(|i| ((i * i * 7 + 3) % 31) as f64 / 31.0 - 0.5)
                .collect();
            for (k, &(re, im)) in Fft::new(n).real(&input).iter().enumerate() {
                let (mut x, mut y) = (0.0, 0.0);
                for (i, value) in input.iter().enumerate() {
                    let angle = -TAU * (i * k) as f64 / n as f64;
                    x += value * angle.cos();
                    y += value * angle.sin();
                }
                assert!((x - re).abs() < 1e-9 && (y - im).abs() < 1e-9, "{n} {k}");
            }
        }
    }
}
