//! Rust stages: lints, and tests on the CPU and on any Vulkan device.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

use super::again::Again;
use super::counts::Runner::{Cargo, Check};
use super::stage::Stages;
use crate::paths::Dirs;
use crate::{gpu_stats, linter, proc};

/// Stages that need models and a GPU, followed by their group.
pub const TESTS: [&str; 5] = ["native", "fuzz", "unit", "compile", "rust"];

/// Paths of real models, as far as they could be fetched.
#[derive(Default)]
pub struct Models {
    pub smollm2: Option<PathBuf>,
    pub gemma270: Option<PathBuf>,
    pub minilm: Option<PathBuf>,
    pub whisper_tiny_en: Option<PathBuf>,
    /// With `--full` only: 130 MB to fetch.
    pub whisper_base: Option<PathBuf>,
    pub speech: Option<PathBuf>,
}

pub fn stages(dirs: &Dirs, stages: &mut Stages, models: &Models, full: bool) {
    let tests = ["native", "fuzz"];
    // First, since cargo takes some crates that it has linted for stale when it builds, whatever has been built before.
    clippy(dirs, stages, full);
    // Built separately from the tests, so that test times exclude compilation.
    let compile = &mut whole_workspace(dirs, &["--no-run"]);
    stages.command(&["compile", "rust"], Check, compile);
    // (with the tests of crates that are beside their sources)
    let beside = ["goldens", "wav", "bad", "drawn", "long", "vad"];
    // (`--bins` would include programs without tests)
    let of_crates: Vec<&str> = ["--lib", "--bin", "xtask", "--bin", "hearth"]
        .into_iter()
        .chain(beside.iter().flat_map(|name| ["--test", name]))
        .collect();
    let unit = &mut whole_workspace(dirs, &of_crates);
    stages.command(&["unit", "rust"], Cargo, unit);
    gpu_stats(dirs, stages);
    for name in tests {
        if !stages.wants(&[name, "rust"]) {
            continue;
        }
        match program(dirs, name) {
            Ok(program) => {
                let run = |stages: &mut Stages, module: &Option<String>| {
                    let mut command = run_tests(dirs, &program, models);
                    command.args(module);
                    command.envs(full.then_some(("HEARTH_FULL", "1")));
                    let stage = match module {
                        Some(module) => format!("{name} {module}"),
                        None => name.to_owned(),
                    };
                    stages.command(&[&stage, name, "rust"], Cargo, &mut command);
                };
                two_at_once(stages, modules(&program), &run);
            }
            Err(error) => stages.fail(&[name, "rust"], &format!("{error:#}")),
        }
    }
}

/// Sources that clippy reads natively.
const LINTED: [&str; 16] = [
    "audio",
    "cli",
    "cpu",
    "crate",
    "grammar",
    "modelfile",
    "pictures",
    "tests/Cargo.toml",
    "tests/fuzzing",
    "tests/src",
    "tests/tests",
    "translation",
    "xtask",
    "Cargo.toml",
    "Cargo.lock",
    "clippy.toml",
];

/// Runs clippy on all code but what only wasm32 compiles.
fn clippy(dirs: &Dirs, stages: &mut Stages, full: bool) {
    let names = ["clippy", "checks"];
    let command = whole_workspace(dirs, &["--no-run", "--all-targets"]);
    let version = proc::first_line(Command::new("rustc").arg("--version")).unwrap_or_default();
    match linter::instead_of_building(command) {
        Ok(command) => {
            Again { dirs, full }.run(stages, &names, &LINTED, &[&version], || command);
        }
        Err(error) => stages.fail(&names, &format!("{error:#}")),
    }
}

/// Runs modules in their order, two at a time: one alone leaves half of a core idle, as tests of a device wait for it.
fn two_at_once(
    stages: &mut Stages,
    modules: Vec<Option<String>>,
    run: &(impl Fn(&mut Stages, &Option<String>) + Sync),
) {
    let left = Mutex::new(modules.into_iter());
    let all = |stages: &mut Stages| {
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(module) = next() {
            run(stages, &module);
        }
    };
    let mut others = stages.beside();
    thread::scope(|scope| {
        scope.spawn(|| all(&mut others));
        all(stages);
    });
    stages.add(others);
}

/// Compares what compilers of real GPUs make of the kernels with the pinned tables. Registers of another version of
/// the driver cannot be compared.
fn gpu_stats(dirs: &Dirs, stages: &mut Stages) {
    let names = ["gpu-stats", "rust"];
    if !stages.wants(&names) {
        return;
    }
    if let Some(why) = gpu_stats::missing() {
        return stages.skip(&names, &why);
    }
    let work = || {
        let measured = gpu_stats::measure_all(dirs)?;
        let why = measured.incomparable(dirs)?;
        Ok((measured, why))
    };
    match stages.ready("gpu-stats compiling", work) {
        Some((_, Some(why))) => stages.skip(&names, &why),
        Some((measured, None)) => {
            stages.check("gpu-stats", || measured.check(dirs));
        }
        None => {}
    }
}

/// Builds the whole workspace each time, so that features, and therefore burn, are the same and compiled once.
fn whole_workspace(dirs: &Dirs, args: &[&str]) -> Command {
    let mut command = cargo(dirs);
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(args);
    command
}

/// Runs a test program as cargo would, but with the time of each test.
fn run_tests(dirs: &Dirs, program: &Path, models: &Models) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dirs.root.join("tests"))
        .args(["-Z", "unstable-options", "--report-time"])
        // libtest itself reads this variable; nothing is compiled with it.
        .env("RUSTC_BOOTSTRAP", "1");
    environment(&mut command, models);
    command
}

/// Sets the environment that tests read: the real models, and a flag that makes anything missing a failure, not a
/// skip.
fn environment(command: &mut Command, models: &Models) {
    command
        .env("HEARTH_REQUIRE_GPU", "1")
        .env("HEARTH_REQUIRE_MODELS", "1");
    for (name, path) in [
        ("HEARTH_SMOLLM2", &models.smollm2),
        ("HEARTH_GEMMA270", &models.gemma270),
        ("HEARTH_MINILM", &models.minilm),
        ("HEARTH_WHISPER_TINY_EN", &models.whisper_tiny_en),
        ("HEARTH_WHISPER_BASE", &models.whisper_base),
        ("HEARTH_SPEECH_WAV", &models.speech),
    ] {
        command.envs(path.as_ref().map(|path| (name, path)));
    }
}

/// Runs the tests of these targets that match `filter`.
pub fn filtered(dirs: &Dirs, targets: &[&str], filter: &str, models: &Models) -> Command {
    let mut command = whole_workspace(dirs, targets);
    command.args(["--", filter]);
    environment(&mut command, models);
    command
}

/// Modules that take longest, which begin first, so that two end at about the same time.
const LONGEST: [&str; 8] = [
    "families::",
    "smollm2::",
    "drafts::",
    "real_gemma::",
    "sampling_large::",
    "hybrids::",
    "counters::",
    "attention::",
];

/// Returns the modules of a test program, each of which gets a separate process: the runtime keeps a polling thread
/// for every opened device until the process ends. A program without modules is run as a whole.
fn modules(program: &Path) -> Vec<Option<String>> {
    let output = Command::new(program).arg("--list").output();
    let text = output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    let names = text
        .lines()
        .filter_map(|line| Some(line.split_once("::")?.0));
    let mut modules: Vec<String> = names.map(|name| format!("{name}::")).collect();
    modules.sort();
    modules.dedup();
    modules.sort_by_key(|module| {
        let place = LONGEST.iter().position(|name| name == module);
        place.unwrap_or(LONGEST.len())
    });
    match modules.is_empty() {
        true => vec![None],
        false => modules.into_iter().map(Some).collect(),
    }
}

/// Path of the program that cargo built for the integration test `name`.
fn program(dirs: &Dirs, name: &str) -> Result<PathBuf> {
    let mut command = whole_workspace(dirs, &["--no-run", "--message-format", "json"]);
    let output = command.stderr(Stdio::null()).output();
    let output = output.context("cannot start cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut programs = text.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == name && message["target"]["kind"][0] == "test";
        message["executable"]
            .as_str()
            .filter(|_| is_it)
            .map(PathBuf::from)
    });
    match programs.next() {
        Some(program) => Ok(program),
        None => bail!("not run: it does not compile, see the stage `compile`"),
    }
}

/// Returns the caller's cargo with the native target directory.
pub fn cargo(dirs: &Dirs) -> Command {
    let mut command = proc::cargo();
    command
        .current_dir(&dirs.root)
        .env("CARGO_TARGET_DIR", &dirs.target);
    command
}
