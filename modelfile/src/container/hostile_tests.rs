//! Tests GGUF headers that are whole, cut short, damaged or invented: the parser returns an answer and never panics.

use proptest::prelude::*;

use super::limits::{MAX_ALIGNMENT, MAX_HEADER_BYTES, MAX_STRING, MAX_TENSORS};
use super::writer::GgufWriter;
use super::*;
use crate::error::{Error, Result};

/// A file with every value type, nested arrays and three tensors.
fn sample() -> GgufWriter {
    let nested = Array::Array(vec![
        Array::Array(vec![Array::U8(vec![1, 2]), Array::Bool(vec![true, false])]),
        Array::I16(vec![-3]),
    ]);
    GgufWriter::new()
        .metadata("general.architecture", Value::String("llama".into()))
        .metadata("a.u8", Value::U8(1))
        .metadata("a.i8", Value::I8(-1))
        .metadata("a.u16", Value::U16(2))
        .metadata("a.i16", Value::I16(-2))
        .metadata("a.u32", Value::U32(3))
        .metadata("a.i32", Value::I32(-3))
        .metadata("a.u64", Value::U64(u64::MAX))
        .metadata("a.i64", Value::I64(i64::MIN))
        .metadata("a.f32", Value::F32(0.5))
        .metadata("a.f64", Value::F64(0.25))
        .metadata("a.bool", Value::Bool(true))
        .metadata("b.u16", Value::Array(Array::U16(vec![1])))
        .metadata("b.u32", Value::Array(Array::U32(vec![1, 2])))
        .metadata("b.i8", Value::Array(Array::I8(vec![-1])))
        .metadata("b.i32", Value::Array(Array::I32(vec![1, -1])))
        .metadata("b.u64", Value::Array(Array::U64(vec![1])))
        .metadata("b.i64", Value::Array(Array::I64(vec![-1])))
        .metadata("b.f32", Value::Array(Array::F32(vec![1.5, 2.5])))
        .metadata("b.f64", Value::Array(Array::F64(vec![1.5])))
        .metadata(
            "b.strings",
            Value::Array(Array::String(vec!["".into(), "ä€".into()])),
        )
        .metadata("b.nested", Value::Array(nested))
        .tensor("token_embd.weight", &[32, 3], GgmlType::Q8_0, &[1; 102])
        .tensor("output_norm.weight", &[5], GgmlType::F32, &[2; 20])
        .tensor("blk.0.attn_q.weight", &[64, 2], GgmlType::Q4_0, &[3; 72])
}

/// A file with one tensor entry and the data of four elements.
fn with_tensor(shape: &[u64], type_id: u32, offset: u64) -> Vec<u8> {
    GgufWriter::new()
        .raw_tensor("w", shape, type_id, Some(offset), &[0; 16])
        .finish()
}

fn whole(file: &[u8]) -> Result<Parsed> {
    gguf::parse(file, Some(file.len() as u64))
}

fn header(file: &[u8]) -> ModelHeader {
    match whole(file) {
        Ok(Parsed::Header(gguf)) => gguf,
        other => panic!("{other:?}"),
    }
}

/// Returns the message of the [`Error::BadFile`] that `file` must cause, with or without its size.
fn bad(file: &[u8]) -> String {
    let error = whole(file).unwrap_err();
    assert_eq!(error.code(), "bad_file", "{error}");
    assert_eq!(gguf::parse(file, None).unwrap_err().code(), "bad_file");
    error.to_string()
}

#[test]
fn round_trip() {
    for version in [2, 3] {
        let file = sample().version(version).finish();
        let gguf = header(&file);
        assert_eq!(gguf.container, Container::Gguf, "version {version}");
        assert_eq!(gguf.data_offset % 32, 0);
        assert_eq!(gguf.metadata.len(), 22);
        assert_eq!(gguf.metadata.str("general.architecture"), Ok("llama"));
        assert_eq!(gguf.metadata.get("a.i64"), Some(&Value::I64(i64::MIN)));
        assert_eq!(gguf.metadata.f32s("b.f32"), Ok(&[1.5, 2.5][..]));
        assert_eq!(gguf.metadata.strings("b.strings").unwrap()[1], "ä€");
        // Written again from the parsed values, in the order of the keys, it parses to the same.
        let again = gguf
            .metadata
            .iter()
            .fold(GgufWriter::new(), |w, (key, value)| {
                w.metadata(key, value.clone())
            })
            .finish();
        assert_eq!(header(&again).metadata, gguf.metadata);

        for (name, byte, size) in [
            ("token_embd.weight", 1, 102),
            ("output_norm.weight", 2, 20),
            ("blk.0.attn_q.weight", 3, 72),
        ] {
            let tensor = gguf.tensor(name).unwrap();
            assert_eq!(tensor.size, size);
            let start = tensor.offset as usize;
            assert!(file[start..][..size as usize].iter().all(|&b| b == byte));
        }
        let tensor = gguf.tensor("token_embd.weight").unwrap();
        assert_eq!((tensor.n_cols(), tensor.n_rows()), (32, 3));
        assert_eq!(gguf.tensor("absent"), None);
    }
}

#[test]
fn alignment_is_obeyed_and_checked() {
    let file = |alignment| {
        GgufWriter::new()
            .alignment(alignment)
            .tensor("a", &[1], GgmlType::F32, &[0; 4])
            .tensor("b", &[1], GgmlType::F32, &[0; 4])
            .finish()
    };
    let gguf = header(&file(128));
    assert_eq!(gguf.data_offset % 128, 0);
    assert_eq!(gguf.tensors[1].offset, gguf.data_offset + 128);
    for alignment in [0, 48, 2 * MAX_ALIGNMENT as u32] {
        assert!(bad(&file(alignment)).contains("power of two"));
    }
    let text = GgufWriter::new().metadata("general.alignment", Value::Bool(true));
    assert_eq!(whole(&text.finish()).unwrap_err().code(), "bad_metadata");
}

#[test]
fn every_prefix_asks_for_more_until_the_header_is_whole() {
    let file = sample().finish();
    let size = file.len() as u64;
    let end = (0..)
        .find(|&n| matches!(gguf::parse(&file[..n], None), Ok(Parsed::Header(_))))
        .unwrap();
    for n in 0..=file.len() {
        let prefix = &file[..n];
        for file_size in [None, Some(size)] {
            match gguf::parse(prefix, file_size).unwrap() {
                Parsed::Header(gguf) => assert!(n >= end && gguf.tensors.len() == 3),
                Parsed::NeedMore { at_least } => {
                    assert!(n < end && at_least > n as u64);
                    assert!(file_size.is_none() || at_least <= size);
                }
            }
        }
        // As a complete file it is truncated, either in the header or in the last tensor. Only the
        // padding after the last tensor is dispensable.
        let is_cut = n < file.len() - 24;
        assert_eq!(
            matches!(whole(prefix), Err(Error::Truncated { .. })),
            is_cut,
            "{n}"
        );
    }
}

#[test]
fn restarts_are_few() {
    let strings = (0..200_000).map(|i| format!("token {i}")).collect();
    let file = GgufWriter::new()
        .metadata("tokens", Value::Array(Array::String(strings)))
        .metadata("scores", Value::Array(Array::F32(vec![0.0; 200_000])))
        .finish();
    let (mut len, mut rounds) = (0, 0);
    while let Parsed::NeedMore { at_least } =
        gguf::parse(&file[..len], Some(file.len() as u64)).unwrap()
    {
        (len, rounds) = (at_least as usize, rounds + 1);
    }
    assert!(rounds <= 6, "{rounds}");
}

#[test]
fn zero_length_is_truncated() {
    assert_eq!(whole(b"").unwrap_err().code(), "truncated_file");
    assert!(matches!(
        gguf::parse(b"", None),
        Ok(Parsed::NeedMore { .. })
    ));
}

#[test]
fn other_files_are_named() {
    assert!(bad(b"<!DOCTYPE html><html><title>404</title></html>").contains("HTML"));
    assert!(bad(b"PK\x03\x04\0\0\0\0").contains("zip"));
    assert!(bad(b"lmgg\0\0\0\0").contains("GGML"));
    assert!(whole(b"<p").unwrap_err().to_string().contains("3c 70"));
    let version = |bytes: [u8; 4]| [b"GGUF", &bytes[..], &[0; 16]].concat();
    assert!(bad(&version([0, 0, 0, 3])).contains("big-endian"));
    assert!(bad(&version([1, 0, 0, 0])).contains("found 1"));
    assert!(bad(&version([4, 0, 0, 0])).contains("found 4"));
}

#[test]
fn absurd_counts_and_lengths_are_refused() {
    let fixed = |n_tensors: u64, n_metadata: u64, rest: &[u8]| {
        let counts = [n_tensors.to_le_bytes(), n_metadata.to_le_bytes()].concat();
        [b"GGUF\x03\0\0\0", &counts[..], rest].concat()
    };
    assert!(bad(&fixed(u64::MAX, 0, &[])).contains("tensor count"));
    assert!(bad(&fixed(0, u64::MAX, &[])).contains("metadata count"));
    assert!(bad(&fixed(MAX_TENSORS + 1, 0, &[])).contains("tensor count"));
    // A plausible count that the file cannot hold.
    let file = fixed(60_000, 0, &[]);
    assert_eq!(whole(&file).unwrap_err().code(), "truncated_file");
    assert!(matches!(
        gguf::parse(&file, None),
        Ok(Parsed::NeedMore { .. })
    ));

    // A key's length, then a string's, then the counts of arrays of every element type.
    for len in [u64::MAX, MAX_STRING + 1] {
        let rest = [&len.to_le_bytes()[..], &[0; 16]].concat();
        assert!(bad(&fixed(0, 1, &rest)).contains("metadata key"));
        let rest = [&1u64.to_le_bytes()[..], b"k\x08\0\0\0", &len.to_le_bytes()].concat();
        assert!(bad(&fixed(0, 1, &rest)).contains(" k:"));
        for element_type in 0..=12u32 {
            let array = [&element_type.to_le_bytes()[..], &len.to_le_bytes()].concat();
            let rest = [&1u64.to_le_bytes()[..], b"k\x09\0\0\0", &array].concat();
            assert!(bad(&fixed(0, 1, &rest)).contains(" k:"));
        }
    }
    // Unknown types, a name that is not text.
    for value in [&b"\x0d\0\0\0"[..], b"\x09\0\0\0\x0d\0\0\0\0\0\0\0\0\0\0\0"] {
        let rest = [&1u64.to_le_bytes()[..], b"k", value, &[0; 16]].concat();
        assert!(bad(&fixed(0, 1, &rest)).contains(" k:"));
    }
    let rest = [&1u64.to_le_bytes()[..], b"\xff", &[0; 32]].concat();
    assert!(bad(&fixed(0, 1, &rest)).contains("UTF-8"));
}

#[test]
fn headers_beyond_the_limit_are_refused() {
    let array = || Value::Array(Array::F64(vec![0.0; 3 << 20]));
    let file = GgufWriter::new()
        .metadata("a", array())
        .metadata("b", array())
        .metadata("c", array())
        .finish();
    assert!(bad(&file).contains(&format!("at most {MAX_HEADER_BYTES}")));
}

#[test]
fn arrays_nest_four_deep_and_no_deeper() {
    let nested = |depth| {
        let array = (1..depth).fold(Array::U8(vec![1]), |inner, _| Array::Array(vec![inner]));
        GgufWriter::new()
            .metadata("k", Value::Array(array))
            .finish()
    };
    assert_eq!(header(&nested(4)).metadata.len(), 1);
    assert!(bad(&nested(5)).contains("nested"));
}

#[test]
fn duplicates_are_refused() {
    let twice = GgufWriter::new()
        .metadata("k", Value::U8(1))
        .metadata("k", Value::U8(1));
    assert!(bad(&twice.finish()).contains("\"k\" twice"));
    let twice = GgufWriter::new()
        .tensor("w", &[1], GgmlType::F32, &[0; 4])
        .tensor("w", &[1], GgmlType::F32, &[0; 4]);
    assert!(bad(&twice.finish()).contains("\"w\" twice"));
}

#[test]
fn tensors_must_lie_apart_aligned_and_in_the_file() {
    let pair = |offset| {
        GgufWriter::new()
            .tensor("a", &[16], GgmlType::F32, &[0; 64])
            .raw_tensor("b", &[4], 0, Some(offset), &[0; 16])
            .finish()
    };
    assert_eq!(header(&pair(64)).tensors.len(), 2);
    assert!(bad(&pair(32)).contains("\"a\" and \"b\""));
    assert!(bad(&pair(0)).contains("separate ranges"));
    assert!(bad(&pair(65)).contains("a multiple of 32"));
    assert!(bad(&pair(u64::MAX)).contains("a multiple of 32"));
    assert!(bad(&pair(u64::MAX - 31)).contains("fits 64 bits"));

    let file = with_tensor(&[1000], 0, 0);
    let Error::Truncated {
        what,
        needed,
        available,
    } = whole(&file).unwrap_err()
    else {
        panic!("not truncated");
    };
    assert_eq!(what, "tensor \"w\"");
    assert_eq!((needed, available), (64 + 4000, file.len() as u64));
}

#[test]
fn shapes_must_be_possible() {
    assert_eq!(header(&with_tensor(&[], 0, 0)).tensors[0].shape, [1]);
    assert!(bad(&with_tensor(&[u64::MAX, u64::MAX], 0, 0)).contains("fits 64 bits"));
    assert!(bad(&with_tensor(&[u64::MAX], 0, 0)).contains("fits 64 bits"));
    assert!(bad(&with_tensor(&[1, 1 << 32, 1 << 32], 0, 0)).contains("fits 64 bits"));
    assert!(bad(&with_tensor(&[4, 0], 0, 0)).contains("at least 1"));
    assert!(bad(&with_tensor(&[33], 2, 0)).contains("blocks of 32 (Q4_0)"));
    assert!(bad(&with_tensor(&[1; 5], 0, 0)).contains("at most 4"));
}

#[test]
fn q2_0_is_told_from_its_older_layout_by_the_bytes() {
    let file = |bytes: &[usize], cols: u64| {
        let names = ["a", "b", "c"];
        let tensors = names.iter().zip(bytes);
        let file = tensors.fold(GgufWriter::new(), |file, (name, bytes)| {
            file.raw_tensor(name, &[cols, 8], 42, None, &vec![0; *bytes])
        });
        file.finish()
    };
    let types = |file: &[u8]| {
        header(file)
            .tensors
            .iter()
            .map(|t| (t.dtype, t.size))
            .collect::<Vec<_>>()
    };
    let (of_64, of_128) = (256 / 64 * 18 * 8, 256 / 128 * 34 * 8);
    assert_eq!(types(&file(&[of_64; 2], 256)), [(GgmlType::Q2_0, 576); 2]);
    assert_eq!(types(&file(&[of_128; 2], 256)), [(GgmlType::PQ2_0, 544); 2]);
    // Without the file's size, the last tensor says nothing.
    let Ok(Parsed::Header(found)) = gguf::parse(&file(&[of_128; 2], 256), None) else {
        panic!("no header");
    };
    assert_eq!(found.tensors[1].dtype, GgmlType::PQ2_0);
    for (bytes, cols) in [
        ([of_64, of_128, of_64], 256),
        ([1000; 3], 256),
        ([300; 3], 64),
    ] {
        let error = whole(&file(&bytes, cols)).unwrap_err();
        assert_eq!(error.code(), "bad_file", "{error}");
        assert!(error.to_string().contains("34 bytes"), "{error}");
    }
}

#[test]
fn unknown_types_name_the_tensor() {
    for type_id in [4, 31, 1000, u32::MAX] {
        let error = whole(&with_tensor(&[4], type_id, 0)).unwrap_err();
        assert_eq!(error.code(), "unsupported_quant");
        assert!(error.to_string().contains("\"w\"") && error.to_string().contains("Q8_0"));
    }
}

/// Parses with every kind of size; asserts only that an answer is returned, and a sensible one.
fn check_answer(bytes: &[u8]) {
    for file_size in [None, Some(0), Some(bytes.len() as u64), Some(u64::MAX)] {
        match gguf::parse(bytes, file_size) {
            Ok(Parsed::NeedMore { at_least }) => assert!(at_least > bytes.len() as u64),
            Ok(Parsed::Header(gguf)) => {
                for tensor in &gguf.tensors {
                    let end = tensor.offset.checked_add(tensor.size).unwrap();
                    assert!(tensor.offset >= gguf.data_offset);
                    assert!(file_size.is_none_or(|size| end <= size.max(bytes.len() as u64)));
                }
            }
            Err(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let head: &[u8] = if magic { b"GGUF\x03\0\0\0" } else { b"" };
        check_answer(&[head, &bytes].concat());
    }

    #[test]
    fn damaged_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..9usize), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = sample().finish();
        for (at, byte, len) in edits {
            let at = at.index(file.len());
            file.iter_mut().skip(at).take(len).for_each(|b| *b = byte);
        }
        check_answer(&file);
        check_answer(&file[..cut.index(file.len())]);
    }
}
