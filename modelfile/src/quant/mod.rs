//! Weights: conversion of GGML's blocks in the file to the words that the GPU's kernels read.
//!
//! A [`BlockFormat`] is one storage type of the file. It knows its [`Packing`], the layout on the device, and
//! converts blocks to it ([`BlockFormat::repack`]) or to `f32` ([`BlockFormat::dequantize`]). [`unpack_row`]
//! reads the device's layout back and so serves as the oracle for kernels.
//!
//! * [`float`]: `F32`, `F16`, `BF16`.
//! * [`legacy`]: `Q4_0`, `Q4_1`, `Q5_0`, `Q5_1`, `Q8_0`.
//! * [`k_quants`]: `Q2_K` to `Q6_K`.
//! * [`codebook`]: `IQ4_NL`, `IQ4_XS`, `MXFP4`, `NVFP4`.
//! * [`bits`]: `Q1_0`, `Q2_0` and `PQ2_0`, `TQ1_0`, `TQ2_0`.
//! * [`fp8`]: 8-bit floats of safetensors, which become `BF16`.
//! * [`grids`]: `IQ2_XXS` to `IQ3_S`, `IQ1_S`, `IQ1_M`.
//! * [`quantize`]: GGML's reference quantisers, for synthetic weights.

pub mod bits;
pub mod codebook;
mod file_block;
pub mod float;
pub mod fp8;
pub mod grids;
pub mod k_quants;
pub mod legacy;
pub mod packing;
pub mod quantize;
#[cfg(test)]
mod tests;
pub mod unpack;

pub use packing::Packing;
pub use quantize::{quantize_q4_0, quantize_q4_1, quantize_q8_0};
pub use unpack::unpack_row;

use bytemuck::AnyBitPattern;

use crate::container::GgmlType;
use crate::error::{Error, Result};

/// One storage type of tensors in a file.
pub trait BlockFormat: Sync {
    /// Returns the type in the file.
    fn ggml_type(&self) -> GgmlType;

    /// Returns the layout on the device.
    fn packing(&self) -> Packing;

    /// Returns the elements per block in the file.
    fn block_len(&self) -> usize {
        self.ggml_type().block_len()
    }

    /// Returns the bytes per block in the file.
    fn block_bytes(&self) -> usize {
        self.ggml_type().block_bytes()
    }

    /// Converts whole blocks to `f32`, bit-exact with the `gguf` Python package. `out` holds
    /// `blocks.len() / block_bytes * block_len` elements.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the last block is incomplete, [`Error::Internal`] if `out` has another length.
    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()>;

    /// Converts whole blocks to the device's layout and appends them: [`Packing::quant_words_per_block`] and
    /// [`Packing::scale_words_per_block`] words for each of the layout's blocks. An odd number of halves is
    /// completed with a zero; [`repack_rows`] ensures that this happens at the end of each row.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the last block is incomplete, [`Error::OutOfMemory`], and [`Error::BadFile`] if
    /// a scale cannot be represented. The vectors are then unchanged.
    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()>;
}

/// Every implemented format.
static FORMATS: [&dyn BlockFormat; 29] = [
    &float::F32,
    &float::F16,
    &float::BF16,
    &legacy::Q4_0,
    &legacy::Q4_1,
    &legacy::Q5_0,
    &legacy::Q5_1,
    &legacy::Q8_0,
    &k_quants::Q2_K,
    &k_quants::Q3_K,
    &k_quants::Q4_K,
    &k_quants::Q5_K,
    &k_quants::Q6_K,
    &codebook::IQ4_NL,
    &codebook::IQ4_XS,
    &codebook::MXFP4,
    &bits::Q1_0,
    &bits::Q2_0,
    &bits::PQ2_0,
    &bits::TQ1_0,
    &bits::TQ2_0,
    &grids::IQ2_XXS,
    &grids::IQ2_XS,
    &grids::IQ2_S,
    &grids::IQ3_XXS,
    &grids::IQ3_S,
    &grids::IQ1_S,
    &grids::IQ1_M,
    &codebook::NVFP4,
];

/// Returns the format of tensor `tensor`, stored as `dtype`.
///
/// # Errors
/// [`Error::UnsupportedQuant`], which names the tensor and the supported formats.
pub fn block_format(dtype: GgmlType, tensor: &str) -> Result<&'static dyn BlockFormat> {
    FORMATS
        .iter()
        .find(|format| format.ggml_type() == dtype)
        .copied()
        .ok_or_else(|| Error::UnsupportedQuant {
            tensor: tensor.to_owned(),
            found: dtype.name().to_owned(),
            supported: GgmlType::supported_names(),
        })
}

/// Repacks whole rows of `n_cols` elements, each row padded to a whole number of the layout's blocks.
///
/// # Errors
/// Any error of [`BlockFormat::repack`]; [`Error::Truncated`] also if the last row is incomplete, and
/// [`Error::Internal`] if a row is not a whole number of the file's blocks.
pub fn repack_rows(
    format: &dyn BlockFormat,
    n_cols: usize,
    rows: &[u8],
    quants: &mut Vec<u32>,
    scales: &mut Vec<u32>,
) -> Result<()> {
    if n_cols == 0 || !n_cols.is_multiple_of(format.block_len()) {
        return Err(Error::Internal {
            what: "repack_rows".into(),
            message: format!(
                "{n_cols} columns are not whole {} blocks",
                format.ggml_type()
            ),
        });
    }
    let row_bytes = n_cols / format.block_len() * format.block_bytes();
    if !rows.len().is_multiple_of(row_bytes) {
        return Err(Error::Truncated {
            what: format!("a row of {n_cols} {} elements", format.ggml_type()),
            needed: row_bytes as u64,
            available: (rows.len() % row_bytes) as u64,
        });
    }
    if n_cols.is_multiple_of(format.packing().block_len()) {
        return format.repack(rows, quants, scales);
    }
    rows.chunks_exact(row_bytes)
        .try_for_each(|row| format.repack(row, quants, scales))
}

/// Returns whether repacked weights are finite: some devices would read NaN and infinity as plausible numbers.
///
/// Only values copied verbatim from the file are checked; the other formats' scales are computed, and refused during
/// repacking if they are not finite.
pub fn are_finite(packing: Packing, quants: &[u32], scales: &[u32]) -> bool {
    // Tests the exponent bits, of one number in a word or of two.
    let one = |word: &u32| word & 0x7f80_0000 != 0x7f80_0000;
    let two = |exponent: u32| {
        move |w: &u32| w & exponent != exponent && w & exponent << 16 != exponent << 16
    };
    match packing {
        Packing::F32 => quants.iter().all(one),
        Packing::F16 => quants.iter().all(two(0x7c00)),
        Packing::BF16 => quants.iter().all(two(0x7f80)),
        // Multiplied out at load, and checked then.
        Packing::Q2 | Packing::Q3 | Packing::Iq4 | Packing::Fp4 => true,
        // The first word of a block holds scale and minimum, or scales.
        _ => (scales.iter())
            .step_by(packing.scale_words_per_block())
            .all(two(0x7c00)),
    }
}

/// Views bytes as whole blocks of layout `T`, a struct of byte arrays.
fn blocks_of<'a, T: AnyBitPattern>(format: &dyn BlockFormat, bytes: &'a [u8]) -> Result<&'a [T]> {
    bytemuck::try_cast_slice(bytes).map_err(|_| Error::Truncated {
        what: format!("the last {} block", format.ggml_type()),
        needed: format.block_bytes() as u64,
        available: (bytes.len() % format.block_bytes()) as u64,
    })
}

/// Checks that `out` holds exactly the elements of `n_blocks`.
fn check_len(format: &dyn BlockFormat, n_blocks: usize, out: &[f32]) -> Result<()> {
    let n = n_blocks.saturating_mul(format.block_len());
    if out.len() == n {
        return Ok(());
    }
    Err(Error::Internal {
        what: format!("{} dequantize", format.ggml_type()),
        message: format!("{n} elements do not fit an output of {}", out.len()),
    })
}

/// Appends `n` zero words to be overwritten, and returns them. Unlike `resize` it reports that memory ran out,
/// which gigabytes of weights can cause in a 4 GiB wasm heap.
fn grow(words: &mut Vec<u32>, n: usize) -> Result<&mut [u32]> {
    words.try_reserve(n).map_err(|_| Error::OutOfMemory {
        what: "repacked weights".into(),
        needed: (n as u64).saturating_mul(4),
        available: isize::MAX as u64,
    })?;
    let len = words.len();
    words.resize(len + n, 0);
    Ok(&mut words[len..])
}

/// Returns two scales as a word, each rounded to f16.
///
/// # Errors
/// [`Error::BadFile`] if one is too large. Clamping would silently change the weights; real models are far from the
/// limit.
fn scale_word(dtype: GgmlType, first: f32, second: f32) -> Result<u32> {
    let half = |v: f32| {
        let bits = half::f16::from_f32(v);
        match bits.is_finite() {
            true => Ok(u32::from(bits.to_bits())),
            false => Err(Error::BadFile {
                format: "GGUF",
                what: format!("a {dtype} scale"),
                expected: "a finite number up to 65504".into(),
                found: v.to_string(),
            }),
        }
    };
    Ok(half(first)? | half(second)? << 16)
}
