//! llama.cpp as a peer: the prebuilt libraries of npm's node-llama-cpp, without Node.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::paths::Dirs;
use crate::proc;

/// A build of llama.cpp.
pub struct Peer {
    pub name: &'static str,
    package: &'static str,
    version: &'static str,
    /// Size of the package as npm has it.
    pub bytes: u64,
}

/// The build for Vulkan.
pub const VULKAN: Peer = Peer {
    name: "vulkan",
    package: "@node-llama-cpp/linux-x64-vulkan",
    version: "3.22.1",
    bytes: 24_311_427,
};

/// Builds in the order in which they are packed while there is room.
pub const PEERS: [Peer; 2] = [
    VULKAN,
    Peer {
        name: "cuda",
        package: "@node-llama-cpp/linux-x64-cuda",
        version: "3.22.1",
        bytes: 142_898_030,
    },
];

const LIMIT: Duration = Duration::from_secs(600);

impl Peer {
    /// Spells the package as npm takes it.
    pub fn spelled(&self) -> String {
        format!("{}@{}", self.package, self.version)
    }
}

/// Returns the folder of a build's libraries, and fetches them where they are missing.
pub fn fetch(dirs: &Dirs, peer: &Peer) -> Result<PathBuf> {
    if env::consts::OS != "linux" || env::consts::ARCH != "x86_64" {
        bail!("expected Linux on x86-64, for which the libraries are built");
    }
    let home = (dirs.tools()).join(format!("llama-{}-{}", peer.name, peer.version));
    let folder = home
        .join("package/bins")
        .join(format!("linux-x64-{}", peer.name));
    if !libraries(&folder).is_empty() {
        return Ok(folder);
    }
    // A folder of that name is whole: it gets the name at the end.
    let part = home.with_extension("part");
    let _ = fs::remove_dir_all(&part);
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
    let mut npm = proc::npm();
    npm.current_dir(&part);
    npm.args(["pack", "--silent", &peer.spelled()]);
    proc::must(&mut npm, &dirs.logs().join("llama-npm.log"), LIMIT)?;
    let archive = (files(&part).into_iter())
        .find(|file| file.extension().is_some_and(|ext| ext == "tgz"))
        .with_context(|| format!("expected an archive from npm pack {}", peer.spelled()))?;
    let mut tar = Command::new("tar");
    tar.arg("xzf").arg(&archive).arg("-C").arg(&part);
    proc::must(&mut tar, &dirs.logs().join("llama-tar.log"), LIMIT)?;
    let _ = fs::remove_file(&archive);
    fs::rename(&part, &home).with_context(|| format!("cannot write {}", home.display()))?;
    ensure!(
        !libraries(&folder).is_empty(),
        "expected libraries of llama.cpp in {}, found none",
        folder.display()
    );
    Ok(folder)
}

/// Returns the libraries in a folder, without llama.cpp's common code, which only Node's add-on needs.
pub fn libraries(folder: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".so") && !name.starts_with("libllama-common")
    };
    files(folder).into_iter().filter(is_one).collect()
}

/// Returns the paths in a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
