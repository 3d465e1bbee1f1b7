//! llama.cpp's server, for the tests of models on servers: a wheel in a virtual environment of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::paths::Dirs;
use crate::proc;

/// The package and its version; it has no dependencies.
const WHEEL: &str = "xllamacpp==2026.10.11549";
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// Returns the Python that has the server, and installs it where it is missing.
pub fn python(dirs: &Dirs) -> Result<PathBuf> {
    let home = dirs.tools().join(WHEEL.replace("==", "-"));
    let python = home.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let is_it = || {
        let mut import = Command::new(&python);
        proc::first_line(import.args(["-c", "import xllamacpp; print('ok')"])).is_some()
    };
    if is_it() {
        return Ok(python);
    }
    // Remove the remains of an interrupted installation.
    let _ = fs::remove_dir_all(&home);
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| proc::on_path(name).is_some())
        .context("expected python3 with venv and pip, found none: install python3-venv")?;
    let mut venv = Command::new(system);
    let log = dirs.logs().join("llama-venv.log");
    proc::must(venv.args(["-m", "venv"]).arg(&home), &log, INSTALL_LIMIT)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    pip.args(["--only-binary", ":all:", WHEEL]);
    proc::must(&mut pip, &dirs.logs().join("llama-pip.log"), INSTALL_LIMIT)?;
    if !is_it() {
        bail!(
            "expected {} to import xllamacpp after installing it, found otherwise",
            python.display()
        );
    }
    Ok(python)
}
