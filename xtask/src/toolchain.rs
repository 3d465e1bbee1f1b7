//! The cargo that compiles for wasm32-unknown-unknown.
//!
//! On an ordinary machine this is the cargo that runs us, after `rustup target add`. Where rustup cannot download,
//! Debian's own Rust can stand in: it ships std as source, and cargo builds that into `target_wasm` along with the
//! crates (`-Z build-std`), once.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::linker::Linker;
use crate::paths::Dirs;
use crate::proc;
use crate::setup::Step;

pub const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// rustup retries a dead network for minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

pub struct WasmToolchain {
    /// Version as printed by `rustc --version`; part of the stamp of everything it builds.
    pub version: String,
    kind: Kind,
    linker: Linker,
}

enum Kind {
    /// The caller's cargo, which has std for wasm32.
    Ordinary,
    /// Debian's cargo, with std from source.
    Debian,
}

impl WasmToolchain {
    /// Finds a toolchain, else installs one, else returns an error with the command to type.
    pub fn ensure(dirs: &Dirs, step: &mut Step) -> Result<Self> {
        if let Some(found) = Self::ordinary(dirs)? {
            step.found(&found.version);
            return Ok(found);
        }
        // Checked before rustup is tried: on a machine that uses Debian's Rust, rustup has failed before and would
        // cost its time limit again.
        if let Some(found) = Self::debian(dirs)? {
            step.found(&format!("Debian's {}, std from source", found.version));
            return Ok(found);
        }
        if let Some(rustup) = proc::on_path("rustup") {
            step.doing("rustup target add");
            let log = dirs.logs().join("rustup-target-add.log");
            let mut command = Command::new(rustup);
            let added = proc::must(command.args(["target", "add", TARGET]), &log, RUSTUP_LIMIT);
            if let (Ok(()), Some(found)) = (added, Self::ordinary(dirs)?) {
                step.installed(&found.version);
                return Ok(found);
            }
        }
        if debian::may_install() {
            step.doing("apt-get install");
            debian::install(dirs, &debian::missing(&DEBIAN_PACKAGES))?;
            if let Some(found) = Self::debian(dirs)? {
                step.installed(&format!("Debian's {}, std from source", found.version));
                return Ok(found);
            }
        }
        bail!(
            "expected a Rust that compiles for {TARGET}, found none: rustup target add {TARGET}{}",
            if debian::is_debian() {
                format!(
                    "\n  or, if rustup cannot download: {}",
                    debian::spelled(&DEBIAN_PACKAGES)
                )
            } else {
                String::new()
            }
        )
    }

    /// Returns a `cargo` command for this target. Its artefacts go to the cache.
    pub fn cargo(&self, dirs: &Dirs) -> Command {
        let mut command = match &self.kind {
            Kind::Ordinary => proc::cargo(),
            Kind::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTDOC", "/usr/bin/rustdoc")
                    // Allows -Z build-std on a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    // `cargo run`, which started us, points these at the other toolchain.
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO")
                    .args(["-Z", "build-std=std,panic_abort"]);
                command
            }
        };
        // Either of these replaces the flags in .cargo/config.toml (SIMD, the constructor export), without which the
        // module is slow and its kernels panic.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            if std::env::var_os(name).is_some() {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&dirs.root)
            .env("CARGO_TARGET_DIR", &dirs.target_wasm);
        self.linker.of(&mut command);
        command
    }

    /// Returns the reason why clippy cannot check the wasm32 build, if it cannot.
    pub fn no_clippy(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Ordinary => None,
            Kind::Debian => Some(
                "Debian's Rust has no clippy and rustup's has no std for wasm32; where there is a network: rustup target add wasm32-unknown-unknown",
            ),
        }
    }

    fn ordinary(dirs: &Dirs) -> Result<Option<Self>> {
        let rustc = || Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let libraries = |target: &[&str]| {
            let printed = proc::first_line(rustc().args(["--print", "target-libdir"]).args(target));
            // rustc prints the directory whether it exists or not.
            printed.map(PathBuf::from).filter(|dir| dir.is_dir())
        };
        let (Some(_), Some(own), Some(version)) = (
            libraries(&["--target", TARGET]),
            libraries(&[]),
            proc::first_line(rustc().arg("--version")),
        ) else {
            return Ok(None);
        };
        // rustup's Rust has LLVM's linker beside the libraries of the machine that it runs on.
        let beside = (own.with_file_name("bin")).join(format!("rust-lld{EXE_SUFFIX}"));
        let beside = Some(beside).filter(|linker| linker.is_file());
        let Some(linker) = beside.or_else(|| proc::on_path("rust-lld")) else {
            return Ok(None);
        };
        Ok(Some(Self {
            version,
            kind: Kind::Ordinary,
            linker: Linker::new(dirs, linker)?,
        }))
    }

    /// Returns Debian's toolchain if all its parts are installed; an error if it is installed but too old.
    fn debian(dirs: &Dirs) -> Result<Option<Self>> {
        if !debian::is_debian() || !Path::new(DEBIAN_CARGO).is_file() || !debian::has_std_source() {
            return Ok(None);
        }
        let version = proc::first_line(
            Command::new(DEBIAN_RUSTC)
                .arg("--version")
                .env_remove("LD_LIBRARY_PATH"),
        );
        let (Some(version), Some(linker)) = (version, debian::wasm_ld()) else {
            return Ok(None);
        };
        let wanted = rust_version(&dirs.root)?;
        if number(&version) < number(&wanted) {
            bail!(
                "expected Debian's rustc to be {wanted} or newer, found {version}: enable the security repository, \
                 which has it, and type: sudo apt-get update && {}",
                debian::spelled(&DEBIAN_PACKAGES)
            );
        }
        Ok(Some(Self {
            version,
            kind: Kind::Debian,
            linker: Linker::new(dirs, linker)?,
        }))
    }
}

/// Returns the oldest compiler version that the workspace accepts.
fn rust_version(root: &Path) -> Result<String> {
    let file = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
    let found = table
        .get("workspace")
        .and_then(|t| t.get("package"))
        .and_then(|t| t.get("rust-version"));
    match found.and_then(|value| value.as_str()) {
        Some(version) => Ok(version.to_owned()),
        None => bail!(
            "expected workspace.package.rust-version in {}, found none",
            file.display()
        ),
    }
}

/// Returns major and minor of the first thing that looks like a version.
pub fn number(text: &str) -> (u32, u32) {
    let digits = text
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .find(|word| word.contains('.'));
    let mut parts = digits
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(number("rustc 1.96.0 (ac68faa20 2026-05-25)"), (1, 96));
        assert_eq!(number("v20.20.2"), (20, 20));
        assert_eq!(number(">=20.19"), (20, 19));
        assert!(number("1.9") < number("1.95"));
        assert_eq!(number("none"), (0, 0));
    }
}
