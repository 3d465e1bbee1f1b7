//! Builds the crates into `pkg/wasm`, that into `pkg/dist`, and that into `www/dist`: each step only if its inputs
//! changed.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::config::Config;
use crate::paths::{Dirs, short};
use crate::proc;
use crate::setup::{self, Pieces};
use crate::stamp::{Record, Stamp};
use crate::wasm::{self, Tools};

const TOOL_LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args, Default)]
pub struct Args {
    /// Skip wasm-opt: faster to build, but a larger module
    #[arg(long)]
    no_opt: bool,
    /// Build even outputs that are up to date
    #[arg(long)]
    force: bool,
}

impl Args {
    /// The build for tests: either the module as shipped, or as it comes from the compiler.
    pub fn for_tests(shipped: bool) -> Self {
        Self {
            no_opt: !shipped,
            force: false,
        }
    }
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<()> {
    stale(dirs, args)?;
    if !args.no_opt {
        sizes(dirs)?;
    }
    Ok(())
}

/// Builds only the outputs that are stale.
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
    let tools = Tools {
        dirs,
        config: &config,
        toolchain: &toolchain,
        bindgen: &bindgen,
        opt: (!args.no_opt).then_some(opt.as_path()),
        force: args.force,
    };
    let core = wasm::core(&tools)?;
    let grammar = wasm::grammar(&tools)?;
    let audio = wasm::audio(&tools)?;
    let pictures = wasm::pictures(&tools)?;
    let translation = wasm::translation(&tools)?;
    // Generated files are hashed via the stamps of the steps that made them.
    let generated = [
        &config.out_dir,
        &config.grammar.out_dir,
        &config.audio.out_dir,
        &config.pictures.out_dir,
        &config.translation.out_dir,
    ]
    .map(|dir| format!("!{dir}"));
    let npm_wide = [
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "tsconfig.base.json",
    ];
    let mut pkg_inputs = vec!["pkg"];
    pkg_inputs.extend(generated.iter().map(String::as_str));
    pkg_inputs.extend(npm_wide);
    let modules = [&core, &grammar, &audio, &pictures, &translation].map(Stamp::text);
    let pkg = Stamp::of(&dirs.root, &pkg_inputs, &modules)?;
    npm_build(dirs, args, "pkg", &pkg)?;
    let www = Stamp::of(
        &dirs.root,
        &[&["www"], &npm_wide[..]].concat(),
        &[pkg.text()],
    )?;
    npm_build(dirs, args, "www", &www)
}

/// Runs `npm run build` in a workspace, unless its dist is up to date.
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

/// Prints the size of everything a visitor downloads, raw and as compressed by a server.
fn sizes(dirs: &Dirs) -> Result<()> {
    // gzip and brotli at their best levels, as static hosts store them. File by file, as they are transferred.
    const SCRIPT: &str = r#"
const fs = require("node:fs"), path = require("node:path"), zlib = require("node:zlib");
const row = (name, sizes) => console.log("size   " + name.padEnd(24) + sizes.map((n, i) =>
  ["raw", "gzip", "brotli"][i] + (n / 1e3).toFixed(1).padStart(9) + " kB").join("   "));
const kinds = { ".wasm": ["WebAssembly", [0, 0, 0]], ".js": ["JavaScript", [0, 0, 0]],
  grammar: ["grammar, on demand", [0, 0, 0]], audio: ["speech, on demand", [0, 0, 0]],
  pictures: ["pictures, on demand", [0, 0, 0]],
  translation: ["translation, on demand", [0, 0, 0]] };
const later = [kinds.grammar, kinds.audio, kinds.pictures, kinds.translation];
const total = [0, 0, 0];
for (const name of fs.readdirSync(".", { recursive: true })) {
  const kind = kinds[/(grammar|audio|pictures|translation)_bg\.wasm$/.exec(name)?.[1] ?? path.extname(name)];
  if (!kind) continue;
  const bytes = fs.readFileSync(name);
  const sizes = [bytes, zlib.gzipSync(bytes, { level: 9 }), zlib.brotliCompressSync(bytes, { params: {
    [zlib.constants.BROTLI_PARAM_QUALITY]: 11, [zlib.constants.BROTLI_PARAM_LGWIN]: 24,
    [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })].map((b) => b.length);
  sizes.forEach((n, i) => { kind[1][i] += n; if (!later.includes(kind)) total[i] += n; });
}
Object.values(kinds).forEach(([name, sizes]) => row(name, sizes));
row("all but on demand", total);
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

pub fn timed(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    say(
        name,
        &format!("built ({:.1} s)", start.elapsed().as_secs_f64()),
    );
    Ok(())
}

pub fn say(name: &str, outcome: &str) {
    eprintln!(
        "build  {name} {} {outcome}",
        ".".repeat(20usize.saturating_sub(name.len()))
    );
}
