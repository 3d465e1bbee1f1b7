//! Blocks of a file as parts, each of which becomes a block on the device.

use bytemuck::AnyBitPattern;

use super::{BlockFormat, Packing, blocks_of, check_len, grow};
use crate::container::GgmlType;
use crate::error::Result;

/// Elements of a part in most of the device's layouts.
pub(super) const PART: usize = 32;

/// A block of a file, as its bytes.
pub(super) trait FileBlock: AnyBitPattern {
    /// Writes the values of part `p`.
    fn values(&self, p: usize, out: &mut [f32]);

    /// Writes the device's words of part `p`.
    ///
    /// # Errors
    /// [`crate::error::Error::BadFile`] if a scale cannot be represented.
    fn pack(&self, dtype: GgmlType, p: usize, quants: &mut [u32], scales: &mut [u32])
    -> Result<()>;

    /// Appends the words of whole blocks, see [`BlockFormat::repack`].
    ///
    /// # Errors
    /// The errors of [`FileBlock::pack`], and [`crate::error::Error::OutOfMemory`].
    fn repack(
        format: &dyn BlockFormat,
        blocks: &[Self],
        quants: &mut Vec<u32>,
        scales: &mut Vec<u32>,
    ) -> Result<()> {
        let (dtype, parts) = (format.ggml_type(), format.block_len() / part_len(format));
        let convert = |block: &Self, p: usize, words: &mut [u32], scales: &mut [u32]| {
            block.pack(dtype, p, words, scales)
        };
        repack_blocks(format.packing(), parts, blocks, quants, scales, convert)
    }
}

/// Returns the elements of a part: a block of the device, unless the file's are smaller.
fn part_len(format: &dyn BlockFormat) -> usize {
    format.packing().block_len().min(format.block_len())
}

/// Dequantises whole blocks, see [`BlockFormat::dequantize`].
pub(super) fn dequantize<B: FileBlock>(
    format: &dyn BlockFormat,
    blocks: &[u8],
    out: &mut [f32],
) -> Result<()> {
    let blocks: &[B] = blocks_of(format, blocks)?;
    check_len(format, blocks.len(), out)?;
    let part = part_len(format);
    let parts = format.block_len() / part;
    for (i, out) in out.chunks_exact_mut(part).enumerate() {
        blocks[i / parts].values(i % parts, out);
    }
    Ok(())
}

/// Appends to `quants` and `scales` the output of `convert` for each block, which is `parts` blocks of `packing`.
/// After an error both are unchanged.
pub(super) fn repack_blocks<B>(
    packing: Packing,
    parts: usize,
    blocks: &[B],
    quants: &mut Vec<u32>,
    scales: &mut Vec<u32>,
    mut convert: impl FnMut(&B, usize, &mut [u32], &mut [u32]) -> Result<()>,
) -> Result<()> {
    let (nq, ns) = (
        packing.quant_words_per_block(),
        packing.scale_words_per_block(),
    );
    let (quants_len, scales_len) = (quants.len(), scales.len());
    let n = blocks.len().saturating_mul(parts);
    let result = grow(quants, n.saturating_mul(nq)).and_then(|words| {
        let scales = grow(scales, n.saturating_mul(ns))?;
        let made = words.chunks_exact_mut(nq).zip(scales.chunks_exact_mut(ns));
        made.enumerate().try_for_each(|(i, (words, scales))| {
            convert(&blocks[i / parts], i % parts, words, scales)
        })
    });
    if result.is_err() {
        quants.truncate(quants_len);
        scales.truncate(scales_len);
    }
    result
}

/// Appends `n` units of `N` words with an f16 scale each; two of them are a block of the device, whose scales share a word. An
/// odd number is completed with zeros.
///
/// # Errors
/// [`crate::error::Error::OutOfMemory`]; both are unchanged then.
pub(super) fn repack_units<const N: usize>(
    n: usize,
    units: impl Iterator<Item = ([u32; N], [u8; 2])>,
    quants: &mut Vec<u32>,
    scales: &mut Vec<u32>,
) -> Result<()> {
    let pairs = n.div_ceil(2);
    let quants_len = quants.len();
    let words = grow(quants, pairs.saturating_mul(2 * N))?;
    let scales = match grow(scales, pairs) {
        Ok(scales) => scales,
        Err(error) => {
            quants.truncate(quants_len);
            return Err(error);
        }
    };
    for (i, ((unit, d), words)) in units.zip(words.as_chunks_mut().0).enumerate() {
        *words = unit;
        scales[i / 2] |= u32::from(u16::from_le_bytes(d)) << (i % 2 * 16);
    }
    Ok(())
}

/// Implements [`BlockFormat`] for formats by their [`FileBlock`]s.
macro_rules! block_formats {
    ($($format:ident: $block:ident, $packing:ident;)*) => {
        $(impl $crate::quant::BlockFormat for $format {
            fn ggml_type(&self) -> $crate::container::GgmlType {
                $crate::container::GgmlType::$format
            }

            fn packing(&self) -> $crate::quant::Packing {
                $crate::quant::Packing::$packing
            }

            fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> $crate::error::Result<()> {
                $crate::quant::file_block::dequantize::<$block>(self, blocks, out)
            }

            fn repack(
                &self,
                blocks: &[u8],
                quants: &mut Vec<u32>,
                scales: &mut Vec<u32>,
            ) -> $crate::error::Result<()> {
                use $crate::quant::{blocks_of, file_block::FileBlock};
                $block::repack(self, blocks_of(self, blocks)?, quants, scales)
            }
        })*
    };
}
pub(super) use block_formats;
