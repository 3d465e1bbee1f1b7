//! 8-bit floats with a scale for each block of a matrix, which safetensors have and GGUF does not.
//!
//! ```text
//! byte     sign | exponent, 4 bits, bias 7 | mantissa, 3 bits     E4M3: no infinity; NaN is 0x7f and 0xff
//! element  the byte's value * the scale of the element's block, in f32
//! ```
//!
//! Source: <https://arxiv.org/abs/2209.05433> (the format), `weight_dequant` of <https://github.com/deepseek-ai/DeepSeek-V3>
//! (`inference/kernel.py`, the blocks).

use half::bf16;

use crate::container::Fp8;
use crate::error::{Error, Result};

/// Returns the value of an E4M3 number.
pub fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (u32::from((byte >> 3) & 15), u32::from(byte & 7));
    let magnitude = match (exponent, mantissa) {
        (15, 7) => f32::NAN,
        // Multiples of 2^-9.
        (0, _) => mantissa as f32 / 512.0,
        // f32's bias is 127.
        _ => f32::from_bits(((exponent + 120) << 23) | (mantissa << 20)),
    };
    match byte >> 7 {
        0 => magnitude,
        _ => -magnitude,
    }
}

/// Returns the number of scales of a tensor of `n_rows` rows.
pub fn scale_count(fp8: &Fp8, n_rows: u64, cols: u64) -> u64 {
    let per_matrix = fp8.rows.div_ceil(fp8.block_rows);
    let matrices = n_rows / fp8.rows.max(1);
    (matrices.saturating_mul(per_matrix)).saturating_mul(cols.div_ceil(fp8.block_cols))
}

/// Converts whole rows of `cols` elements, the first of which is row `first` of the tensor. `scales`: all scales of the tensor, in
/// the order of [`Fp8::scales`]; `out` holds as many elements as `rows`.
///
/// # Errors
/// [`Error::Internal`] if rows, scales and output do not belong together.
pub fn dequantize_rows(
    rows: &[u8],
    cols: usize,
    first: usize,
    fp8: &Fp8,
    scales: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let wrong = |message: String| Error::Internal {
        what: "dequantize_rows".into(),
        message,
    };
    let [of_matrix, block_rows, block_cols] = [fp8.rows, fp8.block_rows, fp8.block_cols]
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let is_empty = [cols, of_matrix, block_rows, block_cols].contains(&0);
    if is_empty || rows.len() != out.len() || !rows.len().is_multiple_of(cols) {
        let (bytes, elements) = (rows.len(), out.len());
        return Err(wrong(format!(
            "{bytes} bytes in rows of {cols} for {elements} elements"
        )));
    }
    let per_row = cols.div_ceil(block_cols);
    let per_matrix = of_matrix.div_ceil(block_rows);
    let all = rows.chunks_exact(cols).zip(out.chunks_exact_mut(cols));
    for (row, (bytes, values)) in (first..).zip(all) {
        let block_row = row / of_matrix * per_matrix + row % of_matrix / block_rows;
        let own = scales.get(block_row * per_row..).unwrap_or_default();
        if own.len() < per_row {
            return Err(wrong(format!("row {row} has no scales")));
        }
        let blocks = bytes.chunks(block_cols).zip(values.chunks_mut(block_cols));
        for ((bytes, values), scale) in blocks.zip(own) {
            for (value, byte) in values.iter_mut().zip(bytes) {
                *value = e4m3(*byte) * scale;
            }
        }
    }
    Ok(())
}

/// Returns values rounded to BF16, as the bytes of a file.
pub fn bf16_blocks(values: &[f32]) -> Vec<u8> {
    let rounded = values.iter().map(|value| bf16::from_f32(*value));
    rounded.flat_map(bf16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{GgmlType, Range};

    #[test]
    fn bytes_have_the_values_of_the_format() {
        for (byte, value) in [
            (0x00, 0.0),
            (0x01, 1.0 / 512.0),
            (0x07, 7.0 / 512.0),
            (0x08, 1.0 / 64.0),
            (0x38, 1.0),
            (0x3c, 1.5),
            (0xc1, -2.25),
            (0x7e, 448.0),
            (0xfe, -448.0),
        ] {
            assert_eq!(e4m3(byte), value, "{byte:#x}");
        }
        assert!(e4m3(0x80).is_sign_negative());
        let not_numbers = (0..=255).filter(|byte| e4m3(*byte).is_nan());
        assert_eq!(not_numbers.collect::<Vec<u8>>(), [0x7f, 0xff]);
        // Each number is larger than the one before it.
        for byte in 1..0x7f {
            assert!(e4m3(byte) > e4m3(byte - 1), "{byte:#x}");
        }
    }

    /// Two matrices of 3 rows and 5 columns, in blocks of 2 rows and 3 columns: neither divides the matrix.
    #[test]
    fn every_element_has_the_scale_of_its_block() {
        let fp8 = Fp8 {
            scales: Range { offset: 0, size: 0 },
            scale_type: GgmlType::F32,
            rows: 3,
            block_rows: 2,
            block_cols: 3,
        };
        let scales: Vec<f32> = (1..=8).map(|n| n as f32).collect();
        assert_eq!(scale_count(&fp8, 6, 5), 8);
        let expected: Vec<f32> = [[1, 2], [1, 2], [3, 4], [5, 6], [5, 6], [7, 8]]
            .iter()
            .flat_map(|[left, right]| [*left, *left, *left, *right, *right])
            .map(|n| n as f32)
            .collect();
        let ones = [0x38; 30];
        for first in 0..6 {
            let mut found = vec![0.0; 30 - 5 * first];
            dequantize_rows(&ones[5 * first..], 5, first, &fp8, &scales, &mut found).unwrap();
            assert_eq!(found, expected[5 * first..], "from row {first}");
        }
        let mut out = [0.0; 30];
        for (bytes, cols, n_scales) in [(30, 5, 7), (29, 5, 8), (30, 4, 8), (30, 0, 8)] {
            let scales = &scales[..n_scales];
            let found = dequantize_rows(&ones[..bytes], cols, 0, &fp8, scales, &mut out);
            assert!(found.is_err(), "{bytes} {cols} {n_scales}");
        }
    }

    #[test]
    fn products_are_rounded_to_the_nearest() {
        // 1 + 2^-8 lies between two numbers: the even one is taken.
        let found = bf16_blocks(&[1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -2.0]);
        assert_eq!(found, [0x80, 0x3f, 0x82, 0x3f, 0x00, 0xc0]);
    }
}
