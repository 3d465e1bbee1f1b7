//! Formats whose magnitudes are looked up in a grid, eight or four columns at a time, with a sign for each column.
//!
//! A unit is 256 columns with an f16 d in the first word of scales; a part of it, 32 columns, has the scale d (s + 1/2)
//! times a factor, or one for each half, with s of 4 bits. The layouts are those of `hearth::quant::Packing`.

use crate::formats::{BlockDot, Factors, GROUP};
use crate::{grids, lanes};

/// A format with a grid.
pub trait GridFormat {
    /// See [`BlockDot::WORDS`] and [`BlockDot::SCALE_WORDS`].
    const WORDS: usize;
    const SCALE_WORDS: usize;
    /// Whether the halves of a part have separate scales.
    const HALVES: bool = false;
    /// The factor of every scale.
    const FACTOR: f32;
    /// The values of the codes: magnitudes, except in `Iq1`.
    const VALUES: [i8; 16];
    /// The grid.
    const GRID: &'static [u16];
    /// The entries of a part: four of eight columns, or eight of four.
    type Codes: Codes;
    /// Looks up the entries of a part, the unit's part `at`.
    fn codes(words: &[u32], scales: &[u32], at: usize) -> Self::Codes;
    /// Returns the columns of a part to negate: bit c is that of column c.
    fn negative(words: &[u32], scales: &[u32], at: usize) -> u32;
    /// Returns the scales s of a part, that of the first half in the lowest four bits and that of the second above it.
    fn scales(words: &[u32], scales: &[u32], at: usize) -> u32;
}

/// Entries of a grid for 32 columns.
pub trait Codes: Copy {
    /// Returns the code of a column.
    fn code(self, column: usize) -> usize;
    /// Looks up all columns.
    fn parts(self, values: &[i8; 16], negative: u32) -> lanes::Parts;
}

impl Codes for [u16; 4] {
    fn code(self, c: usize) -> usize {
        usize::from(self[c / 8] >> (2 * (c % 8)) & 3)
    }

    #[inline(always)]
    fn parts(self, values: &[i8; 16], negative: u32) -> lanes::Parts {
        lanes::grid_of_eight(self, values, negative)
    }
}

impl Codes for [u16; 8] {
    fn code(self, c: usize) -> usize {
        usize::from(self[c / 4] >> (4 * (c % 4)) & 15)
    }

    #[inline(always)]
    fn parts(self, values: &[i8; 16], negative: u32) -> lanes::Parts {
        lanes::grid_of_four(self, values, negative)
    }
}

/// A [`GridFormat`] for the lanes.
pub struct Grid<G>(core::marker::PhantomData<G>);

impl<G: GridFormat> BlockDot for Grid<G> {
    const WORDS: usize = G::WORDS;
    const SCALE_WORDS: usize = G::SCALE_WORDS;
    const UNIT: usize = 8;
    const HALVES: bool = G::HALVES;

    #[inline(always)]
    fn parts(words: &[u32], scales: &[u32], at: usize) -> lanes::Parts {
        let negative = G::negative(words, scales, at);
        G::codes(words, scales, at).parts(&G::VALUES, negative)
    }

    #[inline(always)]
    fn factors(words: &[u32], scales: &[u32], at: usize) -> Factors {
        let s = core::array::from_fn(|b| {
            let words = &words[b * G::WORDS..(b + 1) * G::WORDS];
            G::scales(words, scales, at * GROUP + b)
        });
        let (d, _) = lanes::scales::<0>(&[scales[0]; GROUP]);
        let (unit, half) = (lanes::times(d, G::FACTOR), lanes::times(d, G::FACTOR / 2.0));
        let of = |s| lanes::add_product(half, s, unit);
        let (first, second) = lanes::nibble_numbers(&s);
        Factors::without_minima(match G::HALVES {
            true => [of(first), of(second)],
            false => [of(first); 2],
        })
    }
}

/// Magnitudes of the grids of eight.
const EIGHT: [i8; 16] = [8, 25, 43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Returns four indices of 8 bits.
#[inline(always)]
fn bytes(word: u32) -> [usize; 4] {
    word.to_le_bytes().map(usize::from)
}

/// Completes seven signs in each byte with the eighth: the number of negative columns is even.
#[inline(always)]
fn with_eighth(sevens: u32) -> u32 {
    // The lowest bit of each byte becomes the sum of the byte's; what crosses into the others is dropped.
    let mut parity = sevens ^ sevens >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    sevens | (parity & 0x0101_0101) << 7
}

/// Returns the signs in a word with four times seven of them, and a scale above them.
#[inline(always)]
fn four_sevens(word: u32) -> u32 {
    let pairs = word & 0x3fff | (word & 0x0fff_c000) << 2;
    with_eighth(pairs & 0x007f_007f | (pairs & 0x3f80_3f80) << 1)
}

/// Values of IQ1's codes, eighths: the numbers -1, 0 and 1, moved up by one eighth. Those moved down are the same ones with
/// the opposite sign, in the opposite order.
const MOVED_UP: [i8; 16] = [-7, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Words: four indices; signs, four times seven, with s above them.
pub struct Iq2Xxs;
/// Words: four pairs of an index of 9 bits and seven signs. Scales: d; a byte for each part.
pub struct Iq2Xs;
/// Words: four indices without their upper two bits; signs. Scales: d; a byte for each part; the upper bits, a byte for
/// each part.
pub struct Iq2S;
/// Words: eight indices; signs, four times seven, with s above them.
pub struct Iq3Xxs;
/// Words: eight indices without their upper bit; signs. Scales: d; a nibble for each part; the upper bits, a byte for each
/// part.
pub struct Iq3S;
/// Words: four indices without their upper three bits. Scales: d; a byte for each part; a nibble for each index, its upper
/// bits and whether its numbers are moved down.
pub struct Iq1;

impl GridFormat for Iq2Xxs {
    const WORDS: usize = 2;
    const SCALE_WORDS: usize = 1;
    const FACTOR: f32 = 0.25;
    const VALUES: [i8; 16] = EIGHT;
    const GRID: &'static [u16] = &grids::IQ2_XXS;
    type Codes = [u16; 4];

    #[inline(always)]
    fn codes(words: &[u32], _: &[u32], _: usize) -> [u16; 4] {
        bytes(words[0]).map(|i| grids::IQ2_XXS[i])
    }

    #[inline(always)]
    fn negative(words: &[u32], _: &[u32], _: usize) -> u32 {
        four_sevens(words[1])
    }

    #[inline(always)]
    fn scales(words: &[u32], _: &[u32], _: usize) -> u32 {
        words[1] >> 28
    }
}

impl GridFormat for Iq2Xs {
    const WORDS: usize = 2;
    const SCALE_WORDS: usize = 3;
    const HALVES: bool = true;
    const FACTOR: f32 = 0.25;
    const VALUES: [i8; 16] = EIGHT;
    const GRID: &'static [u16] = &grids::IQ2_XS;
    type Codes = [u16; 4];

    #[inline(always)]
    fn codes(words: &[u32], _: &[u32], _: usize) -> [u16; 4] {
        let index = |k: usize| words[k / 2] >> (k % 2 * 16) & 511;
        core::array::from_fn(|k| grids::IQ2_XS[index(k) as usize])
    }

    #[inline(always)]
    fn negative(words: &[u32], _: &[u32], _: usize) -> u32 {
        let two = |word: u32| word >> 9 & 127 | word >> 25 << 8;
        with_eighth(two(words[0]) | two(words[1]) << 16)
    }

    #[inline(always)]
    fn scales(_: &[u32], scales: &[u32], at: usize) -> u32 {
        scales[1 + at / 4] >> (at % 4 * 8)
    }
}

impl GridFormat for Iq2S {
    const WORDS: usize = 2;
    const SCALE_WORDS: usize = 5;
    const HALVES: bool = true;
    const FACTOR: f32 = 0.25;
    const VALUES: [i8; 16] = EIGHT;
    const GRID: &'static [u16] = &grids::IQ2_S;
    type Codes = [u16; 4];

    #[inline(always)]
    fn codes(words: &[u32], scales: &[u32], at: usize) -> [u16; 4] {
        let upper = scales[3 + at / 4] >> (at % 4 * 8);
        let low = bytes(words[0]);
        core::array::from_fn(|k| grids::IQ2_S[low[k] + (upper >> (2 * k) & 3) as usize * 256])
    }

    #[inline(always)]
    fn negative(words: &[u32], _: &[u32], _: usize) -> u32 {
        words[1]
    }

    #[inline(always)]
    fn scales(_: &[u32], scales: &[u32], at: usize) -> u32 {
        scales[1 + at / 4] >> (at % 4 * 8)
    }
}

impl GridFormat for Iq3Xxs {
    const WORDS: usize = 3;
    const SCALE_WORDS: usize = 1;
    const FACTOR: f32 = 0.5;
    const VALUES: [i8; 16] = [4, 12, 20, 28, 36, 44, 52, 62, 0, 0, 0, 0, 0, 0, 0, 0];
    const GRID: &'static [u16] = &grids::IQ3_XXS;
    type Codes = [u16; 8];

    #[inline(always)]
    fn codes(words: &[u32], _: &[u32], _: usize) -> [u16; 8] {
        let index = [bytes(words[0]), bytes(words[1])];
        core::array::from_fn(|k| grids::IQ3_XXS[index[k / 4][k % 4]])
    }

    #[inline(always)]
    fn negative(words: &[u32], _: &[u32], _: usize) -> u32 {
        four_sevens(words[2])
    }

    #[inline(always)]
    fn scales(words: &[u32], _: &[u32], _: usize) -> u32 {
        words[2] >> 28
    }
}

impl GridFormat for Iq3S {
    const WORDS: usize = 3;
    const SCALE_WORDS: usize = 4;
    const FACTOR: f32 = 2.0;
    const VALUES: [i8; 16] = [1, 3, 5, 7, 9, 11, 13, 15, 0, 0, 0, 0, 0, 0, 0, 0];
    const GRID: &'static [u16] = &grids::IQ3_S;
    type Codes = [u16; 8];

    #[inline(always)]
    fn codes(words: &[u32], scales: &[u32], at: usize) -> [u16; 8] {
        let upper = scales[2 + at / 4] >> (at % 4 * 8);
        let low = [bytes(words[0]), bytes(words[1])];
        core::array::from_fn(|k| grids::IQ3_S[low[k / 4][k % 4] + (upper >> k & 1) as usize * 256])
    }

    #[inline(always)]
    fn negative(words: &[u32], _: &[u32], _: usize) -> u32 {
        words[2]
    }

    #[inline(always)]
    fn scales(_: &[u32], scales: &[u32], at: usize) -> u32 {
        scales[1] >> (at * 4)
    }
}

impl Iq1 {
    /// Returns the nibbles of a part's four indices.
    #[inline(always)]
    fn nibbles(scales: &[u32], at: usize) -> u32 {
        scales[3 + at / 2] >> (at % 2 * 16)
    }
}

impl GridFormat for Iq1 {
    const WORDS: usize = 1;
    const SCALE_WORDS: usize = 7;
    const HALVES: bool = true;
    const FACTOR: f32 = 0.25;
    const VALUES: [i8; 16] = MOVED_UP;
    const GRID: &'static [u16] = &grids::IQ1;
    type Codes = [u16; 4];

    #[inline(always)]
    fn codes(words: &[u32], scales: &[u32], at: usize) -> [u16; 4] {
        let (low, nibbles) = (bytes(words[0]), Self::nibbles(scales, at));
        core::array::from_fn(|k| {
            let nibble = nibbles >> (4 * k);
            let entry = grids::IQ1[low[k] + (nibble & 7) as usize * 256];
            // Codes are at most 2, so that no difference borrows from the next.
            if nibble & 8 == 0 {
                entry
            } else {
                0xaaaa - entry
            }
        })
    }

    #[inline(always)]
    fn negative(_: &[u32], scales: &[u32], at: usize) -> u32 {
        let down = Self::nibbles(scales, at) >> 3;
        let bits = down & 1 | (down & 0x10) << 4 | (down & 0x100) << 8 | (down & 0x1000) << 12;
        bits * 255
    }

    #[inline(always)]
    fn scales(_: &[u32], scales: &[u32], at: usize) -> u32 {
        scales[1 + at / 4] >> (at % 4 * 8)
    }
}
