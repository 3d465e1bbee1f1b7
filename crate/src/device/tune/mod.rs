//! A short measurement on the device that chooses how projections and attention are launched.
//!
//! A GPU wants many threads on one row, a software rasteriser one thread a row and no barrier. Names tell
//! little (browsers hide them), so the kernels themselves are timed: a few launches of each candidate.
//!
//! | module   | answers                                                   |
//! |----------|-----------------------------------------------------------|
//! | `choice` | which candidates there are, and which of them is taken    |
//! | `timing` | how long a candidate takes on a device, and if it is right |

mod choice;
mod timing;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::ops::projection::tile::TILE_TOKENS;
use crate::ops::{Arithmetic, Shapes, Tuning, state};
use hearth_modelfile::error::Result;

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
    /// Choices by class of shape. Without them, all shapes are treated alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional))]
    pub shapes: Option<Shapes>,
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
        shapes: None,
    };

    /// Whether this can have been measured here: what is kept elsewhere may be anything.
    pub(crate) fn is_possible(&self, features: &[&str]) -> bool {
        let valid = |n: u32| n.is_power_of_two() && n <= 64;
        let speed = self.macs_per_ms.is_finite() && self.macs_per_ms > 0.0;
        let subgroups = !self.subgroups || features.contains(&"subgroups");
        let shapes = self.shapes();
        let threads = [shapes.few_rows, shapes.normed, shapes.few_rows_normed];
        valid(self.decode_threads_per_tile)
            && valid(self.prefill_threads_per_tile)
            && threads.into_iter().all(valid)
            && speed
            && subgroups
    }

    /// Choices by class of shape, of which a device that was not asked has one for all.
    fn shapes(&self) -> Shapes {
        let alike = Shapes::alike(self.decode_threads_per_tile, self.shared_tile);
        self.shapes.unwrap_or(alike)
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
            shapes: self.shapes(),
            workgroup_bytes: 0,
        }
    }
}

/// Tokens of a prefill kernel's tile in registers.
const PREFILL_TOKENS: usize = TILE_TOKENS as usize;

/// A trial and what it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialTime {
    /// Shape and way of the launches.
    pub trial: String,
    /// Milliseconds of eight launches; `None` if the device refused them, or computed something wrong.
    pub ms: Option<f64>,
}

/// Measures `device` anew and returns every trial that was made with the profile: what [`measure`] decided from.
///
/// # Errors
/// As [`measure`].
pub async fn trials(device: &Device) -> Result<(DeviceProfile, Vec<TrialTime>)> {
    let timer = choice::Recorded::new(timing::OnDevice::new(device));
    let profile = choice::choose(&timer).await?;
    Ok((profile, timer.into_times()))
}

/// Times the candidates on `device`.
///
/// # Errors
/// The device's error if it cannot run the plainest candidate.
pub async fn measure(device: &Device) -> Result<DeviceProfile> {
    choice::choose(&timing::OnDevice::new(device)).await
}

#[cfg(test)]
mod tests {
    use super::*;

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
                shapes: Some(Shapes::alike(24, true)),
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
