//! Runs the parts of a trial one after the other, each as a process with a time limit, so that a part that fails or
//! hangs loses nothing but itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::plan::{Part, Plan, Program, list};
use super::report;
use crate::proc;

/// Programs and folders of a trial.
pub struct Kit {
    /// The program of the tests.
    pub bench: PathBuf,
    /// This program, which also drives the peers.
    pub own: PathBuf,
    /// Names of llama.cpp's builds and the folders of their libraries.
    pub peers: Vec<(String, PathBuf)>,
    /// Folder for files of models and logs.
    pub work: PathBuf,
}

/// Result of a part.
pub struct Outcome {
    pub part: Part,
    /// Name of what was measured: Hearth or a build of llama.cpp.
    pub engine: String,
    pub seconds: f64,
    /// JSON lines that it printed before its end.
    pub lines: Vec<Value>,
    /// Reason why lines may be missing.
    pub error: Option<String>,
}

/// Shortest time in which a part is worth a start.
const LEAST: Duration = Duration::from_secs(2);

/// Runs all parts and returns the report. `save` gets that of the parts so far after each: whoever lends the machine may take it
/// back at any time.
pub fn run(kit: &Kit, plan: &Plan, manifest: Value, save: impl Fn(&Value)) -> Result<Value> {
    fs::create_dir_all(&kit.work)
        .with_context(|| format!("cannot create {}", kit.work.display()))?;
    let start = Instant::now();
    let about = report::About {
        machine: report::machine(),
        manifest,
    };
    let so_far = |outcomes: &[Outcome], is_whole| {
        let seconds = start.elapsed().as_secs_f64();
        report::report(plan, &about, outcomes, seconds, is_whole)
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut profile = None;
    for part in plan.parts(kit.peers.len()) {
        if part.name == "file" {
            // One file at a time: the largest takes gigabytes.
            outcomes.iter().for_each(|before| remove(kit, before));
        }
        let left = plan.budget.saturating_sub(start.elapsed());
        let outcome = one(kit, plan, part, left, profile.as_deref());
        progress(&outcome);
        if profile.is_none() {
            profile = report::profile(&outcome.lines);
        }
        outcomes.push(outcome);
        save(&so_far(&outcomes, false));
    }
    outcomes.iter().for_each(|before| remove(kit, before));
    Ok(so_far(&outcomes, true))
}

fn file(kit: &Kit, shape: &str) -> PathBuf {
    kit.work.join(format!("{shape}.gguf"))
}

fn remove(kit: &Kit, outcome: &Outcome) {
    if let (Some(shape), "file") = (outcome.part.shape, outcome.part.name) {
        let _ = fs::remove_file(file(kit, shape));
    }
}

/// Runs one part in the time that is left.
fn one(kit: &Kit, plan: &Plan, part: Part, left: Duration, profile: Option<&str>) -> Outcome {
    let (engine, mut command) = command(kit, plan, &part, profile);
    // The reason of a failure must be among the last lines.
    command.env("RUST_BACKTRACE", "0");
    let limit = part.limit.min(left);
    let shape = part.shape.unwrap_or("machine");
    let log = (kit.work.join("logs")).join(format!("{shape}-{}-{engine}.log", part.name));
    let mut outcome = Outcome {
        part,
        engine,
        seconds: 0.0,
        lines: Vec::new(),
        error: None,
    };
    if limit < LEAST {
        outcome.error = Some("not run: the time for the whole trial was used up".to_owned());
        return outcome;
    }
    let start = Instant::now();
    let ended = proc::logged(&mut command, &log, limit);
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome.lines = lines(&fs::read(&log).unwrap_or_default());
    outcome.error = match ended {
        Ok(Some(status)) if status.success() && !outcome.lines.is_empty() => None,
        Ok(Some(status)) if status.success() => Some(failure("it printed no result", &log)),
        Ok(Some(status)) => Some(failure(&format!("it failed ({status})"), &log)),
        Ok(None) => Some(format!("it was stopped after {} s", limit.as_secs())),
        Err(error) => Some(format!("{error:#}")),
    };
    outcome
}

/// Returns the command of a part, and the name of what it measures.
fn command(kit: &Kit, plan: &Plan, part: &Part, profile: Option<&str>) -> (String, Command) {
    let contexts = ["--contexts".to_owned(), list(plan.contexts)];
    let prompts = ["--prompts".to_owned(), list(plan.prompts)];
    let peer = match part.program {
        Program::Bench => None,
        Program::Peer(n) => kit.peers.get(n),
    };
    if let (Some((name, folder)), Some(shape)) = (peer, part.shape) {
        let mut command = Command::new(&kit.own);
        command.args(["gpu-trial", "--llama"]).arg(folder);
        command.arg(file(kit, shape)).args(contexts).args(prompts);
        if plan.software {
            // Named by number, a software adapter is taken as well.
            command.env("GGML_VK_VISIBLE_DEVICES", "0");
        }
        return (format!("llama.cpp-{name}"), command);
    }
    let mut command = Command::new(&kit.bench);
    command.arg(part.name);
    if let Some(shape) = part.shape {
        command.arg(shape).arg(file(kit, shape));
    }
    command.args(contexts).args(prompts);
    if let Some(layers) = plan.layers {
        command.args(["--layers", &layers.to_string()]);
    }
    // Measured once, so that all parts launch the same kernels.
    if let Some(profile) = profile {
        command.args(["--profile", profile]);
    }
    ("hearth".to_owned(), command)
}

/// Returns the JSON lines of a log; programs and drivers say more.
fn lines(log: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(log);
    let objects = text.lines().filter(|line| line.starts_with('{'));
    objects
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn failure(what: &str, log: &Path) -> String {
    const END: usize = 8;
    format!("{what}\n{}", proc::tail(log, END))
}

fn progress(outcome: &Outcome) {
    let shape = outcome.part.shape.unwrap_or("machine");
    let (name, engine) = (outcome.part.name, &outcome.engine);
    let said = match &outcome.error {
        None => format!("{} lines", outcome.lines.len()),
        Some(error) => error.clone(),
    };
    eprintln!("{shape} {name} {engine}, {:.0} s: {said}", outcome.seconds);
}

impl Outcome {
    /// Returns the part as JSON.
    pub fn json(&self) -> Value {
        json!({
            "part": self.part.name,
            "shape": self.part.shape,
            "engine": self.engine,
            "seconds": (self.seconds * 10.0).round() / 10.0,
            "limit_s": self.part.limit.as_secs(),
            "error": self.error,
            "lines": self.lines,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_between_lines_is_left_out() {
        let log = b"warning: {}\n{\"case\":\"a\"}\n{broken\n\xff\n{\"case\":\"b\",\"us\":1.5}";
        let found = lines(log);
        assert_eq!(
            found,
            [json!({"case": "a"}), json!({"case": "b", "us": 1.5})]
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_part_that_fails_or_hangs_keeps_its_lines_and_the_others_run() {
        use std::os::unix::fs::PermissionsExt;

        let work = std::env::temp_dir().join(format!("hearth-gpu-trial-{}", std::process::id()));
        fs::create_dir_all(&work).unwrap();
        let bench = work.join("bench");
        let script = "#!/bin/sh\ncase $1 in\n\
            hardware) echo '{\"case\":\"hardware\",\"profile\":{\"a\":1}}';;\n\
            launches) echo '{\"case\":\"launch\"}'; sleep 61.5;;\n\
            decode) echo '{\"case\":\"decode\"}'; echo lost >&2; exit 3;;\n\
            prefill) ;;\n\
            *) echo \"{\\\"case\\\":\\\"$1\\\"}\";;\nesac\n";
        fs::write(&bench, script).unwrap();
        fs::set_permissions(&bench, fs::Permissions::from_mode(0o755)).unwrap();
        let kit = Kit {
            bench,
            own: work.join("nothing"),
            peers: vec![("gone".to_owned(), work.clone())],
            work: work.clone(),
        };
        let plan = Plan {
            shapes: vec!["tiny"],
            ..super::super::plan::small()
        };
        let mut outcomes = Vec::new();
        for mut part in plan.parts(1) {
            if part.name == "launches" {
                part.limit = LEAST;
            }
            outcomes.push(one(&kit, &plan, part, Duration::from_secs(60), None));
        }
        let of = |name: &str| outcomes.iter().find(|o| o.part.name == name).unwrap();
        assert_eq!(of("hardware").error, None);
        assert_eq!(report::profile(&of("hardware").lines).unwrap(), "{\"a\":1}");
        let stopped = of("launches");
        assert_eq!(stopped.lines, [json!({"case": "launch"})]);
        assert!(stopped.error.as_ref().unwrap().contains("after 2 s"));
        let failed = of("decode");
        assert_eq!(failed.lines, [json!({"case": "decode"})]);
        assert!(failed.error.as_ref().unwrap().contains("lost"));
        assert!(of("prefill").error.as_ref().unwrap().contains("no result"));
        assert_eq!(of("drafts").error, None);
        assert!(of("peer").error.as_ref().unwrap().contains("cannot start"));
        let late = one(&kit, &plan, plan.parts(0)[0].clone(), Duration::ZERO, None);
        assert!(late.error.unwrap().starts_with("not run"));
        fs::remove_dir_all(&work).unwrap();
    }
}
