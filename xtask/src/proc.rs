//! Runs other programs: found on PATH, with a time limit, output shown or written to a log.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Returns the cargo that runs us, so that the toolchain is the one the caller chose.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Returns npm, which is a batch file on Windows: those are not found without their extension.
pub fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Returns the exit status with which to pass on a program's, 1 if a signal ended it.
pub fn code_of(status: ExitStatus) -> u8 {
    status.code().map_or(1, |code| code.clamp(0, 255) as u8)
}

pub fn on_path(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(&name))
        .find(|file| file.is_file())
}

/// Returns the first line of stdout if the program runs and succeeds. For `--version` queries.
pub fn first_line(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Runs `command` with both its outputs written to the file `log`.
/// `Ok(None)`: it ran past `limit` and was stopped, along with everything it had started.
pub fn logged(command: &mut Command, log: &Path, limit: Duration) -> Result<Option<ExitStatus>> {
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let file =
        File::create(log).with_context(|| format!("cannot write the log {}", log.display()))?;
    let twin = file.try_clone().context("cannot share the log")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(twin)
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    wait(&mut child, limit)
}

/// Like `logged`, but anything other than success is an error that shows the end of the log.
pub fn must(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    let what = spelled(command);
    let end = |said: String| {
        format!(
            "{said}\n  {what}\n{}\n  whole output: {}",
            tail(log, 30),
            log.display()
        )
    };
    match logged(command, log, limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!(end(format!("a command failed ({status})"))),
        None => bail!(end(format!(
            "a command was stopped after {} s",
            limit.as_secs()
        ))),
    }
}

/// Like `must`, but a person at a terminal sees the program's own progress. For slow programs.
pub fn must_seen(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    if !std::io::stderr().is_terminal() {
        return must(command, log, limit);
    }
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!(
            "a command failed ({status}), see above\n  {}",
            spelled(command)
        );
    }
    Ok(())
}

/// Returns the last `lines` lines of a log, indented, for an error message.
pub fn tail(log: &Path, lines: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = strip_ansi(&String::from_utf8_lossy(&bytes));
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let kept = &all[all.len().saturating_sub(lines)..];
    kept.iter()
        .map(|line| format!("    | {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the command as a person would type it.
pub fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Removes `ESC [ ... letter`: runners colour their summaries even when asked not to.
pub fn strip_ansi(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
        } else if chars.next() == Some('[') {
            // Parameters run up to the first letter.
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    out
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut nap = Duration::from_millis(5);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a program")? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            kill_tree(child);
            return Ok(None);
        }
        sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(200));
    }
}

/// Kills a program and everything it started: stopping only `cargo test` or `npm` would leave its test binary or
/// browser running. (Process groups are no option: they would keep Ctrl-C from the children.)
fn kill_tree(child: &mut Child) {
    for pid in descendants(child.id()) {
        let _ = Command::new("kill")
            .args(["-9", &pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Returns every process below `root`, from /proc; empty on systems without it.
fn descendants(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The format is `pid (name) state ppid ...`, and the name may contain spaces and parentheses.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(parent) = after_name
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse::<u32>().ok())
        {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_text_stays() {
        assert_eq!(strip_ansi("\u{1b}[1;32mok\u{1b}[0m é \u{1b}[2K."), "ok é .");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_past_its_limit_is_stopped_with_its_children() {
        let log = env::temp_dir().join(format!("hearth-xtask-proc-{}.log", std::process::id()));
        let start = Instant::now();
        let mut command = Command::new("sh");
        command.args(["-c", "echo begun; sleep 61.25 & wait"]);
        assert!(
            logged(&mut command, &log, Duration::from_millis(300))
                .unwrap()
                .is_none()
        );
        assert!(start.elapsed() < Duration::from_secs(20));
        assert!(tail(&log, 5).contains("begun"));
        fs::remove_file(&log).unwrap();
    }
}
