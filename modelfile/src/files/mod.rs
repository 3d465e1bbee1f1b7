//! A model in several files: a split GGUF, or safetensors with the texts next to them.
//!
//! Their headers are read first; concatenated, the files are then loaded as if they were one.

pub mod folder;

use crate::container::{ModelHeader, Parsed, TensorInfo, gguf, safetensors};
use crate::error::{Error, Result};
use crate::huggingface::{self, TEXT_FILES, Texts};
use crate::vision::mmproj;

/// Maximum number of files of a model.
pub const MAX_FILES: usize = 1024;

/// The headers of a model's files, collected as they arrive.
#[derive(Debug, Default)]
pub struct Files {
    texts: Texts,
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Part {
    /// Beginning of the file, kept until the header is complete.
    prefix: Vec<u8>,
    wanted: u64,
    header: Option<ModelHeader>,
    /// Length of the file.
    len: u64,
    is_safetensors: bool,
}

impl Files {
    /// Takes one of [`TEXT_FILES`]; others are ignored.
    pub fn text(&mut self, name: &str, text: String) {
        if TEXT_FILES.contains(&name) {
            self.texts.insert(name.to_owned(), text);
        }
    }

    /// Takes the next bytes from the beginning of file `index`, which has `len` bytes; returns true once they
    /// suffice.
    ///
    /// # Errors
    /// Any error in the file's header.
    pub fn header(&mut self, index: usize, bytes: &[u8], len: u64) -> Result<bool> {
        if index >= MAX_FILES {
            return Err(Error::InvalidRequest {
                field: "files".into(),
                expected: format!("at most {MAX_FILES}"),
                found: format!("number {index}"),
            });
        }
        if self.parts.len() <= index {
            self.parts.resize_with(index + 1, Part::default);
        }
        let part = &mut self.parts[index];
        part.prefix.extend_from_slice(bytes);
        part.len = len;
        let all = part.prefix.len() as u64 >= len;
        if (part.prefix.len() as u64) < part.wanted && !all {
            return Ok(false);
        }
        part.is_safetensors = safetensors::is_safetensors(&part.prefix);
        let parsed = match part.is_safetensors {
            true => safetensors::parse(&part.prefix, Some(len))?,
            false => gguf::parse(&part.prefix, Some(len))?,
        };
        match parsed {
            Parsed::NeedMore { at_least } => {
                part.wanted = at_least;
                Ok(false)
            }
            Parsed::Header(header) => {
                part.header = Some(header);
                part.prefix = Vec::new();
                Ok(true)
            }
        }
    }

    /// Returns the header of all files together, with offsets from the beginning of the first one, and their total
    /// length.
    ///
    /// # Errors
    /// Fails if files are missing or do not belong together, or on an error in the texts.
    pub fn join(self) -> Result<(ModelHeader, u64)> {
        let mut parts = self.parts;
        let is_safetensors = parts.iter().any(|part| part.is_safetensors);
        let mut tensors = Vec::new();
        let (mut first, mut start) = (None, 0u64);
        let projector = take_projector(&mut parts);
        let n = parts.len();
        for (index, part) in parts.into_iter().enumerate() {
            let header = part
                .header
                .filter(|_| part.is_safetensors == is_safetensors);
            let Some(header) = header else {
                return Err(Error::Truncated {
                    what: format!("the header of file {} of {n}", index + 1),
                    needed: part.wanted.max(8),
                    available: part.prefix.len() as u64,
                });
            };
            if !is_safetensors {
                check_split(&header, index, n)?;
            }
            tensors.extend(header.tensors.iter().map(|tensor| TensorInfo {
                offset: tensor.offset + start,
                ..tensor.clone()
            }));
            start = start.saturating_add(part.len);
            first.get_or_insert(header);
        }
        let Some(mut gguf) = first else {
            return Err(Error::Truncated {
                what: "the model's files".into(),
                needed: 1,
                available: 0,
            });
        };
        if is_safetensors {
            gguf.tower = huggingface::tower(&self.texts, &tensors)?.map(Box::new);
            (gguf.metadata, gguf.tensors) = huggingface::convert(&self.texts, tensors)?;
        } else {
            gguf.tensors = tensors;
        }
        if let Some((header, len)) = projector {
            gguf.tower = Some(Box::new(mmproj::tower(header, start)?));
            start = start.saturating_add(len);
        }
        Ok((gguf, start))
    }
}

/// Takes a projector's file, which is the last one behind those of a model, from the parts; returns its header and its length.
fn take_projector(parts: &mut Vec<Part>) -> Option<(ModelHeader, u64)> {
    let is_projector =
        |part: &mut Part| part.header.as_ref().is_some_and(ModelHeader::is_projector);
    match parts.len() {
        // (the only file is refused where its metadata is read)
        0 | 1 => None,
        _ => (parts.pop_if(is_projector)).and_then(|part| Some((part.header?, part.len))),
    }
}

/// Checks that a GGUF file is number `index` of `n`.
fn check_split(header: &ModelHeader, index: usize, n: usize) -> Result<()> {
    let meta = &header.metadata;
    for (key, expected, default) in [("split.count", n, 1), ("split.no", index, 0)] {
        let found = meta.opt_u32(key)?.unwrap_or(default);
        if found as usize != expected {
            return Err(Error::Metadata {
                key: format!("{key} of file {} of {n}", index + 1),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
    Ok(())
}
