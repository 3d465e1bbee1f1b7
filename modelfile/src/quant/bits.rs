//! Formats of one and two bits without a minimum: `Q1_0`, `Q2_0`, `PQ2_0`, `TQ1_0` and `TQ2_0`.
//!
//! On the device the ternary types take two bits a weight.
//!
//! Source: `block_q1_0`, `block_q2_0`, `block_tq1_0` and `block_tq2_0` in `ggml/src/ggml-common.h` of llama.cpp and
//! `gguf/quants.py` of the `gguf` Python package; PQ2_0: <https://github.com/ggml-org/llama.cpp/issues/29058>.

#![allow(non_camel_case_types, reason = "the formats' own names")]

use bytemuck::AnyBitPattern;

use super::file_block::{FileBlock, PART, block_formats, repack_units};
use super::packing::pack_two_bits;
use super::{BlockFormat, Packing, unpack_row};
use crate::container::GgmlType;
use crate::error::Result;

/// Signs: `value = d` where a bit is 1, `-d` where it is 0.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..18   qs: element e = bit e % 8 of qs[e / 8]
/// device   Q1, exact
/// ```
#[derive(Debug)]
pub struct Q1_0;

/// 2 bits: `value = d * (q - 1)`, with `q` in 0..=3.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..18   qs: element e = bits 2 (e % 4) and up of qs[e / 4]
/// device   Q2S, exact
/// ```
#[derive(Debug)]
pub struct Q2_0;

/// Format like `Q2_0` with blocks of 128. Files from before the type had an id of its own call it `Q2_0`.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..34   qs, as in Q2_0
/// device   Q2S, exact
/// ```
#[derive(Debug)]
pub struct PQ2_0;

/// Ternary in base 3: `value = d * (q - 1)`, with `q` in 0..=2.
///
/// ```text
/// file     byte 0..48   qs: five elements a byte, 32 apart in the first 32 bytes, then 16 apart
///          byte 48..52  qh: four elements a byte, 4 apart
///          byte 52..54  d, f16
///          digit m of a byte is the integer part of 3 times the fraction of byte * 3^m / 256
/// device   Q2S, exact
/// ```
#[derive(Debug)]
pub struct TQ1_0;

/// Ternary in two bits: `value = d * (q - 1)`, with `q` in 0..=3.
///
/// ```text
/// file     byte 0..64   qs: element 128 n + 32 j + l = bits 2 j and up of qs[32 n + l]
///          byte 64..66  d, f16
/// device   Q2S, exact
/// ```
#[derive(Debug)]
pub struct TQ2_0;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ1 {
    d: [u8; 2],
    qs: [[u8; 4]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ2 {
    d: [u8; 2],
    qs: [[u8; 8]; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockPq2 {
    d: [u8; 2],
    qs: [[[u8; 8]; 2]; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockTq1 {
    qs: [u8; 32],
    rest: [u8; 16],
    qh: [u8; 4],
    d: [u8; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockTq2 {
    qs: [[u8; 32]; 2],
    d: [u8; 2],
}

/// A block of units of four words, each with an f16 scale; the device keeps the scales of two units in a word.
trait Units: AnyBitPattern {
    const UNITS: usize;
    const PACKING: Packing;
    /// Returns the words and the scale of unit `u`.
    fn unit(&self, u: usize) -> ([u32; 4], [u8; 2]);
}

impl<B: Units> FileBlock for B {
    fn values(&self, p: usize, out: &mut [f32]) {
        let (mut words, mut scales) = ([0; 8], [0]);
        for u in 2 * p..B::UNITS.min(2 * p + 2) {
            put_unit(self.unit(u), u % 2, &mut words, &mut scales[0]);
        }
        unpack_row(B::PACKING, &words, &scales, out);
    }

    fn pack(&self, _: GgmlType, p: usize, quants: &mut [u32], scales: &mut [u32]) -> Result<()> {
        for u in 0..2 {
            put_unit(self.unit(2 * p + u), u, quants, &mut scales[0]);
        }
        Ok(())
    }

    fn repack(
        _: &dyn BlockFormat,
        blocks: &[Self],
        quants: &mut Vec<u32>,
        scales: &mut Vec<u32>,
    ) -> Result<()> {
        let units = blocks.iter().flat_map(|b| (0..B::UNITS).map(|u| b.unit(u)));
        repack_units(blocks.len() * B::UNITS, units, quants, scales)
    }
}

/// Writes the first or the second unit of a block on the device.
fn put_unit((words, d): ([u32; 4], [u8; 2]), at: usize, quants: &mut [u32], scales: &mut u32) {
    quants[4 * at..4 * at + 4].copy_from_slice(&words);
    *scales |= u32::from(u16::from_le_bytes(d)) << (16 * at);
}

/// Packs two parts of a unit of two bits.
fn two_parts(part: impl Fn(usize) -> [u8; PART]) -> [u32; 4] {
    let [a, b] = [0, 1].map(|p| pack_two_bits(&part(p), 0));
    [a[0], a[1], b[0], b[1]]
}

/// Returns 32 elements that lie four in a byte.
fn fours(bytes: &[u8; 8]) -> [u8; PART] {
    std::array::from_fn(|e| bytes[e / 4] >> (e % 4 * 2) & 3)
}

impl Units for BlockQ1 {
    const UNITS: usize = 1;
    const PACKING: Packing = Packing::Q1;

    fn unit(&self, _: usize) -> ([u32; 4], [u8; 2]) {
        (self.qs.map(u32::from_le_bytes), self.d)
    }
}

impl Units for BlockQ2 {
    const UNITS: usize = 1;
    const PACKING: Packing = Packing::Q2S;

    fn unit(&self, _: usize) -> ([u32; 4], [u8; 2]) {
        (two_parts(|p| fours(&self.qs[p])), self.d)
    }
}

impl Units for BlockPq2 {
    const UNITS: usize = 2;
    const PACKING: Packing = Packing::Q2S;

    fn unit(&self, u: usize) -> ([u32; 4], [u8; 2]) {
        (two_parts(|p| fours(&self.qs[u][p])), self.d)
    }
}

impl Units for BlockTq1 {
    const UNITS: usize = 4;
    const PACKING: Packing = Packing::Q2S;

    fn unit(&self, u: usize) -> ([u32; 4], [u8; 2]) {
        let element = |e: usize| {
            let (byte, digit) = match e {
                0..160 => (self.qs[e % 32], e / 32),
                160..240 => (self.rest[e % 16], (e - 160) / 16),
                _ => (self.qh[e % 4], (e - 240) / 4),
            };
            let fraction = byte.wrapping_mul([1, 3, 9, 27, 81][digit]);
            ((u16::from(fraction) * 3) >> 8) as u8
        };
        let part = |p: usize| std::array::from_fn(|i| element(64 * u + 32 * p + i));
        (two_parts(part), self.d)
    }
}

impl Units for BlockTq2 {
    const UNITS: usize = 4;
    const PACKING: Packing = Packing::Q2S;

    fn unit(&self, u: usize) -> ([u32; 4], [u8; 2]) {
        let part = |p: usize| self.qs[u / 2].map(|byte| byte >> (u % 2 * 4 + p * 2) & 3);
        (two_parts(part), self.d)
    }
}

block_formats! {
    Q1_0: BlockQ1, Q1;
    Q2_0: BlockQ2, Q2S;
    PQ2_0: BlockPq2, Q2S;
    TQ1_0: BlockTq1, Q2S;
    TQ2_0: BlockTq2, Q2S;
}
