//! GGML's i-quants of one to three bits, whose numbers or magnitudes are entries of a grid: `IQ1_S`, `IQ1_M`, `IQ2_XXS`,
//! `IQ2_XS`, `IQ2_S`, `IQ3_XXS` and `IQ3_S`.
//!
//! On the device they keep the file's bits, in whole words; the two of one bit have a layout in common.
//!
//! Source: `block_iq1_s` to `block_iq3_s` in `ggml/src/ggml-common.h` of llama.cpp, and `gguf/quants.py` of the `gguf`
//! Python package.

#![allow(non_camel_case_types, reason = "the formats' own names")]

use bytemuck::AnyBitPattern;

use super::file_block::{FileBlock, block_formats};
use super::{Packing, unpack_row};
use crate::container::GgmlType;
use crate::error::Result;

/// An entry of 256 for 8 elements, and a 4-bit scale s for 32: `value = d * (s + 0.5) / 4 * magnitude`, with a sign.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..66   eight parts: 4 indices; u32 with 4 times 7 signs and s above them, where the eighth sign makes the
///                       number of negative elements even
/// device   Iq2Xxs, exact
/// ```
#[derive(Debug)]
pub struct IQ2_XXS;

/// An entry of 512 for 8 elements, and a 4-bit scale s for 16: `value = d * (s + 0.5) / 4 * magnitude`, with a sign.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..66   u16 for each 8 elements: the index, 9 bits; 7 signs, as in IQ2_XXS
///          byte 66..74  s, two in a byte
/// device   Iq2Xs, exact
/// ```
#[derive(Debug)]
pub struct IQ2_XS;

/// An entry of 1024 for 8 elements, and a 4-bit scale s for 16: `value = d * (s + 0.5) / 4 * magnitude`, with a sign.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..34   the lower 8 bits of the indices
///          byte 34..66  signs: element e = bit e % 8 of byte e / 8
///          byte 66..74  the upper two bits of the indices, four in a byte
///          byte 74..82  s, two in a byte
/// device   Iq2S, exact
/// ```
#[derive(Debug)]
pub struct IQ2_S;

/// An entry of 256 for 4 elements, and a 4-bit scale s for 32: `value = d * (s + 0.5) / 2 * magnitude`, with a sign.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..66   indices
///          byte 66..98  u32 for each 32 elements: signs and s, as in IQ2_XXS
/// device   Iq3Xxs, exact
/// ```
#[derive(Debug)]
pub struct IQ3_XXS;

/// An entry of 512 for 4 elements, and a 4-bit scale s for 32: `value = d * (2 s + 1) * magnitude`, with a sign.
///
/// ```text
/// file     byte 0..2      d, f16
///          byte 2..66     the lower 8 bits of the indices
///          byte 66..74    the upper bit of the indices, eight in a byte
///          byte 74..106   signs, as in IQ2_S
///          byte 106..110  s, two in a byte
/// device   Iq3S, exact
/// ```
#[derive(Debug)]
pub struct IQ3_S;

/// An entry of 2048 for 8 elements, -1, 0 or 1 each, a 3-bit scale s for 32, and whether these 32 are moved up or down by an
/// eighth: `value = d * (2 s + 1) * (entry +- 1 / 8)`.
///
/// ```text
/// file     byte 0..2    d, f16
///          byte 2..34   the lower 8 bits of the indices
///          byte 34..50  u16 for each 32 elements: the upper bits of four indices, 3 each; s; 1 for down
/// device   Iq1, exact
/// ```
#[derive(Debug)]
pub struct IQ1_S;

/// Format like `IQ1_S`, with s for 16 elements and moved up or down for 8.
///
/// ```text
/// file     byte 0..32   the lower 8 bits of the indices
///          byte 32..48  a nibble for each 8 elements: the upper 3 bits of the index, 1 for down
///          byte 48..56  u16 for each 64 elements: s of each 16, 3 bits; 4 bits of d, f16, the lowest first
/// device   Iq1, exact
/// ```
#[derive(Debug)]
pub struct IQ1_M;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block2Xxs {
    d: [u8; 2],
    parts: [[[u8; 4]; 2]; 8],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block2Xs {
    d: [u8; 2],
    parts: [[[u8; 4]; 2]; 8],
    scales: [[u8; 4]; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block2S {
    d: [u8; 2],
    low: [[u8; 4]; 8],
    signs: [[u8; 4]; 8],
    high: [[u8; 4]; 2],
    scales: [[u8; 4]; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block3Xxs {
    d: [u8; 2],
    low: [[[u8; 4]; 2]; 8],
    signs: [[u8; 4]; 8],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block3S {
    d: [u8; 2],
    low: [[[u8; 4]; 2]; 8],
    high: [[u8; 4]; 2],
    signs: [[u8; 4]; 8],
    scales: [u8; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block1S {
    d: [u8; 2],
    low: [[u8; 4]; 8],
    rest: [[u8; 2]; 8],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct Block1M {
    low: [[u8; 4]; 8],
    high: [[u8; 4]; 4],
    scales: [[u8; 2]; 4],
}

/// A block as the device keeps it: `Q` words for each of eight parts, and `S` words of scales.
type Words<const Q: usize, const S: usize> = ([[[u8; 4]; Q]; 8], [[u8; 4]; S]);

/// Returns d as a word.
fn scale([a, b]: [u8; 2]) -> [u8; 4] {
    [a, b, 0, 0]
}

impl Block2Xxs {
    fn words(&self) -> Words<2, 1> {
        (self.parts, [scale(self.d)])
    }
}

impl Block2Xs {
    fn words(&self) -> Words<2, 3> {
        let [a, b] = self.scales;
        (self.parts, [scale(self.d), a, b])
    }
}

impl Block2S {
    fn words(&self) -> Words<2, 5> {
        let ([a, b], [e, f]) = (self.scales, self.high);
        let part = |p: usize| [self.low[p], self.signs[p]];
        (std::array::from_fn(part), [scale(self.d), a, b, e, f])
    }
}

/// Returns the words of parts whose indices take two.
fn with_signs(low: &[[[u8; 4]; 2]; 8], signs: &[[u8; 4]; 8]) -> [[[u8; 4]; 3]; 8] {
    std::array::from_fn(|p| [low[p][0], low[p][1], signs[p]])
}

impl Block3Xxs {
    fn words(&self) -> Words<3, 1> {
        (with_signs(&self.low, &self.signs), [scale(self.d)])
    }
}

impl Block3S {
    fn words(&self) -> Words<3, 4> {
        let [e, f] = self.high;
        let scales = [scale(self.d), self.scales, e, f];
        (with_signs(&self.low, &self.signs), scales)
    }
}

/// Returns the words of `Iq1`: `scales` has a byte for each part, and `nibbles` one for each of its indices.
fn one_bit(low: &[[u8; 4]; 8], d: [u8; 2], scales: [u8; 8], nibbles: [[u8; 4]; 4]) -> Words<1, 7> {
    let [a, b, c, e, f, g, h, i] = scales;
    let [j, k, l, m] = nibbles;
    let words = [scale(d), [a, b, c, e], [f, g, h, i], j, k, l, m];
    (low.map(|low| [low]), words)
}

impl Block1S {
    fn words(&self) -> Words<1, 7> {
        let rest = self.rest.map(u16::from_le_bytes);
        let s = rest.map(|rest| (rest >> 12 & 7) as u8 * 0x11);
        let nibbles = rest.map(|rest| {
            let down = rest >> 15 << 3;
            let nibble = |k: u16| (rest >> (3 * k) & 7 | down) << (4 * k);
            (nibble(0) | nibble(1) | nibble(2) | nibble(3)).to_le_bytes()
        });
        let pair = |p: usize| {
            let ([a, b], [c, d]) = (nibbles[2 * p], nibbles[2 * p + 1]);
            [a, b, c, d]
        };
        one_bit(&self.low, self.d, s, std::array::from_fn(pair))
    }
}

impl Block1M {
    fn words(&self) -> Words<1, 7> {
        let scales = self.scales.map(u16::from_le_bytes);
        let d = (0..4).fold(0, |d, i| d | scales[i] >> 12 << (4 * i));
        let s = |p: usize| {
            let s = scales[p / 2] >> (p % 2 * 6);
            (s & 7 | (s >> 3 & 7) << 4) as u8
        };
        let s = std::array::from_fn(s);
        one_bit(&self.low, d.to_le_bytes(), s, self.high)
    }
}

/// Implements [`FileBlock`] and the format for blocks that have `words`.
macro_rules! grid_formats {
    ($($format:ident: $block:ident, $packing:ident;)*) => {
        $(impl FileBlock for $block {
            fn values(&self, _: usize, out: &mut [f32]) {
                let (parts, scales) = self.words();
                let quants = parts.as_flattened().iter().map(|word| u32::from_le_bytes(*word));
                let quants: Vec<u32> = quants.collect();
                unpack_row(Packing::$packing, &quants, &scales.map(u32::from_le_bytes), out);
            }

            fn pack(
                &self,
                _: GgmlType,
                _: usize,
                quants: &mut [u32],
                scales: &mut [u32],
            ) -> Result<()> {
                let (parts, of_all) = self.words();
                for (to, from) in quants.iter_mut().zip(parts.as_flattened()) {
                    *to = u32::from_le_bytes(*from);
                }
                for (to, from) in scales.iter_mut().zip(of_all) {
                    *to = u32::from_le_bytes(from);
                }
                Ok(())
            }
        })*

        block_formats! { $($format: $block, $packing;)* }
    };
}

grid_formats! {
    IQ2_XXS: Block2Xxs, Iq2Xxs;
    IQ2_XS: Block2Xs, Iq2Xs;
    IQ2_S: Block2S, Iq2S;
    IQ3_XXS: Block3Xxs, Iq3Xxs;
    IQ3_S: Block3S, Iq3S;
    IQ1_S: Block1S, Iq1;
    IQ1_M: Block1M, Iq1;
}
