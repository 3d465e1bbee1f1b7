//! The detector's network. Its weights are kept in f16, which moves probabilities by less than a hundredth; the spectrogram's are
//! those of a Hann window and are computed.

use hearth_modelfile::container::{Parsed, safetensors};
use hearth_modelfile::{Error, Result};

use crate::fft::Fft;
use crate::whisper::{Linear, Tensors};

/// Samples of one probability: 32 ms at 16 kHz.
pub const FRAME: usize = 512;
/// Samples of the frame before that are heard again.
const CONTEXT: usize = 64;
const N_FFT: usize = 256;
const HOP: usize = 128;
const BINS: usize = N_FFT / 2 + 1;
/// Frames of the spectrogram for one probability.
const COLUMNS: usize = 4;
const TAPS: usize = 3;
/// Inputs, outputs and stride of each convolution.
const CONVOLUTIONS: [(usize, usize, usize); 4] =
    [(BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1)];
/// Width of the LSTM.
const WIDTH: usize = 128;

static WEIGHTS: &[u8] = include_bytes!("silero_vad_16k.safetensors");

/// The network, which is the same for all recordings.
pub struct Vad {
    convolutions: Vec<Linear>,
    input: Linear,
    state: Linear,
    last: Linear,
    fft: Fft,
    window: Vec<f64>,
}

/// Memory of one recording.
#[derive(Clone)]
pub struct Voice {
    h: Vec<f32>,
    c: Vec<f32>,
    context: [f32; CONTEXT],
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            h: vec![0.0; WIDTH],
            c: vec![0.0; WIDTH],
            context: [0.0; CONTEXT],
        }
    }
}

impl Vad {
    /// Makes the network of its weights.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; others only if the program's own file of weights is broken.
    pub fn new() -> Result<Self> {
        let mut tensors = Tensors::default();
        let Parsed::Header(header) = safetensors::parse(WEIGHTS, Some(WEIGHTS.len() as u64))?
        else {
            return Err(broken());
        };
        for tensor in &header.tensors {
            let from = tensor.offset as usize;
            let bytes = WEIGHTS.get(from..from + tensor.size as usize);
            let shape: Vec<u64> = tensor.shape.iter().rev().copied().collect();
            tensors.add(
                &tensor.name,
                &shape,
                tensor.dtype,
                bytes.ok_or_else(broken)?,
            )?;
        }
        let convolutions = (1..).zip(CONVOLUTIONS).map(|(i, (inputs, outputs, _))| {
            tensors.linear(&format!("conv{i}"), outputs, inputs * TAPS)
        });
        let convolutions = convolutions.collect::<Result<_>>()?;
        let mut gates = |of: &str| -> Result<Linear> {
            Ok(Linear {
                weight: tensors.matrix(&format!("lstm_cell.weight_{of}"), 4 * WIDTH, WIDTH)?,
                bias: Some(tensors.plain(&format!("lstm_cell.bias_{of}"), 4 * WIDTH)?),
            })
        };
        let (input, state) = (gates("ih")?, gates("hh")?);
        let last = tensors.linear("final_conv", 1, WIDTH)?;
        let hann = |n: usize| 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / N_FFT as f64).cos();
        Ok(Self {
            convolutions,
            input,
            state,
            last,
            fft: Fft::new(N_FFT),
            window: (0..N_FFT).map(hann).collect(),
        })
    }

    /// Returns the probability of speech in each frame of `samples`, of which what is left over is left out.
    pub fn hear(&self, voice: &mut Voice, samples: &[f32]) -> Vec<f32> {
        let frames = samples.as_chunks::<FRAME>().0;
        let mut x = Vec::with_capacity(frames.len() * COLUMNS * BINS);
        for frame in frames {
            self.spectrogram(&voice.context, frame, &mut x);
            voice.context.copy_from_slice(&frame[FRAME - CONTEXT..]);
        }
        let mut columns = COLUMNS;
        for (convolution, (channels, _, stride)) in self.convolutions.iter().zip(CONVOLUTIONS) {
            x = convolution.of(&gathered(&x, columns, channels, stride));
            rectify(&mut x);
            columns /= stride;
        }
        let gates = self.input.of(&x);
        let gates = gates.chunks(4 * WIDTH);
        gates.map(|gates| self.remember(voice, gates)).collect()
    }

    /// Appends the magnitudes [4, 129] of a frame to `out`.
    fn spectrogram(&self, context: &[f32; CONTEXT], frame: &[f32; FRAME], out: &mut Vec<f32>) {
        // Behind its end the frame is mirrored.
        let mirrored = frame.iter().rev().skip(1).take(CONTEXT);
        let sound: Vec<f32> = context
            .iter()
            .chain(frame)
            .chain(mirrored)
            .copied()
            .collect();
        for column in sound.windows(N_FFT).step_by(HOP).take(COLUMNS) {
            let input: [f64; N_FFT] =
                std::array::from_fn(|i| f64::from(column[i]) * self.window[i]);
            let mut spectrum = [(0.0, 0.0); N_FFT];
            self.fft.real(&input, &mut spectrum);
            let magnitude = |(re, im): &(f64, f64)| (re * re + im * im).sqrt() as f32;
            out.extend(spectrum[..BINS].iter().map(magnitude));
        }
    }

    /// Takes a step of the LSTM, whose gates have the input's part already; returns the probability.
    fn remember(&self, voice: &mut Voice, gates: &[f32]) -> f32 {
        let mut all = self.state.of(&voice.h);
        for (all, input) in all.iter_mut().zip(gates) {
            *all += input;
        }
        for i in 0..WIDTH {
            let [input, forget, cell, output] = std::array::from_fn(|gate| all[gate * WIDTH + i]);
            voice.c[i] = sigmoid(forget) * voice.c[i] + sigmoid(input) * cell.tanh();
            voice.h[i] = sigmoid(output) * voice.c[i].tanh();
        }
        let mut h = voice.h.clone();
        rectify(&mut h);
        self.last.of(&h).first().map_or(0.0, |v| sigmoid(*v))
    }
}

/// Returns the inputs of a convolution of 3 taps, a row for each of its outputs: `x`: [frames, columns, channels], with a column of
/// zeros on each side; the taps of a channel follow each other, as in a weight [outputs, channels, taps].
fn gathered(x: &[f32], columns: usize, channels: usize, stride: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len() * TAPS / stride);
    for frame in x.chunks(columns * channels) {
        for at in (0..columns).step_by(stride) {
            for c in 0..channels {
                for tap in 0..TAPS {
                    let column = (at + tap).checked_sub(1).filter(|column| *column < columns);
                    out.push(column.map_or(0.0, |column| frame[column * channels + c]));
                }
            }
        }
    }
    out
}

fn rectify(values: &mut [f32]) {
    for v in values {
        *v = v.max(0.0);
    }
}

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

fn broken() -> Error {
    Error::Truncated {
        what: "the weights of the voice detector".into(),
        needed: WEIGHTS.len() as u64 + 1,
        available: WEIGHTS.len() as u64,
    }
}
