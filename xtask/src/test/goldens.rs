//! Checks that goldens are the generator's output: each file has the checksum that the generator recorded, and with
//! `--full` a new run of the generator reproduces the same files, but for the last bits of floats.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::alike::alike;
use crate::paths::Dirs;
use crate::proc;
use crate::stamp::hex;

const SUMS: &str = "SHA256SUMS";
const MANIFEST: &str = "manifest.json";
/// Groups that the generator makes without a real model; see tests/goldens/generator/generate.py.
const GROUPS: [&str; 8] = [
    "templates",
    "tokenizers",
    "families",
    "embeddings",
    "whisper",
    "pictures",
    "vision",
    "translation",
];
/// Time limit for the generator and its packages, of which torch is the largest.
const LIMIT: Duration = Duration::from_secs(1800);

/// Compares the goldens with their checksums and, if `full`, with those of a new run.
pub fn check(dirs: &Dirs, full: bool) -> Result<()> {
    let goldens = dirs.root.join("tests/goldens");
    let listed = listed(&goldens.join("data"))?;
    let found = sums(&goldens.join("data"))?;
    let different = different(&listed, &found);
    ensure!(
        different.is_empty(),
        "not as the generator made them: {}; see tests/goldens/README.md",
        different.join(", ")
    );
    if full {
        let made = dirs.cache.join("goldens-made");
        fs::remove_dir_all(&made).ok();
        let python = python(dirs, &goldens)?;
        for group in GROUPS {
            let mut generate = Command::new(&python);
            generate
                .arg(goldens.join("generator/generate.py"))
                .arg("--out")
                .arg(&made);
            generate.args(["--only", group]);
            proc::must(&mut generate, &dirs.logs().join("goldens.log"), LIMIT)?;
        }
        let mut again = sums(&made)?;
        // It lists what these groups made; the whole one is made from the files in the tree.
        again.remove(MANIFEST);
        let of_these = |(name, _): &(&String, &String)| again.contains_key(*name);
        let expected = listed.iter().filter(of_these);
        let expected = expected
            .map(|(name, sum)| (name.clone(), sum.clone()))
            .collect();
        let mut others = Vec::new();
        for name in self::different(&expected, &again) {
            let (old, new) = (goldens.join("data").join(&name), made.join(&name));
            if !(old.is_file() && new.is_file() && alike(&old, &new)?) {
                others.push(name);
            }
        }
        ensure!(
            others.is_empty(),
            "the generator gives others now: {}",
            others.join(", ")
        );
        let mut list = Command::new(&python);
        list.arg(goldens.join("generator/manifest.py"));
        let output = list.output().context("cannot run the generator")?;
        let manifest = fs::read(goldens.join("data").join(MANIFEST))?;
        ensure!(
            output.status.success() && output.stdout == manifest,
            "{MANIFEST} is not what tests/goldens/generator/manifest.py makes of the other files"
        );
    }
    Ok(())
}

/// Creates a virtual environment with exactly the generator's packages.
fn python(dirs: &Dirs, goldens: &Path) -> Result<PathBuf> {
    let folder = dirs.cache.join("goldens-python");
    let python = folder.join("bin/python");
    let log = dirs.logs().join("goldens-python.log");
    if !python.is_file() {
        let found = ["python3.11", "python3"]
            .into_iter()
            .find_map(proc::on_path);
        let found = found.context("the goldens' generator needs Python 3.11, found none")?;
        proc::must(
            Command::new(found).args(["-m", "venv"]).arg(&folder),
            &log,
            LIMIT,
        )?;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "-r"]);
    proc::must(
        install.arg(goldens.join("generator/requirements.txt")),
        &log,
        LIMIT,
    )?;
    Ok(python)
}

/// Reads the checksums that the generator recorded.
fn listed(data: &Path) -> Result<BTreeMap<String, String>> {
    let path = data.join(SUMS);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().map(|line| match line.split_once("  ") {
        Some((sum, name)) => Ok((name.to_owned(), sum.to_owned())),
        None => bail!("{}: no sum and name in {line:?}", path.display()),
    });
    lines.collect()
}

/// Computes the checksums of all files in a folder.
fn sums(data: &Path) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(data)?
                .to_string_lossy()
                .replace('\\', "/");
            if name != SUMS {
                let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
                sums.insert(name, hex(&Sha256::digest(bytes)));
            }
        }
    }
    Ok(sums)
}

/// Returns the names whose checksums differ, or that only one of the two has.
fn different(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<String> {
    let names = expected.keys().chain(found.keys());
    let mut names: Vec<String> = names
        .filter(|name| expected.get(*name) != found.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_edited_added_or_lost_is_named() {
        let sums = |files: &[(&str, &str)]| -> BTreeMap<String, String> {
            let own = |(name, sum): &(&str, &str)| ((*name).to_owned(), (*sum).to_owned());
            files.iter().map(own).collect()
        };
        let expected = sums(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert!(different(&expected, &expected).is_empty());
        let found = sums(&[("a", "1"), ("b", "9"), ("d", "4")]);
        assert_eq!(different(&expected, &found), ["b", "c", "d"]);
    }
}
