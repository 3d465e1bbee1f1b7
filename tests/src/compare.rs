//! The only way in which tests compare numbers. A value that is missing or not a number is never close.

/// Returns the largest difference between `found` and `expected`.
///
/// # Panics
/// Panics if the lengths differ, nothing is compared, or a value is not finite.
pub fn worst_error(what: &str, found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "{what}: another length");
    assert!(!found.is_empty(), "{what}: nothing to compare");
    let mut worst = 0.0f32;
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            a.is_finite() && b.is_finite(),
            "{what}[{i}]: {a} against {b}"
        );
        worst = worst.max((a - b).abs());
    }
    worst
}

/// Reports how large `worst` is relative to `tolerance`, which should be three times the measured error, and fails if
/// it is larger.
pub fn assert_within(what: &str, worst: f32, tolerance: f32) {
    println!(
        "{what}: largest error {worst:.1e}, {:.2} of {tolerance:.0e}",
        worst / tolerance
    );
    assert!(worst <= tolerance, "{what}: {worst}, beyond {tolerance}");
}

/// Calls `worst_error` and `assert_within`.
pub fn assert_near(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_within(what, worst_error(what, found, expected), tolerance);
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn what_is_no_number_is_not_close() {
        assert_eq!(worst_error("", &[1.0, 2.0], &[1.5, 2.0]), 0.5);
        let pairs: [(&[f32], &[f32]); 6] = [
            (&[f32::NAN], &[1.0]),
            (&[1.0], &[f32::NAN]),
            (&[f32::INFINITY], &[f32::INFINITY]),
            (&[1.0, 2.0], &[1.0]),
            (&[1.0], &[1.0, 2.0]),
            (&[], &[]),
        ];
        for (found, expected) in pairs {
            let result = catch_unwind(|| worst_error("", found, expected));
            assert!(result.is_err(), "{found:?} {expected:?}");
        }
        assert!(catch_unwind(|| assert_within("", f32::NAN, 1.0)).is_err());
        assert!(catch_unwind(|| assert_within("", 1.1, 1.0)).is_err());
    }
}
