//! The header of a GGUF file (versions 2 and 3, little-endian), read from a prefix of the file.
//!
//! ```text
//! "GGUF" | version u32 | n_tensors u64 | n_metadata u64
//! n_metadata x ( key string | value type u32 | value )
//! n_tensors  x ( name string | n_dims u32 | dims u64 x n_dims | type u32 | offset u64 )
//! padding to general.alignment (default 32)
//! tensor data; each tensor's offset counts from here and is a multiple of the alignment
//! ```
//!
//! Source: `docs/gguf.md` of ggml and `ggml/src/gguf.cpp` of llama.cpp.

use std::collections::HashSet;

use super::arrangement::Arrangement;
use super::ggml_type::GgmlType;
use super::header::{Container, ModelHeader, Parsed, TensorInfo};
use super::limits::{
    MAX_ALIGNMENT, MAX_DIMS, MAX_HEADER_BYTES, MAX_KEY, MAX_METADATA, MAX_TENSORS,
};
use super::metadata::Metadata;
use super::q2_0;
use super::reader::{Read, Reader, Stop, bad};
use super::sniff;
use crate::error::{Error, Result};

/// The first four bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// Alignment of tensor data if the file has no `general.alignment`.
pub const DEFAULT_ALIGNMENT: u64 = 32;
/// Magic, version and the two counts.
const FIXED_BYTES: u64 = 24;
/// An empty key (8), a value type (4) and a one-byte value.
const MIN_METADATA_BYTES: u64 = 13;
/// An empty name (8), a dimension count (4), a type (4) and an offset (8).
const MIN_TENSOR_BYTES: u64 = 24;
/// The smallest prefix worth asking for: below it, round trips cost more than bytes.
const MIN_PREFIX: u64 = 256 << 10;

/// Parses the header from `prefix`, the first bytes of a file of `file_size` bytes.
///
/// Starts over with each longer prefix. If the size was unknown and the source ends before `at_least`
/// bytes, call again with all bytes and their number as `file_size`.
///
/// # Errors
/// * [`Error::BadFile`]: another kind of file, an unknown version, or an impossible field.
/// * [`Error::Truncated`]: the file (`file_size`) ends before the header or a tensor does.
/// * [`Error::UnsupportedQuant`]: a tensor with an unknown type id.
/// * [`Error::Metadata`]: `general.alignment` is not a number.
pub fn parse(prefix: &[u8], file_size: Option<u64>) -> Result<Parsed> {
    // A size below what was already read cannot be true; trust the bytes.
    let file_size = file_size.map(|size| size.max(prefix.len() as u64));
    match read_header(prefix, file_size) {
        Ok(gguf) => Ok(Parsed::Header(gguf)),
        Err(Stop::Fail(error)) => Err(error),
        Err(Stop::Need(needed)) => {
            let at_least = (prefix.len() as u64)
                .saturating_mul(2)
                .clamp(MIN_PREFIX, MAX_HEADER_BYTES)
                .max(needed)
                .min(file_size.unwrap_or(u64::MAX));
            Ok(Parsed::NeedMore { at_least })
        }
    }
}

fn read_header(prefix: &[u8], file_size: Option<u64>) -> Read<ModelHeader> {
    // Another kind of file may be shorter than GGUF's fixed part and should still be identified.
    let magic = prefix.get(..MAGIC.len()).unwrap_or(prefix);
    if !MAGIC.starts_with(magic) {
        let is_whole = file_size == Some(prefix.len() as u64);
        if magic.len() == MAGIC.len() || is_whole {
            return Err(Stop::Fail(bad(
                "magic",
                "\"GGUF\"",
                sniff::describe(prefix),
            )));
        }
    }

    let mut reader = Reader::new(prefix, file_size);
    reader.require(FIXED_BYTES, "magic, version and counts")?;
    reader.u32("magic")?;
    let version = reader.u32("version")?;
    if !(2..=3).contains(&version) {
        let found = match version.swap_bytes() {
            swapped @ 1..=3 => format!("a big-endian GGUF file of version {swapped}"),
            _ => version.to_string(),
        };
        return Err(Stop::Fail(bad("version", "2 or 3, little-endian", found)));
    }
    let n_tensors = reader.u64("tensor count")?;
    let n_metadata = reader.u64("metadata count")?;
    // Both counts are checked before the first entry, so that an absurd one is found early.
    reader.check_count(n_tensors, MAX_TENSORS, MIN_TENSOR_BYTES, "tensor count")?;

    let metadata = read_metadata(&mut reader, n_metadata)?;
    let alignment = alignment(&metadata).map_err(Stop::Fail)?;
    let tensors = read_tensors(&mut reader, n_tensors)?;

    // The header ends below `MAX_HEADER_BYTES`, so this cannot overflow.
    let data_offset = reader.position().next_multiple_of(alignment);
    place_tensors(tensors, data_offset, alignment, file_size)
        .map(|tensors| ModelHeader {
            container: Container::Gguf,
            metadata,
            tensors,
            data_offset,
            tower: None,
        })
        .map_err(Stop::Fail)
}

fn read_metadata(reader: &mut Reader<'_>, count: u64) -> Read<Metadata> {
    let n = reader.check_count(count, MAX_METADATA, MIN_METADATA_BYTES, "metadata count")?;
    let mut metadata = Metadata::default();
    for _ in 0..n {
        let key = reader.name(MAX_KEY, "metadata key")?;
        let type_id = reader.u32(key)?;
        let value = reader.value(type_id, key)?;
        if metadata.insert(key, value).is_some() {
            return Err(Stop::Fail(bad(
                "metadata",
                "unique keys",
                format!("\"{key}\" twice"),
            )));
        }
    }
    Ok(metadata)
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let alignment = metadata
        .opt_u64("general.alignment")?
        .unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT {
        return Ok(alignment);
    }
    Err(bad(
        "general.alignment",
        format!("a power of two up to {MAX_ALIGNMENT}"),
        alignment,
    ))
}

/// Reads the tensor table; `offset` still counts from the start of the data.
fn read_tensors(reader: &mut Reader<'_>, count: u64) -> Read<Vec<TensorInfo>> {
    let n = reader.check_count(count, MAX_TENSORS, MIN_TENSOR_BYTES, "tensor count")?;
    let mut tensors = Vec::with_capacity(n);
    for _ in 0..n {
        let name = reader.name(MAX_KEY, "tensor name")?;
        let n_dims = reader.u32(name)?;
        if n_dims > MAX_DIMS {
            let what = format!("dimension count of tensor \"{name}\"");
            return Err(Stop::Fail(bad(what, format!("at most {MAX_DIMS}"), n_dims)));
        }
        let mut shape = Vec::with_capacity(n_dims.max(1) as usize);
        for _ in 0..n_dims {
            shape.push(reader.u64(name)?);
        }
        if shape.is_empty() {
            shape.push(1);
        }
        let type_id = reader.u32(name)?;
        let offset = reader.u64(name)?;
        let dtype = GgmlType::from_id(type_id).ok_or_else(|| {
            Stop::Fail(Error::UnsupportedQuant {
                tensor: name.to_owned(),
                found: format!("the unknown GGML type {type_id}"),
                supported: GgmlType::supported_names(),
            })
        })?;
        let size = tensor_size(name, &shape, dtype).map_err(Stop::Fail)?;
        tensors.push(TensorInfo {
            name: name.to_owned(),
            shape,
            dtype,
            offset,
            size,
            arrangement: Arrangement::default(),
        });
    }
    Ok(tensors)
}

/// Returns the bytes of a tensor, whose rows must be whole blocks.
fn tensor_size(name: &str, shape: &[u64], dtype: GgmlType) -> Result<u64> {
    let what = || format!("shape of tensor \"{name}\"");
    let found = || format!("{shape:?}");
    if shape.contains(&0) {
        return Err(bad(what(), "dimensions of at least 1", found()));
    }
    let block_len = dtype.block_len() as u64;
    let n_cols = shape.first().copied().unwrap_or(1);
    if !n_cols.is_multiple_of(block_len) {
        let expected = format!("columns in whole blocks of {block_len} ({dtype})");
        return Err(bad(what(), expected, found()));
    }
    shape
        .iter()
        .skip(1)
        .try_fold(n_cols, |n, &dim| n.checked_mul(dim))
        .and_then(|n_elements| (n_elements / block_len).checked_mul(dtype.block_bytes() as u64))
        .ok_or_else(|| bad(what(), "a size that fits 64 bits", found()))
}

/// Makes offsets absolute and checks names, alignment, overlaps and the file's end.
fn place_tensors(
    mut tensors: Vec<TensorInfo>,
    data_offset: u64,
    alignment: u64,
    file_size: Option<u64>,
) -> Result<Vec<TensorInfo>> {
    let end = file_size.map(|size| size.saturating_sub(data_offset));
    q2_0::settle(&mut tensors, alignment, end)?;
    for tensor in &mut tensors {
        let what = || format!("offset of tensor \"{}\"", tensor.name);
        if !tensor.offset.is_multiple_of(alignment) {
            return Err(bad(
                what(),
                format!("a multiple of {alignment}"),
                tensor.offset,
            ));
        }
        let end = data_offset
            .checked_add(tensor.offset)
            .and_then(|start| start.checked_add(tensor.size));
        let Some(end) = end else {
            return Err(bad(what(), "a range that fits 64 bits", tensor.offset));
        };
        if let Some(available) = file_size.filter(|&size| size < end) {
            return Err(Error::Truncated {
                what: format!("tensor \"{}\"", tensor.name),
                needed: end,
                available,
            });
        }
        tensor.offset += data_offset;
    }

    let mut names = HashSet::with_capacity(tensors.len());
    for tensor in &tensors {
        if !names.insert(tensor.name.as_str()) {
            let found = format!("\"{}\" twice", tensor.name);
            return Err(bad("tensor names", "unique names", found));
        }
    }

    let mut by_offset: Vec<&TensorInfo> = tensors.iter().collect();
    by_offset.sort_unstable_by_key(|tensor| tensor.offset);
    for (a, b) in by_offset.iter().zip(by_offset.iter().skip(1)) {
        if b.offset - a.offset < a.size {
            let found = format!("\"{}\" and \"{}\" at {}", a.name, b.name, b.offset);
            return Err(bad("tensor offsets", "separate ranges", found));
        }
    }
    Ok(tensors)
}
