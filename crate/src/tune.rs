//! A short measurement on the device that chooses how the projections are launched.
//!
//! A GPU wants many threads on one row, a software rasteriser one thread a row and no barrier. Names tell
//! little (browsers hide them), so the kernels themselves are timed: a few launches of each candidate.

use burn::tensor::Tensor;

use crate::device::{Device, now_ms};
use crate::error::{Error, Result};
use crate::ops::linear::TILE_TOKENS;
use crate::ops::words::{read_f32, read_words};
use crate::ops::{Ops, Tuning, Weight, WeightPart, state};
use crate::quant::Packing;

/// The matrix of the measurement, of the size of a small model's projections.
const ROWS: usize = 1024;
const COLS: usize = 1024;
/// Launches in one timing.
const LAUNCHES: usize = 4;
/// A prefill chunk's budget: a driver may reset a GPU that is busy for two seconds, a person notices 100 ms.
const CHUNK_MS: f64 = 100.0;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Threads a row in decode and in prefill.
    pub decode_lanes: u32,
    pub prefill_lanes: u32,
    /// Whether lanes add up within a subgroup.
    pub subgroups: bool,
    /// Multiply-adds a millisecond in prefill.
    pub macs_per_ms: f64,
}

impl Measured {
    /// What the CPU uses; it has no lanes.
    pub const CPU: Self = Self {
        decode_lanes: 1,
        prefill_lanes: 1,
        subgroups: false,
        macs_per_ms: 1e6,
    };

    /// Launch choices for a model of `parameters` weights.
    pub fn tuning(&self, parameters: u64) -> Tuning {
        let tokens = CHUNK_MS * self.macs_per_ms / parameters.max(1) as f64;
        let chunk = (tokens as usize / PREFILL_TOKENS) * PREFILL_TOKENS;
        Tuning {
            decode_lanes: self.decode_lanes,
            prefill_lanes: self.prefill_lanes,
            subgroups: self.subgroups,
            prefill_tokens: PREFILL_TOKENS as u32,
            chunk: chunk.clamp(PREFILL_TOKENS, state::MAX_CHUNK),
        }
    }
}

/// Scales of a Q4 block whose nibbles are 0: d = 0, m = 1, so every weight is 1.
const MINIMUM_ONE: u32 = 0x3c00_0000;
/// Tokens that a thread of the prefill kernels computes at once.
const PREFILL_TOKENS: usize = TILE_TOKENS as usize;

/// Times the candidates on `device`.
///
/// # Errors
/// What the device says when it cannot run them.
pub async fn measure(device: &Device) -> Result<Measured> {
    let mut decode = (time(device, 1, false, 1).await?, 1, false);
    let mut prefill = (time(device, 1, false, PREFILL_TOKENS).await?, 1);
    let with_subgroups = device.info().features.contains(&"subgroups");
    for subgroups in [false, true] {
        if subgroups && !with_subgroups {
            continue;
        }
        let Ok(ms) = time(device, 16, subgroups, 1).await else {
            // A shader that this device refuses, or whose sum is wrong: the plain one stays.
            continue;
        };
        if ms < decode.0 {
            decode = (ms, 16, subgroups);
        }
    }
    let ms = time(device, 16, decode.2, PREFILL_TOKENS).await?;
    if ms < prefill.0 {
        prefill = (ms, 16);
    }
    let macs = (ROWS * COLS * PREFILL_TOKENS * LAUNCHES) as f64;
    Ok(Measured {
        decode_lanes: decode.1,
        prefill_lanes: prefill.1,
        subgroups: decode.2,
        macs_per_ms: macs / prefill.0,
    })
}

/// Milliseconds of the timed launches, after their result was checked.
async fn time(device: &Device, lanes: u32, subgroups: bool, tokens: usize) -> Result<f64> {
    let ops = Ops::new(
        &device.burn,
        Tuning {
            decode_lanes: lanes,
            prefill_lanes: lanes,
            subgroups,
            prefill_tokens: PREFILL_TOKENS as u32,
            chunk: tokens,
        },
    );
    let blocks = ROWS * COLS / Packing::Q4.block_len();
    let weight = Weight {
        rows: ROWS,
        cols: COLS,
        parts: vec![WeightPart {
            packing: Packing::Q4,
            first_row: 0,
            rows: ROWS,
            quants: ops.alloc_words(blocks * Packing::Q4.quant_words_per_block()),
            scales: ops.write_words(ops.alloc_words(blocks), 0, vec![MINIMUM_ONE; blocks]),
        }],
    };
    let state = ops.write_words(
        ops.alloc_words(state::STATE_WORDS),
        state::POS,
        vec![0, tokens as u32],
    );
    // Uploaded: a fill kernel of the runtime's own takes its workgroup from the adapter's limits, which may
    // be above the device's.
    let ones = burn::tensor::TensorData::new(vec![1.0f32; tokens * COLS], [tokens, COLS]);
    let x: Tensor<2> = Tensor::from_data(ones, &device.burn);
    // The first launch compiles, and shows whether the device adds up right: nothing promises that a
    // subgroup's threads are the ones that the shader takes for neighbours.
    let y = device
        .wait(read_f32(&ops.linear(&x, &weight, &state)))
        .await?;
    device.check()?;
    if y.iter().any(|sum| *sum != COLS as f32) {
        return Err(Error::Gpu {
            op: "tuning".into(),
            message: "a projection of ones does not add up".into(),
        });
    }
    // The read-back's own time is part of both timings and cancels.
    let start = now_ms();
    device.wait(read_words(&state, 0, 4)).await?;
    let idle = now_ms() - start;
    let start = now_ms();
    for _ in 0..LAUNCHES {
        ops.linear(&x, &weight, &state);
    }
    device.wait(read_words(&state, 0, 4)).await?;
    device.check()?;
    Ok((now_ms() - start - idle).max(1e-3))
}
