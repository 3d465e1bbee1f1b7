//! Builds a crate into a WebAssembly module with its bindings: cargo, wasm-bindgen, wasm-opt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::build::{say, timed};
use crate::config::{Config, Part, Threads};
use crate::paths::{Dirs, ROOT_MARK};
use crate::proc;
use crate::stamp::{Record, Stamp};
use crate::toolchain::{TARGET, WasmToolchain};

/// Time limit of cargo; the first build compiles burn and, on Debian's toolchain, std.
const CARGO_LIMIT: Duration = Duration::from_secs(3600);
const TOOL_LIMIT: Duration = Duration::from_secs(1800);

/// The tools to build with, and the build's options.
pub struct Tools<'a> {
    pub dirs: &'a Dirs,
    pub config: &'a Config,
    pub toolchain: &'a WasmToolchain,
    pub bindgen: &'a Path,
    /// wasm-opt, if it should run.
    pub opt: Option<&'a Path>,
    /// Whether to rebuild outputs that are up to date.
    pub force: bool,
}

/// Builds the core, and the module for the CPU's threads next to it.
pub fn core(tools: &Tools) -> Result<Stamp> {
    let Config {
        package,
        out_dir,
        out_name,
        threads,
        ..
    } = tools.config;
    tools.fresh_or(out_dir, &["crate", "cpu", "modelfile"], |out| {
        let flags = core_flags(tools.config);
        tools.module(package, &flags, out, out_name, &[])?;
        timed("threads", || tools.threads(threads, out))?;
        let flags = [&tools.config.wasm_opt.flags, &threads.wasm_opt_flags[..]].concat();
        tools.optimise("wasm-opt threads", &out.join(&threads.out_file), &flags)
    })
}

/// Builds the module that enforces schemas and grammars.
pub fn grammar(tools: &Tools) -> Result<Stamp> {
    part(tools, &tools.config.grammar, &["grammar"], &[])
}

/// Builds the module that hears.
pub fn audio(tools: &Tools) -> Result<Stamp> {
    let sources = ["audio", "cpu", "modelfile"];
    part(
        tools,
        &tools.config.audio,
        &sources,
        &together(tools.config),
    )
}

/// Builds the module that prepares pictures.
pub fn pictures(tools: &Tools) -> Result<Stamp> {
    let sources = ["pictures", "cpu", "modelfile"];
    part(
        tools,
        &tools.config.pictures,
        &sources,
        &together(tools.config),
    )
}

/// Builds the module that translates.
pub fn translation(tools: &Tools) -> Result<Stamp> {
    let sources = ["translation", "cpu", "modelfile"];
    part(
        tools,
        &tools.config.translation,
        &sources,
        &together(tools.config),
    )
}

/// Returns arguments of cargo that build the core and the modules with shared crates as [`core`] does.
pub fn shared_build(config: &Config) -> Vec<String> {
    let target = ["build", "--lib", "--target", TARGET, "--profile"].map(str::to_owned);
    let profile = [config.profile.clone()];
    [&target[..], &profile, &core_flags(config)].concat()
}

/// Returns the core's features, and what is built with it.
fn core_flags(config: &Config) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend((!config.default_features).then(|| "--no-default-features".to_owned()));
    if !config.features.is_empty() {
        flags.extend(["--features".to_owned(), config.features.join(",")]);
    }
    flags.extend(together(config));
    flags
}

/// Returns flags that name the modules with shared crates, whichever is wanted: cargo gives these crates the features that the
/// named packages ask for, and would compile them and the core anew for another choice.
fn together(config: &Config) -> Vec<String> {
    let Config {
        package,
        audio,
        pictures,
        translation,
        ..
    } = config;
    let parts = [audio, pictures, translation].map(|part| &part.package);
    let packages = [package].into_iter().chain(parts);
    packages
        .flat_map(|package| ["-p".to_owned(), package.clone()])
        .collect()
}

fn part(tools: &Tools, part: &Part, sources: &[&str], flags: &[String]) -> Result<Stamp> {
    tools.fresh_or(&part.out_dir, sources, |out| {
        let bindgen_flags = &part.wasm_bindgen_flags;
        tools.module(&part.package, flags, out, &part.out_name, bindgen_flags)
    })
}

impl Tools<'_> {
    /// Fills the directory `name` unless it was already built from these sources and tools.
    fn fresh_or(
        &self,
        name: &str,
        sources: &[&str],
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Stamp> {
        let root = &self.dirs.root;
        let record = Record::of(root, name);
        let wide = ["Cargo.toml", "Cargo.lock", ROOT_MARK, ".cargo/config.toml"];
        let inputs = [sources, &wide[..]].concat();
        let stamp = |opted| Stamp::of(root, &inputs, &[&self.toolchain.version, opted]);
        let optimised = stamp("opt")?;
        // Wherever the compiler's plain output is enough, an optimised module is fine as well.
        if !self.force && optimised.matches(&record) {
            say(name, "fresh");
            return Ok(optimised);
        }
        let stamp = match self.opt {
            Some(_) => optimised,
            None => stamp("no-opt")?,
        };
        if !self.force && stamp.matches(&record) {
            say(name, "fresh, not optimised");
            return Ok(stamp);
        }
        if ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"].map(std::env::var_os) != [None, None] {
            eprintln!(
                "build  note: RUSTFLAGS is set aside for wasm, it would replace the flags of .cargo/config.toml"
            );
        }
        record.remove();
        let out = root.join(name);
        // Only generated files live here, and old ones would be packed as well.
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("cannot clear {}", out.display()))?;
        }
        fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        build(&out)?;
        stamp.write(&record)?;
        Ok(stamp)
    }

    fn module(
        &self,
        package: &str,
        flags: &[String],
        out: &Path,
        out_name: &str,
        bindgen_flags: &[String],
    ) -> Result<()> {
        let logs = self.dirs.logs();
        timed(&format!("cargo {package}"), || {
            let mut command = self.toolchain.cargo(self.dirs);
            command.args(["build", "-p", package, "--lib", "--target", TARGET]);
            command
                .args(["--profile", &self.config.profile])
                .args(flags);
            let log = logs.join(format!("wasm-{package}.log"));
            proc::must_seen(&mut command, &log, CARGO_LIMIT)
        })?;
        let built = self.built(package);
        if !built.is_file() {
            bail!(
                "expected cargo to make {}, found none: is the crate still a cdylib?",
                built.display()
            );
        }
        timed("wasm-bindgen", || {
            let mut command = Command::new(self.bindgen);
            command.arg(&built).args(["--target", &self.config.target]);
            command.args(["--out-name", out_name, "--out-dir"]).arg(out);
            command.args(&self.config.wasm_bindgen.flags);
            command.args(bindgen_flags);
            proc::must(&mut command, &logs.join("wasm-bindgen.log"), TOOL_LIMIT)
        })?;
        let module = out.join(format!("{out_name}_bg.wasm"));
        self.optimise("wasm-opt", &module, &self.config.wasm_opt.flags)
    }

    /// Builds one small crate, with flags that the core is built without.
    fn threads(&self, threads: &Threads, out: &Path) -> Result<()> {
        let mut command = self.toolchain.cargo(self.dirs);
        command.args(["rustc", "-p", &threads.package, "--lib"]);
        command.args(["--crate-type", "cdylib", "--features", &threads.feature]);
        command.args(["--target", TARGET, "--profile", &self.config.profile, "--"]);
        command.args(&threads.rustc_flags);
        let log = self.dirs.logs().join("wasm-threads.log");
        proc::must_seen(&mut command, &log, CARGO_LIMIT)?;
        let built = self.built(&threads.package);
        let to = out.join(&threads.out_file);
        fs::copy(&built, &to)
            .with_context(|| format!("cannot copy {} to {}", built.display(), to.display()))?;
        Ok(())
    }

    /// Path of the module that cargo builds from a library.
    fn built(&self, package: &str) -> PathBuf {
        self.dirs
            .target_wasm
            .join(TARGET)
            .join(self.config.profile_dir())
            .join(format!("{}.wasm", library(package)))
    }

    fn optimise(&self, name: &str, module: &Path, flags: &[String]) -> Result<()> {
        let Some(opt) = self.opt else {
            return Ok(());
        };
        timed(name, || {
            let smaller = module.with_extension("tmp");
            let mut command = Command::new(opt);
            command.arg(module).arg("-o").arg(&smaller).args(flags);
            let log = self.dirs.logs().join("wasm-opt.log");
            proc::must(&mut command, &log, TOOL_LIMIT)?;
            fs::rename(&smaller, module)
                .with_context(|| format!("cannot replace {}", module.display()))
        })
    }
}

/// Returns the name of a package's library: published package names have a prefix that the library names lack.
fn library(package: &str) -> String {
    package
        .replacen("hearth-llm", "hearth", 1)
        .replace('-', "_")
}
