//! `cargo xtask test`: every check and every test, cheap ones first. A stage that fails does not stop the
//! later ones, so that one run shows all there is to fix. Rust's stages and the web's run at the same time, since most of
//! them keep one core busy; tests in browsers keep all of them busy and come last.
//!
//! | module    | answers                                              |
//! |-----------|------------------------------------------------------|
//! | `stage`   | how a stage is run, timed, judged; the closing table |
//! | `counts`  | how many tests a runner says have passed             |
//! | `budget`  | how long a stage may take                            |
//! | `slow`    | which tests take longest                             |
//! | `skips`   | what may be left out, and why                        |
//! | `native`  | Rust: lints and tests                                |
//! | `web`     | TypeScript, the build, the browsers                  |
//! | `again`   | which checks need not run again                      |
//! | `mutants` | does a test notice a fault                           |

mod again;
mod alike;
mod budget;
mod counts;
mod goldens;
mod mutants;
mod native;
mod skips;
mod slow;
mod stage;
mod web;
mod words;

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;

use anyhow::Result;

use self::budget::Budgets;
use self::counts::Runner::Check;
use self::stage::Stages;
use crate::model::{GEMMA270, MINILM, SMOLLM2, TWO_CITIES};
use crate::paths::Dirs;
use crate::setup;
use crate::whisper::{BASE, TINY_EN};

pub use self::native::cargo;

#[derive(clap::Args)]
pub struct Args {
    /// Only these stages or groups (checks, rust, web), with what they need; commas or repetition
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Name the stages and do nothing
    #[arg(long)]
    list: bool,
    /// Also what takes long and rarely finds anything: the second browser of each pair, large kills, frameworks,
    /// new fuzz seeds, the module as it is shipped, goldens made again. For whoever says that something is finished
    #[arg(long)]
    full: bool,
    /// Break the sources by one line at a time (tests/mutants.toml) and see that a test notices; NAME: only those
    /// whose name has it
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    mutants: Option<String>,
}

/// All stages, in their order.
const STAGES: [&str; 17] = [
    "rustfmt",
    "goldens",
    "words",
    "eslint",
    "prettier",
    "clippy",
    "compile",
    "unit",
    "gpu-stats",
    "native",
    "fuzz",
    "build",
    "clippy-wasm",
    "types",
    "pkg",
    "www",
    "e2e",
];
const GROUPS: [&str; 3] = ["checks", "rust", "web"];
/// Parts of `e2e`: specs that two workers run at once, and specs that need the machine for themselves.
const BROWSERS: [&str; 2] = ["e2e-light", "e2e-heavy"];

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    if let Some(name) = &args.mutants {
        return mutants::run(dirs, name);
    }
    let known = [&STAGES[..], &BROWSERS, &GROUPS].concat();
    if args.list {
        println!("{}", known.join("\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let budgets = (!args.full).then(Budgets::measure);
    let mut stages = Stages::new(dirs, &args.only, &known, budgets)?;

    stages.command(
        &["rustfmt", "checks"],
        Check,
        cargo(dirs).args(["fmt", "--all", "--check"]),
    );
    if stages.wants(&["goldens", "checks"]) {
        stages.check("goldens", || goldens::check(dirs, args.full));
    }
    if stages.wants(&["words", "checks"]) {
        stages.check("words", || words::check(dirs));
    }
    let mut models = native::Models::default();
    if stages.wants(&[&native::TESTS[..], &web::BROWSER_STAGES, &["pkg"]].concat()) {
        models.smollm2 = stages.ready("SmolLM2", || SMOLLM2.ensure(dirs));
        models.gemma270 = stages.ready("Gemma", || GEMMA270.ensure(dirs));
        models.whisper_tiny_en = stages.ready("Whisper tiny.en", || TINY_EN.ensure(dirs));
        models.speech = stages.ready("recording", || TWO_CITIES.ensure(dirs));
    }
    if stages.wants(&native::TESTS) {
        models.minilm = stages.ready("MiniLM", || MINILM.ensure(dirs));
        if args.full {
            models.whisper_base = stages.ready("Whisper base", || BASE.ensure(dirs));
        }
        stages.ready("software Vulkan", || setup::run(dirs, &setup::NATIVE_TESTS));
    }
    let (web, built) = thread::scope(|scope| {
        let mut web = stages.beside();
        let web = scope.spawn(|| {
            let built = web::stages(dirs, &mut web, &models, args.full);
            (web, built)
        });
        native::stages(dirs, &mut stages, &models, args.full);
        web.join()
    })
    .unwrap_or_else(|panic| resume_unwind(panic));
    stages.add(web);
    if built {
        web::browsers(dirs, &mut stages, &models, args.full);
    }
    Ok(stages.finish())
}
