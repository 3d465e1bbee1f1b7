//! `cargo xtask test`: every check and every test, cheap ones first. A stage that fails does not stop the
//! later ones, so that one run shows all there is to fix.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::counts::Runner::{Cargo, Check, Doctest, Playwright, Vitest};
use crate::model::{GEMMA270, MINILM, SMOLLM2};
use crate::paths::Dirs;
use crate::server::{Server, Site};
use crate::setup::Pieces;
use crate::stage::Stages;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::{build, proc, serve, setup};

/// For a single stage; whatever takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(3600);

#[derive(clap::Args)]
pub struct Args {
    /// Only these stages or groups (checks, rust, web), with what they need; commas or repetition
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Name the stages and do nothing
    #[arg(long)]
    list: bool,
}

/// Stages that read no generated file, other than Rust integration tests, which are found by asking cargo.
const BEFORE_BUILD: [&str; 8] = [
    "rustfmt",
    "clippy",
    "clippy-wasm",
    "compile",
    "unit",
    "doc",
    "eslint",
    "prettier",
];
/// Stages that read generated files, and the one that makes them.
const AFTER_BUILD: [&str; 6] = ["build", "types", "pkg", "www", "e2e-models", "e2e"];
const GROUPS: [&str; 3] = ["checks", "rust", "web"];

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    let integration = integration_tests(dirs)?;
    let after_build = [&AFTER_BUILD[..], &["checks", "web"]].concat();
    let mut known: Vec<String> = BEFORE_BUILD
        .iter()
        .chain(&AFTER_BUILD)
        .chain(&GROUPS)
        .map(|name| (*name).to_owned())
        .collect();
    known.extend(integration.iter().cloned());
    if args.list {
        println!("{}", known.join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut stages = Stages::new(dirs, &args.only, &known)?;
    let rust: Vec<&str> = integration
        .iter()
        .map(String::as_str)
        .chain(["rust", "unit", "doc", "compile"])
        .collect();

    stages.command(
        &["rustfmt", "checks"],
        Check,
        LIMIT,
        cargo(dirs).args(["fmt", "--all", "--check"]),
    );
    let mut pieces = None;
    if stages.wants(&[&after_build[..], &["eslint", "prettier", "clippy-wasm"]].concat()) {
        pieces = stages.ready("setup", || setup::run(dirs, &setup::BUILDING));
        npm_checks(&mut stages, pieces.is_some());
    }
    let (mut model, mut gemma) = (None, None);
    if stages.wants(&[&rust[..], &["e2e-models", "e2e", "web"]].concat()) {
        model = stages.ready("model", || SMOLLM2.ensure(dirs));
        gemma = stages.ready("Gemma", || GEMMA270.ensure(dirs));
    }
    let mut minilm = None;
    if stages.wants(&rust) {
        minilm = stages.ready("MiniLM", || MINILM.ensure(dirs));
        stages.ready("software Vulkan", || setup::run(dirs, &setup::NATIVE_TESTS));
    }
    let models = [
        ("HEARTH_SMOLLM2", &model),
        ("HEARTH_GEMMA270", &gemma),
        ("HEARTH_MINILM", &minilm),
    ];
    rust_stages(dirs, &mut stages, &integration, models);
    clippy_wasm(
        dirs,
        &mut stages,
        pieces.and_then(|pieces| pieces.toolchain),
    );
    if stages.wants(&after_build) {
        built_stages(dirs, &mut stages, model);
    }
    Ok(stages.finish())
}

/// What needs no generated file.
fn npm_checks(stages: &mut Stages, ready: bool) {
    for (name, script) in [("eslint", "check:lint"), ("prettier", "check:format")] {
        if ready {
            stages.command(
                &[name, "checks"],
                Check,
                LIMIT,
                proc::npm().args(["run", script]),
            );
        } else {
            stages.fail(&[name, "checks"], "not run: setup failed");
        }
    }
}

/// `models`: the variables that name real models, where they could be fetched.
fn rust_stages(
    dirs: &Dirs,
    stages: &mut Stages,
    integration: &[String],
    models: [(&str, &Option<PathBuf>); 3],
) {
    let test = |args: &[&str]| {
        let mut command = cargo(dirs);
        // The whole workspace each time, so that features, and with them burn, are the same and compiled once.
        command
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(args);
        for (name, path) in models {
            command.envs(path.as_ref().map(|path| (name, path)));
        }
        command
    };
    let mut clippy = cargo(dirs);
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    stages.command(&["clippy", "checks"], Check, LIMIT, &mut clippy);
    // Apart from the tests, so that their times are theirs.
    stages.command(&["compile", "rust"], Check, LIMIT, &mut test(&["--no-run"]));
    stages.command(
        &["unit", "rust"],
        Cargo,
        LIMIT,
        &mut test(&["--lib", "--bins"]),
    );
    for name in integration {
        stages.command(&[name, "rust"], Cargo, LIMIT, &mut test(&["--test", name]));
    }
    stages.command(&["doc", "rust"], Doctest, LIMIT, &mut test(&["--doc"]));
}

fn clippy_wasm(dirs: &Dirs, stages: &mut Stages, toolchain: Option<WasmToolchain>) {
    let names = ["clippy-wasm", "checks"];
    let Some(toolchain) = toolchain else {
        stages.fail(&names, "not run: no toolchain for wasm32, see setup");
        return;
    };
    match toolchain.no_clippy() {
        Some(why) => stages.skip(&names, why),
        None => {
            let mut command = toolchain.cargo(dirs);
            command.args([
                "clippy",
                "-p",
                "hearth",
                "--lib",
                "--target",
                TARGET,
                "--profile",
                "release",
            ]);
            stages.command(&names, Check, LIMIT, command.args(["--", "-D", "warnings"]));
        }
    }
}

/// The wasm, and what imports it.
fn built_stages(dirs: &Dirs, stages: &mut Stages, model: Option<PathBuf>) {
    if stages
        .check("build", || build::stale(dirs, &build::Args::default()))
        .is_none()
    {
        for names in [
            ["types", "checks"],
            ["pkg", "web"],
            ["www", "web"],
            ["e2e-models", "web"],
            ["e2e", "web"],
        ] {
            stages.fail(&names, "not run: the build failed");
        }
        return;
    }
    stages.command(
        &["types", "checks"],
        Check,
        LIMIT,
        proc::npm().args(["run", "check:types"]),
    );
    stages.command(
        &["pkg", "web"],
        Vitest,
        LIMIT,
        proc::npm().args(["test", "--workspace", "pkg"]),
    );
    stages.command(
        &["www", "web"],
        Vitest,
        LIMIT,
        proc::npm().args(["test", "--workspace", "www"]),
    );
    let models = ["e2e-models", "web"];
    let page = ["e2e", "web"];
    if !stages.wants(&models) && !stages.wants(&page) {
        return;
    }
    let commands = stages.ready("browsers", || end_to_end(dirs, model));
    match commands {
        Some([mut first, mut second]) => {
            stages.command(&models, Playwright, LIMIT, &mut first);
            stages.command(&page, Playwright, LIMIT, &mut second);
        }
        None => {
            for names in [models, page] {
                stages.fail(&names, "not run: a browser or the server is missing");
            }
        }
    }
}

/// The browser tests' commands, with browsers found and the servers running: what models say, two at a time, and the rest.
fn end_to_end(dirs: &Dirs, model: Option<PathBuf>) -> Result<[Command; 2]> {
    let pieces = setup::run(dirs, &setup::BROWSERS)?;
    let Pieces {
        chromium: Some(chromium),
        firefox: Some(firefox),
        ..
    } = pieces
    else {
        bail!("setup reported success without its browsers: cargo xtask setup");
    };
    let server = Server::bind(0)?;
    // The same, cross-origin isolated: where the CPU path has threads.
    let isolated = Server::bind(0)?;
    let command = |args: [&str; 4]| {
        let mut command = proc::npm();
        command
            .args(["run", "e2e", "--workspace", "tests/e2e", "--"])
            .args(args)
            .env("HEARTH_URL", serve::url(server.address()))
            .env("HEARTH_ISOLATED_URL", serve::url(isolated.address()))
            .env("CHROMIUM", &chromium)
            .env("FIREFOX", &firefox);
        command.envs(model.as_ref().map(|file| ("HEARTH_SMOLLM2", file)));
        command
    };
    let commands = [
        command(["--project", "models", "--workers", "2"]),
        command(["--project", "page", "--workers", "1"]),
    ];
    isolated.spawn(Site {
        isolated: true,
        ..serve::site(dirs, model.clone(), true)
    })?;
    server.spawn(serve::site(dirs, model, true))?;
    Ok(commands)
}

/// The names of all integration tests in the workspace, so that a new file under tests/ is a new stage.
fn integration_tests(dirs: &Dirs) -> Result<Vec<String>> {
    let mut command = cargo(dirs);
    let output = command
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output();
    let output = output.context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let mut names = Vec::new();
    for target in list(&metadata["packages"])
        .iter()
        .flat_map(|package| list(&package["targets"]))
    {
        if list(&target["kind"]).iter().any(|kind| kind == "test") {
            names.extend(target["name"].as_str().map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The caller's cargo with the native target directory.
pub fn cargo(dirs: &Dirs) -> Command {
    let mut command = proc::cargo();
    command
        .current_dir(&dirs.root)
        .env("CARGO_TARGET_DIR", &dirs.target);
    command
}
