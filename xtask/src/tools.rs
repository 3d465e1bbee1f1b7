//! The bindings generator, node with its packages, wasm-opt.

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

/// Folder of the bindings generator.
const BINDGEN: &str = "xtask/bindgen";
/// Time limit of its compilation.
const BINDGEN_LIMIT: Duration = Duration::from_secs(1800);
const NPM_LIMIT: Duration = Duration::from_secs(900);

/// Ensures the bindings generator, compiled into the cache. Its version must exactly equal the crate's.
pub fn wasm_bindgen(dirs: &Dirs, step: &mut Step) -> Result<PathBuf> {
    let lock = |folder: &str| dirs.root.join(folder).join("Cargo.lock");
    let version = locked(&lock(""), "wasm-bindgen")?;
    let generators = locked(&lock(BINDGEN), "wasm-bindgen-cli-support")?;
    if generators != version {
        bail!(
            "expected wasm-bindgen-cli-support {version} in {BINDGEN}/Cargo.toml, as wasm-bindgen in Cargo.lock, found {generators}: \
             change it, then cargo update there"
        );
    }
    let home = dirs.tools().join(format!("bindgen-{version}"));
    let program = home
        .join("release")
        .join(format!("hearth-bindgen{}", std::env::consts::EXE_SUFFIX));
    let stamp = Stamp::of(&dirs.root, &[BINDGEN], &[])?;
    let record = Record::inside(&home);
    if program.is_file() && stamp.matches(&record) {
        step.found(&version);
        return Ok(program);
    }
    step.doing("compiling, a minute or two");
    record.remove();
    let mut command = proc::cargo();
    command
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&home)
        .current_dir(dirs.root.join(BINDGEN));
    proc::must(
        &mut command,
        &dirs.logs().join("bindgen.log"),
        BINDGEN_LIMIT,
    )?;
    stamp.write(&record)?;
    step.installed(&version);
    Ok(program)
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
