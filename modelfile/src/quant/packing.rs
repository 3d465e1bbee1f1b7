//! The layouts of weights on the device.

use hearth_cpu::grids;
use hearth_cpu::rows::Format;

/// Layout of a weight on the device, which kernels read in `u32` words, row-major.
///
/// Bits are counted from the least significant one. A row is a whole number of blocks.
///
/// ```text
///        block  quants                                        scales          value
/// F32    1      1 word: the f32's bits                        -               itself
/// F16    2      1 word: even column | odd column << 16        -               itself
/// BF16   2      1 word: even column | odd column << 16        -               itself
/// Q1     256    8 words: element 32 w + j is bit j of word w  f16 d | e<<16   d or -d in the first half, e or -e in
///                                                                             the second; a bit of 1 is positive
/// Q2S    128    8 words: planes as in Q2                      f16 d | e<<16   d * (q - 1) in the first half,
///                                                                             e * (q - 1) in the second, q 0..=3
/// Q2     32     2 words: a plane of two bits for each half    of two blocks:  d * sc * q - dmin * mn, q 0..=3;
///                                                             a byte for each sc the low, mn the high nibble of
///                                                             half, then      the half's byte
///                                                             f16 d | dmin<<16
/// Q3     32     as Q2: the lower 2 bits of q                  f16 d | e<<16   d * (q - 4) in the first half,
///                                                             third bits      e * (q - 4) in the second, q 0..=7
/// Q4     32     4 words = 16 bytes: byte j holds element j    f16 d | m<<16   d * q + m, q 0..=15
///               in its low and j + 16 in its high nibble
/// Q4S    64     8 words: two parts of 32 as in Q4             f16 d | e<<16   d * (q - 8) in the first part,
///                                                                             e * (q - 8) in the second
/// Q4K    256    32 words: eight parts of 32 as in Q4          4 words, below  d * sc * q - dmin * mn
/// Iq4    32     as Q4                                         f32 d           d * IQ4_TABLE[q]
/// Fp4    32     as Q4                                         f32 d           d * FP4_TABLE[q]
/// Nvfp4  32     as Q4                                         f16 d | e<<16   d * FP4_TABLE[q] in the first half,
///                                                                             e * FP4_TABLE[q] in the second
/// Q5     32     as Q4: the lower 4 bits of q                  f16 d | m<<16   d * q + m, q 0..=31
///                                                             fifth bits
/// Q6     256    as Q4K: the lower 4 bits of q                 21 words, below d * sc * (q - 32), q 0..=63
/// Q8     64     16 words: element j is byte j, an i8          f16 d | e<<16   d * q in the first half,
///                                                             e * q in the second, q -128..=127
/// ```
///
/// Kernels unpack planes of bits four elements at a time. In a plane of single bits, that of element 4 p + k is bit p
/// of byte k. In a plane of two bits, those of element 4 p + k of a half are bits 2 p and 2 p + 1 of byte k.
///
/// A row of `Q2` is a multiple of 64 columns; where two blocks share words, each block is counted as having one.
///
/// `Iq2Xxs` to `Iq3S` and `Iq1` are blocks of 256 with the file's bits, see [`super::grids`]. Quants: for each part of 32
/// columns the words of indices, then that of signs, which pairs of `Iq2Xs` have together and `Iq1` has not. Scales: f16 d;
/// then the words of scales and those of the indices' upper bits, where the format has them: in `Iq1` a nibble for each index,
/// whose fourth bit moves its numbers down. After a weight's scales a GPU has the grid.
///
/// A block of 256 in `Q4K` and `Q6` has the file's small scales for its parts of 32:
///
/// ```text
/// Q4K    word 0          f16 d | dmin<<16
///        word 1 + p / 4  byte p % 4: sc of part p, 6 bits; above it the lower 2 bits of its mn
///        word 3          byte p % 4: the upper 4 bits of mn, of part p < 4 in the low nibble, else in the high one
/// Q6     word 0          f16 d
///        word 1 + p / 2  bytes p % 2 * 2 and the next: sc of part p's halves, i8
///        word 5 + 2 p    plane of two bits of part p's first half, and then that of the second
/// ```
///
/// A row of `Q1`, `Q2S`, `Q4S` or `Q8` is padded to a whole number of blocks.
///
/// A row of `F16` or `BF16` with an odd number of columns ends with a zero half (see [`repack_rows`]).
/// In `Q4`, `d * q` is exact in `f32`, so a fused multiply-add gives the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    F32,
    F16,
    BF16,
    Q2,
    Q3,
    Q4,
    Q4S,
    Q4K,
    Iq4,
    Fp4,
    Q5,
    Q6,
    Q8,
    Q1,
    Q2S,
    Iq2Xxs,
    Iq2Xs,
    Iq2S,
    Iq3Xxs,
    Iq3S,
    Iq1,
    Nvfp4,
}

impl Packing {
    /// Returns the name for labels and shader variants, e.g. `"q4"`.
    pub fn name(self) -> &'static str {
        match self {
            Packing::F32 => "f32",
            Packing::F16 => "f16",
            Packing::BF16 => "bf16",
            Packing::Q2 => "q2",
            Packing::Q3 => "q3",
            Packing::Q4 => "q4",
            Packing::Q4S => "q4s",
            Packing::Q4K => "q4k",
            Packing::Iq4 => "iq4",
            Packing::Fp4 => "fp4",
            Packing::Q5 => "q5",
            Packing::Q6 => "q6",
            Packing::Q8 => "q8",
            Packing::Q1 => "q1",
            Packing::Q2S => "q2s",
            Packing::Iq2Xxs => "iq2_xxs",
            Packing::Iq2Xs => "iq2_xs",
            Packing::Iq2S => "iq2_s",
            Packing::Iq3Xxs => "iq3_xxs",
            Packing::Iq3S => "iq3_s",
            Packing::Iq1 => "iq1",
            Packing::Nvfp4 => "nvfp4",
        }
    }

    /// Returns the elements per block.
    pub const fn block_len(self) -> usize {
        match self {
            Packing::F32 => 1,
            Packing::F16 | Packing::BF16 => 2,
            Packing::Q2S => 128,
            Packing::Q4S | Packing::Q8 => 64,
            Packing::Q4K | Packing::Q6 => 256,
            Packing::Q1
            | Packing::Iq2Xxs
            | Packing::Iq2Xs
            | Packing::Iq2S
            | Packing::Iq3Xxs
            | Packing::Iq3S
            | Packing::Iq1 => 256,
            _ => 32,
        }
    }

    /// Returns the words of quants per block.
    pub const fn quant_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 1,
            Packing::Q2 | Packing::Q3 => 2,
            Packing::Q4 | Packing::Iq4 | Packing::Fp4 | Packing::Nvfp4 => 4,
            Packing::Q5 => 4,
            Packing::Q4S | Packing::Q1 | Packing::Q2S | Packing::Iq1 => 8,
            Packing::Q8 => 16,
            Packing::Q4K | Packing::Q6 => 32,
            Packing::Iq2Xxs | Packing::Iq2Xs | Packing::Iq2S => 16,
            Packing::Iq3Xxs | Packing::Iq3S => 24,
        }
    }

    /// Returns the words of scales per block; 0 if the layout has none.
    pub const fn scale_words_per_block(self) -> usize {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => 0,
            Packing::Q2 | Packing::Q4 | Packing::Iq4 | Packing::Fp4 => 1,
            Packing::Q4S | Packing::Q8 => 1,
            Packing::Q1 | Packing::Q2S | Packing::Iq2Xxs | Packing::Iq3Xxs => 1,
            Packing::Nvfp4 => 1,
            Packing::Q3 | Packing::Q5 => 2,
            Packing::Iq2Xs => 3,
            Packing::Iq3S | Packing::Q4K => 4,
            Packing::Iq2S => 5,
            Packing::Iq1 => 7,
            Packing::Q6 => 21,
        }
    }

    /// Returns the blocks in a row of `n_cols` elements, the last one padded if needed.
    pub const fn blocks_per_row(self, n_cols: usize) -> usize {
        n_cols.div_ceil(self.block_len())
    }

    /// Returns the grid that magnitudes are looked up in; empty if the layout has none. Its entries are described in
    /// [`hearth_cpu::grids`].
    pub fn grid(self) -> &'static [u16] {
        match self {
            Packing::Iq2Xxs => &grids::IQ2_XXS,
            Packing::Iq2Xs => &grids::IQ2_XS,
            Packing::Iq2S => &grids::IQ2_S,
            Packing::Iq3Xxs => &grids::IQ3_XXS,
            Packing::Iq3S => &grids::IQ3_S,
            Packing::Iq1 => &grids::IQ1,
            _ => &[],
        }
    }

    /// Returns the format's name in the CPU's loops; `None` for float packings, which are multiplied by other means.
    pub const fn cpu_format(self) -> Option<Format> {
        match self {
            Packing::F32 | Packing::F16 | Packing::BF16 => None,
            Packing::Q2 => Some(Format::Q2),
            Packing::Q3 => Some(Format::Q3),
            Packing::Q4 => Some(Format::Q4),
            Packing::Q4S => Some(Format::Q4S),
            Packing::Q4K => Some(Format::Q4K),
            Packing::Iq4 => Some(Format::Iq4),
            Packing::Fp4 => Some(Format::Fp4),
            Packing::Q5 => Some(Format::Q5),
            Packing::Q6 => Some(Format::Q6),
            Packing::Q8 => Some(Format::Q8),
            Packing::Q1 => Some(Format::Q1),
            Packing::Q2S => Some(Format::Q2S),
            Packing::Iq2Xxs => Some(Format::Iq2Xxs),
            Packing::Iq2Xs => Some(Format::Iq2Xs),
            Packing::Iq2S => Some(Format::Iq2S),
            Packing::Iq3Xxs => Some(Format::Iq3Xxs),
            Packing::Iq3S => Some(Format::Iq3S),
            Packing::Iq1 => Some(Format::Iq1),
            Packing::Nvfp4 => Some(Format::Nvfp4),
        }
    }
}

/// Packs the lower four bits of 32 numbers into a block in the device's layout.
pub(super) fn pack_nibbles(q: &[u8; 32]) -> [u32; 4] {
    std::array::from_fn(|w| {
        let word = |at: usize| u32::from_le_bytes([q[at], q[at + 1], q[at + 2], q[at + 3]]);
        word(4 * w) & 0x0f0f_0f0f | (word(4 * w + 16) & 0x0f0f_0f0f) << 4
    })
}

/// Returns the plane of bit `at` of 32 numbers.
pub(super) fn pack_bit(q: &[u8; 32], at: u32) -> u32 {
    let words = q.as_chunks::<4>().0.iter().enumerate();
    words.fold(0, |plane, (p, word)| {
        plane | (u32::from_le_bytes(*word) >> at & 0x0101_0101) << p
    })
}

/// Returns the planes of bits `at` and `at + 1` of 32 numbers.
pub(super) fn pack_two_bits(q: &[u8; 32], at: u32) -> [u32; 2] {
    let mut planes = [0; 2];
    for (p, word) in q.as_chunks::<4>().0.iter().enumerate() {
        planes[p / 4] |= (u32::from_le_bytes(*word) >> at & 0x0303_0303) << (p % 4 * 2);
    }
    planes
}
