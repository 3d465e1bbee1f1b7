//! Resampler to 16 kHz: a windowed sinc, with one set of coefficients for each phase of the ratio.

use std::f64::consts::PI;

use hearth_modelfile::Result;

use crate::wav::{bad_rate, check_rate};
use crate::{SAMPLE_RATE, not_finite};

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 64.0;
/// Shape of the Kaiser window: about 90 dB of stop band.
const BETA: f64 = 9.0;
/// Corner of the low-pass, as a share of the lower of the two Nyquist frequencies: 7.6 kHz of 8.
const CORNER: f64 = 0.95;

/// Coefficients of all phases: 32 MiB, enough for every rate that recorders have.
const MAX_TAPS: u64 = 1 << 22;

/// Returns `samples` at 16 kHz; `samples.len() * 16000 / rate` of them, rounded up.
///
/// # Errors
/// [`hearth_modelfile::Error::BadAudio`] for a rate outside 1 to 768 kHz or in no simple ratio to 16 kHz, or if a sample is infinite
/// or not a number.
pub fn to_16k(samples: &[f32], rate: u32) -> Result<Vec<f32>> {
    check_rate(rate)?;
    if !samples.iter().all(|sample| sample.is_finite()) {
        return Err(not_finite());
    }
    if rate == SAMPLE_RATE {
        return Ok(samples.to_vec());
    }
    let divisor = gcd(rate, SAMPLE_RATE);
    let (up, down) = (u64::from(SAMPLE_RATE / divisor), u64::from(rate / divisor));
    // Cycles a sample of the input.
    let corner = CORNER * (f64::from(SAMPLE_RATE) / f64::from(rate)).min(1.0);
    let reach = (CROSSINGS / corner).ceil() as i64;
    // A hostile header must not ask for a table of hundreds of megabytes.
    if up.saturating_mul(2 * reach.unsigned_abs()) > MAX_TAPS {
        return Err(bad_rate(rate));
    }
    let phases: Vec<Vec<f64>> = (0..up)
        .map(|phase| taps(phase as f64 / up as f64, corner, reach))
        .collect();
    let count = (samples.len() as u64 * up).div_ceil(down);
    Ok((0..count)
        .map(|n| {
            let first = (n * down / up) as i64 - reach + 1;
            let taps = &phases[(n * down % up) as usize];
            let skip = (-first).max(0) as usize;
            let from = first.max(0) as usize;
            let inputs = samples.get(from..).unwrap_or_default();
            let taps = taps.get(skip..).unwrap_or_default();
            taps.iter()
                .zip(inputs)
                .map(|(tap, sample)| tap * f64::from(*sample))
                .sum::<f64>() as f32
        })
        .collect())
}

/// Returns the coefficients of one phase, of sum 1: the `2 * reach` samples around a point `fraction` after the middle one.
fn taps(fraction: f64, corner: f64, reach: i64) -> Vec<f64> {
    let mut taps: Vec<f64> = (1 - reach..=reach)
        .map(|i| {
            let x = i as f64 - fraction;
            let edge = (1.0 - (x / reach as f64).powi(2)).max(0.0);
            let sinc = if x == 0.0 {
                1.0
            } else {
                (PI * corner * x).sin() / (PI * corner * x)
            };
            sinc * bessel(BETA * edge.sqrt())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// Returns the modified Bessel function of order 0 by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: u32, count: usize) -> Vec<f32> {
        (0..count)
            .map(|n| (2.0 * PI * hertz * n as f64 / f64::from(rate)).sin() as f32)
            .collect()
    }

    /// Returns the power of the difference against that of a full sine, in decibels, without the edges.
    fn decibels(got: &[f32], wanted: &[f32]) -> f64 {
        let middle = 1_000..got.len() - 1_000;
        let count = middle.len() as f64;
        let noise: f64 = middle.map(|i| f64::from(got[i] - wanted[i]).powi(2)).sum();
        10.0 * (2.0 * noise / count).max(1e-30).log10()
    }

    #[test]
    fn tones_pass_and_aliases_do_not() {
        for rate in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000] {
            let (mut error, mut alias) = (-300.0_f64, -300.0_f64);
            for hertz in [50.0, 440.0, 1_000.0, 3_000.0, 3_500.0, 5_000.0, 7_000.0] {
                if hertz < f64::from(rate.min(16_000)) * 0.4376 {
                    let got = to_16k(&tone(hertz, rate, rate as usize), rate).unwrap();
                    error = error.max(decibels(&got, &tone(hertz, 16_000, got.len())));
                }
            }
            for hertz in [8_300.0, 9_000.0, 10_500.0, 15_000.0, 20_000.0] {
                if hertz < f64::from(rate) * 0.48 {
                    let got = to_16k(&tone(hertz, rate, rate as usize), rate).unwrap();
                    alias = alias.max(decibels(&got, &vec![0.0; got.len()]));
                }
            }
            println!("{rate} Hz: error {error:.1} dB, alias {alias:.1} dB");
            assert!(
                error < -60.0 && alias < -60.0,
                "{rate} Hz: error {error} dB, alias {alias} dB"
            );
        }
    }

    #[test]
    fn lengths_are_exact_and_odd_rates_refused() {
        for (rate, count) in [
            (48_000, 3_000),
            (44_100, 44_100),
            (8_000, 1),
            (22_050, 0),
            (1_000, 10),
        ] {
            let got = to_16k(&vec![0.5; count], rate).unwrap();
            assert_eq!(
                got.len() as u64,
                (count as u64 * 16_000).div_ceil(u64::from(rate))
            );
        }
        for rate in [0, 767_999] {
            assert_eq!(to_16k(&[0.0], rate), Err(bad_rate(rate)));
        }
        assert_eq!(to_16k(&[f32::NAN], 8_000), Err(not_finite()));
    }
}
