//! Weights: from GGML's blocks in the file to the words that the GPU's kernels read.
//!
//! A [`BlockFormat`] is one storage type of the file. It knows its [`Packing`], the layout on the device, and
//! converts blocks to it ([`BlockFormat::repack`]) or to `f32` ([`BlockFormat::dequantize`]). [`unpack_row`]
//! reads the device's layout back and so is the oracle for kernels.
//!
//! * [`float`]: `F32`, `F16`, `BF16`.
//! * [`legacy`]: `Q4_0`, `Q4_1`, `Q8_0`.
//! * [`quantize`]: GGML's reference quantisers, for synthetic weights.

pub mod float;
pub mod legacy;
pub mod quantize;
#[cfg(test)]
mod tests;

pub use quantize::{quantize_q4_0, quantize_q4_1, quantize_q8_0};

use bytemuck::AnyBitPattern;
use half::f16;

use crate::error::{Error, Result};
use crate::format::GgmlType;

/// How a weight lies on the device: the layouts that kernels read, in `u32` words, row-major.
///
/// Bits are counted from the least significant one. A row is a whole number of blocks.
///
/// ```text
///        block  quants                                        scales          value
/// F32    1      1 word: the f32's bits                        -               itself
/// F16    2      1 word: even column | odd column << 16        -               itself
/// BF16   2      1 word: even column | odd column << 16        -               itself
/// Q4     32     4 words = 16 bytes: byte j holds element j    f16 d | m<<16   d * q + m, q 0..=15
///               in its low and j + 16 in its high nibble
/// Q8     32     8 words: element j is byte j, an i8           f16 d           d * q, q -128..=127
/// ```
///
/// A row of `F16` or `BF16` with an odd number of columns ends with a zero half (see [`repack_rows`]).
/// In `Q4`, `d * q` is exact in `f32`, so a fused multiply-add gives the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    F32,
    F16,
    BF16,
    Q4,
    Q8,
}

impl Packing {
    /// The name for labels and shader variants, e.g. `"q4"`.
    pub fn name(self) -> &'static str {
        match self {
            Packing::F32 => "f32",
            Packing::F16 => "f16",
            Packing::BF16 => "bf16",
            Packing::Q4 => "q4",
            Packing::Q8 => "q8",
        }
    }

    /// Elements per block.
    pub const fn block_len(self) -> usize {
        match self {
            Packing::F32 => 1,
            Packing::F16 | Packing::BF16 => 2,
            Packing::Q4 | Packing::Q8 => 32,
        }
    }

    /// Words of quants per block.
    pub const fn quant_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 1,
            Packing::Q4 => 4,
            Packing::Q8 => 8,
        }
    }

    /// Words of scales per block; 0 where the layout has none.
    pub const fn scale_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 0,
            Packing::Q4 | Packing::Q8 => 1,
        }
    }

    /// Blocks in a row of `n_cols` elements, the last one padded if need be.
    pub const fn blocks_per_row(self, n_cols: usize) -> usize {
        n_cols.div_ceil(self.block_len())
    }
}

/// One storage type of tensors in a file.
pub trait BlockFormat: Sync {
    /// The type in the file.
    fn ggml_type(&self) -> GgmlType;

    /// The layout on the device.
    fn packing(&self) -> Packing;

    /// Elements per block in the file.
    fn block_len(&self) -> usize {
        self.ggml_type().block_len()
    }

    /// Bytes per block in the file.
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
    /// completed with a zero; [`repack_rows`] sees to it that this happens at the end of each row.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the last block is incomplete, [`Error::OutOfMemory`], and [`Error::BadFile`] if
    /// a scale cannot be represented. The vectors are then as they were.
    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()>;
}

/// Every implemented format.
static FORMATS: [&dyn BlockFormat; 6] = [
    &float::F32,
    &float::F16,
    &float::BF16,
    &legacy::Q4_0,
    &legacy::Q4_1,
    &legacy::Q8_0,
];

/// Names of the formats that [`block_format`] knows.
pub fn supported_names() -> Vec<&'static str> {
    FORMATS.iter().map(|f| f.ggml_type().name()).collect()
}

/// The format of tensor `tensor`, stored as `dtype`.
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
            supported: supported_names(),
        })
}

/// Repacks whole rows of `n_cols` elements, each row padded to a whole number of the layout's blocks.
///
/// # Errors
/// Those of [`BlockFormat::repack`]; [`Error::Truncated`] also if the last row is incomplete, and
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

/// Reads one row of `out.len()` elements back from the device's layout: the oracle for kernels.
///
/// Elements for which `quants` or `scales` are too short become NaN.
pub fn unpack_row(packing: Packing, quants: &[u32], scales: &[u32], out: &mut [f32]) {
    out.fill(f32::NAN);
    match packing {
        Packing::F32 => {
            for (y, &word) in out.iter_mut().zip(quants) {
                *y = f32::from_bits(word);
            }
        }
        Packing::F16 => {
            for (y, half) in out.iter_mut().zip(halves(quants)) {
                *y = f16::from_bits(half).to_f32();
            }
        }
        Packing::BF16 => {
            for (y, half) in out.iter_mut().zip(halves(quants)) {
                *y = f32::from_bits(u32::from(half) << 16);
            }
        }
        Packing::Q4 => {
            let (blocks, _) = quants.as_chunks::<4>();
            for ((y, block), &scale) in out.chunks_mut(32).zip(blocks).zip(scales) {
                let d = f16::from_bits(scale as u16).to_f32();
                let m = f16::from_bits((scale >> 16) as u16).to_f32();
                let low = bytes(block).map(|byte| byte & 0xF);
                let high = bytes(block).map(|byte| byte >> 4);
                for (y, q) in y.iter_mut().zip(low.chain(high)) {
                    *y = d * f32::from(q) + m;
                }
            }
        }
        Packing::Q8 => {
            let (blocks, _) = quants.as_chunks::<8>();
            for ((y, block), &scale) in out.chunks_mut(32).zip(blocks).zip(scales) {
                let d = f16::from_bits(scale as u16).to_f32();
                for (y, q) in y.iter_mut().zip(bytes(block)) {
                    *y = d * f32::from(q as i8);
                }
            }
        }
    }
}

/// The halves of words, the low one first.
fn halves(words: &[u32]) -> impl Iterator<Item = u16> {
    words
        .iter()
        .flat_map(|&word| [word as u16, (word >> 16) as u16])
}

/// The bytes of words, the lowest one first.
fn bytes(words: &[u32]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| word.to_le_bytes())
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

/// Appends `n` zero words to be overwritten, and returns them. Unlike `resize` it reports memory running out,
/// which gigabytes of weights can bring about in a 4 GiB wasm heap.
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
