//! Pieces from Debian's own packages, for root on Debian: a container or a CI machine, where the caller wants them
//! installed. For anyone else, the command to type is printed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::paths::Dirs;
use crate::proc;

const UPDATE_LIMIT: Duration = Duration::from_secs(300);
const INSTALL_LIMIT: Duration = Duration::from_secs(1200);

/// Whether this is Debian itself: Ubuntu lacks the `-web` Rust packages, and its chromium package only points to a
/// snap.
pub fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release")
        .is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

pub fn is_root() -> bool {
    proc::first_line(Command::new("id").arg("-u")).as_deref() == Some("0")
}

pub fn may_install() -> bool {
    is_debian() && is_root() && proc::on_path("apt-get").is_some()
}

/// The command that a person would type to install `packages`.
pub fn spelled(packages: &[&str]) -> String {
    format!("sudo apt-get install {}", packages.join(" "))
}

/// Returns those `packages` that are not installed.
pub fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        let mut query = Command::new("dpkg-query");
        query.args(["-W", "-f", "${db:Status-Status}\n", package]);
        proc::first_line(&mut query).as_deref() == Some("installed")
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

/// Installs `packages`, after one `apt-get update` per run: on a new machine the package lists are absent or old.
pub fn install(dirs: &Dirs, packages: &[&str]) -> Result<()> {
    if !may_install() {
        bail!(
            "{} missing, and only root on Debian installs by itself: {}",
            packages.join(", "),
            spelled(packages)
        );
    }
    static UPDATED: OnceLock<()> = OnceLock::new();
    if UPDATED.get().is_none() {
        let log = dirs.logs().join("apt-get-update.log");
        // If a mirror is down, carry on: the existing lists may still do.
        if let Err(error) = proc::must(apt().arg("update"), &log, UPDATE_LIMIT) {
            eprintln!(
                "\n  apt-get update failed, going on with the package lists at hand: {error:#}"
            );
        }
        UPDATED.get_or_init(|| ());
    }
    let log = dirs.logs().join("apt-get-install.log");
    let mut command = apt();
    command
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    proc::must(&mut command, &log, INSTALL_LIMIT)
}

/// Returns wasm-ld from the newest LLVM that Debian has installed.
pub fn wasm_ld() -> Option<std::path::PathBuf> {
    let newest = |(version, _): &(u32, _)| *version;
    let versions = fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry
                .file_name()
                .to_str()?
                .strip_prefix("llvm-")?
                .parse::<u32>()
                .ok()?;
            let linker = entry.path().join("bin/wasm-ld");
            linker.is_file().then_some((version, linker))
        });
    versions.max_by_key(newest).map(|(_, linker)| linker)
}

/// Whether the sources of std are installed, which std for wasm32 is built from.
pub fn has_std_source() -> bool {
    Path::new("/usr/lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be running, for example a new machine's first update: wait for it.
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-o", "DPkg::Lock::Timeout=120"]);
    command
}
