//! The pack: everything that a bare machine without a network needs, in one archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{BENCH, peer};
use crate::paths::Dirs;
use crate::{debian, proc};

/// Name of the list of what is packed.
pub const MANIFEST: &str = "manifest.json";
/// Most megabytes of the archive.
pub const MOST_MB: u64 = 60;
const LIMIT: Duration = Duration::from_secs(600);

/// Libraries of this machine that another may lack. A driver brings none of them.
const LIBRARIES: [&str; 3] = ["libvulkan.so.1", "libstdc++.so.6", "libgcc_s.so.1"];

/// Packs the programs `bench` and `own` with what they need.
pub fn pack(dirs: &Dirs, bench: &Path, own: &Path, out: Option<&Path>, most_mb: u64) -> Result<()> {
    let most = most_mb * 1_000_000;
    let folder = dirs.target.join("gpu-trial");
    let _ = fs::remove_dir_all(&folder);
    copy(dirs, bench, &folder.join("bin").join(BENCH), true)?;
    copy(dirs, own, &folder.join("bin/xtask"), true)?;
    for name in LIBRARIES {
        copy(dirs, &library(name)?, &folder.join("lib").join(name), false)?;
    }
    write(&folder.join("run.sh"), include_str!("run.sh"))?;
    executable(&folder.join("run.sh"))?;
    let default = dirs.target.join("gpu-trial.tar.gz");
    let out = out.unwrap_or(&default);
    let (mut packed, mut left_out) = (Vec::new(), Vec::new());
    let mut room = most.saturating_sub(archive(dirs, &folder, out)?);
    for one in &peer::PEERS {
        let spelled = one.spelled();
        if one.bytes > room {
            left_out.push(format!(
                "{}: {spelled} has {}, and {} are left of {}",
                one.name,
                mb(one.bytes),
                mb(room),
                mb(most)
            ));
            continue;
        }
        match peer::fetch(dirs, one) {
            Ok(libraries) => {
                for file in peer::libraries(&libraries) {
                    let name = file.file_name().unwrap_or_default();
                    let to = folder.join("peers").join(one.name).join(name);
                    copy(dirs, &file, &to, false)?;
                }
                room -= one.bytes;
                packed.push(spelled);
            }
            Err(error) => left_out.push(format!("{}: {error:#}", one.name)),
        }
    }
    let mut git = Command::new("git");
    git.current_dir(&dirs.root).args(["rev-parse", "HEAD"]);
    let manifest = json!({
        "commit": proc::first_line(&mut git),
        // A machine with an older one cannot run the programs.
        "c_library": proc::first_line(Command::new("ldd").arg("--version")),
        "libraries": LIBRARIES,
        "peers": packed,
        "left_out": left_out,
    });
    write(&folder.join(MANIFEST), &format!("{manifest:#}\n"))?;
    let bytes = archive(dirs, &folder, out)?;
    for line in &left_out {
        eprintln!("left out: {line}");
    }
    ensure!(
        bytes <= most,
        "expected at most {}, found {} in {}",
        mb(most),
        mb(bytes),
        out.display()
    );
    println!("{}, {}", out.display(), mb(bytes));
    println!("there: tar xzf gpu-trial.tar.gz && sh gpu-trial/run.sh > trial.json");
    Ok(())
}

/// Returns the names and folders of the peers in a pack.
pub fn unpacked_peers(folder: &Path) -> Vec<(String, PathBuf)> {
    let folders = peer::files(&folder.join("peers")).into_iter();
    folders
        .filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), path)))
        .collect()
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Finds a library of this machine.
fn library(name: &str) -> Result<PathBuf> {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = [
        format!("/usr/lib/{triple}"),
        format!("/lib/{triple}"),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
    ];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.is_file()).with_context(|| {
        let install = debian::spelled(&["libvulkan1", "libstdc++6", "libgcc-s1"]);
        format!("expected {name} in {}: {install}", folders.join(", "))
    })
}

/// Copies a file, whose folder need not exist; a program without its symbols, if something here can take them out.
fn copy(dirs: &Dirs, from: &Path, to: &Path, program: bool) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    if program && proc::on_path("strip").is_some() {
        let mut strip = Command::new("strip");
        let log = dirs.logs().join("gpu-trial-strip.log");
        proc::must(strip.arg(to), &log, LIMIT)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make executable: {}", path.display()))
}

#[cfg(not(unix))]
fn executable(_path: &Path) -> Result<()> {
    Ok(())
}

/// Writes the archive, and returns its size. Gzip, because a bare machine may have nothing else.
fn archive(dirs: &Dirs, folder: &Path, out: &Path) -> Result<u64> {
    let parent = folder.parent().context("a folder in the target folder")?;
    let name = folder.file_name().context("a folder with a name")?;
    let mut tar = Command::new("tar");
    tar.arg("czf").arg(out);
    tar.arg("-C").arg(parent).arg(name);
    proc::must(&mut tar, &dirs.logs().join("gpu-trial-tar.log"), LIMIT)?;
    let meta = fs::metadata(out).with_context(|| format!("no archive: {}", out.display()))?;
    Ok(meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_a_pack_name_its_peers() {
        let folder = std::env::temp_dir().join(format!("hearth-pack-{}", std::process::id()));
        assert!(unpacked_peers(&folder).is_empty());
        for name in ["vulkan", "cuda"] {
            fs::create_dir_all(folder.join("peers").join(name)).unwrap();
        }
        let names: Vec<String> = unpacked_peers(&folder)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["cuda", "vulkan"]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_script_is_one_that_a_shell_reads() {
        let script = std::env::temp_dir().join(format!("hearth-run-{}.sh", std::process::id()));
        fs::write(&script, include_str!("run.sh")).unwrap();
        let read = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(read.success());
        fs::remove_file(&script).unwrap();
    }
}
