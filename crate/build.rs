//! Shaders without their comments and indentation: they are part of what a visitor downloads.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let from = Path::new("src/ops");
    println!("cargo::rerun-if-changed={}", from.display());
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    let out = Path::new(&out);
    let mut paths = Vec::new();
    find(from, &mut paths)?;
    paths.sort();
    let (mut statics, mut names) = (String::new(), String::new());
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = bare(&fs::read_to_string(&path)?);
        // Two files of one name would be two statics of one name, which the compiler refuses.
        let constant = name.to_uppercase();
        statics += &format!("/// {}\n", path.display());
        statics += &format!("pub static {constant}: Module = Module::new({name:?}, {text:?});\n");
        names += &format!("&{constant}, ");
    }
    statics += "/// Every file.\n";
    statics += &format!("pub static ALL: &[&Module] = &[{names}];\n");
    fs::write(out.join("modules.rs"), statics)
}

/// Finds the shaders in a folder and those below it.
fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wgsl")
        {
            paths.push(path);
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
