//! GGML's "legacy" quantised formats with one scale per 32 elements: `Q4_0`, `Q4_1`, `Q5_0`, `Q5_1` and `Q8_0`.
//!
//! Source: `block_q4_0` to `block_q8_0` in `ggml/src/ggml-common.h` of llama.cpp, and
//! `gguf/quants.py` of the `gguf` Python package for the exact order of operations.

use bytemuck::AnyBitPattern;
use half::f16;

use super::file_block::{repack_blocks, repack_units};
use super::packing::pack_bit;
use super::{BlockFormat, Packing, blocks_of, check_len, scale_word};
use crate::container::GgmlType;
use crate::error::Result;

/// Elements per block of every format here.
const BLOCK_LEN: usize = 32;

/// 4 bits with a symmetric offset: `value = d * (q - 8)`, `q` in 0..=15.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..18   qs: low nibble of qs[j] = element j, high nibble = element j + 16
/// device   quants 0..4  qs, verbatim
///          scales 0     d, in half of a word
/// ```
#[derive(Debug)]
pub struct Q4_0;

/// 4 bits with a minimum: `value = d * q + m`, `q` in 0..=15.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..4    m, f16
///          byte 4..20   qs: low nibble of qs[j] = element j, high nibble = element j + 16
/// device   quants 0..4  qs, verbatim
///          scales 0     d | m << 16, verbatim
/// ```
#[derive(Debug)]
pub struct Q4_1;

/// 5 bits with a symmetric offset: `value = d * (q - 16)`, `q` in 0..=31.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..6    bit j = the fifth bit of element j
///          byte 6..22   the lower four, as in Q4_0
/// device   Q5: d | (-16 * d) << 16, so that value = d * q + m as in Q5_1
/// ```
///
/// Zeros of a block with negative `d` are `-0.0` when dequantised and `+0.0` on the device.
#[derive(Debug)]
pub struct Q5_0;

/// 5 bits with a minimum: `value = d * q + m`, `q` in 0..=31.
///
/// ```text
/// file     byte 0..4    d, m, f16
///          byte 4..8    bit j = the fifth bit of element j
///          byte 8..24   the lower four, as in Q4_0
/// device   Q5: d | m << 16, verbatim
/// ```
#[derive(Debug)]
pub struct Q5_1;

/// 8 bits: `value = d * q`, `q` in -128..=127.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..34   qs: element j = qs[j], i8
/// device   quants 0..8  qs, verbatim
///          scales 0     d, in half of a word
/// ```
#[derive(Debug)]
pub struct Q8_0;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ4_0 {
    d: [u8; 2],
    qs: [[u8; 4]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ4_1 {
    d: [u8; 2],
    m: [u8; 2],
    qs: [[u8; 4]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ5_0 {
    d: [u8; 2],
    qh: [u8; 4],
    qs: [[u8; 4]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ5_1 {
    d: [u8; 2],
    m: [u8; 2],
    qh: [u8; 4],
    qs: [[u8; 4]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ8_0 {
    d: [u8; 2],
    qs: [[u8; 4]; 8],
}

impl BlockFormat for Q4_0 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::Q4_0
    }

    fn packing(&self) -> Packing {
        Packing::Q4S
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[BlockQ4_0] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, block) in out.chunks_exact_mut(BLOCK_LEN).zip(blocks) {
            let d = f16::from_le_bytes(block.d).to_f32();
            for (y, q) in y.iter_mut().zip(nibbles(&block.qs)) {
                *y = d * (f32::from(q) - 8.0);
            }
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[BlockQ4_0] = blocks_of(self, blocks)?;
        let units = (blocks.iter()).map(|block| (block.qs.map(u32::from_le_bytes), block.d));
        repack_units(blocks.len(), units, quants, scales)
    }
}

impl BlockFormat for Q4_1 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::Q4_1
    }

    fn packing(&self) -> Packing {
        Packing::Q4
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[BlockQ4_1] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, block) in out.chunks_exact_mut(BLOCK_LEN).zip(blocks) {
            let d = f16::from_le_bytes(block.d).to_f32();
            let m = f16::from_le_bytes(block.m).to_f32();
            for (y, q) in y.iter_mut().zip(nibbles(&block.qs)) {
                *y = d * f32::from(q) + m;
            }
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[BlockQ4_1] = blocks_of(self, blocks)?;
        let convert = |block: &BlockQ4_1, _: usize, words: &mut [u32], out: &mut [u32]| {
            words.copy_from_slice(&block.qs.map(u32::from_le_bytes));
            out[0] = u32::from_le_bytes([block.d[0], block.d[1], block.m[0], block.m[1]]);
            Ok(())
        };
        repack_blocks(Packing::Q4, 1, blocks, quants, scales, convert)
    }
}

impl BlockFormat for Q5_0 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::Q5_0
    }

    fn packing(&self) -> Packing {
        Packing::Q5
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[BlockQ5_0] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, block) in out.chunks_exact_mut(BLOCK_LEN).zip(blocks) {
            let d = f16::from_le_bytes(block.d).to_f32();
            for (y, q) in y.iter_mut().zip(with_fifth(&block.qs, block.qh)) {
                *y = d * (f32::from(q) - 16.0);
            }
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[BlockQ5_0] = blocks_of(self, blocks)?;
        let convert = |block: &BlockQ5_0, _: usize, words: &mut [u32], out: &mut [u32]| {
            words.copy_from_slice(&block.qs.map(u32::from_le_bytes));
            let d = f16::from_le_bytes(block.d).to_f32();
            out[0] = scale_word(GgmlType::Q5_0, d, -16.0 * d)?;
            out[1] = pack_bit(&with_fifth(&block.qs, block.qh), 4);
            Ok(())
        };
        repack_blocks(Packing::Q5, 1, blocks, quants, scales, convert)
    }
}

impl BlockFormat for Q5_1 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::Q5_1
    }

    fn packing(&self) -> Packing {
        Packing::Q5
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[BlockQ5_1] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, block) in out.chunks_exact_mut(BLOCK_LEN).zip(blocks) {
            let d = f16::from_le_bytes(block.d).to_f32();
            let m = f16::from_le_bytes(block.m).to_f32();
            for (y, q) in y.iter_mut().zip(with_fifth(&block.qs, block.qh)) {
                *y = d * f32::from(q) + m;
            }
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[BlockQ5_1] = blocks_of(self, blocks)?;
        let convert = |block: &BlockQ5_1, _: usize, words: &mut [u32], out: &mut [u32]| {
            words.copy_from_slice(&block.qs.map(u32::from_le_bytes));
            out[0] = u32::from_le_bytes([block.d[0], block.d[1], block.m[0], block.m[1]]);
            out[1] = pack_bit(&with_fifth(&block.qs, block.qh), 4);
            Ok(())
        };
        repack_blocks(Packing::Q5, 1, blocks, quants, scales, convert)
    }
}

impl BlockFormat for Q8_0 {
    fn ggml_type(&self) -> GgmlType {
        GgmlType::Q8_0
    }

    fn packing(&self) -> Packing {
        Packing::Q8
    }

    fn dequantize(&self, blocks: &[u8], out: &mut [f32]) -> Result<()> {
        let blocks: &[BlockQ8_0] = blocks_of(self, blocks)?;
        check_len(self, blocks.len(), out)?;
        for (y, block) in out.chunks_exact_mut(BLOCK_LEN).zip(blocks) {
            let d = f16::from_le_bytes(block.d).to_f32();
            for (y, &q) in y.iter_mut().zip(block.qs.as_flattened()) {
                *y = d * f32::from(q as i8);
            }
        }
        Ok(())
    }

    fn repack(&self, blocks: &[u8], quants: &mut Vec<u32>, scales: &mut Vec<u32>) -> Result<()> {
        let blocks: &[BlockQ8_0] = blocks_of(self, blocks)?;
        let units = (blocks.iter()).map(|block| (block.qs.map(u32::from_le_bytes), block.d));
        repack_units(blocks.len(), units, quants, scales)
    }
}

/// Returns the 32 nibbles of a block in element order: the low ones, then the high ones.
fn nibbles(qs: &[[u8; 4]; 4]) -> impl Iterator<Item = u8> {
    let bytes = qs.as_flattened();
    let low = bytes.iter().map(|byte| byte & 0xF);
    low.chain(bytes.iter().map(|byte| byte >> 4))
}

/// Returns the 32 five-bit numbers of a block in element order.
fn with_fifth(qs: &[[u8; 4]; 4], qh: [u8; 4]) -> [u8; BLOCK_LEN] {
    let (qs, qh) = (qs.as_flattened(), u32::from_le_bytes(qh));
    std::array::from_fn(|j| qs[j % 16] >> (j / 16 * 4) & 15 | ((qh >> j & 1) as u8) << 4)
}
