//! A short measurement on the device that chooses how the projections are launched.
//!
//! A GPU wants many threads on one row, a software rasteriser one thread a row and no barrier. Names tell
//! little (browsers hide them), so the kernels themselves are timed: a few launches of each candidate.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::ops::buffer::read_f32;
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::{Arithmetic, Ops, Scaling, Source, StepState, Tuning, Weight, WeightPart, state};
use crate::platform::now_ms;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::Packing;

/// Columns of the measurement's matrix: a block for each thread of the widest tile.
const COLS: usize = 2048;
/// Its rows on a software adapter, on a GPU, where fewer would only measure the clock, and on one that may have as many in
/// its caches: 140 MB where the largest have 72 MB.
const FEW_ROWS: usize = 512;
const MANY_ROWS: usize = 32 * 1024;
const UNCACHED_ROWS: usize = 4 * MANY_ROWS;
/// A launch on few rows that takes less is on a GPU, and one on many rows reads at least 84 GB/s.
const FAST_MS: f64 = 0.1;
const CACHED_MS: f64 = 0.5;
/// Time that a slow device may spend on measurements beyond the necessary ones.
const BUDGET_MS: f64 = 300.0;
/// Launches that timings are of, and the least that is timed on a GPU, with as many launches as that takes: a browser's
/// clock may tick in milliseconds.
const LAUNCHES: usize = 8;
const TIMED_MS: f64 = 5.0;
const MOST_LAUNCHES: usize = 64 * LAUNCHES;
/// A prefill chunk's budget: a driver may reset a GPU that is busy for two seconds, a person notices 100 ms.
pub(crate) const CHUNK_MS: f64 = 100.0;

/// Multiply-adds a millisecond that a core (Apple's cores, NVIDIA's multiprocessors, AMD's compute units) brings to the
/// measured prefill, computed from published peaks at about 40%: no interface says how many cores a GPU has.
const CORE_MACS_PER_MS: f64 = 1e8;
/// Workgroups of a decode step's attention for each core, and at least in all.
const ATTENTION_A_CORE: f64 = 2.0;
const MIN_ATTENTION: u32 = 64;

/// Measurements of a device; callers may keep them for the next time that they open the same adapter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "DeviceTuning"))]
pub struct DeviceProfile {
    /// Threads a row in decode and in prefill.
    pub decode_threads_per_tile: u32,
    pub prefill_threads_per_tile: u32,
    /// Whether the threads of a tile add up within a subgroup.
    pub subgroups: bool,
    /// Arithmetic of decode with block formats.
    pub arithmetic: Arithmetic,
    /// Whether prefill of many tokens goes through workgroup memory.
    #[serde(default)]
    pub shared_tile: bool,
    /// Multiply-adds a millisecond in prefill.
    pub macs_per_ms: f64,
}

impl DeviceProfile {
    /// Settings of the CPU, where one thread computes a tile.
    pub const CPU: Self = Self {
        decode_threads_per_tile: 1,
        prefill_threads_per_tile: 1,
        subgroups: false,
        arithmetic: Arithmetic::F32,
        shared_tile: false,
        macs_per_ms: 1e6,
    };

    /// Whether this can have been measured here: what is kept elsewhere may be anything.
    pub(crate) fn is_possible(&self, features: &[&str]) -> bool {
        let valid = |n: u32| n.is_power_of_two() && n <= 64;
        let speed = self.macs_per_ms.is_finite() && self.macs_per_ms > 0.0;
        let subgroups = !self.subgroups || features.contains(&"subgroups");
        valid(self.decode_threads_per_tile)
            && valid(self.prefill_threads_per_tile)
            && speed
            && subgroups
    }

    /// Workgroups that attention is split into: a power of two, so that most measurements of a device agree.
    fn attention_workgroups(&self) -> u32 {
        let wanted = ATTENTION_A_CORE * self.macs_per_ms / CORE_MACS_PER_MS;
        (wanted.min(1024.0) as u32)
            .next_power_of_two()
            .max(MIN_ATTENTION)
    }

    /// Launch choices for a model of `parameters` weights.
    pub fn tuning(&self, parameters: u64) -> Tuning {
        let token_ms = parameters.max(1) as f64 / self.macs_per_ms;
        let tokens = CHUNK_MS / token_ms;
        let chunk = (tokens as usize / PREFILL_TOKENS) * PREFILL_TOKENS;
        Tuning {
            decode_threads_per_tile: self.decode_threads_per_tile,
            prefill_threads_per_tile: self.prefill_threads_per_tile,
            subgroups: self.subgroups,
            arithmetic: self.arithmetic,
            shared_tile: self.shared_tile,
            chunk: chunk.clamp(PREFILL_TOKENS, state::MAX_CHUNK),
            // A device that gains nothing from more threads on a row gains nothing from more on a context.
            token_us: (1e3 * token_ms) as u64,
            attention_workgroups: match self.decode_threads_per_tile > 1 {
                true => self.attention_workgroups(),
                false => 1,
            },
            workgroup_bytes: 0,
        }
    }
}

/// Scales of a Q4 block whose nibbles are 0: d = 0, m = 1, so every weight is 1.
const MINIMUM_ONE: u32 = 0x3c00_0000;
/// Tokens of a prefill kernel's tile, and as many as show what one through workgroup memory is good for.
const PREFILL_TOKENS: usize = TILE_TOKENS as usize;
const WIDE_TOKENS: usize = 64;

/// One way to launch a projection.
#[derive(Clone, Copy)]
struct Candidate {
    threads_per_tile: u32,
    subgroups: bool,
    arithmetic: Arithmetic,
    shared_tile: bool,
}

const ONE_THREAD: Candidate = Candidate {
    threads_per_tile: 1,
    subgroups: false,
    arithmetic: Arithmetic::F32,
    shared_tile: false,
};

/// Times the candidates on `device`.
///
/// # Errors
/// What the device says when it cannot run the plainest.
pub async fn measure(device: &Device) -> Result<DeviceProfile> {
    let begin = now_ms();
    let mut best = ONE_THREAD;
    let mut best_ms = time(device, FEW_ROWS, best, 1).await?;
    let mut rows = FEW_ROWS;
    for (fast_ms, more) in [(FAST_MS, MANY_ROWS), (CACHED_MS, UNCACHED_ROWS)] {
        if best_ms >= fast_ms * LAUNCHES as f64 {
            break;
        }
        rows = more;
        best_ms = time(device, rows, best, 1).await?;
    }
    // A software adapter, whose compiler is the slow part, rarely wants anything but the plainest.
    let is_over = || rows == FEW_ROWS && now_ms() - begin > BUDGET_MS;
    let has = |feature: &str| device.info().features.contains(&feature);
    let mut several = Candidate {
        threads_per_tile: 16,
        ..ONE_THREAD
    };
    // Each step builds on the winner so far. A shader that the device refuses, or whose sum is wrong, is none.
    for step in 0..6 {
        let candidate = match step {
            0 => several,
            1 if has("subgroups") && best.threads_per_tile > 1 => {
                several.subgroups = true;
                several
            }
            // More threads on a row are fewer rows in a workgroup, so that more workgroups share a small matrix.
            2 | 3 if best.threads_per_tile > 1 => Candidate {
                threads_per_tile: 16 << (step - 1),
                ..best
            },
            4 => Candidate {
                arithmetic: Arithmetic::F16,
                ..best
            },
            5 => Candidate {
                arithmetic: Arithmetic::I15,
                ..best
            },
            _ => continue,
        };
        if is_over() {
            break;
        }
        // Not for a difference that may be gone the next time; integers even round differently.
        let bar = match candidate.arithmetic {
            Arithmetic::I15 => 0.75,
            Arithmetic::F32 | Arithmetic::F16 => 0.9,
        };
        if let Ok(ms) = time(device, rows, candidate, 1).await
            && ms < bar * best_ms
        {
            (best, best_ms) = (candidate, ms);
        }
    }
    // Prefill is bound by arithmetic, and four matrices would only take four times as long.
    let rows = rows.min(MANY_ROWS);
    let mut prefill = ONE_THREAD;
    let mut ms = time(device, rows, prefill, PREFILL_TOKENS).await?;
    if !is_over() {
        let several = Candidate {
            threads_per_tile: 16,
            ..best
        };
        let found = time(device, rows, several, PREFILL_TOKENS).await?;
        if found < ms {
            (prefill, ms) = (several, found);
        }
    }
    let speed = |tokens: usize, ms: f64| (rows * COLS * tokens * LAUNCHES) as f64 / ms;
    let mut macs_per_ms = speed(PREFILL_TOKENS, ms);
    let mut shared_tile = false;
    if !is_over() {
        // The arithmetic is decode's, so that one number says whether integers are used.
        let through_memory = Candidate {
            shared_tile: true,
            arithmetic: best.arithmetic,
            ..ONE_THREAD
        };
        let ms = time(device, rows, prefill, WIDE_TOKENS).await?;
        if let Ok(found) = time(device, rows, through_memory, WIDE_TOKENS).await
            && found < 0.9 * ms
        {
            shared_tile = true;
            macs_per_ms = speed(WIDE_TOKENS, found);
        }
    }
    Ok(DeviceProfile {
        decode_threads_per_tile: best.threads_per_tile,
        prefill_threads_per_tile: prefill.threads_per_tile,
        subgroups: best.subgroups,
        arithmetic: best.arithmetic,
        shared_tile,
        macs_per_ms,
    })
}

/// Milliseconds of the timed launches, after their result was checked.
async fn time(device: &Device, rows: usize, candidate: Candidate, tokens: usize) -> Result<f64> {
    let ops = Ops::new(
        &device.handle,
        Tuning {
            decode_threads_per_tile: candidate.threads_per_tile,
            prefill_threads_per_tile: candidate.threads_per_tile,
            subgroups: candidate.subgroups,
            arithmetic: candidate.arithmetic,
            shared_tile: candidate.shared_tile,
            chunk: tokens,
            token_us: 0,
            attention_workgroups: 1,
            workgroup_bytes: device.info().limits.max_compute_workgroup_storage_size as usize,
        },
    );
    let weight = ones(&ops, rows);
    let mut step = StepState::new(&ops, 0);
    step.seek(&ops, 0, tokens);
    let x = ops.upload_f32(&vec![1.0; tokens * COLS], [tokens, COLS]);
    // The first launch compiles, and shows whether the device adds up right: nothing promises that a
    // subgroup's threads are the ones that the shader takes for neighbours.
    let y = device
        .wait(read_f32(&ops.linear(&x, &weight, &step)))
        .await?;
    device.check()?;
    check_sums(&y)?;
    // The read-back's own time is part of both timings and cancels.
    let start = now_ms();
    device.wait(step.read(state::POS, 1)).await?;
    let idle = now_ms() - start;
    // The better of two: whatever else the machine does only ever adds.
    let (mut best, mut launches, mut timed) = (f64::MAX, LAUNCHES, 0);
    while timed < 2 {
        let start = now_ms();
        for _ in 0..launches {
            ops.linear(&x, &weight, &step);
        }
        device.wait(step.read(state::POS, 1)).await?;
        let ms = now_ms() - start - idle;
        if rows > FEW_ROWS && ms < TIMED_MS && launches < MOST_LAUNCHES {
            launches *= 2;
            continue;
        }
        (best, timed) = (best.min(ms), timed + 1);
    }
    device.check()?;
    Ok((best * LAUNCHES as f64 / launches as f64).max(1e-3))
}

/// Creates a weight of ones, in matrices of at most [`MANY_ROWS`] that share their scales.
fn ones(ops: &Ops, rows: usize) -> Weight {
    let part_rows = rows.min(MANY_ROWS);
    let blocks = part_rows * COLS / Packing::Q4.block_len();
    let scales = ops.write_words(ops.alloc_words(blocks), 0, vec![MINIMUM_ONE; blocks]);
    let part = |first_row| WeightPart {
        packing: Packing::Q4,
        first_row,
        rows: part_rows,
        quants: ops.alloc_words(blocks * Packing::Q4.quant_words_per_block()),
        scales: scales.clone(),
        pooled: None,
        source: Source::default(),
    };
    Weight {
        rows,
        cols: COLS,
        scaling: Scaling::NONE,
        segments: Rc::default(),
        lora: None,
        parts: (0..rows).step_by(part_rows).map(part).collect(),
    }
}

/// Whether each row of ones has become its sum.
fn check_sums(sums: &[f32]) -> Result<()> {
    if sums.iter().all(|sum| *sum == COLS as f32) {
        return Ok(());
    }
    Err(Error::Gpu {
        op: "tuning".into(),
        message: "a projection of ones does not add up".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing promises the order of a subgroup's threads: a device that has another must not be tuned to use them.
    #[test]
    fn a_device_that_adds_up_wrongly_is_found_out() {
        let right = vec![COLS as f32; 8];
        assert!(check_sums(&right).is_ok());
        for wrong in [0.0, COLS as f32 - 1.0, f32::NAN] {
            let mut sums = right.clone();
            sums[5] = wrong;
            assert_eq!(check_sums(&sums).unwrap_err().code(), "gpu_error");
        }
    }

    /// Estimates for 10 cores, 128 and 132, from the prefill that is expected of them.
    #[test]
    fn a_context_is_split_by_the_cores_that_read_it() {
        for (macs_per_ms, workgroups) in [
            (1.0, 64),
            (6e8, 64),
            (1.1e10, 256),
            (2e10, 512),
            (1e300, 1024),
        ] {
            let measured = DeviceProfile {
                decode_threads_per_tile: 16,
                macs_per_ms,
                ..DeviceProfile::CPU
            };
            let tuning = measured.tuning(1 << 30);
            assert_eq!(tuning.attention_workgroups, workgroups, "{macs_per_ms}");
        }
        assert_eq!(DeviceProfile::CPU.tuning(1 << 30).attention_workgroups, 1);
    }

    #[test]
    fn what_was_kept_elsewhere_may_be_anything() {
        let kept = DeviceProfile {
            decode_threads_per_tile: 16,
            subgroups: true,
            ..DeviceProfile::CPU
        };
        assert!(kept.is_possible(&["subgroups"]));
        assert!(!kept.is_possible(&[]));
        for impossible in [
            DeviceProfile {
                decode_threads_per_tile: 3,
                ..DeviceProfile::CPU
            },
            DeviceProfile {
                prefill_threads_per_tile: 128,
                ..DeviceProfile::CPU
            },
            DeviceProfile {
                macs_per_ms: f64::NAN,
                ..DeviceProfile::CPU
            },
            DeviceProfile {
                macs_per_ms: 0.0,
                ..DeviceProfile::CPU
            },
        ] {
            assert!(!impossible.is_possible(&["subgroups"]), "{impossible:?}");
        }
    }
}
