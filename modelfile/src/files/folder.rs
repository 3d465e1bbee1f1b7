//! Finds the files of a model on disk.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Files;
use crate::error::{Error, Result};
use crate::huggingface::{DENSE_WEIGHTS, TEXT_FILES};

fn failed(path: &Path, e: std::io::Error) -> Error {
    Error::Io {
        what: path.display().to_string(),
        message: e.to_string(),
    }
}

/// Returns the headers of the model at `path`, and its files in the order in which their bytes must be pushed: one
/// file, all files of a split one, or a folder of safetensors (or a file in it).
///
/// # Errors
/// [`Error::Io`], and any error of [`Files::header`].
pub fn open(path: &Path) -> Result<(Files, Vec<PathBuf>)> {
    open_with(path, None)
}

/// Returns the headers of the model at `path` like [`open`], with the tower and projector in the file `projector` (mmproj).
///
/// # Errors
/// The errors of [`open`].
pub fn open_with(path: &Path, projector: Option<&Path>) -> Result<(Files, Vec<PathBuf>)> {
    let mut files = Files::default();
    let is_part = path.extension().is_some_and(|e| e == "safetensors");
    let path = match path.parent() {
        Some(folder) if is_part => folder,
        _ => path,
    };
    let mut weights = match path.is_dir() {
        false => split_names(path),
        true => {
            for name in TEXT_FILES {
                if let Ok(text) = fs::read_to_string(path.join(name)) {
                    files.text(name, text);
                }
            }
            let entries = fs::read_dir(path).map_err(|e| failed(path, e))?;
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
                .collect();
            found.sort();
            let dense = DENSE_WEIGHTS.iter().map(|name| path.join(name));
            found.extend(dense.filter(|path| path.exists()));
            found
        }
    };
    weights.extend(projector.map(Path::to_owned));
    for (index, path) in weights.iter().enumerate() {
        let mut file = fs::File::open(path).map_err(|e| failed(path, e))?;
        let len = file.metadata().map_err(|e| failed(path, e))?.len();
        let mut chunk = vec![0; 1 << 18];
        loop {
            let n = file.read(&mut chunk).map_err(|e| failed(path, e))?;
            if files.header(index, &chunk[..n], len)? || n == 0 {
                break;
            }
        }
    }
    Ok((files, weights))
}

/// Returns all names of a split file: `x-00001-of-00003.gguf` is one of three files.
fn split_names(path: &Path) -> Vec<PathBuf> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let parts = name.rsplit_once("-of-").and_then(|(start, end)| {
        let (count, extension) = end.split_once('.')?;
        let base = start.strip_suffix("-00001")?;
        let n: usize = count.parse().ok().filter(|n| (1..=99_999).contains(n))?;
        let of = |i| path.with_file_name(format!("{base}-{i:05}-of-{count}.{extension}"));
        Some((1..=n).map(of).collect())
    });
    parts.unwrap_or_else(|| vec![path.to_owned()])
}
