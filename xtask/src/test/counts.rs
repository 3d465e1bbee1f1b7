//! Counts of passed tests, parsed from each runner's output.

use crate::proc::strip_ansi;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// A program whose exit status is the result, such as a linter or a compiler. Counts as one.
    Check,
    Cargo,
    Vitest,
    Playwright,
}

impl Runner {
    /// Reads the counts from a runner's output. None: no summary, so the runner crashed or prints a new format.
    pub fn read(self, output: &str, success: bool) -> Option<Counts> {
        let output = strip_ansi(output);
        let lines = output.lines().map(str::trim);
        match self {
            Self::Check => Some(Counts {
                passed: success.into(),
                failed: (!success).into(),
                skipped: 0,
            }),
            Self::Cargo => sum(lines.filter_map(cargo)),
            Self::Vitest => sum(lines.filter_map(vitest)),
            Self::Playwright => sum(lines.filter_map(playwright)),
        }
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

fn sum(counts: impl Iterator<Item = Counts>) -> Option<Counts> {
    counts.reduce(|a, b| a + b)
}

/// Parses `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`, one per
/// binary.
fn cargo(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(pairs(counts.split(';')))
}

/// Parses `Tests  1 failed | 12 passed | 2 skipped (15)`. The line `Test Files` counts files and is not used.
fn vitest(line: &str) -> Option<Counts> {
    Some(pairs(line.strip_prefix("Tests ")?.split('|')))
}

/// Parses `12 passed (1.2m)`, `1 failed`, `2 skipped`, `1 flaky`, each on a line.
fn playwright(line: &str) -> Option<Counts> {
    let mut words = line.split(' ');
    words.next()?.parse::<u64>().ok()?;
    let known = match words.next()? {
        "passed" | "failed" | "skipped" | "flaky" | "interrupted" => true,
        "did" => line.contains("did not run"),
        _ => false,
    };
    let rest = words.next().unwrap_or_default();
    let summary = known && (rest.is_empty() || rest.starts_with('(') || rest == "not");
    summary.then(|| pairs(std::iter::once(line)))
}

/// Adds up `12 passed` and the like under our three names.
fn pairs<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let mut words = part.split_whitespace();
        let (Some(Ok(number)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next())
        else {
            continue;
        };
        match kind {
            // Flaky: passed on a retry.
            "passed" | "flaky" => counts.passed += number,
            "failed" | "interrupted" => counts.failed += number,
            "skipped" | "ignored" | "todo" | "did" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(runner: Runner, output: &str) -> Option<(u64, u64, u64)> {
        runner
            .read(output, true)
            .map(|c| (c.passed, c.failed, c.skipped))
    }

    #[test]
    fn cargo_sums_its_binaries() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s\n\
            test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(read(Runner::Cargo, output), Some((7, 2, 1)));
        assert_eq!(
            read(Runner::Cargo, "error: could not compile `hearth`"),
            None
        );
    }

    #[test]
    fn vitest_counts_tests_not_files() {
        let output = " \u{1b}[2mTest Files\u{1b}[22m  1 failed | 3 passed (4)\n \u{1b}[2m     Tests\u{1b}[22m  1 failed | 12 passed | 2 skipped | 1 todo (16)\n";
        assert_eq!(read(Runner::Vitest, output), Some((12, 1, 3)));
        assert_eq!(
            read(Runner::Vitest, "No test files found, exiting with code 1"),
            None
        );
    }

    #[test]
    fn playwright_counts_its_summary_and_no_log_lines() {
        let output = "Running 6 tests using 1 worker\n  ✓ 1 chat.spec.ts: 3 passed through (1s)\n\
            1 failed\n    chat.spec.ts:3:1 stops\n  1 flaky\n  2 skipped\n  1 did not run\n  4 passed (1.2m)\n";
        assert_eq!(read(Runner::Playwright, output), Some((5, 1, 3)));
        assert_eq!(
            read(
                Runner::Playwright,
                "3 passed tokens were seen\nError: No tests found"
            ),
            None
        );
    }

    #[test]
    fn a_check_is_one_thing() {
        assert_eq!(
            Runner::Check.read("", true),
            Some(Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            })
        );
        assert_eq!(
            Runner::Check.read("", false),
            Some(Counts {
                passed: 0,
                failed: 1,
                skipped: 0
            })
        );
    }
}
