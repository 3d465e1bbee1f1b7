//! Log-mel spectrogram of Whisper (openai/whisper `audio.py`, transformers' `WhisperFeatureExtractor`).
//!
//! Periodic Hann window of 400 samples every 160, centred with reflected edges, power spectrum, slaney mel filters,
//! `log10`, a floor 8 below the maximum of the whole array, then `(x + 4) / 4`.

use std::f64::consts::TAU;

use crate::{AudioError, SAMPLE_RATE, fft::Fft};

/// Samples of one frame's window.
pub const N_FFT: usize = 400;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Frames of one window of the model: 30 s.
pub const WINDOW_FRAMES: usize = 3_000;

const BINS: usize = N_FFT / 2 + 1;

/// Front end for models of one number of mel bins.
pub struct LogMel {
    n_mels: usize,
    fft: Fft,
    window: Vec<f64>,
    filters: Vec<f64>,
}

impl LogMel {
    /// Makes the tables for 80 or 128 mel bins.
    ///
    /// # Errors
    /// `MelBins` for any other number.
    pub fn new(n_mels: usize) -> Result<Self, AudioError> {
        if n_mels != 80 && n_mels != 128 {
            return Err(AudioError::MelBins(n_mels));
        }
        let window = (0..N_FFT)
            .map(|n| 0.5 - 0.5 * (TAU * n as f64 / N_FFT as f64).cos())
            .collect();
        Ok(Self {
            n_mels,
            fft: Fft::new(N_FFT),
            window,
            filters: filters(n_mels),
        })
    }

    /// Returns the spectrogram `[n_mels, samples / 160]` of 16 kHz samples. The floor is relative to the maximum of all of it, so
    /// a file has to be given whole, and padded (openai: by 30 s of zeros) before it.
    ///
    /// # Errors
    /// `NotFinite` if a sample is infinite or not a number.
    pub fn compute(&self, samples: &[f32]) -> Result<Vec<f32>, AudioError> {
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(AudioError::NotFinite);
        }
        let frames = samples.len() / HOP;
        let mut mel = vec![0.0; self.n_mels * frames];
        let mut max = f64::NEG_INFINITY;
        let mut input = vec![0.0; N_FFT];
        for frame in 0..frames {
            for (i, value) in input.iter_mut().enumerate() {
                *value =
                    f64::from(samples[reflect(frame * HOP + i, samples.len())]) * self.window[i];
            }
            let power: Vec<f64> = self.fft.real(&input)[..BINS]
                .iter()
                .map(|(re, im)| re * re + im * im)
                .collect();
            for (m, filter) in self.filters.chunks_exact(BINS).enumerate() {
                let energy: f64 = filter
                    .iter()
                    .zip(&power)
                    .map(|(weight, power)| weight * power)
                    .sum();
                let log = energy.max(1e-10).log10();
                max = max.max(log);
                mel[m * frames + frame] = log;
            }
        }
        Ok(mel
            .into_iter()
            .map(|log: f64| ((log.max(max - 8.0) + 4.0) / 4.0) as f32)
            .collect())
    }
}

/// Returns the index of the sample at `at - 200`, mirrored at both ends without repeating the first and the last.
fn reflect(at: usize, len: usize) -> usize {
    let period = 2 * (len - 1).max(1);
    let half = N_FFT / 2;
    let at = (at + period * half.div_ceil(period) - half) % period;
    if at < len { at } else { period - at }
}

/// Returns the filters `[n_mels, 201]` from 0 to 8 kHz, each with the area that slaney's toolbox gives it.
fn filters(n_mels: usize) -> Vec<f64> {
    let top = mel_of(f64::from(SAMPLE_RATE) / 2.0);
    let edges: Vec<f64> = (0..n_mels + 2)
        .map(|i| hertz(top * i as f64 / (n_mels + 1) as f64))
        .collect();
    let mut out = Vec::with_capacity(n_mels * BINS);
    for edge in edges.windows(3) {
        for bin in 0..BINS {
            let f = bin as f64 * f64::from(SAMPLE_RATE) / N_FFT as f64;
            let rising = (f - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - f) / (edge[2] - edge[1]);
            out.push(rising.min(falling).max(0.0) * 2.0 / (edge[2] - edge[0]));
        }
    }
    out
}

/// Mels of one step of the logarithmic part, which begins at 1 kHz, 15 mels.
const LOG_STEP: f64 = 27.0;

fn mel_of(hertz: f64) -> f64 {
    if hertz < 1_000.0 {
        hertz * 3.0 / 200.0
    } else {
        15.0 + (hertz / 1_000.0).ln() * LOG_STEP / 6.4_f64.ln()
    }
}

fn hertz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1_000.0 * (6.4_f64.ln() * (mel - 15.0) / LOG_STEP).exp()
    }
}
