//! Tests every format against the `gguf` Python package (by hash) and against its own device layout.

use proptest::prelude::*;

use super::*;

/// The generator of the test vectors, identical to the one in the script that computed the hashes:
/// `s = s * 6364136223846793005 + 1442695040888963407` from 1; a byte is `s >> 56`.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.0
    }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Clears the top exponent bit of a block's floats: avoids infinities and NaNs, whose bits differ by platform.
fn make_finite(dtype: GgmlType, blocks: &mut [u8]) {
    let top_bytes: &[usize] = match dtype {
        GgmlType::F32 => &[3],
        GgmlType::Q4_1 | GgmlType::Q5_1 => &[1, 3],
        // The exponent's second bit, which is sufficient.
        GgmlType::MXFP4 => &[0],
        GgmlType::TQ1_0 => &[53],
        GgmlType::TQ2_0 => &[65],
        // d has its upper nibble in the last word's.
        GgmlType::IQ1_M => &[55],
        _ => &[1],
    };
    for block in blocks.chunks_mut(dtype.block_bytes()) {
        for &i in top_bytes {
            block[i] &= 0xBF;
        }
    }
}

fn dequantized(format: &dyn BlockFormat, blocks: &[u8]) -> Vec<f32> {
    let mut out = vec![0.0; blocks.len() / format.block_bytes() * format.block_len()];
    format.dequantize(blocks, &mut out).unwrap();
    out
}

fn repacked(format: &dyn BlockFormat, n_cols: usize, rows: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let (mut quants, mut scales) = (vec![7], vec![7]);
    repack_rows(format, n_cols, rows, &mut quants, &mut scales).unwrap();
    (quants.split_off(1), scales.split_off(1))
}

fn unpacked(format: &dyn BlockFormat, n_cols: usize, rows: &[u8]) -> Vec<f32> {
    let (quants, scales) = repacked(format, n_cols, rows);
    let packing = format.packing();
    let n_blocks = packing.blocks_per_row(n_cols);
    let n_rows = rows.len() / format.block_bytes() * format.block_len() / n_cols;
    let (n_q, n_s) = (
        n_blocks * packing.quant_words_per_block(),
        n_blocks * packing.scale_words_per_block(),
    );
    assert_eq!((quants.len(), scales.len()), (n_rows * n_q, n_rows * n_s));
    let mut out = vec![0.0; n_rows * n_cols];
    for (i, row) in out.chunks_mut(n_cols).enumerate() {
        let (quants, scales) = (&quants[i * n_q..][..n_q], &scales[i * n_s..][..n_s]);
        unpack_row(packing, quants, scales, row);
    }
    out
}

/// Returns the bits, without the one documented difference: the device's Q5 has no negative zero.
fn bits(dtype: GgmlType, x: &[f32]) -> Vec<u32> {
    let normal = |x: f32| {
        if dtype == GgmlType::Q5_0 && x == 0.0 {
            0.0
        } else {
            x
        }
    };
    x.iter().map(|&x| normal(x).to_bits()).collect()
}

#[test]
fn dequantize_is_bit_exact_with_the_gguf_python_package() {
    const HASHES: [(GgmlType, u64); 6] = [
        (GgmlType::F32, 0xe1c4_ddc4_4e47_7efd),
        (GgmlType::F16, 0x5161_acc9_33fc_0e98),
        (GgmlType::BF16, 0xd68c_ca80_6b1b_d13b),
        (GgmlType::Q4_0, 0x8768_9494_020e_cf55),
        (GgmlType::Q4_1, 0x8438_a355_2757_22c5),
        (GgmlType::Q8_0, 0xae2e_d210_8bd6_b4c0),
    ];
    for (dtype, hash) in HASHES {
        let format = block_format(dtype, "t").unwrap();
        let mut lcg = Lcg(1);
        let mut blocks: Vec<u8> = (0..64 * dtype.block_bytes())
            .map(|_| (lcg.next() >> 56) as u8)
            .collect();
        make_finite(dtype, &mut blocks);
        let values = dequantized(format, &blocks);
        let found = fnv(values.iter().flat_map(|x| x.to_le_bytes()));
        assert_eq!(found, hash, "{dtype}: {found:#018x}");
    }
}

#[test]
fn quantizers_agree_with_the_gguf_python_package() {
    let mut lcg = Lcg(1);
    let x: Vec<f32> = (0..4096)
        .map(|_| (lcg.next() >> 40) as f32 / (1 << 24) as f32 - 0.5)
        .collect();
    assert_eq!(fnv(quantize_q4_0(&x)), 0x3ec2_2ba8_94c0_d87c, "Q4_0");
    assert_eq!(fnv(quantize_q4_1(&x)), 0x8087_0395_6ad5_6fdb, "Q4_1");
    assert_eq!(fnv(quantize_q8_0(&x)), 0xdc71_dc9b_bac4_a348, "Q8_0");
}

#[test]
fn quantizers_survive_zeros_and_partial_blocks() {
    for (quantize, dtype) in [
        (quantize_q4_0 as fn(&[f32]) -> Vec<u8>, GgmlType::Q4_0),
        (quantize_q4_1, GgmlType::Q4_1),
        (quantize_q8_0, GgmlType::Q8_0),
    ] {
        assert!(quantize(&[]).is_empty());
        let blocks = quantize(&[0.0; 33]);
        assert_eq!(blocks.len(), 2 * dtype.block_bytes());
        let values = dequantized(block_format(dtype, "t").unwrap(), &blocks);
        assert!(values.iter().all(|&x| x == 0.0));
    }
}

#[test]
fn q4_and_q8_words_are_laid_out_as_documented() {
    let mut block = vec![0x00, 0x3C]; // d = 1
    block.extend((0..16).map(|j| j | (15 - j) << 4));
    let (quants, scales) = repacked(&legacy::Q4_0, 32, &block);
    let words = [0xC3D2_E1F0, 0x8796_A5B4, 0x4B5A_6978, 0x0F1E_2D3C];
    assert_eq!((&quants[..4], &quants[4..]), (&words[..], &[0; 4][..]));
    assert_eq!(scales, [0x3C00]);
    let (quants, scales) = repacked(&legacy::Q4_0, 64, &block.repeat(2));
    assert_eq!((quants, scales), (words.repeat(2), vec![0x3C00_3C00]));

    let mut block = vec![0x00, 0x3C];
    block.extend((0..32).map(|j| j - 16).map(|q: i8| q as u8));
    let (quants, scales) = repacked(&legacy::Q8_0, 32, &block);
    assert_eq!((quants[0], quants[7]), (0xF3F2_F1F0, 0x0F0E_0D0C));
    assert_eq!(quants[8..], [0; 8]);
    assert_eq!(scales, [0x0000_3C00]);
    let (_, scales) = repacked(&legacy::Q8_0, 64, &block.repeat(2));
    assert_eq!(scales, [0x3C00_3C00]);
}

/// A token reads the file's bytes, in the types that models are offered in.
#[test]
fn a_matrix_takes_a_hundredth_more_than_in_the_file_at_most() {
    use GgmlType::{Q4_0, Q4_1, Q4_K, Q6_K, Q8_0};
    for dtype in [Q4_0, Q4_1, Q4_K, Q6_K, Q8_0] {
        let packing = block_format(dtype, "t").unwrap().packing();
        let words = packing.quant_words_per_block() + packing.scale_words_per_block();
        let file = dtype.block_bytes() * packing.block_len() / dtype.block_len();
        let more = (4 * words) as f64 / file as f64 - 1.0;
        assert!((0.0..0.01).contains(&more), "{dtype}: {more}");
    }
}

/// Scales that are copied from the file are looked at afterwards, also the second one of a word.
#[test]
fn copied_scales_that_are_no_numbers_are_found() {
    for (dtype, at) in [
        (GgmlType::Q4_0, 0),
        (GgmlType::Q8_0, 0),
        (GgmlType::Q4_K, 0),
        (GgmlType::Q4_K, 2),
        (GgmlType::Q6_K, 208),
    ] {
        let format = block_format(dtype, "t").unwrap();
        let bytes = dtype.block_bytes();
        for block in 0..4 {
            let mut blocks = vec![0; 4 * bytes];
            let found = |blocks: &[u8]| {
                let (quants, scales) = repacked(format, 4 * format.block_len(), blocks);
                are_finite(format.packing(), &quants, &scales)
            };
            assert!(found(&blocks), "{dtype}");
            blocks[block * bytes + at + 1] = 0x7C;
            assert!(!found(&blocks), "{dtype}, block {block}");
        }
    }
}

#[test]
fn odd_rows_of_few_bits_are_padded() {
    let row: Vec<u8> = [0x00, 0x3c].into_iter().chain(1..=16).collect();
    let rows = row.repeat(2); // two rows of 128
    let (quants, scales) = repacked(&bits::Q1_0, 128, &rows);
    let words = [
        0x0403_0201,
        0x0807_0605,
        0x0c0b_0a09,
        0x100f_0e0d,
        0,
        0,
        0,
        0,
    ];
    assert_eq!(quants, words.repeat(2));
    assert_eq!(scales, [0x3c00, 0x3c00]);
    let (quants, scales) = repacked(&bits::Q1_0, 256, &rows);
    assert_eq!((quants.len(), &scales[..]), (8, &[0x3c00_3c00][..]));
}

#[test]
fn odd_rows_of_halves_are_padded() {
    let rows: Vec<u8> = (1..=12).collect(); // 2 rows of 3
    let (quants, scales) = repacked(&float::F16, 3, &rows);
    assert_eq!(quants, [0x0403_0201, 0x0605, 0x0A09_0807, 0x0C0B]);
    assert!(scales.is_empty());
}

#[test]
fn q5_0_scales_that_overflow_are_refused_and_leave_nothing() {
    // 8192, infinity, NaN
    for d in [0x7000u16, 0xFC00, 0x7E00] {
        let mut blocks = vec![0; 2 * GgmlType::Q5_0.block_bytes()];
        blocks[22..24].copy_from_slice(&d.to_le_bytes());
        let (mut quants, mut scales) = (vec![1], vec![2]);
        let error = legacy::Q5_0
            .repack(&blocks, &mut quants, &mut scales)
            .unwrap_err();
        assert_eq!(error.code(), "bad_file");
        assert_eq!((quants, scales), (vec![1], vec![2]));
    }
}

#[test]
fn wrong_lengths_are_errors() {
    for format in FORMATS {
        let short = vec![0; format.block_bytes() * 2 - 1];
        let (mut quants, mut scales) = (vec![], vec![]);
        let mut out = vec![0.0; format.block_len() * 2];
        let code = |result: Result<()>| result.unwrap_err().code();
        assert_eq!(code(format.dequantize(&short, &mut out)), "truncated_file");
        assert_eq!(
            code(format.repack(&short, &mut quants, &mut scales)),
            "truncated_file"
        );
        let whole = vec![0; format.block_bytes()];
        assert_eq!(code(format.dequantize(&whole, &mut out)), "internal_error");
        let rows = repack_rows(format, 0, &whole, &mut quants, &mut scales);
        assert_eq!(code(rows), "internal_error");
        let n_cols = format.block_len() * 3;
        let rows = repack_rows(format, n_cols, &whole, &mut quants, &mut scales);
        assert_eq!(code(rows), "truncated_file");
        assert!(quants.is_empty() && scales.is_empty());
    }
    let mut out = [0.0; 32];
    unpack_row(Packing::Q4, &[1, 2, 3], &[], &mut out);
    assert!(out.iter().all(|x| x.is_nan()));
}

#[test]
fn unsupported_formats_name_the_tensor_and_the_supported_ones() {
    let error = block_format(GgmlType::Q8_K, "blk.0.ffn_up.weight")
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "tensor \"blk.0.ffn_up.weight\" is stored as Q8_K, which is not supported; \
         supported: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, \
         IQ4_XS, MXFP4, Q1_0, Q2_0, PQ2_0, TQ1_0, TQ2_0, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, \
         IQ1_S, IQ1_M, NVFP4"
    );
}

proptest! {
    #[test]
    fn unpacking_gives_what_dequantizing_gives(
        // Formats that the device represents exactly.
        which in prop::sample::select([(0..8), (13..29)].into_iter().flatten().collect::<Vec<usize>>()),
        n_blocks in 1..6usize,
        n_rows in 1..4usize,
        seed: u64,
    ) {
        let format = FORMATS[which];
        let dtype = format.ggml_type();
        let mut lcg = Lcg(seed);
        let mut rows: Vec<u8> = (0..n_rows * n_blocks * format.block_bytes())
            .map(|_| (lcg.next() >> 56) as u8)
            .collect();
        make_finite(dtype, &mut rows);
        let n_cols = n_blocks * format.block_len();
        prop_assert_eq!(
            bits(dtype, &unpacked(format, n_cols, &rows)),
            bits(dtype, &dequantized(format, &rows))
        );
    }

    #[test]
    fn quantizing_stays_within_half_a_step(x in prop::collection::vec(-10.0f32..10.0, 32)) {
        let q8 = dequantized(&legacy::Q8_0, &quantize_q8_0(&x));
        let q4 = dequantized(&legacy::Q4_1, &quantize_q4_1(&x));
        for ((x, q8), q4) in x.iter().zip(q8).zip(q4) {
            prop_assert!((x - q8).abs() < 0.6 * 10.0 / 127.0);
            prop_assert!((x - q4).abs() < 0.6 * 20.0 / 15.0);
        }
    }
}

/// Quants and exponents stored separately, with adjacent elements in a byte, yield the same words as GGML's blocks.
#[test]
fn mxfp4_of_safetensors_is_that_of_gguf() {
    let element = |block: usize, i: usize| ((block * 7 + i * 5 + i / 9) % 16) as u8;
    let exponents = [0u8, 1, 2, 100, 127, 200];
    let (mut blocks, mut pairs) = (Vec::new(), Vec::new());
    for (b, e) in exponents.iter().enumerate() {
        blocks.push(*e);
        blocks.extend((0..16).map(|j| element(b, j) | element(b, j + 16) << 4));
        pairs.extend((0..16).map(|j| element(b, 2 * j) | element(b, 2 * j + 1) << 4));
    }
    let (mut expected_quants, mut expected_scales) = (Vec::new(), Vec::new());
    codebook::MXFP4
        .repack(&blocks, &mut expected_quants, &mut expected_scales)
        .unwrap();
    let (mut quants, mut scales) = (vec![5], vec![6]);
    codebook::repack_pairs(&pairs, &mut quants).unwrap();
    codebook::repack_exponents(&exponents, &mut scales).unwrap();
    assert_eq!(quants[1..], expected_quants);
    assert_eq!(scales[1..], expected_scales);

    let cut = codebook::repack_pairs(&pairs[1..], &mut quants);
    assert_eq!(cut.unwrap_err().code(), "truncated_file");
    let no_number = codebook::repack_exponents(&[255], &mut scales);
    assert_eq!(no_number.unwrap_err().code(), "bad_file");
}

/// The error for an unknown type lists the known ones; the names come from a lower layer.
#[test]
fn every_supported_type_has_its_format() {
    let found = FORMATS.map(|format| format.ggml_type());
    assert_eq!(found, crate::container::ggml_type::SUPPORTED);
}
