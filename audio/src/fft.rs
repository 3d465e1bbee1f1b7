//! Discrete Fourier transform of the lengths that Whisper has: 400 = 4 * 4 * 5 * 5, in 64-bit floats, as the logarithm after it
//! enlarges errors.

use std::f64::consts::TAU;

/// Largest prime factor of a length.
const LARGEST_FACTOR: usize = 7;

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

    /// Writes the spectrum of real `input` `[n]` as complex numbers to `out` `[n]`.
    pub(crate) fn real(&self, input: &[f64], out: &mut [(f64, f64)]) {
        self.decimate(input, 0, 1, out);
    }

    /// Transforms the values from `start`, `stride` apart, as many as `out` holds: each factor of their number is split off in
    /// turn, and its parts are combined in place.
    fn decimate(&self, input: &[f64], start: usize, stride: usize, out: &mut [(f64, f64)]) {
        let n = out.len();
        if n == 1 {
            out[0] = (input.get(start).copied().unwrap_or(0.0), 0.0);
            return;
        }
        let radix = [4, 5, 2, 3]
            .into_iter()
            .find(|radix| n.is_multiple_of(*radix))
            .unwrap_or(n);
        let part = n / radix;
        for (r, out) in out.chunks_exact_mut(part).enumerate() {
            self.decimate(input, start + r * stride, stride * radix, out);
        }
        let mut parts = [(0.0, 0.0); LARGEST_FACTOR];
        for k in 0..part {
            for (r, to) in parts.iter_mut().take(radix).enumerate() {
                *to = out[r * part + k];
            }
            for q in 0..radix {
                let at = k + q * part;
                let of_part = parts[..radix].iter().enumerate();
                out[at] = of_part.fold((0.0, 0.0), |(re, im), (r, (a, b))| {
                    let (c, d) = self.roots[(r * at * stride) % self.roots.len()];
                    (re + a * c - b * d, im + a * d + b * c)
                });
            }
        }
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
            let mut out = vec![(0.0, 0.0); n];
            Fft::new(n).real(&input, &mut out);
            for (k, &(re, im)) in out.iter().enumerate() {
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
