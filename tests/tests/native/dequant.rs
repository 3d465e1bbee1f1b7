//! Dequantisation and repacking against the `gguf` Python package, bit for bit.

use std::collections::BTreeMap;

use hearth::Error;
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::quant::{BlockFormat, block_format, repack_rows, unpack_row};
use hearth_tests::golden_bytes;

/// Types that must work; all others in the golden must be refused.
const SUPPORTED: [&str; 29] = [
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
    "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4", "Q1_0", "Q2_0", "PQ2_0", "TQ1_0", "TQ2_0", "IQ2_XXS",
    "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M", "NVFP4",
];

#[derive(serde::Deserialize)]
struct Entry {
    dtype: String,
    data_offsets: [usize; 2],
}

/// Returns, by type, the bytes in the file and the values that gguf-py decodes from them.
fn golden() -> BTreeMap<String, (Vec<u8>, Vec<f32>)> {
    let file = golden_bytes("quants/dequant.safetensors");
    let (len, rest) = file.split_first_chunk::<8>().unwrap();
    let (json, data) = rest.split_at(u64::from_le_bytes(*len) as usize);
    let entries: BTreeMap<String, Entry> = serde_json::from_slice(json).unwrap();
    let slice = |name: &str, dtype: &str| {
        let entry = &entries[name];
        assert_eq!(entry.dtype, dtype, "{name}");
        &data[entry.data_offsets[0]..entry.data_offsets[1]]
    };
    let names = entries.keys().filter_map(|key| key.strip_suffix(".bytes"));
    let golden: BTreeMap<_, _> = names
        .map(|name| {
            let bytes = slice(&format!("{name}.bytes"), "U8").to_vec();
            let (values, _) = slice(&format!("{name}.values"), "F32").as_chunks::<4>();
            let values = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
            (name.to_owned(), (bytes, values))
        })
        .collect();
    assert_eq!(2 * golden.len(), entries.len());
    golden
}

fn ggml_type(name: &str) -> GgmlType {
    let all = GgmlType::ALL.iter().copied();
    all.into_iter()
        .find(|t| t.name() == name)
        .unwrap_or_else(|| panic!("{name} is not a GGML type"))
}

/// Returns the supported types with their formats and goldens.
fn supported() -> Vec<(&'static dyn BlockFormat, Vec<u8>, Vec<f32>)> {
    let mut golden = golden();
    SUPPORTED
        .iter()
        .map(|name| {
            let (bytes, values) = golden.remove(*name).unwrap();
            (block_format(ggml_type(name), name).unwrap(), bytes, values)
        })
        .collect()
}

fn assert_bits(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert_eq!(
            a.to_bits(),
            b.to_bits(),
            "{what}, element {i}: {a:e}, expected {b:e}"
        );
    }
}

/// Formats whose scales are products, which the device rounds to f16.
const ROUNDED: [&str; 2] = ["Q3_K", "Q5_K"];
/// Formats with blocks in the golden whose scales do not fit into f16 or, for MXFP4, into f32.
const OVERFLOWING: [&str; 4] = ["Q5_0", "Q3_K", "Q5_K", "MXFP4"];

/// Compares as on the device: zeros in a block with a negative scale lose their sign if the format has none, and
/// products of scales are rounded to f16.
fn assert_repacked(format: &dyn BlockFormat, found: &[f32], expected: &[f32], what: &str) {
    let name = format.ggml_type().name();
    if ROUNDED.contains(&name) {
        for (found, expected) in found.chunks(32).zip(expected.chunks(32)) {
            let max = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            let least = expected.iter().copied().fold(f32::MAX, f32::min);
            let most = expected.iter().copied().fold(f32::MIN, f32::max);
            // 2^-11 of scale and minimum; f16's smallest step times 64.
            let tolerance = max / 1024.0 + (most - least) / 1024.0 + 4e-6;
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() <= tolerance, "{what}: {a:e}, expected {b:e}");
            }
        }
        return;
    }
    if name != "Q5_0" {
        return assert_bits(found, expected, what);
    }
    let unsign = |x: &f32| if *x == 0.0 { 0.0 } else { *x };
    let found: Vec<f32> = found.iter().map(unsign).collect();
    let expected: Vec<f32> = expected.iter().map(unsign).collect();
    assert_bits(&found, &expected, what);
}

/// Repacks rows and reads them back.
fn round_trip(format: &dyn BlockFormat, cols: usize, bytes: &[u8]) -> Result<Vec<f32>, Error> {
    let (mut quants, mut scales) = (Vec::new(), Vec::new());
    repack_rows(format, cols, bytes, &mut quants, &mut scales)?;
    let packing = format.packing();
    let blocks = packing.blocks_per_row(cols);
    let quant_words = blocks * packing.quant_words_per_block();
    let scale_words = blocks * packing.scale_words_per_block();
    let rows = quants.len() / quant_words;
    assert_eq!(quants.len(), rows * quant_words);
    assert_eq!(scales.len(), rows * scale_words);
    let mut out = vec![0.0; rows * cols];
    for (r, out) in out.chunks_exact_mut(cols).enumerate() {
        let quants = &quants[r * quant_words..(r + 1) * quant_words];
        let scales = &scales[r * scale_words..(r + 1) * scale_words];
        unpack_row(packing, quants, scales, out);
    }
    Ok(out)
}

#[test]
fn dequantised_values_are_those_of_the_gguf_package() {
    for (format, bytes, values) in supported() {
        let name = format.ggml_type().name();
        let mut out = vec![f32::NAN; values.len()];
        format.dequantize(&bytes, &mut out).unwrap();
        assert_bits(&out, &values, name);
        let negative_zeros = values.iter().filter(|v| v.to_bits() == 1 << 31).count();
        let signed_zeros = [
            "F32", "F16", "BF16", "Q4_0", "Q8_0", "Q1_0", "IQ2_S", "IQ3_S",
        ]
        .contains(&name);
        assert!(
            !signed_zeros || negative_zeros > 0,
            "{name}: the golden has no -0.0"
        );
    }
}

#[test]
fn repacked_values_are_those_of_the_gguf_package() {
    for (format, bytes, values) in supported() {
        let name = format.ggml_type().name();
        let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
        let mut refused = 0;
        if block_len == 1 {
            for cols in [2048, 64, 2] {
                let out = round_trip(format, cols, &bytes).unwrap();
                assert_bits(&out, &values, &format!("{name} in rows of {cols}"));
            }
        }
        // Block by block, because a single scale that cannot be packed makes the whole weight fail.
        let blocks = bytes.chunks(block_bytes).zip(values.chunks(block_len));
        for (i, (block, values)) in blocks.enumerate() {
            match round_trip(format, block_len, block) {
                Ok(out) => assert_repacked(format, &out, values, &format!("{name}, block {i}")),
                Err(error) => {
                    assert!(matches!(error, Error::BadFile { .. }), "{name}: {error:?}");
                    // The golden's nasty scales.
                    assert!(i < 14, "{name}: block {i} is refused");
                    refused += 1;
                }
            }
        }
        assert_eq!(
            refused > 0,
            OVERFLOWING.contains(&name),
            "{name}: {refused} blocks refused"
        );
    }
}

#[test]
fn rows_of_several_blocks_repack_in_order() {
    for (format, bytes, values) in supported() {
        let name = format.ggml_type().name();
        // The second half has sane scales throughout.
        let (bytes, values) = (&bytes[bytes.len() / 2..], &values[values.len() / 2..]);
        for cols in [1024, 256, 128] {
            if cols < format.block_len() {
                continue;
            }
            let out = round_trip(format, cols, bytes).unwrap();
            assert_repacked(format, &out, values, &format!("{name} in rows of {cols}"));
        }
    }
}

#[test]
fn odd_rows_of_floats_are_padded_alone() {
    for (format, bytes, values) in supported() {
        if format.block_len() == 1 {
            // 2047 = 23 * 89
            for cols in [1, 23, 89, 2047] {
                let bytes = &bytes[..2047 * format.block_bytes()];
                let out = round_trip(format, cols, bytes).unwrap();
                let what = format!("{} in rows of {cols}", format.ggml_type());
                assert_bits(&out, &values[..2047], &what);
            }
        }
    }
}

#[test]
fn a_failed_repack_appends_nothing() {
    let (format, bytes, _) = supported().swap_remove(5);
    assert_eq!(format.ggml_type(), GgmlType::Q5_0);
    let (mut quants, mut scales) = (vec![1, 2, 3], vec![4]);
    let result = repack_rows(format, 2048, &bytes, &mut quants, &mut scales);
    assert!(matches!(result, Err(Error::BadFile { .. })), "{result:?}");
    assert_eq!((quants, scales), (vec![1, 2, 3], vec![4]));
}

#[test]
fn incomplete_blocks_are_truncated() {
    for (format, bytes, values) in supported() {
        let name = format.ggml_type().name();
        let cut = &bytes[..bytes.len() - 1];
        let result = format.dequantize(cut, &mut vec![0.0; values.len()]);
        assert!(
            matches!(result, Err(Error::Truncated { .. })),
            "{name}: {result:?}"
        );
        let result = round_trip(format, values.len(), cut);
        assert!(
            matches!(result, Err(Error::Truncated { .. })),
            "{name}: {result:?}"
        );
    }
}

#[test]
fn other_types_are_refused_by_name() {
    assert_eq!(GgmlType::supported_names(), SUPPORTED);
    let all = GgmlType::ALL.iter().map(|dtype| dtype.name());
    let others: Vec<&str> = all.filter(|name| !SUPPORTED.contains(name)).collect();
    assert!(others.len() >= 7, "{others:?}");
    for name in others {
        let Err(error) = block_format(ggml_type(name), "blk.7.attn_q.weight") else {
            panic!("{name} is supported: move it to SUPPORTED");
        };
        let message = error.to_string();
        let Error::UnsupportedQuant {
            tensor,
            found,
            supported,
        } = error
        else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(
            (tensor.as_str(), found.as_str()),
            ("blk.7.attn_q.weight", name)
        );
        assert_eq!(supported, SUPPORTED);
        for part in SUPPORTED.iter().chain([&name, &"blk.7.attn_q.weight"]) {
            assert!(message.contains(part), "{message} does not say {part}");
        }
    }
}
