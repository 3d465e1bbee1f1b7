//! `cargo xtask test --mutants`: breaks the sources one line at a time, and a test must notice.
//!
//! The list is `tests/mutants.toml`. Run by hand: each change of the core costs a build. A mutant that survives is a
//! bug that the tests would let through.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::counts::Runner;
use super::native;
use crate::model::{GEMMA270, MINILM, SMOLLM2, TWO_CITIES};
use crate::paths::Dirs;
use crate::proc;
use crate::whisper::TINY_EN;

const LIMIT: Duration = Duration::from_secs(1200);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// The fault that this mutant introduces, in a few words.
    name: String,
    /// Path from the root of the repository.
    file: String,
    /// A text that occurs exactly once in the file.
    from: String,
    to: String,
    runner: Kind,
    /// The test that should notice: a filter for native tests, or a vitest file.
    test: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Native,
    /// Unit tests within the Rust crates.
    Unit,
    Pkg,
    Www,
}

/// Restores the file, whatever happens in between.
struct Restored<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::write(self.path, self.text) {
            eprintln!("cannot restore {}: {error}", self.path.display());
        }
    }
}

pub fn run(dirs: &Dirs, filter: &str) -> Result<ExitCode> {
    let list = read(&dirs.root)?;
    let models = native::Models {
        smollm2: Some(SMOLLM2.ensure(dirs)?),
        gemma270: Some(GEMMA270.ensure(dirs)?),
        minilm: Some(MINILM.ensure(dirs)?),
        whisper_tiny_en: Some(TINY_EN.ensure(dirs)?),
        whisper_base: None,
        speech: Some(TWO_CITIES.ensure(dirs)?),
    };
    let chosen: Vec<&Mutant> = (list.mutant.iter())
        .filter(|mutant| mutant.name.contains(filter))
        .collect();
    if chosen.is_empty() {
        bail!("--mutants {filter}: no name in tests/mutants.toml has this");
    }
    let (mut caught, mut survived) = (0, 0);
    for mutant in chosen {
        let start = Instant::now();
        let path = dirs.root.join(&mutant.file);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let outcome = {
            let _restored = Restored {
                path: &path,
                text: &text,
            };
            fs::write(&path, text.replacen(&mutant.from, &mutant.to, 1))
                .with_context(|| format!("cannot write {}", path.display()))?;
            notices(dirs, mutant, &models)
        };
        let (verdict, note) = match outcome? {
            Outcome::Caught(n) => {
                caught += 1;
                ("caught", format!("{n} failed"))
            }
            Outcome::Survived => {
                survived += 1;
                ("SURVIVED", format!("{} says nothing", mutant.test))
            }
            Outcome::Broken(why) => {
                survived += 1;
                ("BROKEN", why)
            }
        };
        println!(
            "mutant {verdict:<8} {} ({note}, {:.0} s)",
            mutant.name,
            start.elapsed().as_secs_f64()
        );
    }
    println!("\n{caught} passed, {survived} failed");
    Ok(match survived {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

enum Outcome {
    /// Caught by this many tests.
    Caught(u64),
    Survived,
    /// No test ran: the change does not compile, or the filter matches nothing.
    Broken(String),
}

/// Whether the mutant's test fails.
fn notices(dirs: &Dirs, mutant: &Mutant, models: &native::Models) -> Result<Outcome> {
    let npm = |workspace: &str| {
        let mut command = proc::npm();
        command
            .args(["exec", "--", "vitest", "run", &mutant.test])
            .current_dir(dirs.root.join(workspace));
        command
    };
    let (mut command, runner): (Command, Runner) = match mutant.runner {
        Kind::Native => (
            native::filtered(dirs, &["--test", "native"], &mutant.test, models),
            Runner::Cargo,
        ),
        Kind::Unit => (
            native::filtered(dirs, &["--lib"], &mutant.test, models),
            Runner::Cargo,
        ),
        Kind::Pkg => (npm("pkg"), Runner::Vitest),
        Kind::Www => (npm("www"), Runner::Vitest),
    };
    let log = dirs.logs().join("mutant.log");
    let Some(status) = proc::logged(&mut command, &log, LIMIT)? else {
        // A test that no longer ends has noticed, if not elegantly.
        return Ok(Outcome::Caught(1));
    };
    let output = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    Ok(match runner.read(&output, status.success()) {
        Some(counts) if counts.failed > 0 => Outcome::Caught(counts.failed),
        Some(counts) if counts.passed > 0 && status.success() => Outcome::Survived,
        _ => Outcome::Broken(format!("no test ran\n{}", proc::tail(&log, 12))),
    })
}

/// Reads the list and checks that each text occurs exactly once in its file.
fn read(root: &Path) -> Result<List> {
    let file: PathBuf = root.join("tests/mutants.toml");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: List = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
    for mutant in &list.mutant {
        let path = root.join(&mutant.file);
        let source =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = source.matches(&mutant.from).count();
        if found != 1 || mutant.from == mutant.to {
            bail!(
                "mutant {:?}: expected its text once in {}, found it {found} times",
                mutant.name,
                mutant.file
            );
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the sources must update its mutants as well.
    #[test]
    fn every_mutant_still_has_its_place() {
        let root = Path::new(env!("HEARTH_ROOT"));
        let list = read(root).unwrap();
        assert!(list.mutant.len() >= 30, "{}", list.mutant.len());
        let mut names: Vec<_> = list.mutant.iter().map(|mutant| &mutant.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), list.mutant.len(), "names are told apart");
    }
}
