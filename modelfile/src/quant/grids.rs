//! GGML's i-quants of two and three bits, whose magnitudes are entries of a grid: `IQ2_XXS`, `IQ2_XS`, `IQ2_S`, `IQ3_XXS`
//! and `IQ3_S`.
//!
//! On the device they keep the file's bits, in whole words.
//!
//! Source: `block_iq2_xxs` to `block_iq3_s` in `ggml/src/ggml-common.h` of llama.cpp, and `gguf/quants.py` of the `gguf`
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
}
