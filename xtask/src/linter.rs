//! Clippy on crates whose dependencies a build has compiled.
//!
//! `cargo clippy` checks all dependencies first, natively and for WebAssembly, because cargo does not read for a check what it made
//! for a build: minutes of a processor each. Instead, cargo is told to build with this program as the compiler of the
//! workspace's own crates, which runs clippy and leaves out the generation of code. Cargo finds the
//! dependencies compiled, and keeps apart what another compiler has made of our own crates.
//!
//! Source: <https://doc.rust-lang.org/cargo/reference/config.html#buildrustc-workspace-wrapper>.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::proc;

/// Environment variable that is set exactly if this program is to be the compiler.
const ASKED: &str = "HEARTH_LINTER";
/// `-D warnings` as clippy's driver reads it: a word follows each argument.
const ARGUMENTS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

/// Makes a build of cargo's lint the workspace's crates, with warnings as errors, and leave no other result.
///
/// # Errors
/// The path of this program is unknown.
pub fn instead_of_building(mut command: Command) -> Result<Command> {
    let ours = env::current_exe().context("cannot find this program's file")?;
    command
        .env("RUSTC_WORKSPACE_WRAPPER", ours)
        .env(ASKED, "1")
        .env("CLIPPY_ARGS", ARGUMENTS);
    Ok(command)
}

/// Lints a crate, if that is what this program was started for: its arguments are a compiler's path and arguments.
pub fn asked() -> Option<ExitCode> {
    env::var_os(ASKED)?;
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let (program, args) = match is_for_the_build(&args) {
        true => (args[0].clone(), args[1..].to_vec()),
        false => ("clippy-driver".into(), without_code(args)),
    };
    let status = Command::new(&program).args(args).status();
    Some(match status {
        Ok(status) => ExitCode::from(proc::code_of(status)),
        Err(error) => {
            eprintln!(
                "error: cannot run {}: {error}",
                Path::new(&program).display()
            );
            ExitCode::FAILURE
        }
    })
}

/// Returns whether a crate runs in the build itself, or whether this is a question about the compiler.
fn is_for_the_build(args: &[OsString]) -> bool {
    let has = |flag: &str, value: fn(&str) -> bool| {
        args.windows(2)
            .any(|pair| pair[0] == flag && pair[1].to_str().is_some_and(value))
    };
    let is_crate = has("--crate-name", |name| name != "___");
    !is_crate
        || has("--crate-name", |name| name.starts_with("build_script_"))
        || has("--crate-type", |kind| kind == "proc-macro")
}

/// Asks for metadata in the place of code, and reads the metadata of other crates: of the workspace's there is nothing else.
fn without_code(args: Vec<OsString>) -> Vec<OsString> {
    let of = |arg: OsString| match arg.to_str() {
        Some(emit) if emit.starts_with("--emit=") => "--emit=dep-info,metadata".into(),
        Some(library) => metadata_of(library).map_or(arg, OsString::from),
        None => arg,
    };
    args.into_iter().map(of).collect()
}

/// Returns a library's name and the path of its metadata, if they are in a file of their own.
fn metadata_of(library: &str) -> Option<String> {
    let (name, path) = library.split_once('=')?;
    let path = format!("{}.rmeta", path.strip_suffix(".rlib")?);
    (Path::new(&path).is_file()).then(|| format!("{name}={path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn crates_are_linted_and_what_the_build_runs_is_compiled() {
        let is = |args: &[&str]| is_for_the_build(&all(args));
        assert!(!is(&["rustc", "--crate-name", "hearth", "src/lib.rs"]));
        assert!(is(&["rustc", "-vV"]));
        assert!(is(&["rustc", "-", "--crate-name", "___", "--print=cfg"]));
        assert!(is(&["rustc", "--crate-name", "build_script_build"]));
        let types = ["--crate-name", "derive", "--crate-type", "proc-macro"];
        assert!(is(&types));
    }

    #[test]
    fn metadata_takes_the_place_of_code() {
        let ours = env::current_exe().unwrap().with_extension("rlib");
        let metadata = ours.with_extension("rmeta");
        std::fs::write(&metadata, "").unwrap();
        let library = |path: &Path| format!("hearth={}", path.display());
        let emits = ["--emit=dep-info,link", "--emit=dep-info,metadata"];
        let [found, expected] = [(emits[0], &ours), (emits[1], &metadata)].map(|(emit, path)| {
            let library = library(path);
            let others = ["burn=/nowhere/libburn-1.rlib", "-C", "opt-level=3"];
            all(&[
                &["rustc", emit, "--extern", &library, "--extern"][..],
                &others,
            ]
            .concat())
        });
        let found = without_code(found);
        assert_eq!(found, expected);
    }
}
