//! The time of a step, from its launches' counters and a device's constants.

use serde::Serialize;

use super::{Counters, DeviceClass};

/// Microseconds of a step, by what they go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct StepTime {
    /// Waits between launches.
    pub gaps: f64,
    /// Loads and barriers of which each waits for the one before it.
    pub latency: f64,
    /// The largest of what each launch takes for bytes of memory and caches, and for instructions.
    pub work: f64,
}

impl StepTime {
    /// Returns the sum in microseconds.
    pub fn total(&self) -> f64 {
        self.gaps + self.latency + self.work
    }
}

/// Tokens per second as the cost model predicts them, with the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "PredictedSpeed"))]
pub struct Speed {
    /// Tokens per second with the context full, greedy.
    pub tokens_per_second: f64,
    /// Upper bound: the bytes of a token at the measured bandwidth, and nothing else.
    pub at_most: f64,
    /// Launches of a step.
    pub launches: u64,
    pub step: StepTime,
    /// Bytes that the device reads a second.
    pub bandwidth: f64,
    /// Microseconds between two launches, and whether they were measured.
    pub gap: f64,
    pub gap_measured: bool,
    /// Class of devices whose latencies and caches were assumed: the one whose bandwidth is nearest.
    pub like: &'static str,
}

/// Returns the time of a step on a class of devices. Each kind of launch comes with its number.
pub fn step_time<'a>(
    class: &DeviceClass,
    launches: impl IntoIterator<Item = (&'a Counters, u64)>,
) -> StepTime {
    let mut sum = StepTime::default();
    for (counters, n) in launches {
        let one = launch_time(class, counters);
        let n = n as f64;
        sum.gaps += n * one.gaps;
        sum.latency += n * one.latency;
        sum.work += n * one.work;
    }
    sum
}

fn launch_time(class: &DeviceClass, c: &Counters) -> StepTime {
    const US: f64 = 1e6;
    let bytes = c.memory_bytes() as f64;
    let mut latency =
        f64::from(c.trips) * class.l2 + f64::from(c.near_trips + c.barriers) * class.near;
    let mut bandwidth = class.bandwidth * class.reach;
    if bytes > 0.0 {
        latency += class.memory;
        // Little's law: bytes on their way = bandwidth * latency.
        let fitting = class.workgroup_memory / c.workgroup_memory.max(1);
        let resident = u64::from(class.cores * fitting.clamp(1, class.resident));
        let on_their_way = (c.workgroups.min(resident) * u64::from(c.bytes_in_flight)) as f64;
        bandwidth = bandwidth.min(on_their_way / class.memory * US).max(1.0);
    }
    let work = [
        bytes / bandwidth,
        c.instructions as f64 / class.instructions,
        c.bank_rounds as f64 / (f64::from(class.cores) * class.clock),
        (bytes + c.cached_bytes() as f64) / class.l2_bandwidth,
    ];
    StepTime {
        gaps: class.gap,
        latency,
        work: US * work.into_iter().fold(0.0, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::CLASSES;

    /// Computed by hand for an RTX 4090.
    #[test]
    fn a_launch_takes_its_gap_its_latency_and_the_largest_of_its_work() {
        let [_, _, class, ..] = &CLASSES;
        let nothing = step_time(class, [(&Counters::default(), 3)]);
        assert_eq!((nothing.gaps, nothing.total()), (3.0 * 1.8, 3.0 * 1.8));
        let large = Counters {
            workgroups: 1 << 20,
            bytes_in_flight: 4096,
            weight_bytes: 1_008_000_000,
            trips: 5,
            near_trips: 1,
            barriers: 3,
            ..Counters::default()
        };
        let time = step_time(class, [(&large, 1)]);
        let latency = 5.0 * 0.12 + 4.0 * 0.02 + 0.40;
        assert!((time.latency - latency).abs() < 1e-9, "{time:?}");
        assert!((time.work - 1000.0 / 0.92).abs() < 1e-6, "{time:?}");
        // One workgroup has 4096 bytes on their way, of which each takes 0.4 us.
        let narrow = Counters {
            workgroups: 1,
            ..large
        };
        let work = step_time(class, [(&narrow, 1)]).work;
        assert!((work / (1_008_000_000.0 / 4096.0 * 0.4) - 1.0).abs() < 1e-9);
        let cached = Counters {
            prologue_bytes: 10_000_000_000,
            ..Counters::default()
        };
        assert!((step_time(class, [(&cached, 1)]).work - 2000.0).abs() < 1e-6);
        let busy = Counters {
            instructions: 41_000_000_000,
            bank_rounds: 128 * 2520,
            ..Counters::default()
        };
        assert!((step_time(class, [(&busy, 1)]).work - 1000.0).abs() < 1e-6);
    }
}
