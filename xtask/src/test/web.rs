//! Web stages: TypeScript, the WebAssembly build, and the tests in browsers.

use std::process::Command;

use anyhow::{Result, bail};

use super::again::Again;
use super::counts::Runner::{Check, Playwright, Vitest};
use super::native::Models;
use super::stage::Stages;
use crate::config::Config;
use crate::paths::Dirs;
use crate::server::{Server, Site};
use crate::setup::Pieces;
use crate::toolchain::WasmToolchain;
use crate::{build, linter, llama, proc, serve, setup, wasm};

/// Files that eslint reads: its settings, and all TypeScript, whose types it asks for.
const LINTED: [&str; 21] = [
    "eslint.config.js",
    "package.json",
    "package-lock.json",
    "tsconfig.base.json",
    "docs",
    // (folders that begin with a dot are read only where they are named)
    "docs/.vitepress",
    "examples",
    "pkg",
    "tests/e2e",
    "www",
    "!docs/.vitepress/cache",
    "!docs/api",
    "!pkg/audio",
    "!pkg/docs",
    "!pkg/grammar",
    "!pkg/pictures",
    "!pkg/translation",
    "!pkg/wasm",
    "!*.md",
    "!*.html",
    "!*.css",
];
/// Files that the type checker reads, among them the types of what was built.
const TYPED: [&str; 19] = [
    "package.json",
    "package-lock.json",
    "tsconfig.base.json",
    "docs",
    "docs/.vitepress",
    "examples",
    "pkg",
    "pkg/dist",
    "tests/e2e",
    "www",
    "!docs/.vitepress/cache",
    "!docs/api",
    "!pkg/docs",
    "!*.md",
    "!*.html",
    "!*.css",
    // (what was built is read as declarations)
    "!*.js",
    "!*.map",
    "!*.wasm",
];

/// Stages that need the tools but no generated files.
const BEFORE_BUILD: [&str; 3] = ["eslint", "prettier", "clippy-wasm"];
/// Stages that read generated files, and the stage that makes those files.
const AFTER_BUILD: [&str; 9] = [
    "build",
    "types",
    "pkg",
    "www",
    "e2e",
    "e2e-light",
    "e2e-heavy",
    "checks",
    "web",
];
pub const BROWSER_STAGES: [&str; 4] = ["e2e", "e2e-light", "e2e-heavy", "web"];

const LIGHT: [&str; 3] = ["e2e-light", "e2e", "web"];
const HEAVY: [&str; 3] = ["e2e-heavy", "e2e", "web"];

/// Runs the stages without a browser. Returns whether the tests in browsers have what they need.
pub fn stages(dirs: &Dirs, stages: &mut Stages, models: &Models, full: bool) -> bool {
    let mut pieces = None;
    if stages.wants(&[&BEFORE_BUILD[..], &AFTER_BUILD].concat()) {
        pieces = stages.ready("setup", || setup::run(dirs, &setup::BUILDING));
        npm_checks(dirs, stages, pieces.is_some(), full);
    }
    let built = stages.wants(&AFTER_BUILD) && built_stages(dirs, stages, models, full);
    clippy(
        dirs,
        stages,
        pieces.and_then(|pieces| pieces.toolchain),
        full,
    );
    built
}

/// Runs the npm checks that need no generated files.
fn npm_checks(dirs: &Dirs, stages: &mut Stages, ready: bool, full: bool) {
    if !ready {
        for name in ["eslint", "prettier"] {
            stages.fail(&[name, "checks"], "not run: setup failed");
        }
        return;
    }
    let again = Again { dirs, full };
    let lint = || npm(&["run", "check:lint"]);
    again.run(stages, &["eslint", "checks"], &LINTED, &[], lint);
    let mut format = npm(&["run", "check:format"]);
    if !full {
        // Reads only files whose content is new to it.
        let seen = dirs.cache.join("checked/prettier");
        format.args(["--", "--cache", "--cache-strategy", "content"]);
        format.arg("--cache-location").arg(seen);
    }
    stages.command(&["prettier", "checks"], Check, &mut format);
}

fn npm(args: &[&str]) -> Command {
    let mut command = proc::npm();
    command.args(args);
    command
}

/// Sources with the lines that only wasm32 compiles; clippy has seen all others natively.
const WASM_SOURCES: [&str; 16] = [
    "audio/src/web.rs",
    "audio/Cargo.toml",
    "pictures/src/web.rs",
    "pictures/Cargo.toml",
    "translation/src/web.rs",
    "translation/Cargo.toml",
    "crate/src/web/mod.rs",
    "crate/src/web",
    "crate/src/device/mod.rs",
    "cpu/src",
    "grammar/src/web.rs",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "crate/Cargo.toml",
    "cpu/Cargo.toml",
];

/// Runs clippy on the code that only wasm32 compiles.
fn clippy(dirs: &Dirs, stages: &mut Stages, toolchain: Option<WasmToolchain>, full: bool) {
    let names = ["clippy-wasm", "checks"];
    if !stages.wants(&names) {
        return;
    }
    let Some(toolchain) = toolchain else {
        return stages.fail(&names, "not run: no toolchain for wasm32, see setup");
    };
    if let Some(why) = toolchain.no_clippy() {
        return stages.skip(&names, why);
    }
    let command = Config::read(&dirs.root).and_then(|config| {
        let mut command = toolchain.cargo(dirs);
        command.args(wasm::shared_build(&config));
        linter::instead_of_building(command)
    });
    match command {
        Ok(command) => {
            let again = Again { dirs, full };
            let extra = [&toolchain.version[..]];
            again.run(stages, &names, &WASM_SOURCES, &extra, || command);
        }
        Err(error) => stages.fail(&names, &format!("{error:#}")),
    }
}

/// Builds the wasm, and runs the stages that import it. Returns whether there is a build.
fn built_stages(dirs: &Dirs, stages: &mut Stages, models: &Models, full: bool) -> bool {
    // wasm-opt takes minutes and changes no result; `--full` tests the shipped module.
    let args = build::Args::for_tests(full);
    if stages
        .check("build", || build::stale(dirs, &args))
        .is_none()
    {
        for names in [&["types", "checks"][..], &["pkg", "web"], &["www", "web"]] {
            stages.fail(names, "not run: the build failed");
        }
        for names in [LIGHT, HEAVY] {
            stages.fail(&names, "not run: the build failed");
        }
        return false;
    }
    let again = Again { dirs, full };
    let types = || npm(&["run", "check:types"]);
    again.run(stages, &["types", "checks"], &TYPED, &[], types);
    let mut pkg = npm(&["test", "--workspace", "pkg"]);
    if stages.wants(&["pkg", "web"]) {
        let server = stages.ready("llama.cpp", || llama::python(dirs));
        pkg.envs(server.map(|python| ("HEARTH_XLLAMACPP", python)));
        pkg.envs(models.smollm2.as_ref().map(|file| ("HEARTH_SMOLLM2", file)));
    }
    stages.command(&["pkg", "web"], Vitest, &mut pkg);
    let www = &mut npm(&["test", "--workspace", "www"]);
    stages.command(&["www", "web"], Vitest, www);
    true
}

/// Runs the tests in browsers.
pub fn browsers(dirs: &Dirs, stages: &mut Stages, models: &Models, full: bool) {
    if !stages.wants(&LIGHT) && !stages.wants(&HEAVY) {
        return;
    }
    match stages.ready("browsers", || end_to_end(dirs, models, full)) {
        Some([mut light, mut heavy]) => {
            stages.command(&LIGHT, Playwright, &mut light);
            stages.command(&HEAVY, Playwright, &mut heavy);
        }
        None => {
            for names in [LIGHT, HEAVY] {
                stages.fail(&names, "not run: a browser or the server is missing");
            }
        }
    }
}

/// Returns the commands of the browser tests, with browsers found and servers running.
fn end_to_end(dirs: &Dirs, models: &Models, full: bool) -> Result<[Command; 2]> {
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
    // A second server, cross-origin isolated: there the CPU path has threads.
    let isolated = Server::bind(0)?;
    // Its absence is a skip with that reason.
    let llama = llama::python(dirs).ok();
    let command = |args: &[&str]| {
        let mut command = proc::npm();
        command
            .args(["run", "e2e", "--workspace", "tests/e2e", "--"])
            .args(args)
            .env("HEARTH_URL", serve::url(server.address()))
            .env("HEARTH_ISOLATED_URL", serve::url(isolated.address()))
            .env("CHROMIUM", &chromium)
            .env("FIREFOX", &firefox);
        for (name, path) in [
            ("HEARTH_SMOLLM2", &models.smollm2),
            ("HEARTH_WHISPER_TINY_EN", &models.whisper_tiny_en),
            ("HEARTH_SPEECH_WAV", &models.speech),
        ] {
            command.envs(path.as_ref().map(|path| (name, path)));
        }
        command.envs(llama.as_ref().map(|python| ("HEARTH_XLLAMACPP", python)));
        command.envs(full.then_some(("HEARTH_FULL", "1")));
        command
    };
    let commands = [
        command(&[
            "--project",
            "models",
            "--project",
            "light",
            "--workers",
            "2",
        ]),
        command(&["--project", "heavy", "--workers", "1"]),
    ];
    isolated.spawn(Site {
        isolated: true,
        ..serve::site(dirs, models.smollm2.clone(), true)
    })?;
    server.spawn(serve::site(dirs, models.smollm2.clone(), true))?;
    Ok(commands)
}
