//! Locations of files and folders. Everything heavy that can be rebuilt lives outside the clone, in one cache that
//! several clones share and nothing depends on: delete it and the next command refills it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The file that marks the root of the repository.
pub const ROOT_MARK: &str = "wasm-pack.toml";

pub struct Dirs {
    /// Root of the clone.
    pub root: PathBuf,
    /// Cache folder: `$HEARTH_CACHE`, else `$XDG_CACHE_HOME/hearth`, else `~/.cache/hearth`.
    pub cache: PathBuf,
    /// Native artefacts: `$CARGO_TARGET_DIR` if set, else `<cache>/target`.
    pub target: PathBuf,
    /// wasm artefacts, kept apart from the native ones: a different compiler may have built them, and cleaning one
    /// leaves the other alone.
    pub target_wasm: PathBuf,
}

impl Dirs {
    pub fn find() -> Result<Self> {
        let here =
            env::current_dir().context("the current directory is gone: cd into the clone")?;
        let Some(root) = here.ancestors().find(|dir| dir.join(ROOT_MARK).is_file()) else {
            bail!(
                "expected {ROOT_MARK} in {} or above it, found none: run `cargo xtask` inside a clone of Hearth",
                here.display()
            );
        };
        let cache = absolute(cache_dir()?)?;
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => absolute(PathBuf::from(dir))?,
            None => cache.join("target"),
        };
        Ok(Self {
            root: root.to_path_buf(),
            target_wasm: cache.join("target-wasm"),
            cache,
            target,
        })
    }

    /// Returns the folder of programs that we install for ourselves.
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    pub fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// Returns the folder with the full output of every program that `test` and `build` run.
    pub fn logs(&self) -> PathBuf {
        self.target.join("xtask-logs")
    }
}

fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(dir) = set("HEARTH_CACHE") {
        return Ok(dir);
    }
    if let Some(dir) = set("XDG_CACHE_HOME") {
        return Ok(dir.join("hearth"));
    }
    match set("HOME").or_else(|| set("USERPROFILE")) {
        Some(home) => Ok(home.join(".cache").join("hearth")),
        None => bail!(
            "none of HEARTH_CACHE, XDG_CACHE_HOME, HOME is set: export HEARTH_CACHE=/some/large/directory"
        ),
    }
}

fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path).with_context(|| format!("no such place: {}", path.display()))
}

/// Shortens `path` to what a person would type from the root.
pub fn short<'a>(path: &'a Path, root: &Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}
