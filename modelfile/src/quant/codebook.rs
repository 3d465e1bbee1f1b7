//! GGML's 4-bit formats whose quants are indices into a table: `IQ4_NL`, `IQ4_XS`, `MXFP4` and `NVFP4`.
//!
//! On the device the nibbles are unchanged, their scale is multiplied out as an f32 (in NVFP4 as an f16), and kernels look
//! them up.
//!
//! Source: `block_iq4_nl`, `block_iq4_xs`, `block_mxfp4` and `block_nvfp4` in `ggml/src/ggml-common.h` of llama.cpp, and
//! `gguf/quants.py` of the `gguf` Python package for the exact order of operations; MXFP4: OCP Microscaling Formats
//! specification 1.0.

#![allow(non_camel_case_types, reason = "the formats' own names")]

use bytemuck::AnyBitPattern;
use half::f16;
use hearth_cpu::formats::{FP4_TABLE, IQ4_TABLE};

use super::file_block::{FileBlock, block_formats};
use super::{blocks_of, grow, scale_word};
use crate::container::GgmlType;
use crate::error::{Error, Result};

/// 4-bit indices into a table: `value = d * table[q]`.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..18   qs: low nibble of qs[j] = element j, high nibble = element j + 16
/// device   Iq4
/// ```
#[derive(Debug)]
pub struct IQ4_NL;

/// Format like `IQ4_NL`, with a 6-bit scale per 32 of 256 elements: `value = d * (sc - 32) * table[q]`.
///
/// ```text
/// file     byte 0..2     d, f16
///          byte 2..4     upper 2 bits of the scale of part p at bit 2 p
///          byte 4..8     lower 4 bits, two parts a byte
///          byte 8..136   qs, 16 bytes a part, as in IQ4_NL
/// device   Iq4
/// ```
#[derive(Debug)]
pub struct IQ4_XS;

/// 4-bit floats (E2M1) scaled by a power of two: `value = 2^(e - 127) * float`.
///
/// ```text
/// file     byte 0       e, the exponent
///          byte 1..17   qs, as in IQ4_NL
/// device   Fp4
/// ```
#[derive(Debug)]
pub struct MXFP4;

/// 4-bit floats (E2M1) with an 8-bit float (E4M3 without its sign) as the scale of 16 elements: `value = scale * float`. A
/// tensor of such blocks may come with a factor, see [`multiply_scales`].
///
/// ```text
/// file     byte 0..4    scales of four parts; 0x7f is 0, the top bit is ignored
///          byte 4..36   qs, 8 bytes a part: low nibble of qs[j] = element j, high nibble = element j + 8
/// device   Nvfp4, exact where there is no factor
/// ```
#[derive(Debug)]
pub struct NVFP4;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockNl {
    d: [u8; 2],
    qs: [u8; 16],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockXs {
    d: [u8; 2],
    scales_h: [u8; 2],
    scales_l: [u8; 4],
    qs: [[u8; 16]; 8],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockMx {
    e: u8,
    qs: [u8; 16],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockNv {
    d: [u8; 4],
    qs: [[u8; 8]; 4],
}

impl BlockNv {
    /// Returns the scales of the halves of part `p`, half as large since the table is doubled.
    fn scales(&self, p: usize) -> [f32; 2] {
        [0, 1].map(|half| half_of_e4m3(self.d[2 * p + half]))
    }

    /// Returns the nibbles of part `p` as the device keeps them: byte j has element j and element j + 16.
    fn nibbles(&self, p: usize) -> [u8; 16] {
        let element = |half: usize, j: usize| self.qs[2 * p + half][j % 8] >> (j / 8 * 4) & 15;
        std::array::from_fn(|j| element(0, j) | element(1, j) << 4)
    }
}

impl FileBlock for BlockNv {
    fn values(&self, p: usize, out: &mut [f32]) {
        let (d, qs) = (self.scales(p), self.nibbles(p));
        for (j, y) in out.iter_mut().enumerate() {
            let q = qs[j % 16] >> (j / 16 * 4) & 15;
            *y = d[j / 16] * f32::from(FP4_TABLE[usize::from(q)]);
        }
    }

    fn pack(&self, dtype: GgmlType, p: usize, words: &mut [u32], scales: &mut [u32]) -> Result<()> {
        let (qs, [d, e]) = (self.nibbles(p), self.scales(p));
        for (word, four) in words.iter_mut().zip(qs.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*four);
        }
        scales[0] = scale_word(dtype, d, e)?;
        Ok(())
    }
}

/// Returns half of an E4M3 number without its sign, bias 7. Its NaN is 0, as in llama.cpp.
fn half_of_e4m3(byte: u8) -> f32 {
    let (e, m) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    match (byte, e) {
        (0x7f, _) => 0.0,
        (_, 0) => m * 2f32.powi(-10),
        _ => (8.0 + m) * 2f32.powi(e - 11),
    }
}

/// Multiplies scales of [`Packing::Nvfp4`](super::Packing::Nvfp4) by the factor of their tensor, rounding to f16.
///
/// # Errors
/// [`Error::BadFile`] if a product is too large for f16.
pub fn multiply_scales(scales: &mut [u32], factor: f32) -> Result<()> {
    for word in scales {
        let [d, e] = [0, 16].map(|at| f16::from_bits((*word >> at) as u16).to_f32() * factor);
        *word = scale_word(GgmlType::NVFP4, d, e)?;
    }
    Ok(())
}

/// 32 elements: value = d * table[q], with the file's nibbles.
struct Part {
    qs: [u8; 16],
    d: f32,
}

impl BlockNl {
    fn part(&self, _: usize) -> Part {
        Part {
            qs: self.qs,
            d: f16::from_le_bytes(self.d).to_f32(),
        }
    }
}

impl BlockXs {
    fn part(&self, p: usize) -> Part {
        let lower = self.scales_l[p / 2] >> (p % 2 * 4) & 15;
        let upper = u16::from_le_bytes(self.scales_h) >> (2 * p) & 3;
        let scale = f32::from(u16::from(lower) | upper << 4) - 32.0;
        Part {
            qs: self.qs[p],
            d: f16::from_le_bytes(self.d).to_f32() * scale,
        }
    }
}

impl BlockMx {
    fn part(&self, _: usize) -> Part {
        Part {
            qs: self.qs,
            d: power_of_two(self.e),
        }
    }
}

/// Returns half of 2^(e - 127), since the table is doubled; the two smallest are subnormal.
fn power_of_two(e: u8) -> f32 {
    let e = u32::from(e);
    f32::from_bits(match e < 2 {
        true => 0x0020_0000 << e,
        false => (e - 1) << 23,
    })
}

impl Part {
    fn values(&self, table: &[i8; 16], out: &mut [f32]) {
        for (j, y) in out.iter_mut().enumerate() {
            let q = self.qs[j % 16] >> (j / 16 * 4) & 15;
            *y = self.d * f32::from(table[usize::from(q)]);
        }
    }

    fn pack(&self, dtype: GgmlType, words: &mut [u32], scales: &mut [u32]) -> Result<()> {
        for (word, four) in words.iter_mut().zip(self.qs.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*four);
        }
        scales[0] = scale_bits(dtype, self.d)?;
        Ok(())
    }
}

/// Implements [`FileBlock`] for blocks whose parts are [`Part`]s.
macro_rules! looked_up {
    ($($block:ident: $table:ident;)*) => {
        $(impl FileBlock for $block {
            fn values(&self, p: usize, out: &mut [f32]) {
                self.part(p).values(&$table, out);
            }

            fn pack(
                &self,
                dtype: GgmlType,
                p: usize,
                quants: &mut [u32],
                scales: &mut [u32],
            ) -> Result<()> {
                self.part(p).pack(dtype, quants, scales)
            }
        })*
    };
}

looked_up! {
    BlockNl: IQ4_TABLE;
    BlockXs: IQ4_TABLE;
    BlockMx: FP4_TABLE;
}

block_formats! {
    IQ4_NL: BlockNl, Iq4;
    IQ4_XS: BlockXs, Iq4;
    MXFP4: BlockMx, Fp4;
    NVFP4: BlockNv, Nvfp4;
}

/// Returns the bits of a scale whose products with all entries of a table are finite.
fn scale_bits(dtype: GgmlType, d: f32) -> Result<u32> {
    if (d * 127.0).is_finite() {
        return Ok(d.to_bits());
    }
    Err(Error::BadFile {
        format: "GGUF",
        what: format!("a {dtype} scale"),
        expected: "a finite number whose multiples are finite".into(),
        found: d.to_string(),
    })
}

/// Repacks [`MXFP4`] as stored in gpt-oss's safetensors, with quants and scales separate: appends the words of
/// [`Packing::Fp4`] for quants, 16 bytes per 32 elements, where byte `j` holds elements `2 j` (low nibble) and `2 j +
/// 1`.
///
/// Source: `convert_moe_packed_tensors` in transformers' `integrations/mxfp4.py`.
///
/// # Errors
/// [`Error::Truncated`] if the last 16 bytes are incomplete, [`Error::OutOfMemory`].
pub fn repack_pairs(bytes: &[u8], quants: &mut Vec<u32>) -> Result<()> {
    let blocks: &[[u8; 16]] = blocks_of(&MXFP4, bytes)?;
    let words = grow(quants, 4 * blocks.len())?;
    for (words, pairs) in words.chunks_exact_mut(4).zip(blocks) {
        let element = |i: usize| u32::from(pairs[i / 2] >> (i % 2 * 4) & 15);
        for (w, word) in words.iter_mut().enumerate() {
            let byte = |j: usize| element(4 * w + j) | element(4 * w + j + 16) << 4;
            *word = (0..4).fold(0, |word, j| word | byte(j) << (8 * j));
        }
    }
    Ok(())
}

/// Repacks the scales that belong to [`repack_pairs`]: a byte, the exponent, for each block.
///
/// # Errors
/// [`Error::BadFile`] for an exponent that does not represent a number, [`Error::OutOfMemory`].
pub fn repack_exponents(bytes: &[u8], scales: &mut Vec<u32>) -> Result<()> {
    let words = grow(scales, bytes.len())?;
    for (word, e) in words.iter_mut().zip(bytes) {
        *word = scale_bits(GgmlType::MXFP4, power_of_two(*e))?;
    }
    Ok(())
}
