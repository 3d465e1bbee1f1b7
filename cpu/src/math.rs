//! Math of attention, gates and sampling other than dot products, in loops that vectorise.

/// Returns e^v with a relative error below 3e-7, without branches, so that it vectorises. v is clamped to -87 .. 88.
/// NaN stays NaN.
///
/// 2^n e^r with n whole and |r| at most ln(2) / 2; the polynomial is that of Cephes' `expf`.
#[inline(always)]
#[allow(clippy::excessive_precision)] // constants as published
pub fn exp(v: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // adding this leaves the integer in the low bits of the mantissa
    const P: [f32; 6] = [
        1.987_569_150_0e-4,
        1.398_199_950_7e-3,
        8.333_451_907_3e-3,
        4.166_579_589_4e-2,
        1.666_666_545_9e-1,
        5.000_000_120_1e-1,
    ];
    let v = if v < -87.0 { -87.0 } else { v };
    let v = if v > 88.0 { 88.0 } else { v };
    let n = v * core::f32::consts::LOG2_E + ROUND;
    let whole = n - ROUND;
    // ln(2) in two parts, the first of which has an exact product with any whole number here.
    let r = v - whole * 0.693_359_375 + whole * 2.121_944_400_5e-4;
    let mut p = P[0];
    for next in &P[1..] {
        p = p * r + next;
    }
    let scale = f32::from_bits((n.to_bits() << 23).wrapping_add(127 << 23));
    (p * r * r + r + 1.0) * scale
}

/// Replaces each value by e^(value - less) and returns the sum.
#[inline(never)]
pub fn exp_all(values: &mut [f32], less: f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let (eights, rest) = values.as_chunks_mut::<8>();
    for eight in eights {
        for (v, sum) in eight.iter_mut().zip(&mut sums) {
            *v = exp(*v - less);
            *sum += *v;
        }
    }
    let mut sum = sums.iter().sum();
    for v in rest {
        *v = exp(*v - less);
        sum += *v;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn exponentials_are_within_3e_7() {
        let mut worst = 0.0f64;
        for i in -870_000..=880_000 {
            let v = i as f32 / 10_000.0;
            let exact = (v as f64).exp();
            worst = worst.max(((exp(v) as f64 - exact) / exact).abs());
        }
        assert!(worst < 3e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::MIN) < 2e-38);
        assert!(exp(f32::INFINITY) > 1e38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_of_odd_lengths() {
        for n in [0, 1, 7, 8, 9, 31] {
            let mut values: Vec<f32> = (0..n).map(|i| i as f32 * 0.25).collect();
            let exact: Vec<f32> = values.iter().map(|v| (v - 3.0).exp()).collect();
            let sum = exp_all(&mut values, 3.0);
            for (a, b) in values.iter().zip(&exact) {
                assert!((a - b).abs() <= 1e-6 * b);
            }
            assert!((sum - exact.iter().sum::<f32>()).abs() <= 1e-5 * sum);
        }
    }
}
