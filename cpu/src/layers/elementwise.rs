//! Functions of single values, rows and pairs of rows.

use crate::math::{exp, exp_all};

/// Replaces values by their softmax.
pub fn softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let inverse = 1.0 / exp_all(row, max);
    for v in row {
        *v *= inverse;
    }
}

/// Adds `more` to `x`.
pub fn add(x: &mut [f32], more: &[f32]) {
    for (x, more) in x.iter_mut().zip(more) {
        *x += more;
    }
}

/// Multiplies queries by head_dim^-0.5.
pub fn scale(queries: &mut [f32], head_dim: usize) {
    let factor = 1.0 / (head_dim as f32).sqrt();
    for v in queries {
        *v *= factor;
    }
}

/// Applies GELU with the error function (Hendrycks & Gimpel 2016, arXiv:1606.08415) in place.
pub fn gelu(values: &mut [f32]) {
    for v in values {
        *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// Returns erf(v) within 1.5e-7: Abramowitz & Stegun 1964, 7.1.26.
#[allow(clippy::excessive_precision)] // constants as published
fn erf(v: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * v.abs());
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (1.0 - polynomial * exp(-v * v)).copysign(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_of_known_points() {
        let mut values = [-3.0, -1.0, 0.0, 0.5, 2.0];
        gelu(&mut values);
        let wanted = [-0.004_049_7, -0.158_655_25, 0.0, 0.345_731_23, 1.954_499_7];
        for (got, wanted) in values.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
        }
    }
}
