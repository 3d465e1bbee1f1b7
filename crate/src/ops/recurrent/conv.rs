//! Depthwise causal convolution over the last tokens, with the history that it needs of those before the step.
//!
//! - c[t] = sum_{i < taps} weight[i] * u[t - taps + 1 + i] in each channel, where u is 0 before the first token.
//! - Plain: `u`: [T, stride], of which `channels` columns from `first` on are convolved; y = silu(c): [T, channels].
//! - Gated (LFM2): `u`: [T, 3 channels] holds b, c and x; b * x is convolved; y = c * conv(b * x).
//! - `weight`: [taps, channels], with a bias [taps + 1, channels], which is last and added to c. `history`: its first
//!   [`HISTORY`] * channels values are the ring of inputs; the input of position p is row p mod HISTORY. So tokens that were
//!   cut off again need not be taken back.
//! - GPU: one thread per four channels of a token. A step of few tokens writes its rows to the history in the same
//!   launch, since they cannot be those that it reads; a longer one in a second launch.
//! - Source: Liquid AI 2025, arXiv:2511.23404; Yang et al. 2024, arXiv:2412.06464.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::math::exp;
use hearth_modelfile::layer_spec::{DeltaShape, HISTORY, MambaShape};

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::{flex, state};
use hearth_modelfile::cost::Counters;

/// Shape and kind of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// A multiple of 4.
    pub channels: usize,
    /// At most HISTORY - 7, so that a step with drafts does not overwrite what it reads.
    pub taps: usize,
    /// Columns of a row of the input, a multiple of 4.
    pub stride: usize,
    /// First column that is convolved, a multiple of 4.
    pub first: usize,
    pub gated: bool,
    pub bias: bool,
}

impl ConvSpec {
    /// Returns the parts of the work that the launches of a step of `rows` rows do: one launch, if it writes no row of the
    /// history that it reads.
    pub(in crate::ops) fn parts(&self, rows: usize) -> &'static [Part] {
        match rows + self.taps <= HISTORY + 1 {
            true => &[Part::Both],
            false => &[Part::Compute, Part::Write],
        }
    }
}

/// The convolution before a gated delta net or a selective scan.
pub(in crate::ops) trait ConvShape {
    fn conv(&self) -> ConvSpec;
}

impl ConvShape for MambaShape {
    fn conv(&self) -> ConvSpec {
        ConvSpec {
            channels: self.channels(),
            taps: self.taps,
            stride: self.columns(),
            first: self.inner(),
            gated: false,
            bias: true,
        }
    }
}

impl ConvShape for DeltaShape {
    fn conv(&self) -> ConvSpec {
        ConvSpec {
            channels: self.channels(),
            taps: self.taps,
            stride: self.columns(),
            first: 0,
            gated: false,
            bias: false,
        }
    }
}

impl Kernel {
    /// Adds the constants of a convolution that another kernel computes.
    pub(super) fn convolves(self, spec: ConvSpec) -> Self {
        self.u32s([
            ("TAPS", spec.taps as u32),
            ("HISTORY", HISTORY as u32),
            ("FIRST4", spec.first as u32 / 4),
        ])
        .bools([("BIAS", spec.bias)])
    }
}

/// Backend extension: the convolution on each backend.
#[backend_extension(Cube, Flex)]
pub trait ConvOp: Backend {
    /// Returns (y, history), see the module's documentation.
    fn conv(
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        history: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// The part of the work that a launch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Part {
    Compute,
    Write,
    Both,
}

fn kernel(spec: ConvSpec, part: Part) -> Kernel {
    Kernel::new(&modules::CONV, 64)
        .module(&state::WGSL)
        .u32s([
            ("CHANNELS4", spec.channels as u32 / 4),
            ("STRIDE4", spec.stride as u32 / 4),
            ("FIRST4", spec.first as u32 / 4),
            ("TAPS", spec.taps as u32),
            ("HISTORY", HISTORY as u32),
        ])
        .bools([
            ("GATED", spec.gated),
            ("BIAS", spec.bias),
            ("COMPUTES", part != Part::Write),
            ("WRITES", part != Part::Compute),
        ])
}

fn grid(spec: ConvSpec, part: Part, t: usize) -> Grid {
    let rows = match part {
        Part::Write => HISTORY,
        Part::Compute | Part::Both => t,
    };
    ((spec.channels as u32 / 4).div_ceil(64), rows as u32, 1)
}

/// Describes the launch that does a part of the work for `t` tokens.
pub(in crate::ops) fn describe(spec: ConvSpec, part: Part, t: usize) -> Launch {
    let row = 4 * spec.channels as u64;
    // Rows of input and of history that a row of the result takes, and the kernel's.
    let (rows, taps) = (t as u64, spec.taps as u64);
    let inputs = if spec.gated { 3 } else { 1 };
    let computed = match part {
        Part::Write => 0,
        Part::Compute | Part::Both => rows * row * (inputs + taps),
    };
    let kept = rows.min(HISTORY as u64);
    let history = match part {
        Part::Compute => row * (taps - 1),
        Part::Write => row * kept,
        Part::Both => row * (taps - 1 + kept),
    };
    let counters = Counters {
        prologue_bytes: computed,
        state_bytes: history,
        bytes_in_flight: 16 * 64 * spec.taps as u32,
        // The state, then everything else.
        trips: 2,
        ..Counters::default()
    };
    Launch::new("conv", kernel(spec, part), grid(spec, part, t), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for (gated, bias) in [(false, false), (true, false), (false, true)] {
        let spec = ConvSpec {
            channels: 16,
            taps: 3,
            stride: 48,
            first: if bias { 16 } else { 0 },
            gated,
            bias,
        };
        all.extend([Part::Compute, Part::Write, Part::Both].map(|part| kernel(spec, part)));
    }
    all
}

impl ConvOp for CubeBackend {
    fn conv(
        u: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        state: IntTensor<Self>,
        history: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [t, _] = u.meta.shape().dims();
        let y = empty_f32(&u, [t, spec.channels]);
        let tensors = [&u, &weight, &state, &history, &y];
        for part in spec.parts(t) {
            launch(kernel(spec, *part), grid(spec, *part, t), &tensors);
        }
        (y, history)
    }
}

impl ConvOp for Flex {
    fn conv(
        u: FlexTensor,
        weight: FlexTensor,
        state: FlexTensor,
        mut history: FlexTensor,
        spec: ConvSpec,
    ) -> (FlexTensor, FlexTensor) {
        let [t, _] = u.layout().shape().dims();
        let state = state.storage::<u32>();
        let (pos, n) = (state[state::POS] as usize, state[state::N_TOKENS] as usize);
        let mut y = vec![0.0; t * spec.channels];
        let live = &mut y[..n * spec.channels];
        conv_cpu(
            u.storage(),
            weight.storage(),
            history.storage_mut(),
            pos,
            live,
            spec,
        );
        (flex::tensor(y, [t, spec.channels]), history)
    }
}

/// Convolves tokens, the CPU twin: `u`: [n, stride], `history`: see the module's documentation, `y`: [n, channels].
pub(in crate::ops) fn conv_cpu(
    u: &[f32],
    weight: &[f32],
    history: &mut [f32],
    pos: usize,
    y: &mut [f32],
    spec: ConvSpec,
) {
    let c = spec.channels;
    let n = y.len() / c;
    let gated = |row: &[f32]| {
        row[..c]
            .iter()
            .zip(&row[2 * c..])
            .map(|(b, x)| b * x)
            .collect()
    };
    let inputs: Vec<Vec<f32>> = (u.chunks_exact(spec.stride).take(n))
        .map(|row| match spec.gated {
            true => gated(row),
            false => row[spec.first..spec.first + c].to_vec(),
        })
        .collect();
    let rows = u.chunks_exact(spec.stride).zip(y.chunks_exact_mut(c));
    let (weight, bias) = weight.split_at(spec.taps * c);
    for (t, (row, y)) in rows.enumerate() {
        if spec.bias {
            y.copy_from_slice(bias);
        }
        for (back, weight) in weight.chunks_exact(c).rev().enumerate() {
            let input = match back {
                back if back <= t => &inputs[t - back][..],
                back if back <= pos + t => {
                    let at = (pos + t - back) % HISTORY * c;
                    &history[at..at + c]
                }
                _ => break,
            };
            for ((y, w), v) in y.iter_mut().zip(weight).zip(input) {
                *y += w * v;
            }
        }
        match spec.gated {
            true => y.iter_mut().zip(&row[c..2 * c]).for_each(|(y, c)| *y *= c),
            false => y.iter_mut().for_each(|y| *y /= 1.0 + exp(-*y)),
        }
    }
    for (t, input) in inputs.iter().enumerate() {
        let at = (pos + t) % HISTORY * c;
        history[at..at + c].copy_from_slice(input);
    }
}
