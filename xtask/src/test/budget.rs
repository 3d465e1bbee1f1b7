//! Time limits of the stages: without budgets a suite grows until it no longer fits its limit.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Seconds on the reference machine (two cores of an AMD EPYC, no GPU) with nothing compiled or installed before, as
/// BENCHMARKS.md has them, and some more for what comes. On an EPYC without AVX-512, whose hashes are as fast and whose software
/// Vulkan and JavaScript are not, the native tests take 1,065 s and the light specs of browsers 993.
/// Stages without a browser run beside others, and take up to twice as long as alone: crates of others and ours took 1,505 s on
/// the latter machine. Clippy comes first, and has the crates of others compiled. Native tests of changed shaders may take
/// twice as long again, because the driver's cache has no compiled form of them yet. The minutes by area, and what a new feature may add, are in CONTRIBUTING.md.
const BUDGETS: [(&str, u64); 18] = [
    ("rustfmt", 10),
    ("goldens", 10),
    ("words", 10),
    ("setup", 240),
    ("eslint", 260),
    ("prettier", 90),
    ("clippy", 1100),
    ("compile", 400),
    ("unit", 60),
    ("gpu-stats", 150),
    ("native", 2000),
    ("fuzz", 60),
    ("build", 1000),
    ("clippy-wasm", 100),
    ("types", 260),
    ("pkg", 380),
    ("www", 200),
    ("e2e-light", 1150),
];
/// The browser tests that share nothing, one after the other.
const HEAVY: (&str, u64) = ("e2e-heavy", 500);

/// Factor by which a stage may exceed its budget before it fails.
const SLACK: f64 = 1.5;

/// Bytes that the yardstick hashes, and the milliseconds that the reference machine takes for them.
const YARDSTICK_BYTES: usize = 64 << 20;
const YARDSTICK_MS: f64 = 250.0;

#[derive(Clone)]
pub struct Budgets {
    /// Slowness of this machine relative to the reference; at least 1.
    slowness: f64,
}

impl Budgets {
    /// Measures the machine.
    pub fn measure() -> Self {
        let start = Instant::now();
        let block = vec![0x5a; 1 << 20];
        let mut hash = Sha256::new();
        for _ in 0..YARDSTICK_BYTES / block.len() {
            hash.update(&block);
        }
        std::hint::black_box(hash.finalize());
        let ms = start.elapsed().as_secs_f64() * 1e3;
        Self {
            slowness: (ms / YARDSTICK_MS).clamp(1.0, 8.0),
        }
    }

    /// Describes by how much a stage exceeded its budget, if it did.
    pub fn exceeded(&self, stage: &str, time: Duration) -> Option<String> {
        let (_, seconds) = BUDGETS.iter().chain([&HEAVY]).find(|b| b.0 == stage)?;
        let limit = *seconds as f64 * SLACK * self.slowness;
        (time.as_secs_f64() > limit).then(|| {
            format!(
                "took {:.0} s, and may take {limit:.0}: make it shorter, or say in xtask/src/test/budget.rs why it needs more",
                time.as_secs_f64()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_as_much_again_is_too_long() {
        let budgets = Budgets { slowness: 2.0 };
        let limit = |seconds| budgets.exceeded("native", Duration::from_secs(seconds));
        assert!(limit(2000 * 3 - 1).is_none());
        assert!(limit(2000 * 3 + 1).is_some_and(|said| said.contains("6001 s")));
        assert!(budgets.exceeded("setup of a kind", Duration::MAX).is_none());
    }
}
