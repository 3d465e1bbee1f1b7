//! Sets up the pieces in order, with one line each: what it is, where it came from, how long that took. Idempotent: a
//! piece that is already installed is found in a fraction of a second.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::browsers::{CHROMIUM, FIREFOX, software_vulkan};
use crate::paths::Dirs;
use crate::toolchain::WasmToolchain;
use crate::tools;

/// The pieces that a command needs, and how much it reports.
#[derive(Clone, Copy)]
pub struct Needs {
    build: bool,
    /// A Vulkan driver, for tests.
    gpu: bool,
    browsers: bool,
    /// Also show pieces that were simply found.
    talk: bool,
}

const NOTHING: Needs = Needs {
    build: false,
    gpu: false,
    browsers: false,
    talk: false,
};
pub const EVERYTHING: Needs = Needs {
    build: true,
    gpu: true,
    browsers: true,
    talk: true,
};
// Quiet unless something must be installed.
pub const BUILDING: Needs = Needs {
    build: true,
    ..NOTHING
};
pub const NATIVE_TESTS: Needs = Needs {
    gpu: true,
    ..NOTHING
};
/// Firefox's WebGPU runs on Vulkan.
pub const BROWSERS: Needs = Needs {
    gpu: true,
    browsers: true,
    ..NOTHING
};

/// The pieces that were found; those not requested are absent.
#[derive(Default)]
pub struct Pieces {
    pub toolchain: Option<WasmToolchain>,
    pub wasm_bindgen: Option<PathBuf>,
    pub wasm_opt: Option<PathBuf>,
    pub chromium: Option<PathBuf>,
    pub firefox: Option<PathBuf>,
}

pub fn run(dirs: &Dirs, needs: &Needs) -> Result<Pieces> {
    fs::create_dir_all(&dirs.cache)
        .with_context(|| format!("cannot create {}", dirs.cache.display()))?;
    let mut report = Report {
        talk: needs.talk,
        failures: Vec::new(),
    };
    let mut pieces = Pieces::default();
    if needs.build {
        pieces.toolchain = report.step("wasm32 target", |step| WasmToolchain::ensure(dirs, step));
        pieces.wasm_bindgen = report.step("wasm-bindgen", |step| tools::wasm_bindgen(dirs, step));
        report.step("node and npm", |step| tools::node(dirs, step));
        report.step("npm packages", |step| tools::npm_packages(dirs, step));
        pieces.wasm_opt = report.step("wasm-opt", |step| tools::wasm_opt(dirs, step));
    }
    if needs.gpu {
        report.step("software Vulkan", |step| software_vulkan(dirs, step));
    }
    if needs.browsers {
        pieces.chromium = report.step("Chromium", |step| CHROMIUM.ensure(dirs, step));
        pieces.firefox = report.step("Firefox", |step| FIREFOX.ensure(dirs, step));
    }
    // Each failure was shown where it happened; all pieces were tried, so that one run lists every failure.
    match report.failures.len() {
        0 => Ok(pieces),
        _ => bail!(
            "setup is incomplete: {}; see above for what to type",
            report.failures.join(", ")
        ),
    }
}

struct Report {
    talk: bool,
    failures: Vec<&'static str>,
}

impl Report {
    fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Step) -> Result<T>,
    ) -> Option<T> {
        let mut step = Step {
            name,
            open: false,
            talk: self.talk,
            outcome: String::new(),
        };
        let start = Instant::now();
        if self.talk {
            step.begin();
        }
        let result = work(&mut step);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(value) => {
                if step.open {
                    eprintln!("{} ({seconds:.1} s)", step.outcome);
                }
                Some(value)
            }
            Err(error) => {
                step.begin();
                eprintln!("MISSING ({seconds:.1} s)");
                eprintln!("  {error:#}");
                self.failures.push(name);
                None
            }
        }
    }
}

/// One line of the report while its piece is being looked for.
pub struct Step {
    name: &'static str,
    /// Whether the start of the line is on the screen.
    open: bool,
    talk: bool,
    outcome: String,
}

impl Step {
    pub fn found(&mut self, what: &str) {
        self.outcome = format!("ok, found: {what}");
    }

    pub fn installed(&mut self, what: &str) {
        self.begin();
        self.outcome = format!("ok, installed: {what}");
    }

    /// Reports a piece that is missing, but that nothing fails without.
    pub fn optional(&mut self, why: &str) {
        if self.talk {
            self.begin();
        }
        self.outcome = format!("absent, optional: {why}");
    }

    /// Announces something slow at a terminal. A log gets a line at its end only, since other stages print in between.
    pub fn doing(&mut self, what: &str) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        self.begin();
        eprint!("{what} ... ");
    }

    fn begin(&mut self) {
        if !self.open {
            self.open = true;
            eprint!(
                "setup  {} {} ",
                self.name,
                ".".repeat(20usize.saturating_sub(self.name.len()))
            );
        }
    }
}
