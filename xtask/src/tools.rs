//! wasm-bindgen, node with its packages, wasm-opt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::paths::Dirs;
use crate::proc;
use crate::setup::Step;
use crate::stamp::{Record, Stamp};
use crate::toolchain::number;

/// Time limit of `cargo install`; compiling takes some minutes on two cores.
const CARGO_INSTALL_LIMIT: Duration = Duration::from_secs(1800);
const NPM_LIMIT: Duration = Duration::from_secs(900);

/// Ensures the bindings generator. Its version must exactly equal the crate's, so the lock file decides.
pub fn wasm_bindgen(dirs: &Dirs, step: &mut Step) -> Result<PathBuf> {
    let version = locked(&dirs.root.join("Cargo.lock"), "wasm-bindgen")?;
    let tool = Tool {
        package: "wasm-bindgen-cli",
        program: "wasm-bindgen",
        version: &version,
    };
    tool.ensure(dirs, step)
}

/// A program from crates.io in one exact version.
struct Tool<'a> {
    package: &'a str,
    program: &'a str,
    version: &'a str,
}

impl Tool<'_> {
    /// Finds it on PATH or in the cache, or installs it into the cache.
    fn ensure(&self, dirs: &Dirs, step: &mut Step) -> Result<PathBuf> {
        let home = dirs
            .tools()
            .join(format!("{}-{}", self.package, self.version));
        let ours =
            home.join("bin")
                .join(format!("{}{}", self.program, std::env::consts::EXE_SUFFIX));
        if let Some(found) = [Some(ours.clone()), proc::on_path(self.program)]
            .into_iter()
            .flatten()
            .find(|p| self.is_it(p))
        {
            step.found(self.version);
            return Ok(found);
        }
        step.doing("cargo install, some minutes");
        // The program's own lock may name a dependency so new that a mirror does not have it yet. The program's
        // behaviour depends on its own version, which stays the same.
        if let Err(error) = self.install(dirs, &home, true) {
            if !lacks_a_version(&error.to_string()) {
                return Err(error);
            }
            step.doing("again without its lock");
            self.install(dirs, &home, false)?;
        }
        if !self.is_it(&ours) {
            bail!(
                "expected {} to be {} {} after installing it, found otherwise",
                ours.display(),
                self.program,
                self.version
            );
        }
        step.installed(self.version);
        Ok(ours)
    }

    fn is_it(&self, program: &Path) -> bool {
        let said = proc::first_line(Command::new(program).arg("--version"));
        said.is_some_and(|line| line.split_whitespace().last() == Some(self.version))
    }

    fn install(&self, dirs: &Dirs, home: &Path, locked: bool) -> Result<()> {
        let mut command = proc::cargo();
        command
            .args(["install", self.package, "--version", self.version])
            .arg("--root")
            .arg(home)
            .args(locked.then_some("--locked"))
            // Outside the clone, whose .cargo/config.toml and lock must not apply.
            .current_dir(&dirs.cache)
            .env_remove("CARGO_TARGET_DIR");
        let lock = if locked { "locked" } else { "unlocked" };
        let log = dirs.logs().join(format!("{}-{lock}.log", self.package));
        proc::must(&mut command, &log, CARGO_INSTALL_LIMIT)?;
        Ok(())
    }
}

/// Whether cargo's output says that the registry lacks a version in the lock. No other failure is a reason to build
/// with other dependencies.
fn lacks_a_version(output: &str) -> bool {
    output.contains("failed to select a version for the requirement")
        && output.contains("(locked to ")
}

/// Ensures npm, and node in at least the version that package.json requires.
pub fn node(dirs: &Dirs, step: &mut Step) -> Result<()> {
    let file = dirs.root.join("package.json");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let package: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
    let wanted = package["engines"]["node"].as_str().unwrap_or(">=20.19");
    let cure = "install it from https://nodejs.org or your distribution";
    let Some(node) = proc::first_line(Command::new("node").arg("--version")) else {
        bail!("expected node {wanted} on PATH, found none: {cure}");
    };
    if number(&node) < number(wanted) {
        bail!("expected node {wanted}, found {node}: {cure}");
    }
    let Some(npm) = proc::first_line(proc::npm().arg("--version")) else {
        bail!("expected npm on PATH beside node {node}, found none: {cure}");
    };
    step.found(&format!("node {node}, npm {npm}"));
    Ok(())
}

/// Installs exactly the packages in package-lock.json into node_modules.
pub fn npm_packages(dirs: &Dirs, step: &mut Step) -> Result<()> {
    let lock = dirs.root.join("package-lock.json");
    if !lock.is_file() {
        bail!(
            "expected {}, found none: npm install, then commit it",
            lock.display()
        );
    }
    let inputs = [
        "package-lock.json",
        "package.json",
        "pkg/package.json",
        "www/package.json",
        "docs/package.json",
        "tests/e2e/package.json",
    ];
    let stamp = Stamp::of(&dirs.root, &inputs, &[])?;
    let record = Record::inside(&dirs.root.join("node_modules"));
    if stamp.matches(&record) {
        step.found("as locked");
        return Ok(());
    }
    step.doing("npm ci");
    record.remove();
    let mut command = proc::npm();
    command
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(&dirs.root);
    proc::must(&mut command, &dirs.logs().join("npm-ci.log"), NPM_LIMIT)?;
    stamp.write(&record)?;
    step.installed("as locked");
    Ok(())
}

/// Returns wasm-opt from the npm package `binaryen`: the lock pins it, and a distribution's may be years older.
pub fn wasm_opt(dirs: &Dirs, step: &mut Step) -> Result<PathBuf> {
    let name = if cfg!(windows) {
        "wasm-opt.cmd"
    } else {
        "wasm-opt"
    };
    let program = dirs.root.join("node_modules/.bin").join(name);
    match proc::first_line(Command::new(&program).arg("--version")) {
        Some(version) => {
            step.found(&version);
            Ok(program)
        }
        None => bail!(
            "expected wasm-opt from the npm package binaryen at {}, found none that runs: npm install --save-dev --save-exact binaryen",
            program.display()
        ),
    }
}

/// Returns the version of `package` in Cargo.lock.
fn locked(lock: &Path, package: &str) -> Result<String> {
    let text = fs::read_to_string(lock)
        .with_context(|| format!("cannot read {}: cargo generate-lockfile", lock.display()))?;
    let name = format!("name = {package:?}");
    let mut lines = text.lines();
    let version = lines
        .find(|line| *line == name)
        .and_then(|_| lines.next()?.strip_prefix("version = "));
    match version {
        Some(version) => Ok(version.trim_matches('"').to_owned()),
        None => bail!(
            "expected {package} in {}, found none: is it still a dependency of crate/?",
            lock.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_that_a_mirror_lacks_is_a_reason_to_leave_the_lock() {
        let lacks = "error: failed to select a version for the requirement `libc = \"^0.2\"` (locked to 0.2.999)\n\
            candidate versions found which didn't match: 0.2.180, 0.2.179, ...";
        assert!(lacks_a_version(lacks));
        for other in [
            "error: failed to download from `https://index.crates.io/config.json`\n[6] Could not resolve hostname",
            "error: could not compile `walrus` (lib) due to 1 previous error",
            "error: failed to verify the checksum of `libc v0.2.180`",
            "a command was stopped after 1800 s",
        ] {
            assert!(!lacks_a_version(other), "{other}");
        }
    }

    #[test]
    fn the_lock_decides_the_version_and_prefixes_do_not_fool_it() {
        let file = std::env::temp_dir().join(format!("hearth-xtask-lock-{}", std::process::id()));
        let text = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9.9.9\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        fs::write(&file, text).unwrap();
        assert_eq!(locked(&file, "wasm-bindgen").unwrap(), "0.2.130");
        assert!(
            locked(&file, "wasm")
                .unwrap_err()
                .to_string()
                .contains("expected wasm in")
        );
        fs::remove_file(&file).unwrap();
    }
}
