//! The header of a safetensors file: its tensors, converted to a [`ModelHeader`].
//!
//! ```text
//! length of the header u64 | header: JSON { name: { dtype, shape, data_offsets: [from, to] }, "__metadata__": { .. } }
//! tensor data; offsets count from here
//! ```
//!
//! Source: <https://github.com/huggingface/safetensors#format>. Shapes are reversed: the contiguous dimension first.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::limits::{MAX_HEADER_BYTES, MAX_SAFETENSORS_DIMS, MAX_TENSORS};
use super::{Arrangement, Container, GgmlType, Metadata, ModelHeader, Parsed, TensorInfo};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Integer types. Such tensors are buffers, not weights (except MXFP4's blocks and scales).
const INTEGERS: [&str; 9] = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"];

/// Returns whether a file that begins with `prefix` is a safetensors file: a length, then a JSON object.
pub fn is_safetensors(prefix: &[u8]) -> bool {
    match prefix.split_first_chunk::<8>() {
        Some((len, rest)) => {
            // The format's own limit on the header.
            (2..=100_000_000).contains(&u64::from_le_bytes(*len)) && rest.first() == Some(&b'{')
        }
        None => false,
    }
}

/// Returns whether a tensor holds raw bytes of gpt-oss's weights.
fn is_mxfp4(dtype: &str, name: &str) -> bool {
    dtype == "U8" && (name.ends_with("_blocks") || name.ends_with("_scales"))
}

/// Returns whether a tensor holds 8-bit floats.
fn is_fp8(dtype: &str, name: &str) -> bool {
    dtype == "F8_E4M3" && !is_mxfp4("U8", name)
}

fn bad(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::BadFile {
        format: "safetensors",
        what: what.into(),
        expected: expected.into(),
        found: found.into(),
    }
}

/// Parses the header from `prefix`, the first bytes of a file of `file_size` bytes; see [`ModelHeader::parse`].
///
/// # Errors
/// [`Error::BadFile`], [`Error::Truncated`], or [`Error::UnsupportedQuant`] for a dtype that is not a float.
pub fn parse(prefix: &[u8], file_size: Option<u64>) -> Result<Parsed> {
    let Some((len, rest)) = prefix.split_first_chunk::<8>() else {
        return more(8, prefix, file_size);
    };
    let len = u64::from_le_bytes(*len);
    if !(2..=MAX_HEADER_BYTES).contains(&len) {
        let expected = format!("2 to {MAX_HEADER_BYTES} bytes");
        return Err(bad("header length", expected, len.to_string()));
    }
    let Some(json) = rest.get(..len as usize) else {
        return more(8 + len, prefix, file_size);
    };
    let entries: Map<String, Value> = serde_json::from_slice(json)
        .map_err(|e| bad("header", "a JSON object of tensors", e.to_string()))?;
    let data_offset = 8 + len;
    let mut tensors = Vec::new();
    for (name, entry) in entries {
        let dtype = entry["dtype"].as_str().unwrap_or_default();
        let is_buffer = INTEGERS.contains(&dtype) && !is_mxfp4(dtype, &name);
        if name != "__metadata__" && !is_buffer {
            tensors.push(tensor(name, entry, data_offset, file_size)?);
        }
    }
    if tensors.len() as u64 > MAX_TENSORS {
        let found = tensors.len().to_string();
        return Err(bad("tensor count", format!("up to {MAX_TENSORS}"), found));
    }
    tensors.sort_by_key(|tensor: &TensorInfo| tensor.offset);
    for pair in tensors.windows(2) {
        if pair[0].offset + pair[0].size > pair[1].offset {
            let what = format!("tensor \"{}\"", pair[1].name);
            let found = format!("one that overlaps \"{}\"", pair[0].name);
            return Err(bad(what, "a range of its own", found));
        }
    }
    Ok(Parsed::Header(ModelHeader {
        container: Container::Safetensors,
        metadata: Metadata::default(),
        tensors,
        data_offset,
        tower: None,
    }))
}

fn more(needed: u64, prefix: &[u8], file_size: Option<u64>) -> Result<Parsed> {
    match file_size {
        Some(size) if size < needed => Err(Error::Truncated {
            what: "the header".into(),
            needed,
            available: size.max(prefix.len() as u64),
        }),
        _ => Ok(Parsed::NeedMore { at_least: needed }),
    }
}

fn tensor(
    name: String,
    entry: Value,
    data_offset: u64,
    file_size: Option<u64>,
) -> Result<TensorInfo> {
    let what = format!("tensor \"{name}\"");
    let entry: Entry = serde_json::from_value(entry)
        .map_err(|e| bad(&what, "dtype, shape and data_offsets", e.to_string()))?;
    let dtype = match entry.dtype.as_str() {
        "F32" => GgmlType::F32,
        "F16" => GgmlType::F16,
        "BF16" => GgmlType::BF16,
        // Single bytes, regardless of their meaning.
        bytes if is_mxfp4(bytes, &name) || is_fp8(bytes, &name) => GgmlType::I8,
        other => {
            return Err(Error::UnsupportedQuant {
                tensor: name,
                found: format!("safetensors' {other}"),
                supported: vec!["F32", "F16", "BF16", "F8_E4M3"],
            });
        }
    };
    let mut shape = entry.shape;
    if shape.len() > MAX_SAFETENSORS_DIMS {
        let found = format!("{} dimensions", shape.len());
        return Err(bad(
            what,
            format!("up to {MAX_SAFETENSORS_DIMS} dimensions"),
            found,
        ));
    }
    if shape.contains(&0) {
        return Err(bad(what, "dimensions of at least 1", format!("{shape:?}")));
    }
    shape.reverse();
    if shape.is_empty() {
        shape.push(1);
    }
    let [from, to] = entry.data_offsets;
    let elements = shape.iter().try_fold(1u64, |n, dim| n.checked_mul(*dim));
    let bytes = elements.and_then(|n| n.checked_mul(dtype.block_bytes() as u64));
    if bytes.is_none() || from.checked_add(bytes.unwrap_or(0)) != Some(to) {
        let expected = format!("as many bytes as shape {shape:?} has");
        return Err(bad(what, expected, format!("bytes {from} to {to}")));
    }
    let end = data_offset.saturating_add(to);
    if let Some(available) = file_size.filter(|size| *size < end) {
        let needed = end;
        return Err(Error::Truncated {
            what,
            needed,
            available,
        });
    }
    Ok(TensorInfo {
        name,
        shape,
        dtype,
        offset: data_offset.saturating_add(from),
        size: to - from,
        arrangement: Arrangement::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str, data: usize) -> Vec<u8> {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json.bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    #[test]
    fn tensors_are_turned_round() {
        let json = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
        let bytes = file(json, 16);
        let Ok(Parsed::Header(found)) = parse(&bytes, Some(bytes.len() as u64)) else {
            panic!("no header");
        };
        let names: Vec<_> = found
            .tensors
            .iter()
            .map(|t| (t.name.as_str(), &t.shape[..]))
            .collect();
        assert_eq!(names, [("a", &[1][..]), ("b", &[3, 2][..])]);
        assert_eq!(found.tensors[1].offset, 8 + json.len() as u64 + 4);
        for cut in [0, 7, 8, 40] {
            let found = parse(&bytes[..cut], Some(bytes.len() as u64));
            assert!(matches!(found, Ok(Parsed::NeedMore { .. })), "{cut}");
            let found = parse(&bytes[..cut], Some(cut as u64));
            assert_eq!(found.unwrap_err().code(), "truncated_file", "{cut}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let cases = [
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                "bad_file",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}"#,
                "bad_file",
            ),
            (
                r#"{"a":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}}"#,
                "unsupported_quant",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#,
                "bad_file",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
                "bad_file",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                "bad_file",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
                "truncated_file",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551615,3]}}"#,
                "bad_file",
            ),
            (r#"{"a":5}"#, "bad_file"),
            ("[]", "bad_file"),
        ];
        for (json, code) in cases {
            let bytes = file(json, 8);
            let error = parse(&bytes, Some(bytes.len() as u64)).unwrap_err();
            assert_eq!(error.code(), code, "{json}: {error}");
        }
        let huge = [0xff; 16];
        assert_eq!(parse(&huge, None).unwrap_err().code(), "bad_file");
    }
}
