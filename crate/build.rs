//! Shaders without their comments and indentation: they are part of what a visitor downloads.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let from = Path::new("src/ops/wgsl");
    println!("cargo::rerun-if-changed={}", from.display());
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let Some(name) = path.file_name() {
            fs::write(
                Path::new(&out).join(name),
                bare(&fs::read_to_string(&path)?),
            )?;
        }
    }
    Ok(())
}

/// WGSL has no strings, so `//` always begins a comment.
fn bare(source: &str) -> String {
    let code = |line: &str| {
        line.split("//")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let lines = source.lines().map(code).filter(|line| !line.is_empty());
    lines.map(|line| line + "\n").collect()
}
