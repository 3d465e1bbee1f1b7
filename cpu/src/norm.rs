//! RMSNorm. Source: Zhang & Sennrich 2019, arXiv:1910.07467.

use crate::dot::dot_f32;
use crate::lanes;

/// Computes x / sqrt(mean(x^2) + eps) * weight row by row: `x`: [n, cols], `weight`: [cols], `y`: [>= n, cols].
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32]) {
    let cols = weight.len();
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
        let mean = dot_f32(x, x) / cols as f32;
        let scale = 1.0 / lanes::square_root(mean + eps);
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * w;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_mean_square_of_one() {
        let x = [3.0, -3.0, 3.0, 3.0, 0.5, 0.5, -0.5, 0.5];
        let mut y = [0.0; 8];
        rms_norm(&x, &[1.0, 2.0, 1.0, 1.0], 0.0, &mut y);
        assert_eq!(y, [1.0, -2.0, 1.0, 1.0, 1.0, 2.0, -1.0, 1.0]);
        rms_norm(&[0.0; 4], &[1.0; 4], 1e-5, &mut y[..4]);
        assert_eq!(y[..4], [0.0; 4]);
    }
}
