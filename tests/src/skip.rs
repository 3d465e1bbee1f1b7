//! A loud way to skip something. `cargo xtask test` requires everything: its allowed skips are a list of names with
//! reasons (xtask/src/test/skips.rs), and any other skip is a failure.

use std::io::Write;
use std::path::PathBuf;

/// Reports that `name` is skipped because of `why`, in a form that `cargo xtask test` counts.
pub fn skip(name: &str, why: &str) {
    eprintln!("SKIPPED {name}: {why}");
    let Some(file) = std::env::var_os("HEARTH_SKIPS") else {
        return;
    };
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).create(true).open(file);
    let written = file.and_then(|mut file| writeln!(file, "{name}"));
    written.unwrap_or_else(|e| panic!("{name} is skipped, and HEARTH_SKIPS cannot say so: {e}"));
}

/// Skips a test because something is missing here, or fails if it is required.
pub fn missing(variable: &str, name: &str, why: &str) {
    assert!(
        std::env::var_os(variable).is_none(),
        "{variable} is set, and {name} is missing: {why}"
    );
    skip(name, why);
}

/// Returns the path of a real model, named by an environment variable that `cargo xtask test` sets.
pub fn real_model(variable: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable);
    if path.is_none() {
        missing(
            "HEARTH_REQUIRE_MODELS",
            what,
            &format!("{variable} does not name it"),
        );
    }
    path.map(PathBuf::from)
}
