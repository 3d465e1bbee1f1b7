//! `cargo xtask gpu-trial`: one command for a machine with a GPU that somebody has for half an hour.
//!
//! Without options it packs all that the machine needs, which may be bare and without a network; `run.sh` in the pack
//! prints one JSON there. `--here` runs the parts at once on this machine's adapter, with a small budget.
//!
//! | module    | answers                                                  |
//! |-----------|----------------------------------------------------------|
//! | `pack`    | which files the machine needs                            |
//! | `peer`    | which llama.cpp is packed, and where it comes from       |
//! | `plan`    | what is measured, in which order, within which times     |
//! | `run`     | how a part is run and stopped, and what it has said      |
//! | `report`  | the JSON: hardware, speeds beside the peer's, residuals  |
//! | `llama`   | how fast llama.cpp is, through its library               |

#[cfg(unix)]
mod llama;
mod pack;
mod peer;
mod plan;
mod report;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::plan::{Plan, full, small};
use self::run::Kit;
use crate::paths::Dirs;
use crate::{proc, test};

#[derive(clap::Args)]
pub struct Args {
    /// Write the pack here, instead of gpu-trial.tar.gz in the target folder; of a pack's run.sh, the report
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Most megabytes of the pack: peers that are too large for it are left out
    #[arg(long, value_name = "MB", default_value_t = pack::MOST_MB, value_parser = clap::value_parser!(u64).range(1..=pack::MOST_MB))]
    most: u64,
    /// Run at once on this machine's adapter with a small budget, instead of packing
    #[arg(long, conflicts_with = "out")]
    here: bool,
    /// Minutes for the whole trial: 19 in a pack, whose run.sh takes this option too, and 10 here
    #[arg(long)]
    minutes: Option<u64>,
    /// Only these shapes of models; commas or repetition
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    shapes: Vec<String>,
    /// Run the pack that was unpacked in this folder; run.sh does
    #[arg(long, hide = true, value_name = "FOLDER")]
    unpacked: Option<PathBuf>,
    /// Measure llama.cpp: the folder of its libraries, and a model's file
    #[arg(long, hide = true, num_args = 2, value_names = ["FOLDER", "FILE"])]
    llama: Option<Vec<PathBuf>>,
    /// Positions in use when decode is measured
    #[arg(long, hide = true, value_delimiter = ',')]
    contexts: Vec<usize>,
    /// Lengths of prompts
    #[arg(long, hide = true, value_delimiter = ',')]
    prompts: Vec<usize>,
}

/// Time limit for building a program with nothing compiled.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// Name of the report's file.
const REPORT: &str = "gpu-trial.json";

/// Name of the program that measures, among those of the tests.
const BENCH: &str = "gpu-trial";

/// Runs what needs no clone of the repository; `None` if `args` ask for something else.
pub fn elsewhere(args: &Args) -> Option<Result<ExitCode>> {
    if let Some(folder) = &args.unpacked {
        return Some(unpacked(folder, args));
    }
    let [libraries, model] = args.llama.as_deref()? else {
        return None;
    };
    Some(peer_speed(libraries, model, args))
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    let bench = build(dirs, "hearth-tests", BENCH)?;
    if !args.here {
        let own = build(dirs, "xtask", "xtask")?;
        pack::pack(dirs, &bench, &own, args.out.as_deref(), args.most)?;
        return Ok(ExitCode::SUCCESS);
    }
    let plan = small().limited(&args.shapes, args.minutes)?;
    let work = dirs.target.join("gpu-trial-here");
    let (peers, manifest) = match peer::fetch(dirs, &peer::VULKAN) {
        Ok(folder) => (
            vec![(peer::VULKAN.name.to_owned(), folder)],
            json!({ "peers": [peer::VULKAN.spelled()] }),
        ),
        Err(error) => (
            Vec::new(),
            json!({ "left_out": [format!("{}: {error:#}", peer::VULKAN.name)] }),
        ),
    };
    let kit = Kit {
        bench,
        own: env::current_exe().context("cannot find this program")?,
        peers,
        work,
    };
    trial(&kit, &plan, manifest, &kit.work.join(REPORT))
}

/// Builds a program of the workspace as it is measured, and returns its path.
fn build(dirs: &Dirs, package: &str, program: &str) -> Result<PathBuf> {
    let mut command = test::cargo(dirs);
    command.args(["build", "--release", "-p", package, "--bin", program]);
    let log = dirs.logs().join(format!("gpu-trial-{program}.log"));
    proc::must_seen(&mut command, &log, BUILD_LIMIT)?;
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    Ok(dirs.target.join("release").join(name))
}

/// Runs the pack in `folder`.
fn unpacked(folder: &Path, args: &Args) -> Result<ExitCode> {
    let plan = full().limited(&args.shapes, args.minutes)?;
    let manifest = folder.join(pack::MANIFEST);
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("no pack: {}", manifest.display()))?;
    let manifest: Value = serde_json::from_str(&text).context(pack::MANIFEST)?;
    let kit = Kit {
        bench: folder.join("bin").join(BENCH),
        own: folder.join("bin/xtask"),
        peers: pack::unpacked_peers(folder),
        work: folder.join("work"),
    };
    let file = args.out.clone().unwrap_or_else(|| folder.join(REPORT));
    trial(&kit, &plan, manifest, &file)
}

/// Runs a trial and prints its report. `file` has what there is of it, from the first part on.
fn trial(kit: &Kit, plan: &Plan, manifest: Value, file: &Path) -> Result<ExitCode> {
    let save = |report: &Value| {
        if let Err(error) = write(file, report) {
            eprintln!("{error:#}");
        }
    };
    let report = run::run(kit, plan, manifest, save)?;
    println!("{report:#}");
    save(&report);
    eprintln!("written to {}", file.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes a report as a whole: who reads the file never sees half of one.
fn write(file: &Path, report: &Value) -> Result<()> {
    let part = file.with_extension("part");
    fs::write(&part, format!("{report:#}\n"))
        .and_then(|()| fs::rename(&part, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(unix)]
fn peer_speed(libraries: &Path, model: &Path, args: &Args) -> Result<ExitCode> {
    llama::measure(libraries, model, &args.contexts, &args.prompts)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(unix))]
fn peer_speed(_libraries: &Path, _model: &Path, _args: &Args) -> Result<ExitCode> {
    anyhow::bail!("llama.cpp's library is loaded on Unix only")
}
