//! `cargo xtask bench`: one JSON line per case on stdout, everything else on stderr; `--compare` reports changes
//! since a saved run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::model::SMOLLM2;
use crate::paths::Dirs;
use crate::server::{Server, Site};
use crate::{build, proc, serve, setup, test};

mod tables;

#[derive(clap::Args)]
pub struct Args {
    /// Run only the native benchmarks
    #[arg(long, conflicts_with = "web")]
    native: bool,
    /// Run only the browser benchmarks
    #[arg(long)]
    web: bool,
    /// Also write the lines to this file
    #[arg(long)]
    save: Option<PathBuf>,
    /// Compare with the lines of an earlier run on the same machine
    #[arg(long)]
    compare: Option<PathBuf>,
    /// Run nothing: write the tables of BENCHMARKS.md from the runs in docs/benchmarks/results
    #[arg(long, conflicts_with_all = ["native", "web", "save", "compare"])]
    tables: bool,
    /// Arguments to pass on to the benchmarks
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    if args.tables {
        tables::write(&dirs.root)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Read before anything runs: a typo shows at once, and both options may name the same file.
    let before = match &args.compare {
        Some(path) => Some(fs::read_to_string(path).with_context(|| path.display().to_string())?),
        None => None,
    };
    let model = SMOLLM2.ensure(dirs)?;
    let mut lines = vec![machine()];
    println!("{}", lines[0]);
    if !args.web {
        let mut command = test::cargo(dirs);
        command
            .args([
                "run",
                "--quiet",
                "--release",
                "-p",
                "hearth-tests",
                "--bin",
                "bench",
                "--",
            ])
            .args(&args.rest);
        lines.extend(finish(command.env("HEARTH_SMOLLM2", &model))?);
    }
    if !args.native {
        build::stale(dirs, &build::Args::default())?;
        let pieces = setup::run(dirs, &setup::BROWSERS)?;
        let server = Server::bind(0)?;
        let mut command = proc::npm();
        // npm announces each script on stdout unless it is silenced.
        command
            .args(["run", "bench", "--silent", "--workspace", "tests/e2e", "--"])
            .args(&args.rest);
        command
            .current_dir(&dirs.root)
            .env("HEARTH_URL", serve::url(server.address()))
            .env("HEARTH_SMOLLM2", &model);
        command.envs(pieces.chromium.map(|program| ("CHROMIUM", program)));
        command.envs(pieces.firefox.map(|program| ("FIREFOX", program)));
        // Cross-origin isolated, so that benchmarks that use threads have them.
        server.spawn(Site {
            isolated: true,
            ..serve::site(dirs, Some(model), true)
        })?;
        lines.extend(finish(&mut command)?);
    }
    if let Some(path) = &args.save {
        fs::write(path, lines.join("\n") + "\n").with_context(|| path.display().to_string())?;
    }
    if let Some(before) = before {
        let before: Vec<String> = before.lines().map(str::to_owned).collect();
        eprint!("{}", comparison(&before, &lines));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the line that names the hardware, as far as the system tells.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| {
            let key = line.split(':').next().unwrap_or_default();
            key.trim() == name
        })?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name}, family {family}, model {model}")
        }
        (Some(name), _, _) => name,
        _ => format!("unknown, {}", std::env::consts::ARCH),
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    serde_json::json!({ "case": "machine", "cpu": cpu, "cores": cores, "os": std::env::consts::OS })
        .to_string()
}

/// Runs a benchmark and returns its lines, which are printed as they arrive.
fn finish(command: &mut Command) -> Result<Vec<String>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            // A test runner says more.
            if line.starts_with('{') {
                println!("{line}");
                lines.push(line);
            } else {
                eprintln!("{line}");
            }
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "a benchmark failed ({status})\n  {}",
            proc::spelled(command)
        );
    }
    Ok(lines)
}

/// Compares the numbers of each case that both runs have, with their ratio; numbers that hardly changed are left out.
fn comparison(before: &[String], now: &[String]) -> String {
    const HARDLY: f64 = 0.03;
    let cases = |lines: &[String]| -> BTreeMap<String, Map<String, Value>> {
        let parsed = lines
            .iter()
            .filter_map(|line| match serde_json::from_str(line) {
                Ok(Value::Object(case)) => Some(case),
                _ => None,
            });
        parsed
            .filter_map(|case| Some((case.get("case")?.as_str()?.to_owned(), case)))
            .collect()
    };
    let (before, now) = (cases(before), cases(now));
    let mut out = String::new();
    for (name, case) in &now {
        let Some(old) = before.get(name) else {
            out += &format!("{name}: new\n");
            continue;
        };
        for (key, value) in case {
            let pair = (old.get(key).and_then(Value::as_f64), value.as_f64());
            let (Some(a), Some(b)) = pair else { continue };
            if a != 0.0 && (b / a - 1.0).abs() > HARDLY {
                out += &format!("{name}: {key} {a:.4} -> {b:.4}, x {:.2}\n", b / a);
            }
        }
    }
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        out += &format!("{name}: gone\n");
    }
    if out.is_empty() {
        out += "nothing moved by more than 3%\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_says_what_moved_came_and_went() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let before = lines(
            "{\"case\":\"a\",\"ms\":10,\"tok_s\":100,\"device\":\"x\"}\n{\"case\":\"gone\",\"ms\":1}\nnoise",
        );
        let now = lines(
            "{\"case\":\"a\",\"ms\":5,\"tok_s\":101,\"device\":\"y\"}\n{\"case\":\"b\",\"ms\":1}",
        );
        assert_eq!(
            comparison(&before, &now),
            "a: ms 10.0000 -> 5.0000, x 0.50\nb: new\ngone: gone\n"
        );
        assert_eq!(comparison(&now, &now), "nothing moved by more than 3%\n");
    }
}
