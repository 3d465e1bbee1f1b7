//! Log-mel spectrogram of Whisper (openai/whisper `audio.py`, transformers' `WhisperFeatureExtractor`).
//!
//! Periodic Hann window of 400 samples every 160, centred with reflected edges, power spectrum, slaney mel filters,
//! `log10`, a floor 8 below the maximum of the whole array, then `(x + 4) / 4`.

use std::f64::consts::TAU;
use std::ops::Range;

use hearth_modelfile::{Error, Result};

use crate::{SAMPLE_RATE, fft::Fft};

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
    filters: Vec<Filter>,
}

/// Weights of one mel bin, from its first bin of the spectrum on.
struct Filter {
    from: usize,
    weights: Vec<f64>,
}

impl LogMel {
    /// Makes the tables for 80 or 128 mel bins.
    ///
    /// # Errors
    /// [`Error::Metadata`] for any other number.
    pub fn new(n_mels: usize) -> Result<Self> {
        if n_mels != 80 && n_mels != 128 {
            return Err(Error::Metadata {
                key: "num_mel_bins".into(),
                expected: "80 or 128".into(),
                found: n_mels.to_string(),
            });
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

    /// Returns the spectrogram `[n_mels, samples / 160]` of 16 kHz samples, mirrored at both ends, as transformers' front end
    /// returns it of a file that is not padded.
    ///
    /// # Errors
    /// [`Error::BadAudio`] if a sample is infinite or not a number.
    pub fn compute(&self, samples: &[f32]) -> Result<Vec<f32>> {
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(crate::not_finite());
        }
        let frames = samples.len() / HOP;
        let mut mel = vec![0.0; self.n_mels * frames];
        let mut loudest = f32::NEG_INFINITY;
        for frame in 0..frames {
            let sample = |i| samples[reflect(frame * HOP + i, samples.len())];
            self.frame(sample, |m, log| {
                loudest = loudest.max(log);
                mel[m * frames + frame] = log;
            });
        }
        normalise(&mut mel, loudest);
        Ok(mel)
    }

    /// Returns the largest logarithm among `frames` of a recording that silence follows, for [`LogMel::window`].
    #[must_use]
    pub fn loudest(&self, samples: &[f32], frames: Range<usize>) -> f32 {
        let mut loudest = f32::NEG_INFINITY;
        for frame in frames {
            self.frame(padded(samples, frame), |_, log| loudest = loudest.max(log));
        }
        loudest
    }

    /// Returns the window `[n_mels, 3000]` that begins at frame `from` of a recording that silence follows (openai/whisper:
    /// 30 s of zeros). `loudest`: the largest logarithm of the whole recording, which the floor is relative to.
    #[must_use]
    pub fn window(&self, samples: &[f32], from: usize, loudest: f32) -> Vec<f32> {
        let mut mel = vec![0.0; self.n_mels * WINDOW_FRAMES];
        for frame in 0..WINDOW_FRAMES {
            self.frame(padded(samples, from + frame), |m, log| {
                mel[m * WINDOW_FRAMES + frame] = log;
            });
        }
        normalise(&mut mel, loudest);
        mel
    }

    /// Calls `put` with the logarithm of each mel bin of one frame, whose samples `sample` returns.
    fn frame(&self, sample: impl Fn(usize) -> f32, mut put: impl FnMut(usize, f32)) {
        let input: [f64; N_FFT] = std::array::from_fn(|i| f64::from(sample(i)) * self.window[i]);
        // Most of a padded window is silence.
        let power = if input.iter().all(|sample| *sample == 0.0) {
            [0.0; BINS]
        } else {
            let mut spectrum = [(0.0, 0.0); N_FFT];
            self.fft.real(&input, &mut spectrum);
            std::array::from_fn(|i| spectrum[i].0 * spectrum[i].0 + spectrum[i].1 * spectrum[i].1)
        };
        for (m, filter) in self.filters.iter().enumerate() {
            let bins = filter.weights.iter().zip(&power[filter.from..]);
            let energy: f64 = bins.map(|(weight, power)| weight * power).sum();
            put(m, energy.max(1e-10).log10() as f32);
        }
    }
}

/// Returns the samples of a frame: mirrored before the recording, zeros after it.
fn padded(samples: &[f32], frame: usize) -> impl Fn(usize) -> f32 {
    move |i| {
        let at = (frame * HOP + i).abs_diff(N_FFT / 2);
        samples.get(at).copied().unwrap_or(0.0)
    }
}

/// Raises logarithms to 8 below the loudest, and scales them.
fn normalise(mel: &mut [f32], loudest: f32) {
    for log in mel {
        *log = (log.max(loudest - 8.0) + 4.0) / 4.0;
    }
}

/// Returns the index of the sample at `at - 200`, mirrored at both ends without repeating the first and the last.
fn reflect(at: usize, len: usize) -> usize {
    let period = 2 * (len - 1).max(1);
    let half = N_FFT / 2;
    let at = (at + period * half.div_ceil(period) - half) % period;
    if at < len { at } else { period - at }
}

/// Returns the filters from 0 to 8 kHz, each with the area that slaney's toolbox gives it.
fn filters(n_mels: usize) -> Vec<Filter> {
    let top = mel_of(f64::from(SAMPLE_RATE) / 2.0);
    let edges: Vec<f64> = (0..n_mels + 2)
        .map(|i| hertz(top * i as f64 / (n_mels + 1) as f64))
        .collect();
    let filter = |edge: &[f64]| {
        let weight = |bin: usize| {
            let f = bin as f64 * f64::from(SAMPLE_RATE) / N_FFT as f64;
            let rising = (f - edge[0]) / (edge[1] - edge[0]);
            let falling = (edge[2] - f) / (edge[2] - edge[1]);
            rising.min(falling).max(0.0) * 2.0 / (edge[2] - edge[0])
        };
        let from = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
        let weights = (from..BINS).map(weight).take_while(|weight| *weight > 0.0);
        Filter {
            from,
            weights: weights.collect(),
        }
    };
    edges.windows(3).map(filter).collect()
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
