//! GGML's "K" formats: blocks of 256 elements whose parts of 16 or 32 each have a small integer scale.
//!
//! On the device Q2_K, Q4_K and Q6_K keep their scales, so that a token reads no more than the file has. Each part of 32
//! of Q3_K and Q5_K has its scales multiplied out and rounded to f16, an error of at most 2^-11 of the scale: a hundredth
//! of the format's own loss. So the kernels of a plain counterpart can read those.
//!
//! Source: `block_q2_K` to `block_q6_K` in `ggml/src/ggml-common.h` of llama.cpp, and `gguf/quants.py` of the `gguf`
//! Python package for the exact order of operations.

#![allow(non_camel_case_types, reason = "the formats' own names")]

use bytemuck::AnyBitPattern;
use half::f16;

use super::file_block::{FileBlock, PART, block_formats};
use super::packing::{pack_bit, pack_nibbles, pack_two_bits};
use super::scale_word;
use crate::container::GgmlType;
use crate::error::Result;

/// 2 bits with a 4-bit scale and minimum per 16: `value = d * sc * q - dmin * m`.
///
/// ```text
/// file     byte 0..16   element part i of 16: sc in the low nibble, m in the high one
///          byte 16..80  qs: element 128 n + 32 j + l = bits 2 j, 2 j + 1 of qs[32 n + l]
///          byte 80..84  d, dmin, f16
/// device   Q2, exact
/// ```
#[derive(Debug)]
pub struct Q2_K;

/// 3 bits with a 6-bit scale per 16: `value = d * (sc - 32) * (q - 4)`.
///
/// ```text
/// file     byte 0..32    hmask: bit e / 32 of hmask[e % 32] is the third bit of element e
///          byte 32..96   qs: its lower two, as in Q2_K
///          byte 96..108  sc, 6 bits each: the lower 4 of i are in byte i % 8, in the high nibble from 8 on;
///                        the upper 2 in byte 8 + i % 4, at bit 2 * (i / 4)
///          byte 108..110 d, f16
/// device   Q3
/// ```
#[derive(Debug)]
pub struct Q3_K;

/// 4 bits with a 6-bit scale and minimum per 32: `value = d * sc * q - dmin * m`.
///
/// ```text
/// file     byte 0..4     d, dmin, f16
///          byte 4..16    sc and m, 6 bits each: of parts 0 to 3 in bytes i and i + 4; of parts 4 to 7 the lower 4 bits in
///                        the nibbles of byte i + 4, the upper 2 above those of part i - 4
///          byte 16..144  qs: part 2 c in the low, 2 c + 1 in the high nibbles of bytes 32 c .. 32 c + 32
/// device   Q4K, exact
/// ```
#[derive(Debug)]
pub struct Q4_K;

/// 5 bits with a 6-bit scale and minimum per 32: `value = d * sc * q - dmin * m`.
///
/// ```text
/// file     byte 0..16    as in Q4_K
///          byte 16..48   qh: bit p of qh[l] is the fifth bit of element l of part p
///          byte 48..176  qs, as in Q4_K
/// device   Q5
/// ```
#[derive(Debug)]
pub struct Q5_K;

/// 6 bits with an 8-bit scale per 16: `value = d * sc * (q - 32)`.
///
/// ```text
/// file     byte 0..128   ql: of elements 128 n + l the lower 4 bits: l < 64 in the low, else in the high nibble of
///                        ql[64 n + l % 64]
///          byte 128..192 qh: the upper 2: bits 2 (l / 32) and up of qh[32 n + l % 32]
///          byte 192..208 sc, i8
///          byte 208..210 d, f16
/// device   Q6, exact
/// ```
#[derive(Debug)]
pub struct Q6_K;

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ2 {
    scales: [u8; 16],
    qs: [[u8; 32]; 2],
    d: [u8; 2],
    dmin: [u8; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ3 {
    hmask: [u8; 32],
    qs: [[u8; 32]; 2],
    scales: [u8; 12],
    d: [u8; 2],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ4 {
    d: [u8; 2],
    dmin: [u8; 2],
    scales: [u8; 12],
    qs: [[u8; 32]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ5 {
    d: [u8; 2],
    dmin: [u8; 2],
    scales: [u8; 12],
    qh: [u8; 32],
    qs: [[u8; 32]; 4],
}

#[derive(Clone, Copy, AnyBitPattern)]
#[repr(C)]
struct BlockQ6 {
    ql: [[u8; 64]; 2],
    qh: [[u8; 32]; 2],
    scales: [i8; 16],
    d: [u8; 2],
}

fn half(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

/// A part of 32 elements: value = d * q + m.
struct Affine {
    q: [u8; PART],
    d: f32,
    m: f32,
}

/// A part of 32 elements: value = d of its half * (q - the format's offset).
struct Halves {
    q: [u8; PART],
    d: [f32; 2],
}

/// Returns scale and minimum of part `p` in Q4_K and Q5_K.
fn scale_min(s: &[u8; 12], p: usize) -> (u8, u8) {
    if p < 4 {
        (s[p] & 63, s[p + 4] & 63)
    } else {
        (
            s[p + 4] & 15 | s[p - 4] >> 6 << 4,
            s[p + 4] >> 4 | s[p] >> 6 << 4,
        )
    }
}

/// Returns the nibbles of part `p` in Q4_K and Q5_K.
fn part_nibbles(qs: &[[u8; 32]; 4], p: usize) -> [u8; PART] {
    qs[p / 2].map(|byte| byte >> (p % 2 * 4) & 15)
}

impl BlockQ2 {
    /// Returns the quants of part `p`, and scale and minimum of its halves.
    fn part(&self, p: usize) -> ([u8; PART], [(f32, f32); 2]) {
        let q = self.qs[p / 4].map(|byte| byte >> (p % 4 * 2) & 3);
        let (d, dmin) = (half(self.d), half(self.dmin));
        let scale = |i: usize| {
            let byte = self.scales[2 * p + i];
            (d * f32::from(byte & 15), dmin * f32::from(byte >> 4))
        };
        (q, [scale(0), scale(1)])
    }
}

impl BlockQ3 {
    fn part(&self, p: usize) -> Halves {
        let low = self.qs[p / 4].map(|byte| byte >> (p % 4 * 2) & 3);
        let q = std::array::from_fn(|l| low[l] | (self.hmask[l] >> p & 1) << 2);
        let d = half(self.d);
        let scale = |i: usize| {
            let lower = self.scales[i % 8] >> (i / 8 * 4) & 15;
            let upper = self.scales[8 + i % 4] >> (i / 4 * 2) & 3;
            d * (f32::from(lower | upper << 4) - 32.0)
        };
        Halves {
            q,
            d: [scale(2 * p), scale(2 * p + 1)],
        }
    }
}

impl BlockQ4 {
    fn part(&self, p: usize) -> Affine {
        let (sc, m) = scale_min(&self.scales, p);
        Affine {
            q: part_nibbles(&self.qs, p),
            d: half(self.d) * f32::from(sc),
            m: -(half(self.dmin) * f32::from(m)),
        }
    }
}

impl BlockQ5 {
    fn part(&self, p: usize) -> Affine {
        let (sc, m) = scale_min(&self.scales, p);
        let low = part_nibbles(&self.qs, p);
        Affine {
            q: std::array::from_fn(|l| low[l] | (self.qh[l] >> p & 1) << 4),
            d: half(self.d) * f32::from(sc),
            m: -(half(self.dmin) * f32::from(m)),
        }
    }
}

impl BlockQ6 {
    fn quants(&self, p: usize) -> [u8; PART] {
        let (n, j) = (p / 4, p % 4);
        let low = &self.ql[n][j % 2 * 32..][..32];
        std::array::from_fn(|l| low[l] >> (j / 2 * 4) & 15 | (self.qh[n][l] >> (2 * j) & 3) << 4)
    }

    fn part(&self, p: usize) -> Halves {
        let scale = |i: usize| half(self.d) * f32::from(self.scales[i]);
        Halves {
            q: self.quants(p),
            d: [scale(2 * p), scale(2 * p + 1)],
        }
    }
}

fn put_affine(part: &Affine, out: &mut [f32]) {
    for (y, q) in out.iter_mut().zip(part.q) {
        *y = part.d * f32::from(q) + part.m;
    }
}

fn put_halves(part: &Halves, off: f32, out: &mut [f32]) {
    for (i, (y, q)) in out.iter_mut().zip(part.q).enumerate() {
        *y = part.d[i / 16] * (f32::from(q) - off);
    }
}

fn put_q3(part: &Halves, out: &mut [f32]) {
    put_halves(part, 4.0, out);
}

impl FileBlock for BlockQ2 {
    fn values(&self, p: usize, out: &mut [f32]) {
        let (q, scales) = self.part(p);
        for (i, (y, q)) in out.iter_mut().zip(q).enumerate() {
            let (d, m) = scales[i / 16];
            *y = d * f32::from(q) - m;
        }
    }

    fn pack(
        &self,
        dtype: GgmlType,
        p: usize,
        quants: &mut [u32],
        scales: &mut [u32],
    ) -> Result<()> {
        let (q, _) = self.part(p);
        quants.copy_from_slice(&pack_two_bits(&q, 0));
        // The first of two parts holds the scales of both, the second d and dmin.
        let pair = self.scales.as_chunks::<4>().0[p / 2];
        scales[0] = match p % 2 {
            0 => u32::from_le_bytes(pair),
            _ => scale_word(dtype, half(self.d), half(self.dmin))?,
        };
        Ok(())
    }
}

impl FileBlock for BlockQ4 {
    fn values(&self, _: usize, out: &mut [f32]) {
        for (p, out) in out.chunks_mut(PART).enumerate() {
            put_affine(&self.part(p), out);
        }
    }

    fn pack(&self, _: GgmlType, _: usize, quants: &mut [u32], scales: &mut [u32]) -> Result<()> {
        let (d, dmin) = (u16::from_le_bytes(self.d), u16::from_le_bytes(self.dmin));
        scales[0] = u32::from(d) | u32::from(dmin) << 16;
        for (p, words) in quants.as_chunks_mut().0.iter_mut().enumerate() {
            *words = pack_nibbles(&part_nibbles(&self.qs, p));
            let (sc, mn) = scale_min(&self.scales, p);
            scales[1 + p / 4] |= u32::from(sc | mn << 6) << (p % 4 * 8);
            scales[3] |= u32::from(mn >> 2) << (p % 4 * 8 + p / 4 * 4);
        }
        Ok(())
    }
}

impl FileBlock for BlockQ6 {
    fn values(&self, _: usize, out: &mut [f32]) {
        for (p, out) in out.chunks_mut(PART).enumerate() {
            put_halves(&self.part(p), 32.0, out);
        }
    }

    fn pack(&self, _: GgmlType, _: usize, quants: &mut [u32], scales: &mut [u32]) -> Result<()> {
        scales[0] = u16::from_le_bytes(self.d).into();
        for (word, four) in scales[1..].iter_mut().zip(self.scales.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(four.map(|sc| sc as u8));
        }
        let planes = scales[5..].as_chunks_mut().0;
        for (p, (words, planes)) in (quants.as_chunks_mut().0.iter_mut())
            .zip(planes)
            .enumerate()
        {
            let q = self.quants(p);
            *words = pack_nibbles(&q);
            *planes = pack_two_bits(&q, 4);
        }
        Ok(())
    }
}

/// Implements [`FileBlock`] for blocks whose parts are [`Affine`] or [`Halves`], and blocks of the device.
macro_rules! of_parts {
    ($($block:ident: $put:ident, $pack:ident;)*) => {
        $(impl FileBlock for $block {
            fn values(&self, p: usize, out: &mut [f32]) {
                $put(&self.part(p), out);
            }

            fn pack(
                &self,
                dtype: GgmlType,
                p: usize,
                quants: &mut [u32],
                scales: &mut [u32],
            ) -> Result<()> {
                $pack(dtype, self.part(p), quants, scales)
            }
        })*
    };
}

fn pack_q3(dtype: GgmlType, part: Halves, words: &mut [u32], scales: &mut [u32]) -> Result<()> {
    words.copy_from_slice(&pack_two_bits(&part.q, 0));
    scales[0] = scale_word(dtype, part.d[0], part.d[1])?;
    scales[1] = pack_bit(&part.q, 2);
    Ok(())
}

fn pack_q5(dtype: GgmlType, part: Affine, words: &mut [u32], scales: &mut [u32]) -> Result<()> {
    words.copy_from_slice(&pack_nibbles(&part.q));
    scales[0] = scale_word(dtype, part.d, part.m)?;
    scales[1] = pack_bit(&part.q, 4);
    Ok(())
}

of_parts! {
    BlockQ3: put_q3, pack_q3;
    BlockQ5: put_affine, pack_q5;
}

block_formats! {
    Q2_K: BlockQ2, Q2;
    Q3_K: BlockQ3, Q3;
    Q4_K: BlockQ4, Q4K;
    Q5_K: BlockQ5, Q5;
    Q6_K: BlockQ6, Q6;
}
