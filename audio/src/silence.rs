//! Sound in which nothing can be heard, so that no model need guess at it.

/// Samples of one frame: 30 ms at 16 kHz.
const FRAME: usize = 480;
/// Mean square of a frame at 66 dB below full scale; a quiet room recorded by a telephone is above it.
const LEAST: f32 = 2.5e-7;

/// Tells whether no 30 ms of `samples` reach 66 dB below full scale.
#[must_use]
pub fn is_silent(samples: &[f32]) -> bool {
    samples.chunks(FRAME).all(|frame| {
        let mean = frame.iter().sum::<f32>() / frame.len() as f32;
        let square = |sample: &f32| (sample - mean) * (sample - mean);
        frame.iter().map(square).sum::<f32>() / frame.len() as f32 <= LEAST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_no_silence_and_a_constant_is() {
        assert!(is_silent(&[]) && is_silent(&[0.0; 1_000]) && is_silent(&[0.5; 1_000]));
        let faint = |level: f32| -> Vec<f32> {
            let tone = (0..1_000).map(|n| (n as f32 * 0.2).sin() * level);
            std::iter::repeat_n(0.0, 5_000).chain(tone).collect()
        };
        assert!(is_silent(&faint(3e-4)) && !is_silent(&faint(2e-3)));
    }
}
