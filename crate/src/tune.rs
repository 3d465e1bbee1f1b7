//! A short measurement on the device that chooses how the projections are launched.
//!
//! A GPU wants many threads on one row, a software rasteriser one thread a row and no barrier. Names tell
//! little (browsers hide them), so the kernels themselves are timed: a few launches of each candidate.

use burn::tensor::{Device as BurnDevice, Tensor};

use crate::device::{Device, now_ms};
use crate::error::Result;
use crate::ops::words::read_words;
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
    /// Multiply-adds a millisecond in prefill.
    pub macs_per_ms: f64,
}

impl Measured {
    /// What the CPU uses; it has no lanes.
    pub const CPU: Self = Self {
        decode_lanes: 1,
        prefill_lanes: 1,
        macs_per_ms: 1e6,
    };

    /// Launch choices for a model of `parameters` weights.
    pub fn tuning(&self, parameters: u64) -> Tuning {
        let tokens = CHUNK_MS * self.macs_per_ms / parameters.max(1) as f64;
        let chunk = (tokens as usize / PREFILL_TOKENS) * PREFILL_TOKENS;
        Tuning {
            decode_lanes: self.decode_lanes,
            prefill_lanes: self.prefill_lanes,
            prefill_tokens: PREFILL_TOKENS as u32,
            chunk: chunk.clamp(PREFILL_TOKENS, state::MAX_CHUNK),
        }
    }
}

/// Tokens that a thread of the prefill kernel computes at once.
const PREFILL_TOKENS: usize = 8;

/// Times the candidates on `device`.
///
/// # Errors
/// What the device says when it cannot run them.
pub async fn measure(device: &Device) -> Result<Measured> {
    let mut best = [(f64::INFINITY, 1u32); 2];
    for lanes in [1, 16] {
        for (slot, tokens) in [(0, 1), (1, PREFILL_TOKENS)] {
            let ms = time(device, &device.burn, lanes, tokens).await?;
            if ms < best[slot].0 {
                best[slot] = (ms, lanes);
            }
        }
    }
    let macs = (ROWS * COLS * PREFILL_TOKENS * LAUNCHES) as f64;
    Ok(Measured {
        decode_lanes: best[0].1,
        prefill_lanes: best[1].1,
        macs_per_ms: macs / best[1].0.max(1e-3),
    })
}

async fn time(device: &Device, burn: &BurnDevice, lanes: u32, tokens: usize) -> Result<f64> {
    let ops = Ops::new(
        burn,
        Tuning {
            decode_lanes: lanes,
            prefill_lanes: lanes,
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
            scales: ops.alloc_words(blocks),
        }],
    };
    let state = ops.write_words(
        ops.alloc_words(state::STATE_WORDS),
        state::POS,
        vec![0, tokens as u32],
    );
    let x: Tensor<2> = ops.alloc_f32(tokens, COLS);
    // The first launch compiles; the read-back's own time is part of both timings and cancels.
    ops.linear(&x, &weight, &state);
    device.wait(read_words(&state, 0, 4)).await?;
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
