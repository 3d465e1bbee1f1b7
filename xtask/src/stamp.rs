//! Decides whether an output is stale. Its inputs are hashed by content, not by time: a checkout touches every file
//! and changes none. The output's own hash is stored too, so that a removed or edited output is rebuilt.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Directories that hold outputs or third-party code, at any level.
const NOT_INPUTS: [&str; 4] = ["node_modules", "target", "dist", "test-results"];

/// The hash of everything an output depends on.
pub struct Stamp(String);

impl Stamp {
    /// Hashes files and whole directories under `root`, in a fixed order, plus `extra` words such as a compiler
    /// version. A missing path counts as absent, so creating it later changes the hash. An input that begins with `!`
    /// is excluded, and so are files whose names have an ending that begins with `!*`.
    pub fn of(root: &Path, inputs: &[&str], extra: &[&str]) -> Result<Self> {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        let mut endings = Vec::new();
        for input in inputs {
            match (input.strip_prefix("!*"), input.strip_prefix('!')) {
                (Some(ending), _) => endings.push(ending),
                (None, Some(path)) => left_out.push(root.join(path)),
                (None, None) => taken.push(root.join(input)),
            }
        }
        let mut files = Vec::new();
        for path in &taken {
            collect(path, &left_out, &mut files)?;
        }
        files.retain(|file| {
            let name = file.to_string_lossy();
            !endings.iter().any(|ending| name.ends_with(ending))
        });
        files.sort();
        files.dedup();
        let mut hash = Sha256::new();
        for file in &files {
            let bytes =
                fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let name = file
                .strip_prefix(root)
                .unwrap_or(file)
                .to_string_lossy()
                .replace('\\', "/");
            // Lengths first, so that no two lists of files concatenate to the same bytes.
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        for word in extra {
            hash.update((word.len() as u64).to_le_bytes());
            hash.update(word.as_bytes());
        }
        Ok(Self(hex(&hash.finalize())))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether `output` was made from these inputs and has not been touched since.
    pub fn matches(&self, record: &Record) -> bool {
        let found = fs::read_to_string(&record.file);
        found.is_ok_and(|text| record.line(self).is_ok_and(|line| line == text))
    }

    pub fn write(&self, record: &Record) -> Result<()> {
        if let Some(dir) = record.file.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let file = &record.file;
        fs::write(file, record.line(self)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The record on disk of the inputs that an output was made from.
pub struct Record {
    file: PathBuf,
    /// The output, hashed too if set, so that a build by another tool, or an incomplete one, is noticed.
    output: Option<PathBuf>,
}

impl Record {
    /// The record of the directory `output` under `root`. Stored outside it, because outputs get packed and served.
    pub fn of(root: &Path, output: &str) -> Self {
        let file = root
            .join(".cache/xtask")
            .join(format!("{}.stamp", output.replace('/', "-")));
        Self {
            file,
            output: Some(root.join(output)),
        }
    }

    /// The record inside a directory that is too large to hash; it is deleted along with the directory.
    pub fn inside(dir: &Path) -> Self {
        Self {
            file: dir.join(".xtask.stamp"),
            output: None,
        }
    }

    /// Removes the record; called before an output is touched.
    pub fn remove(&self) {
        // A missing file is just as good.
        let _ = fs::remove_file(&self.file);
    }

    fn line(&self, inputs: &Stamp) -> Result<String> {
        let output = match &self.output {
            Some(dir) => Stamp::of(dir, &[""], &[])?.0,
            None => String::new(),
        };
        Ok(format!("inputs {}\noutput {output}\n", inputs.0))
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(path: &Path, left_out: &[PathBuf], files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    if !path.is_dir() || left_out.iter().any(|dir| dir == path) {
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !NOT_INPUTS.contains(&name.as_ref()) {
            collect(&entry.path(), left_out, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_time_does_not() {
        let root = std::env::temp_dir().join(format!("hearth-xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(root.join("src/node_modules")).unwrap();
        fs::write(root.join("src/a.rs"), "a").unwrap();
        let stamp = || {
            Stamp::of(&root, &["src", "later.toml"], &["rustc 1"])
                .unwrap()
                .0
        };
        let first = stamp();
        fs::write(root.join("src/a.rs"), "a").unwrap();
        fs::write(root.join("src/node_modules/x.js"), "x").unwrap();
        assert_eq!(stamp(), first, "same bytes, ignored directory");
        assert_ne!(
            Stamp::of(&root, &["src", "!src"], &["rustc 1"]).unwrap().0,
            first,
            "left out"
        );
        assert_eq!(
            Stamp::of(&root, &["src", "!*.rs"], &[]).unwrap().0,
            Stamp::of(&root, &[], &[]).unwrap().0,
            "left out by its ending"
        );
        fs::write(root.join("later.toml"), "").unwrap();
        assert_ne!(stamp(), first, "a new, empty input");
        assert_ne!(
            Stamp::of(&root, &["src"], &["rustc 2"]).unwrap().0,
            Stamp::of(&root, &["src"], &[]).unwrap().0
        );
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn an_output_is_fresh_until_it_or_its_inputs_change() {
        let root = std::env::temp_dir().join(format!("hearth-xtask-record-{}", std::process::id()));
        fs::create_dir_all(root.join("pkg/dist")).unwrap();
        fs::write(root.join("pkg/dist/a.js"), "a").unwrap();
        let record = Record::of(&root, "pkg/dist");
        let stamp = Stamp::of(&root, &[], &["1"]).unwrap();
        assert!(!stamp.matches(&record));
        stamp.write(&record).unwrap();
        assert!(stamp.matches(&record));
        assert!(
            !Stamp::of(&root, &[], &["2"]).unwrap().matches(&record),
            "other inputs"
        );
        fs::write(root.join("pkg/dist/a.js"), "b").unwrap();
        assert!(!stamp.matches(&record), "edited");
        stamp.write(&record).unwrap();
        fs::remove_dir_all(root.join("pkg/dist")).unwrap();
        assert!(!stamp.matches(&record), "removed");
        fs::remove_dir_all(&root).unwrap();
    }
}
