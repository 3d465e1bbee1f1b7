//! The layouts of weights on the device, and how to read them back.

use half::f16;

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
/// Q5     32     as Q4: the lower 4 bits of q                  f16 d | m<<16   d * q + m, q 0..=31
///                                                             fifth bits
/// Q6     32     as Q4: the lower 4 bits of q                  f16 d | e<<16   d * (q - 32) in the first half,
///                                                             upper bits of   e * (q - 32) in the second,
///                                                             each half       q 0..=63
/// Q8     32     8 words: element j is byte j, an i8           f16 d           d * q, q -128..=127
/// ```
///
/// Upper bits are planes that a kernel takes apart four elements at a time: the fifth bit of element 4 p + k is bit p of
/// byte k; the upper two bits of element 4 p + k of a half are bits 2 p and 2 p + 1 of byte k.
///
/// A row of `F16` or `BF16` with an odd number of columns ends with a zero half (see [`repack_rows`]).
/// In `Q4`, `d * q` is exact in `f32`, so a fused multiply-add gives the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    F32,
    F16,
    BF16,
    Q4,
    Q5,
    Q6,
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
            Packing::Q5 => "q5",
            Packing::Q6 => "q6",
            Packing::Q8 => "q8",
        }
    }

    /// Elements per block.
    pub const fn block_len(self) -> usize {
        match self {
            Packing::F32 => 1,
            Packing::F16 | Packing::BF16 => 2,
            Packing::Q4 | Packing::Q5 | Packing::Q6 | Packing::Q8 => 32,
        }
    }

    /// Words of quants per block.
    pub const fn quant_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 1,
            Packing::Q4 | Packing::Q5 | Packing::Q6 => 4,
            Packing::Q8 => 8,
        }
    }

    /// Words of scales per block; 0 where the layout has none.
    pub const fn scale_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 0,
            Packing::Q4 | Packing::Q8 => 1,
            Packing::Q5 => 2,
            Packing::Q6 => 3,
        }
    }

    /// Blocks in a row of `n_cols` elements, the last one padded if need be.
    pub const fn blocks_per_row(self, n_cols: usize) -> usize {
        n_cols.div_ceil(self.block_len())
    }
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
        Packing::Q5 => {
            let (blocks, (scales, _)) = (quants.as_chunks::<4>().0, scales.as_chunks::<2>());
            for ((y, block), [dm, plane]) in out.chunks_mut(32).zip(blocks).zip(scales) {
                let (d, m) = halves_f32(*dm);
                for (j, y) in y.iter_mut().enumerate() {
                    let fifth = plane >> (j % 4 * 8 + j / 4) & 1;
                    *y = d * (nibble(block, j) | fifth << 4) as f32 + m;
                }
            }
        }
        Packing::Q6 => {
            let (blocks, (scales, _)) = (quants.as_chunks::<4>().0, scales.as_chunks::<3>());
            for ((y, block), [dm, planes @ ..]) in out.chunks_mut(32).zip(blocks).zip(scales) {
                let (first, second) = halves_f32(*dm);
                for (j, y) in y.iter_mut().enumerate() {
                    let upper = planes[j / 16] >> (j % 4 * 8 + j % 16 / 4 * 2) & 3;
                    let q = (nibble(block, j) | upper << 4) as f32 - 32.0;
                    *y = q * if j < 16 { first } else { second };
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

/// Element `j`'s lower four bits.
fn nibble(block: &[u32; 4], j: usize) -> u32 {
    block[j % 16 / 4] >> (j % 4 * 8 + j / 16 * 4) & 15
}

/// The two f16 of a word.
fn halves_f32(word: u32) -> (f32, f32) {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    (half(word), half(word >> 16))
}

/// 32 numbers as a block lies on the device: their lower four bits.
pub(super) fn pack_nibbles(q: &[u8; 32]) -> [u32; 4] {
    std::array::from_fn(|w| {
        let word = |at: usize| u32::from_le_bytes([q[at], q[at + 1], q[at + 2], q[at + 3]]);
        word(4 * w) & 0x0f0f_0f0f | (word(4 * w + 16) & 0x0f0f_0f0f) << 4
    })
}

/// The plane of their fifth bits.
pub(super) fn pack_fifth(q: &[u8; 32]) -> u32 {
    let words = q.as_chunks::<4>().0.iter().enumerate();
    words.fold(0, |plane, (p, word)| {
        plane | (u32::from_le_bytes(*word) >> 4 & 0x0101_0101) << p
    })
}

/// The planes of their fifth and sixth bits.
pub(super) fn pack_upper(q: &[u8; 32]) -> [u32; 2] {
    let mut planes = [0; 2];
    for (p, word) in q.as_chunks::<4>().0.iter().enumerate() {
        planes[p / 4] |= (u32::from_le_bytes(*word) >> 4 & 0x0303_0303) << (p % 4 * 2);
    }
    planes
}
