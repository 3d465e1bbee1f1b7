//! The weight formats that the CPU multiplies, built on [`lanes`]; those with grids are in [`crate::grid_formats`].

use crate::lanes;

/// A weight format whose blocks the lanes can multiply. The layouts are those of `hearth::quant::Packing`.
pub trait BlockDot {
    /// Words of quants in a block.
    const WORDS: usize;
    /// Words of scales in a unit, on average; words that are not scales come last.
    const SCALE_WORDS: usize = 1;
    /// Blocks in a unit, which share their words of scales: one, two, or a multiple of [`GROUP`]. A row is whole units.
    const UNIT: usize = 1;
    /// Whether the block's halves have separate scales.
    const HALVES: bool = false;
    /// The unit that has a minimum.
    const MINIMUM: Minimum = Minimum::None;
    /// Splits a block of `WORDS` words into its integers, once for all tokens multiplied by it; `scales` are its unit's
    /// words of scales, in which it is block `at`.
    fn parts(words: &[u32], scales: &[u32], at: usize) -> lanes::Parts;
    /// Returns scales and minima of four blocks, from their words of scales, and where a unit is whole groups from their words;
    /// of a unit with several groups it is group `at`.
    fn factors(words: &[u32], scales: &[u32], at: usize) -> Factors;
}

/// The unit of a block that has a separate minimum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Minimum {
    None,
    Block,
    Half,
}

/// Scales and minima of four blocks, for their first and second halves. Formats with one value per block repeat it.
#[derive(Clone, Copy)]
pub struct Factors {
    pub d: [lanes::V; 2],
    pub m: [lanes::V; 2],
}

/// Number of blocks whose scales are processed as one vector.
pub const GROUP: usize = 4;
/// Maximum of [`BlockDot::SCALE_WORDS`] where a unit is a block or two.
pub const MAX_SCALE_WORDS: usize = 2;

impl Factors {
    /// Returns the factors of blocks without minima whose halves have these scales.
    #[inline(always)]
    pub fn without_minima(d: [lanes::V; 2]) -> Self {
        Self {
            d,
            m: [lanes::ZERO; 2],
        }
    }
}

/// Returns the first words of four blocks' scales, `stride` words apart.
#[inline(always)]
fn first_words(scales: &[u32], stride: usize) -> [u32; GROUP] {
    core::array::from_fn(|b| scales[b * stride])
}

/// Reads two f16, a scale and a minimum, as the factors of whole blocks. Of 4- and 5-bit weights, only blocks whose largest weight
/// is below 0.001 have a subnormal scale.
#[inline(always)]
fn affine(scales: &[u32], stride: usize) -> Factors {
    let (d, m) = lanes::normal_scales(&first_words(scales, stride));
    Factors {
        d: [d, d],
        m: [m, m],
    }
}

/// Reads two f16, the scales of halves whose integers are 2^UP times too large and, after division by that, too large
/// by `less`.
#[inline(always)]
fn halves<const UP: u32>(scales: &[u32], stride: usize, less: f32) -> Factors {
    let (first, second) = lanes::scales::<UP>(&first_words(scales, stride));
    let less = less * (1 << UP) as f32;
    Factors {
        d: [first, second],
        m: [lanes::times(first, -less), lanes::times(second, -less)],
    }
}

/// Signs: -d where a bit is 0, d where it is 1, with an f16 d for four blocks.
pub struct Q1;
/// 2-bit unsigned integers minus 1, with an f16 scale for two blocks.
pub struct Q2S;
/// 2-bit unsigned integers, whose scales and minima, one each per half, are nibbles multiplied by two f16 that two
/// blocks share.
pub struct Q2;
/// 3-bit integers minus 4, with a scale for each half; the third bits are a plane.
pub struct Q3;
/// 4-bit unsigned integers with scale and minimum.
pub struct Q4;
/// 4-bit integers minus 8, with an f16 scale.
pub struct Q4S;
/// 4-bit unsigned integers, whose scales and minima are 6-bit integers multiplied by two f16 that eight blocks share.
pub struct Q4K;
/// 4-bit indices into a table, with a scale in f32: [`FP4_TABLE`] or [`IQ4_TABLE`].
pub struct Lookup<const FP4: bool>;
/// 4-bit indices into [`FP4_TABLE`], with a scale for each half.
pub struct Nvfp4;
/// 5-bit unsigned integers with scale and minimum; the fifth bits are a plane.
pub struct Q5;
/// 6-bit integers minus 32, with an 8-bit scale for each half, multiplied by an f16 that eight blocks share; the upper two
/// bits are planes.
pub struct Q6;
/// 8-bit signed integers with an f16 scale.
pub struct Q8;

/// The values of GGML's IQ4.
pub const IQ4_TABLE: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];
/// Twice the values of E2M1 (OCP Microscaling Formats 1.0), so that they are integers.
pub const FP4_TABLE: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

impl<const FP4: bool> Lookup<FP4> {
    pub(crate) const TABLE: [i8; 16] = if FP4 { FP4_TABLE } else { IQ4_TABLE };
}

impl BlockDot for Q1 {
    const WORDS: usize = 1;
    const UNIT: usize = 8;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::signs(words[0])
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], at: usize) -> Factors {
        let (d, _) = lanes::scales::<0>(&[scales[0] >> (at * 16); GROUP]);
        let d = lanes::times(d, -1.0);
        Factors::without_minima([d, d])
    }
}

impl BlockDot for Q2S {
    const WORDS: usize = 2;
    const UNIT: usize = 4;
    const MINIMUM: Minimum = Minimum::Block;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::two_bits(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let (first, second) = (scales[0], scales[0] >> 16);
        // The two bits are 64 times too large.
        let (d, _) = lanes::scales::<6>(&[first, first, second, second]);
        let m = lanes::times(d, -64.0);
        Factors {
            d: [d, d],
            m: [m, m],
        }
    }
}

impl BlockDot for Q2 {
    const WORDS: usize = 2;
    const HALVES: bool = true;
    const MINIMUM: Minimum = Minimum::Half;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::two_bits(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let [a, dm_a, b, dm_b] = first_words(scales, 1);
        // The two bits are 64 times too large, but the minima are not.
        let (d, dmin) = lanes::scales::<6>(&[dm_a, dm_a, dm_b, dm_b]);
        let bytes = [0, 8].map(|at| [a >> at, a >> (at + 16), b >> at, b >> (at + 16)]);
        let minus = lanes::times(dmin, -64.0);
        let [first, second] = bytes.map(|bytes| lanes::nibble_numbers(&bytes));
        Factors {
            d: [lanes::mul(d, first.0), lanes::mul(d, second.0)],
            m: [lanes::mul(minus, first.1), lanes::mul(minus, second.1)],
        }
    }
}

impl BlockDot for Q3 {
    const WORDS: usize = 2;
    const SCALE_WORDS: usize = 2;
    const HALVES: bool = true;
    const MINIMUM: Minimum = Minimum::Half;

    #[inline(always)]
    fn parts(words: &[u32], scales: &[u32], _: usize) -> lanes::Parts {
        lanes::three_bits(words, scales[1])
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        halves::<5>(scales, Self::SCALE_WORDS, 4.0)
    }
}

impl BlockDot for Q4 {
    const WORDS: usize = 4;
    const MINIMUM: Minimum = Minimum::Block;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::nibbles(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        affine(scales, Self::SCALE_WORDS)
    }
}

impl BlockDot for Q4S {
    const WORDS: usize = 4;
    const UNIT: usize = 2;
    const MINIMUM: Minimum = Minimum::Block;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::nibbles(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let d = lanes::normal_scales_in_pairs(&[scales[0], scales[1]]);
        let m = lanes::times(d, -8.0);
        Factors {
            d: [d, d],
            m: [m, m],
        }
    }
}

impl BlockDot for Q4K {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 4;
    const UNIT: usize = 8;
    const MINIMUM: Minimum = Minimum::Block;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::nibbles(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], at: usize) -> Factors {
        let (d, dmin) = lanes::scales::<0>(&[scales[0]; GROUP]);
        let bytes = scales[1 + at];
        let upper = scales[3] >> (4 * at) & 0x0f0f_0f0f;
        let sc = lanes::four_bytes(bytes & 0x3f3f_3f3f);
        let mn = lanes::four_bytes(bytes >> 6 & 0x0303_0303 | upper << 2);
        let d = lanes::mul(d, sc);
        let m = lanes::mul(lanes::times(dmin, -1.0), mn);
        Factors {
            d: [d, d],
            m: [m, m],
        }
    }
}

impl<const FP4: bool> BlockDot for Lookup<FP4> {
    const WORDS: usize = 4;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::looked_up(words, &Self::TABLE)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let d = lanes::floats(&first_words(scales, Self::SCALE_WORDS));
        Factors::without_minima([d, d])
    }
}

impl BlockDot for Nvfp4 {
    const WORDS: usize = 4;
    const HALVES: bool = true;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::looked_up(words, &FP4_TABLE)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let (first, second) = lanes::scales::<0>(&first_words(scales, Self::SCALE_WORDS));
        Factors::without_minima([first, second])
    }
}

impl BlockDot for Q5 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 2;
    const MINIMUM: Minimum = Minimum::Block;

    #[inline(always)]
    fn parts(words: &[u32], scales: &[u32], _: usize) -> lanes::Parts {
        lanes::five_bits(words, scales[1])
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        affine(scales, Self::SCALE_WORDS)
    }
}

impl BlockDot for Q6 {
    const WORDS: usize = 4;
    const SCALE_WORDS: usize = 21;
    const UNIT: usize = 8;
    const HALVES: bool = true;
    const MINIMUM: Minimum = Minimum::Half;

    #[inline(always)]
    fn parts(words: &[u32], scales: &[u32], at: usize) -> lanes::Parts {
        lanes::six_bits(words, &scales[5 + 2 * at..7 + 2 * at])
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], at: usize) -> Factors {
        // The integers are 4 times too large.
        let (d, _) = lanes::scales::<2>(&[scales[0]; GROUP]);
        let (a, b) = (scales[1 + 2 * at], scales[2 + 2 * at]);
        // Bytes 0 and 2 of both words, or 1 and 3, with their upper bit flipped: plus 128.
        let of_halves = |at: u32| {
            let [a, b] = [a, b].map(|w| w >> at & 0x00ff_00ff);
            let bytes = (a | a >> 8) & 0xffff | (b | b >> 8) << 16;
            lanes::plus(lanes::four_bytes(bytes ^ 0x8080_8080), lanes::all(-128.0))
        };
        let [first, second] = [0, 8].map(|at| lanes::mul(d, of_halves(at)));
        Factors {
            d: [first, second],
            m: [lanes::times(first, -128.0), lanes::times(second, -128.0)],
        }
    }
}

impl BlockDot for Q8 {
    const WORDS: usize = 8;
    const UNIT: usize = 2;

    #[inline(always)]
    fn parts(words: &[u32], _: &[u32], _: usize) -> lanes::Parts {
        lanes::bytes(words)
    }

    #[inline(always)]
    fn factors(_: &[u32], scales: &[u32], _: usize) -> Factors {
        let d = lanes::scales_in_pairs(&[scales[0], scales[1]]);
        Factors::without_minima([d, d])
    }
}
