//! Stages of `test`: each is run, counted and timed; and the table of all of them.

use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::budget::Budgets;
use super::counts::{Counts, Runner};
use super::skips::Skips;
use super::slow;
use crate::paths::Dirs;
use crate::proc;

/// Time limit for a single stage; one that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(7200);

pub struct Stages<'a> {
    dirs: &'a Dirs,
    /// Names of stages or groups; empty means all.
    only: Vec<String>,
    /// None if stages do more than their budgets allow for.
    budgets: Option<Budgets>,
    done: Vec<Done>,
    /// Names and seconds of slow tests.
    slow: Vec<(String, f64)>,
    start: Instant,
}

struct Done {
    name: String,
    counts: Counts,
    time: Duration,
    note: String,
}

impl<'a> Stages<'a> {
    /// Creates the run; `known` lists all names that `only` may contain.
    pub fn new(
        dirs: &'a Dirs,
        only: &[String],
        known: &[&str],
        budgets: Option<Budgets>,
    ) -> Result<Self> {
        if let Some(unknown) = only.iter().find(|name| !known.contains(&name.as_str())) {
            bail!("--only {unknown}: expected one of {}", known.join(", "));
        }
        Ok(Self {
            dirs,
            only: only.to_vec(),
            budgets,
            done: Vec::new(),
            slow: Vec::new(),
            start: Instant::now(),
        })
    }

    /// Returns an empty run of the same choice, for stages that run at the same time as these.
    pub fn beside(&self) -> Self {
        Self {
            dirs: self.dirs,
            only: self.only.clone(),
            budgets: self.budgets.clone(),
            done: Vec::new(),
            slow: Vec::new(),
            start: Instant::now(),
        }
    }

    /// Adds what ran beside these stages.
    pub fn add(&mut self, others: Self) {
        self.done.extend(others.done);
        self.slow.extend(others.slow);
    }

    /// Whether a stage, or any in a list of stages, should run.
    pub fn wants(&self, names: &[&str]) -> bool {
        self.only.is_empty()
            || names
                .iter()
                .any(|name| self.only.iter().any(|only| only == name))
    }

    /// Runs a program under the time limit. `names`: the stage, then its groups.
    pub fn command(&mut self, names: &[&str], runner: Runner, command: &mut Command) {
        if !self.wants(names) {
            return;
        }
        let name = names[0];
        let start = Instant::now();
        let log = self
            .dirs
            .logs()
            .join(format!("{}.log", name.replace('/', "-")));
        let skips = Skips::new(&self.dirs.logs(), name);
        command.env("HEARTH_SKIPS", skips.file());
        if command.get_current_dir().is_none() {
            command.current_dir(&self.dirs.root);
        }
        let ended = proc::logged(command, &log, LIMIT);
        let bytes = fs::read(&log).unwrap_or_default();
        let output = String::from_utf8_lossy(&bytes);
        let (mut counts, mut note) = match ended {
            Err(error) => (FAILED, format!("{error:#}")),
            Ok(None) => (FAILED, format!("stopped after {} s", LIMIT.as_secs())),
            Ok(Some(status)) => judge(runner, &output, status.success(), &status.to_string()),
        };
        let (allowed, refused) = skips.read();
        counts.skipped += allowed.len() as u64;
        counts.failed += refused.len() as u64;
        for (what, why) in allowed {
            note += &format!("\nskipped {what}: {why}");
        }
        for what in refused {
            note += &format!("\nskipped {what}, which nothing allows: see xtask/src/test/skips.rs");
        }
        self.slow.extend(slow::tests(&output));
        let shown = (counts.failed > 0).then(|| {
            format!(
                "  {}\n{}\n  whole output: {}",
                proc::spelled(command),
                proc::tail(&log, 60),
                log.display()
            )
        });
        let note = note.trim_start().to_owned();
        self.end(name, counts, start.elapsed(), note, shown);
    }

    /// Number of tests and stages that have failed so far.
    pub fn failed(&self) -> u64 {
        self.done.iter().map(|done| done.counts.failed).sum()
    }

    /// Runs a precondition: it is not a test, so only its failure counts.
    pub fn ready<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        self.work(name, 0, work)
    }

    /// Runs in-process work that counts as one check.
    pub fn check<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        self.work(name, 1, work)
    }

    fn work<T>(&mut self, name: &str, worth: u64, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let start = Instant::now();
        let result = work();
        let (value, counts, note) = match result {
            Ok(value) => (
                Some(value),
                Counts {
                    passed: worth,
                    ..Counts::default()
                },
                String::new(),
            ),
            Err(error) => (None, FAILED, format!("{error:#}")),
        };
        self.end(name, counts, start.elapsed(), note, None);
        value
    }

    /// Skips a stage that cannot run here, which is no failure.
    pub fn skip(&mut self, names: &[&str], why: &str) {
        if self.wants(names) {
            let counts = Counts {
                skipped: 1,
                ..Counts::default()
            };
            self.end(names[0], counts, Duration::ZERO, why.to_owned(), None);
        }
    }

    /// Fails a stage that cannot run because an earlier one failed.
    pub fn fail(&mut self, names: &[&str], why: &str) {
        if self.wants(names) {
            self.end(names[0], FAILED, Duration::ZERO, why.to_owned(), None);
        }
    }

    /// Writes down a stage that has ended, and prints it at once, since another one may end at the same time. `shown`
    /// stands below it.
    fn end(
        &mut self,
        name: &str,
        mut counts: Counts,
        time: Duration,
        mut note: String,
        shown: Option<String>,
    ) {
        // The parts of a stage, such as `native kernels::`, share one budget.
        let whole = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
        let before = self
            .done
            .iter()
            .filter(|done| whole(&done.name) == whole(name));
        let spent = before.map(|done| done.time).sum::<Duration>();
        let exceeded = |spent: Duration| {
            let budgets = self.budgets.as_ref()?;
            budgets.exceeded(&whole(name), spent)
        };
        // (said once, of the part that goes beyond)
        let said = exceeded(spent + time).filter(|_| exceeded(spent).is_none());
        if let Some(said) = said {
            counts.failed += 1;
            note += &format!("{}{said}", if note.is_empty() { "" } else { "\n" });
        }
        println!(
            "test   {name} {} {}, {:.1} s{}{}",
            ".".repeat(20usize.saturating_sub(name.len())),
            verdict(counts),
            time.as_secs_f64(),
            indented(&note),
            shown.map_or_else(String::new, |shown| format!("\n{shown}"))
        );
        self.done.push(Done {
            name: name.to_owned(),
            counts,
            time,
            note,
        });
    }

    /// Prints the table, then the last line. A run without any tests is no success.
    pub fn finish(self) -> ExitCode {
        println!(
            "\n{:<22} {:>7} {:>7} {:>8} {:>9}",
            "stage", "passed", "failed", "skipped", "seconds"
        );
        let mut sum = Counts::default();
        for done in &self.done {
            row(&done.name, done.counts, done.time);
            sum = sum + done.counts;
        }
        // (less than the sum of the seconds, since stages run beside others)
        row("all", sum, self.start.elapsed());
        if !self.slow.is_empty() {
            println!("\ntests that took 20 s and more:");
            let mut slow = self.slow;
            slow.sort_by(|a, b| b.1.total_cmp(&a.1));
            for (name, seconds) in slow {
                println!("{seconds:>8.1} s  {name}");
            }
        }
        for done in self
            .done
            .iter()
            .filter(|done| done.counts.skipped > 0 && !done.note.is_empty())
        {
            println!("SKIPPED {}: {}", done.name, done.note);
        }
        println!();
        let skipped = if sum.skipped > 0 {
            format!(", {} skipped", sum.skipped)
        } else {
            String::new()
        };
        println!("{} passed, {} failed{skipped}", sum.passed, sum.failed);
        if sum.failed == 0 && sum.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

const FAILED: Counts = Counts {
    passed: 0,
    failed: 1,
    skipped: 0,
};

/// Checks that counts and exit status agree; a stage without tests proves nothing.
fn judge(runner: Runner, output: &str, success: bool, status: &str) -> (Counts, String) {
    match runner.read(output, success) {
        None => (
            FAILED,
            format!("no summary of tests in its output ({status})"),
        ),
        Some(counts) if counts == Counts::default() => {
            (FAILED, "expected tests, found none".to_owned())
        }
        Some(counts) if !success && counts.failed == 0 => (
            Counts {
                failed: 1,
                ..counts
            },
            format!("no test failed but the program did ({status})"),
        ),
        Some(counts) => (counts, String::new()),
    }
}

fn verdict(counts: Counts) -> String {
    match counts {
        Counts {
            passed: 0,
            failed: 0,
            skipped: 0,
        } => "ok".to_owned(),
        Counts {
            passed,
            failed: 0,
            skipped: 0,
        } => format!("ok, {passed} passed"),
        Counts {
            passed: 0,
            failed: 0,
            skipped,
        } => format!("SKIPPED {skipped}"),
        Counts {
            passed,
            failed: 0,
            skipped,
        } => format!("ok, {passed} passed, {skipped} skipped"),
        Counts { passed, failed, .. } => format!("FAILED {failed}, {passed} passed"),
    }
}

fn indented(note: &str) -> String {
    note.lines().map(|line| format!("\n  {line}")).collect()
}

fn row(name: &str, counts: Counts, time: Duration) {
    let Counts {
        passed,
        failed,
        skipped,
    } = counts;
    println!(
        "{name:<22} {passed:>7} {failed:>7} {skipped:>8} {:>9.1}",
        time.as_secs_f64()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_exit_status_must_agree() {
        let judged =
            |output: &str, success| judge(Runner::Cargo, output, success, "exit status: 101").0;
        let ok = "test result: ok. 2 passed; 0 failed; 0 ignored";
        assert_eq!(
            judged(ok, true),
            Counts {
                passed: 2,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(
            judged(ok, false),
            Counts {
                passed: 2,
                failed: 1,
                skipped: 0
            },
            "a crash after the summary"
        );
        assert_eq!(judged("error: could not compile", false), FAILED);
        assert_eq!(
            judged("test result: ok. 0 passed; 0 failed; 0 ignored", true),
            FAILED,
            "nothing ran"
        );
    }
}
