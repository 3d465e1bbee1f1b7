//! The crate to `pkg/wasm`, that to `pkg/dist`, that to `www/dist`: each step only if its inputs changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::config::Config;
use crate::paths::{Dirs, ROOT_MARK, short};
use crate::proc;
use crate::setup::{self, Pieces};
use crate::stamp::{Record, Stamp};
use crate::toolchain::{TARGET, WasmToolchain};

/// The first build compiles burn and, on Debian's toolchain, std.
const CARGO_LIMIT: Duration = Duration::from_secs(3600);
const TOOL_LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args, Default)]
pub struct Args {
    /// Leave out wasm-opt: a larger module, sooner
    #[arg(long)]
    no_opt: bool,
    /// Build even what is not stale
    #[arg(long)]
    force: bool,
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<()> {
    stale(dirs, args)?;
    if !args.no_opt {
        sizes(dirs)?;
    }
    Ok(())
}

/// Builds what is stale and nothing else.
pub fn stale(dirs: &Dirs, args: &Args) -> Result<()> {
    let pieces = setup::run(dirs, &setup::BUILDING)?;
    let Pieces {
        toolchain: Some(toolchain),
        wasm_bindgen: Some(bindgen),
        wasm_opt: Some(opt),
        ..
    } = pieces
    else {
        bail!("setup reported success without all its pieces: cargo xtask setup");
    };
    let config = Config::read(&dirs.root)?;
    let wasm = wasm(dirs, args, &config, &toolchain, &bindgen, &opt)?;
    // The generated files are hashed through the stamp that made them.
    let generated = format!("!{}", config.out_dir);
    let npm_wide = [
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "tsconfig.base.json",
    ];
    let pkg_inputs = [&["pkg", &generated], &npm_wide[..]].concat();
    let pkg = Stamp::of(&dirs.root, &pkg_inputs, &[wasm.text()])?;
    npm_build(dirs, args, "pkg", &pkg)?;
    let www = Stamp::of(
        &dirs.root,
        &[&["www"], &npm_wide[..]].concat(),
        &[pkg.text()],
    )?;
    npm_build(dirs, args, "www", &www)
}

/// cargo, wasm-bindgen, wasm-opt.
fn wasm(
    dirs: &Dirs,
    args: &Args,
    config: &Config,
    toolchain: &WasmToolchain,
    bindgen: &Path,
    opt: &Path,
) -> Result<Stamp> {
    let out = dirs.root.join(&config.out_dir);
    let record = Record::of(&dirs.root, &config.out_dir);
    let inputs = [
        "crate",
        "cpu",
        "Cargo.toml",
        "Cargo.lock",
        ROOT_MARK,
        ".cargo/config.toml",
    ];
    let opted = if args.no_opt { "no-opt" } else { "opt" };
    let stamp = Stamp::of(&dirs.root, &inputs, &[&toolchain.version, opted])?;
    if !args.force && stamp.matches(&record) {
        say(&config.out_dir, "fresh");
        return Ok(stamp);
    }
    if std::env::var_os("RUSTFLAGS").is_some()
        || std::env::var_os("CARGO_ENCODED_RUSTFLAGS").is_some()
    {
        eprintln!(
            "build  note: RUSTFLAGS is set aside for wasm, it would replace the flags of .cargo/config.toml"
        );
    }
    record.remove();

    timed("cargo build", || {
        let mut command = toolchain.cargo(dirs);
        command.args([
            "build",
            "-p",
            &config.package,
            "--lib",
            "--target",
            TARGET,
            "--profile",
            &config.profile,
        ]);
        command.args((!config.default_features).then_some("--no-default-features"));
        if !config.features.is_empty() {
            command.arg("--features").arg(config.features.join(","));
        }
        proc::must_seen(
            &mut command,
            &dirs.logs().join("wasm-cargo.log"),
            CARGO_LIMIT,
        )
    })?;

    let library = format!("{}.wasm", config.package.replace('-', "_"));
    let built = dirs
        .target_wasm
        .join(TARGET)
        .join(config.profile_dir())
        .join(library);
    if !built.is_file() {
        bail!(
            "expected cargo to make {}, found none: is the crate still a cdylib?",
            built.display()
        );
    }
    // Nothing but generated files lives here, and old ones would be packed along.
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot clear {}", out.display()))?;
    }
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;

    timed("wasm-bindgen", || {
        let mut command = Command::new(bindgen);
        command
            .arg(&built)
            .args([
                "--target",
                &config.target,
                "--out-name",
                &config.out_name,
                "--out-dir",
            ])
            .arg(&out);
        command.args(&config.wasm_bindgen.flags);
        proc::must(
            &mut command,
            &dirs.logs().join("wasm-bindgen.log"),
            TOOL_LIMIT,
        )
    })?;

    timed("threads", || threads(dirs, toolchain, config, &out))?;
    if !args.no_opt {
        let core = format!("{}_bg.wasm", config.out_name);
        let flags = &config.wasm_opt.flags;
        timed("wasm-opt", || optimise(dirs, flags, &out.join(core), opt))?;
        let flags: Vec<String> = [flags, &config.threads.wasm_opt_flags[..]].concat();
        let module = out.join(&config.threads.out_file);
        timed("wasm-opt threads", || optimise(dirs, &flags, &module, opt))?;
    }
    stamp.write(&record)?;
    Ok(stamp)
}

/// The module of the CPU's threads: one small crate, with flags that the core is built without.
fn threads(dirs: &Dirs, toolchain: &WasmToolchain, config: &Config, out: &Path) -> Result<()> {
    let threads = &config.threads;
    let mut command = toolchain.cargo(dirs);
    command.args([
        "rustc",
        "-p",
        &threads.package,
        "--lib",
        "--crate-type",
        "cdylib",
        "--features",
        &threads.feature,
        "--target",
        TARGET,
        "--profile",
        &config.profile,
        "--",
    ]);
    command.args(&threads.rustc_flags);
    proc::must_seen(
        &mut command,
        &dirs.logs().join("wasm-threads.log"),
        CARGO_LIMIT,
    )?;
    let built = dirs
        .target_wasm
        .join(TARGET)
        .join(config.profile_dir())
        .join(format!("{}.wasm", threads.package.replace('-', "_")));
    let to = out.join(&threads.out_file);
    fs::copy(&built, &to)
        .with_context(|| format!("cannot copy {} to {}", built.display(), to.display()))?;
    Ok(())
}

fn optimise(dirs: &Dirs, flags: &[String], module: &Path, opt: &Path) -> Result<()> {
    let smaller = module.with_extension("tmp");
    let mut command = Command::new(opt);
    command.arg(module).arg("-o").arg(&smaller).args(flags);
    proc::must(&mut command, &dirs.logs().join("wasm-opt.log"), TOOL_LIMIT)?;
    fs::rename(&smaller, module).with_context(|| format!("cannot replace {}", module.display()))
}

/// `npm run build` in a workspace, unless its dist is fresh.
fn npm_build(dirs: &Dirs, args: &Args, workspace: &str, stamp: &Stamp) -> Result<()> {
    let dist = dirs.root.join(workspace).join("dist");
    let name = format!("{workspace}/dist");
    let record = Record::of(&dirs.root, &name);
    if !args.force && stamp.matches(&record) {
        say(&name, "fresh");
        return Ok(());
    }
    record.remove();
    timed(&name, || {
        let mut command = proc::npm();
        command
            .args(["run", "build", "--workspace", workspace])
            .current_dir(&dirs.root);
        proc::must(
            &mut command,
            &dirs.logs().join(format!("{workspace}-build.log")),
            TOOL_LIMIT,
        )
    })?;
    if !dist.is_dir() {
        bail!(
            "expected `npm run build --workspace {workspace}` to make {}, found none",
            short(&dist, &dirs.root)
        );
    }
    stamp.write(&record)
}

/// What a visitor downloads, as it is and as a server would compress it.
fn sizes(dirs: &Dirs) -> Result<()> {
    // gzip and brotli at their best: what static hosts store. File by file, as they travel.
    const SCRIPT: &str = r#"
const fs = require("node:fs"), path = require("node:path"), zlib = require("node:zlib");
const row = (name, sizes) => console.log("size   " + name.padEnd(24) + sizes.map((n, i) =>
  ["raw", "gzip", "brotli"][i] + (n / 1e3).toFixed(1).padStart(9) + " kB").join("   "));
const kinds = { ".wasm": ["WebAssembly", [0, 0, 0]], ".js": ["JavaScript", [0, 0, 0]] };
const total = [0, 0, 0];
for (const name of fs.readdirSync(".", { recursive: true })) {
  const kind = kinds[path.extname(name)];
  if (!kind) continue;
  const bytes = fs.readFileSync(name);
  const sizes = [bytes, zlib.gzipSync(bytes, { level: 9 }), zlib.brotliCompressSync(bytes, { params: {
    [zlib.constants.BROTLI_PARAM_QUALITY]: 11, [zlib.constants.BROTLI_PARAM_LGWIN]: 24,
    [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })].map((b) => b.length);
  sizes.forEach((n, i) => { kind[1][i] += n; total[i] += n; });
}
Object.values(kinds).forEach(([name, sizes]) => row(name, sizes));
row("all of pkg/dist", total);
"#;
    let dist: PathBuf = dirs.root.join("pkg/dist");
    let status = Command::new("node")
        .args(["-e", SCRIPT])
        .current_dir(&dist)
        .status()
        .context("cannot start node")?;
    if !status.success() {
        bail!("cannot measure {} ({status})", dist.display());
    }
    Ok(())
}

fn timed(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    say(
        name,
        &format!("built ({:.1} s)", start.elapsed().as_secs_f64()),
    );
    Ok(())
}

fn say(name: &str, outcome: &str) {
    eprintln!(
        "build  {name} {} {outcome}",
        ".".repeat(20usize.saturating_sub(name.len()))
    );
}
