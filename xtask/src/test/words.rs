//! Doc comments begin with a verb or a noun that names the item: "Returns …", "A weight of …". What the list below begins is a
//! sentence that a reader has to take apart first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::paths::Dirs;

/// Folders with sources of our own.
const FOLDERS: [&str; 20] = [
    "audio/src",
    "cli/src",
    "cpu/src",
    "crate/src",
    "docs/.vitepress/theme",
    "docs/snippets",
    "docs/test",
    "examples",
    "grammar/src",
    "modelfile/src",
    "pictures/src",
    "pkg/src",
    "pkg/test",
    "tests/e2e",
    "tests/src",
    "tests/tests",
    "translation/src",
    "www/src",
    "www/test",
    "xtask/src",
];
/// Beginnings that no doc comment has.
const OPENINGS: [&str; 9] = [
    "Of ", "What ", "Where ", "Which ", "How ", "The same", "Those ", "These ", "And ",
];

/// Fails where a doc comment begins with the listed words.
pub fn check(dirs: &Dirs) -> Result<()> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let mut files = Vec::new();
        sources(&dirs.root.join(folder), &mut files)?;
        for path in files {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.strip_prefix(&dirs.root).unwrap_or(&path);
            let lines = openings(&text).into_iter();
            found.extend(lines.map(|(line, text)| format!("{}:{line}: {text}", name.display())));
        }
    }
    ensure!(
        found.is_empty(),
        "{} doc comments do not begin with a verb or a noun (see CONTRIBUTING.md):\n{}",
        found.len(),
        found.join("\n")
    );
    Ok(())
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "node_modules" && name != "dist" {
                sources(&path, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|end| ["rs", "ts", "tsx"].iter().any(|known| end == *known))
        {
            found.push(path);
        }
    }
    Ok(())
}

/// The lines that begin a doc comment with one of the openings, counted from 1.
fn openings(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_inside = false;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let rust = ["///", "//!"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        let script = line.strip_prefix("/**");
        let begins = match (rust, script) {
            (Some(words), _) if !is_inside => Some(words),
            (_, Some(words)) if !words.trim().is_empty() => Some(words),
            // The first line of a long comment in TypeScript.
            (_, Some(_)) => text
                .lines()
                .nth(i + 1)
                .map(|next| next.trim_start().trim_start_matches('*')),
            _ => None,
        };
        is_inside = rust.is_some();
        let words = begins.unwrap_or_default().trim_start();
        if OPENINGS.iter().any(|opening| words.starts_with(opening)) {
            found.push((i + 1, words));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_doc_comment_counts() {
        let text = "/// Of a layer.\n/// A noun.\n/// What follows is no beginning.\nfn a() {}\n//! Those.\n/** What it is. */\n/**\n * How it works.\n */\n// Of no interest\n/** Returns what is there. */\n";
        let lines: Vec<usize> = openings(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 6, 7]);
    }
}
