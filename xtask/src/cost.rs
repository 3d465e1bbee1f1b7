//! `cargo xtask cost`: costs of a token's launches, from a file's header, as JSON.
//!
//! `hearth inspect --cost` does the work; here it is built with the rest of the workspace.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths::Dirs;
use crate::{proc, test};

#[derive(clap::Args)]
pub struct Args {
    /// A GGUF file, the first of a split one, or a folder of safetensors; only headers are read
    file: PathBuf,
    /// Positions in use
    #[arg(long)]
    context: Option<usize>,
}

/// Time limit for building the program with nothing compiled.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

pub fn run(dirs: &Dirs, args: &Args) -> Result<ExitCode> {
    let mut build = test::cargo(dirs);
    build.args(["build", "--workspace", "--bin", "hearth"]);
    proc::must_seen(&mut build, &dirs.logs().join("cost.log"), BUILD_LIMIT)?;
    let mut inspect = Command::new(dirs.target.join("debug/hearth"));
    inspect.args(["inspect", "--cost"]).arg(&args.file);
    if let Some(context) = args.context {
        inspect.args(["--context", &context.to_string()]);
    }
    let status = inspect
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", proc::spelled(&inspect)))?;
    Ok(match status.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
