//! The unquantised formats: `F32`, `F16` and `BF16`. A block is one element.

use half::f16;

use super::{BlockFormat, Packing, blocks_of, check_len, grow};
use crate::container::GgmlType;
use crate::error::Result;

/// IEEE 754 single precision.
///
/// ```text
/// file     byte 0..4   f32, little-endian
/// device   word 0      the same bits
/// ```
#[derive(Debug)]
pub struct F32;

/// IEEE 754 half precision.
///
/// ```text
/// file     byte 0..2   f16, little-endian
/// device   word 0      element 0 | element 1 << 16
/// ```
#[derive(Debug)]
pub struct F16;

/// The upper half of a single-precision number.
///
/// ```text
/// file     byte 0..2   bf16, little-endian
/// device   word 0      element 0 | element 1 << 16
/// ```
#[derive(Debug)]
pub struct BF16;

impl BlockFormat for F32 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::F32
    }

    fn packing(&self) -> Packing {
        Packing::F32
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[[u8; 4]] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, &x) in out.iter_mut().zip(blocks) {
            *y = f32::from_le_bytes(x);
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, _scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[[u8; 4]] = blocks_of(self, blocks)?;
        for (word, &x) in grow(quants, blocks.len())?.iter_mut().zip(blocks) {
            *word = u32::from_le_bytes(x);
        }
        Ok(())
    }
}

impl BlockFormat for F16 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::F16
    }

    fn packing(&self) -> Packing {
        Packing::F16
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[[u8; 2]] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, &x) in out.iter_mut().zip(blocks) {
            *y = f16::from_le_bytes(x).to_f32();
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, _scales: &mut Vec<u32>) -> Result<()> {
        repack_halves(blocks_of(self, blocks)?, quants)
    }
}

impl BlockFormat for BF16 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::BF16
    }

    fn packing(&self) -> Packing {
        Packing::BF16
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[[u8; 2]] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, &x) in out.iter_mut().zip(blocks) {
            // Avoids `bf16::to_f32`, which changes the bits of signalling NaNs.
            *y = f32::from_bits(u32::from(u16::from_le_bytes(x)) << 16);
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, _scales: &mut Vec<u32>) -> Result<()> {
        repack_halves(blocks_of(self, blocks)?, quants)
    }
}

/// Packs two halves into a word, the earlier one low; an odd last one is completed with zero.
fn repack_halves(halves: &[[u8; 2]], quants: &mut Vec<u32>) -> Result<()> {
    let words = grow(quants, halves.len().div_ceil(2))?;
    let (pairs, rest) = halves.as_chunks::<2>();
    for (word, &[low, high]) in words.iter_mut().zip(pairs) {
        *word = u32::from_le_bytes([low[0], low[1], high[0], high[1]]);
    }
    if let (Some(word), Some(&low)) = (words.last_mut(), rest.first()) {
        *word = u16::from_le_bytes(low).into();
    }
    Ok(())
}
