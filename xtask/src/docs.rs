//! `cargo xtask docs`: the documentation site in `docs/.vitepress/dist`, with the package in it.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::build;
use crate::paths::{Dirs, short};
use crate::proc;

const LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args)]
pub struct Args {
    /// Serve the site as it is built, and build pages again as they change
    #[arg(long)]
    dev: bool,
}

pub fn run(dirs: &Dirs, args: &Args) -> Result<()> {
    // The site searches itself with the package, and examples are part of its pages.
    build::stale(dirs, &build::Args::default())?;
    let npm = |script: &str| {
        let mut command = proc::npm();
        command
            .args(["run", script, "--workspace", "docs"])
            .current_dir(&dirs.root);
        command
    };
    if args.dev {
        if !npm("dev").status()?.success() {
            bail!("`npm run dev --workspace docs` failed");
        }
        return Ok(());
    }
    build::timed("docs", || {
        proc::must(
            &mut npm("build"),
            &dirs.logs().join("docs-build.log"),
            LIMIT,
        )
    })?;
    let made = dirs.root.join("docs/.vitepress/dist");
    if !made.join("llms-full.txt").is_file() {
        bail!(
            "expected `npm run build --workspace docs` to make {} with llms-full.txt, found none",
            short(&made, &dirs.root)
        );
    }
    eprintln!("docs   {}", short(&made, &dirs.root));
    Ok(())
}
