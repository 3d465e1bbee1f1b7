//! `cargo xtask bench`: one JSON line per case on stdout, everything else on stderr.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::model::SMOLLM2;
use crate::paths::Dirs;
use crate::server::{Server, Site};
use crate::{build, proc, serve, setup, test};

#[derive(clap::Args)]
pub struct Args {
    /// Only the native benchmarks
    #[arg(long, conflicts_with = "web")]
    native: bool,
    /// Only the browser benchmarks
    #[arg(long)]
    web: bool,
    /// Passed on to the benchmarks
    #[arg(last = true)]
    rest: Vec<String>,
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    let model = SMOLLM2.ensure(dirs)?;
    if !args.web {
        let mut command = test::cargo(dirs);
        command
            .args([
                "run",
                "--quiet",
                "--release",
                "-p",
                "hearth-tests",
                "--bin",
                "bench",
                "--",
            ])
            .args(&args.rest);
        finish(command.env("HEARTH_SMOLLM2", &model))?;
    }
    if !args.native {
        build::stale(dirs, &build::Args::default())?;
        let pieces = setup::run(dirs, &setup::BROWSERS)?;
        let server = Server::bind(0)?;
        let mut command = proc::npm();
        // npm announces each script on stdout unless told to be silent.
        command
            .args(["run", "bench", "--silent", "--workspace", "tests/e2e", "--"])
            .args(&args.rest);
        command
            .current_dir(&dirs.root)
            .env("HEARTH_URL", serve::url(server.address()))
            .env("HEARTH_SMOLLM2", &model);
        command.envs(pieces.chromium.map(|program| ("CHROMIUM", program)));
        command.envs(pieces.firefox.map(|program| ("FIREFOX", program)));
        // Isolated, so that threads are there for those who use them.
        server.spawn(Site {
            isolated: true,
            ..serve::site(dirs, Some(model), true)
        })?;
        finish(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn finish(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status();
    let status =
        status.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!(
            "a benchmark failed ({status})\n  {}",
            proc::spelled(command)
        );
    }
    Ok(())
}
