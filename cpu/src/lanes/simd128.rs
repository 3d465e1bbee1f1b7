//! WebAssembly SIMD128.
use core::arch::wasm32::*;

use crate::dot::{BLOCK, HALF};

/// Four f32.
pub type V = v128;
pub const ZERO: V = f32x4(0.0, 0.0, 0.0, 0.0);

/// Four i32.
pub type I = v128;

/// Integers of a block in the order of [`crate::dot::Row`].
pub type Parts = [v128; 4];

/// Loads a constant at each use: engines would build one from immediates in three instructions, each time.
#[inline(always)]
fn loaded(constant: &'static v128) -> v128 {
    // SAFETY: a reference can be read.
    unsafe { core::ptr::read_volatile(constant) }
}

/// Builds a vector of one number in four lanes, as an argument of [`loaded`].
macro_rules! four {
    ($lane:expr) => {
        const {
            let lane = $lane;
            &u32x4(lane, lane, lane, lane)
        }
    };
}

mod scales;

pub use scales::{normal_scales, normal_scales_in_pairs, scales, scales_in_pairs};

/// Unpacks four words of nibbles: byte j has column j in its low and j + 16 in its high nibble.
#[inline(always)]
pub fn nibbles(words: &[u32]) -> Parts {
    let w = words128(words, 0);
    let low = u16x8_splat(15);
    [
        v128_and(w, low),
        v128_and(u16x8_shr(w, 8), low),
        v128_and(u16x8_shr(w, 4), low),
        u16x8_shr(w, 12),
    ]
}

/// Unpacks four words of nibbles and the fifth bits. Column 4 p + k has its bit at bit p of the plane's byte k.
#[inline(always)]
pub fn five_bits(words: &[u32], plane: u32) -> Parts {
    split(or(nibble_bytes(words, 0), one_bit(plane, 16)))
}

/// Unpacks two-bit integers, times 64. Column 4 p + k of a half has its bits at bits 2 p and 2 p + 1 of byte k of the
/// half's plane.
#[inline(always)]
pub fn two_bits(planes: &[u32]) -> Parts {
    split(upper_bits(planes))
}

/// Unpacks three-bit integers, times 32, with the third bits laid out like the fifth in [`five_bits`].
#[inline(always)]
pub fn three_bits(planes: &[u32], plane: u32) -> Parts {
    let lower = upper_bits(planes).map(|bits| u16x8_shr(bits, 1));
    split(or(lower, one_bit(plane, 128)))
}

/// Unpacks six-bit integers, times 4, with the lower four bits in nibbles and the others laid out as in [`two_bits`].
#[inline(always)]
pub fn six_bits(words: &[u32], planes: &[u32]) -> Parts {
    split(or(nibble_bytes(words, 2), upper_bits(planes)))
}

/// Unsigned bytes of the columns 0 to 15 and 16 to 31, two columns per 16-bit lane. Values from several sources are
/// combined in this form, and split afterwards.
type Bytes = [v128; 2];

/// Splits bytes into the even and the odd columns.
#[inline(always)]
fn split([first, second]: Bytes) -> Parts {
    let low = u16x8_splat(255);
    [
        v128_and(first, low),
        u16x8_shr(first, 8),
        v128_and(second, low),
        u16x8_shr(second, 8),
    ]
}

#[inline(always)]
fn or(a: Bytes, b: Bytes) -> Bytes {
    core::array::from_fn(|i| v128_or(a[i], b[i]))
}

/// Unpacks nibbles, shifted left by `up`.
#[inline(always)]
fn nibble_bytes(words: &[u32], up: u32) -> Bytes {
    let w = words128(words, 0);
    let nibble = u8x16_splat(15 << up);
    [
        v128_and(u16x8_shl(w, up), nibble),
        v128_and(u16x8_shr(w, 4 - up), nibble),
    ]
}

/// Unpacks two-bit values into the uppermost bits of their bytes.
#[inline(always)]
fn upper_bits(planes: &[u32]) -> Bytes {
    // Known powers of two would be compiled to shifts, one lane after another, since WebAssembly has no per-lane
    // shifts.
    let factor = loaded(const { &u16x8(64, 64, 16, 16, 4, 4, 1, 1) });
    let mask = u16x8(
        0x0303, 0x0303, 0x0c0c, 0x0c0c, 0x3030, 0x3030, 0xc0c0, 0xc0c0,
    );
    core::array::from_fn(|half| i16x8_mul(v128_and(u32x4_splat(planes[half]), mask), factor))
}

/// Returns `value` where the bit of a plane is set, else 0.
#[inline(always)]
fn one_bit(plane: u32, value: u8) -> Bytes {
    let masks = [
        u16x8(
            0x0101, 0x0101, 0x0202, 0x0202, 0x0404, 0x0404, 0x0808, 0x0808,
        ),
        u16x8(
            0x1010, 0x1010, 0x2020, 0x2020, 0x4040, 0x4040, 0x8080, 0x8080,
        ),
    ];
    masks.map(|mask| {
        let set = i8x16_eq(v128_and(u32x4_splat(plane), mask), mask);
        v128_and(set, u8x16_splat(value))
    })
}

/// Returns -1 where the bit of a column is set, else 1; column c has bit c.
#[inline(always)]
pub fn signs(word: u32) -> Parts {
    let one = loaded(four!(0x0101_0101));
    by_parity(negative(word).map(|set| v128_or(set, one)))
}

/// Looks up codes of two bits, eight in a number, and negates the columns whose bit is set in `negative`.
#[inline(always)]
pub fn grid_of_eight([a, b, c, d]: [u16; 4], values: &[i8; 16], negative: u32) -> Parts {
    // Eight bytes of four codes become sixteen nibbles of two, an even and an odd column's.
    let bytes = u16x8_extend_low_u8x16(u16x8(a, b, c, d, 0, 0, 0, 0));
    let low = v128_and(bytes, loaded(four!(0x000f_000f)));
    let high = v128_and(u16x8_shl(bytes, 4), loaded(four!(0x0f00_0f00)));
    let nibbles = v128_or(low, high);
    let [a, b, c, ..] = *values;
    let even = i8x16(a, b, c, 0, a, b, c, 0, a, b, c, 0, a, b, c, 0);
    let odd = i8x16(a, a, a, a, b, b, b, b, c, c, c, c, 0, 0, 0, 0);
    let columns = [even, odd].map(|table| i8x16_swizzle(table, nibbles));
    by_parity(negated(columns, negative))
}

/// Looks up codes in nibbles, four in a number, and negates the columns whose bit is set in `negative`.
#[inline(always)]
pub fn grid_of_four(codes: [u16; 8], values: &[i8; 16], negative: u32) -> Parts {
    let [a, b, c, d, e, f, g, h] = codes;
    let codes = u16x8(a, b, c, d, e, f, g, h);
    let low = loaded(four!(0x0f0f_0f0f));
    let columns = [v128_and(codes, low), v128_and(u16x8_shr(codes, 4), low)];
    // SAFETY: the table is 16 bytes.
    let table = unsafe { v128_load(values.as_ptr().cast()) };
    by_parity(negated(
        columns.map(|codes| i8x16_swizzle(table, codes)),
        negative,
    ))
}

/// Returns masks of the even and of the odd columns whose bit is set; column c has bit c.
#[inline(always)]
fn negative(word: u32) -> [v128; 2] {
    let four_each = const { &u8x16(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3) };
    let bytes = i8x16_swizzle(u32x4_splat(word), loaded(four_each));
    [loaded(four!(0x4010_0401)), loaded(four!(0x8020_0802))]
        .map(|mask| i8x16_eq(v128_and(bytes, mask), mask))
}

/// Negates the columns whose bit is set.
#[inline(always)]
fn negated(columns: [v128; 2], word: u32) -> [v128; 2] {
    let masks = negative(word);
    core::array::from_fn(|i| i8x16_sub(v128_xor(columns[i], masks[i]), masks[i]))
}

/// Widens the even and the odd columns of a block, as signed bytes.
#[inline(always)]
fn by_parity([even, odd]: [v128; 2]) -> Parts {
    [
        i16x8_extend_low_i8x16(even),
        i16x8_extend_low_i8x16(odd),
        i16x8_extend_high_i8x16(even),
        i16x8_extend_high_i8x16(odd),
    ]
}

/// Unpacks eight words of signed bytes.
#[inline(always)]
pub fn bytes(words: &[u32]) -> Parts {
    let (a, b) = (widened(words128(words, 0)), widened(words128(words, 4)));
    [a[0], a[1], b[0], b[1]]
}

/// Looks up four words of nibbles in a table.
#[inline(always)]
pub fn looked_up(words: &[u32], table: &[i8; 16]) -> Parts {
    let w = words128(words, 0);
    // SAFETY: the table is 16 bytes.
    let table = unsafe { v128_load(table.as_ptr().cast()) };
    let low = widened(i8x16_swizzle(table, v128_and(w, u8x16_splat(15))));
    let high = widened(i8x16_swizzle(table, u8x16_shr(w, 4)));
    [low[0], low[1], high[0], high[1]]
}

/// Widens sixteen signed bytes, split into even and odd ones.
#[inline(always)]
fn widened(v: v128) -> [v128; 2] {
    [i16x8_shr(i16x8_shl(v, 8), 8), i16x8_shr(v, 8)]
}

/// Returns the dot products of the block's halves with 32 integers, each spread over four lanes.
#[inline(always)]
pub fn dot(parts: Parts, x: &[i16; BLOCK]) -> (I, I) {
    // SAFETY: reads four times eight of the array's 32 values.
    let x = unsafe {
        let x = x.as_ptr().cast::<v128>();
        [
            v128_load(x),
            v128_load(x.add(1)),
            v128_load(x.add(2)),
            v128_load(x.add(3)),
        ]
    };
    let product = |i: usize| i32x4_dot_i16x8(parts[i], x[i]);
    (
        i32x4_add(product(0), product(1)),
        i32x4_add(product(2), product(3)),
    )
}

/// Loads words `at .. at + 4`.
#[inline(always)]
fn words128(words: &[u32], at: usize) -> v128 {
    let four = &words[at..at + 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
}

#[inline(always)]
pub fn add(a: I, b: I) -> I {
    i32x4_add(a, b)
}

#[inline(always)]
pub fn convert(v: I) -> V {
    f32x4_convert_i32x4(v)
}

/// Reinterprets words as f32.
#[inline(always)]
pub fn floats(words: &[u32; 4]) -> V {
    words128(words, 0)
}

/// Returns the low and the high nibble of each word's lowest byte, as f32.
#[inline(always)]
pub fn nibble_numbers(words: &[u32; 4]) -> (V, V) {
    let words = words128(words, 0);
    let number = |v: v128| f32x4_convert_i32x4(v128_and(v, u32x4_splat(15)));
    (number(words), number(u32x4_shr(words, 4)))
}

/// Returns a word's bytes as numbers from 0 to 255.
#[inline(always)]
pub fn four_bytes(word: u32) -> V {
    let pairs = u16x8_extend_low_u8x16(u32x4_splat(word));
    f32x4_convert_u32x4(u32x4_extend_low_u16x8(pairs))
}

#[inline(always)]
pub fn load(four: &[f32; 4]) -> V {
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_load(four.as_ptr().cast()) }
}

/// Rotates the lanes, so that each moves to the place of the one before it.
#[inline(always)]
fn moved_on(v: V) -> V {
    i32x4_shuffle::<1, 2, 3, 0>(v, v)
}

/// Copies a number to all lanes.
#[inline(always)]
pub fn all(v: f32) -> V {
    f32x4_splat(v)
}

#[inline(always)]
pub fn times(v: V, factor: f32) -> V {
    f32x4_mul(v, f32x4_splat(factor))
}

#[inline(always)]
pub fn mul(a: V, b: V) -> V {
    f32x4_mul(a, b)
}

#[inline(always)]
pub fn plus(a: V, b: V) -> V {
    f32x4_add(a, b)
}

#[inline(always)]
pub fn sub(a: V, b: V) -> V {
    f32x4_sub(a, b)
}

#[inline(always)]
pub fn add_product(acc: V, a: V, b: V) -> V {
    f32x4_add(acc, f32x4_mul(a, b))
}

#[inline(always)]
pub fn sum(v: V) -> f32 {
    f32x4_extract_lane::<0>(v)
        + f32x4_extract_lane::<1>(v)
        + f32x4_extract_lane::<2>(v)
        + f32x4_extract_lane::<3>(v)
}

/// Returns the magnitudes.
#[inline(always)]
pub fn abs(v: V) -> V {
    f32x4_abs(v)
}

/// Returns the larger of two numbers in each lane, and `a` where `b` is NaN.
#[inline(always)]
pub fn larger(a: V, b: V) -> V {
    f32x4_pmax(a, b)
}

/// Returns the largest lane.
#[inline(always)]
pub fn largest(v: V) -> f32 {
    let v = larger(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
    f32x4_extract_lane::<0>(larger(v, moved_on(v)))
}

#[inline(always)]
pub fn square_root(v: f32) -> f32 {
    f32x4_extract_lane::<0>(f32x4_sqrt(f32x4_splat(v)))
}

/// Rounds half a block times `factor` to integers, ties to even, for products below 2^22: the even columns, then the odd
/// ones. Adding 1.5 * 2^23 leaves the integer in the low bits of the mantissa.
#[inline(always)]
pub fn integers(x: &[f32; HALF], factor: f32, q: &mut [i16; HALF]) {
    let (factor, magic) = (f32x4_splat(factor), f32x4_splat(12_582_912.0));
    let [a, b, c, d] = core::array::from_fn(|i| {
        let four = x.as_chunks().0.get(i).map_or(ZERO, load);
        f32x4_add(f32x4_mul(four, factor), magic)
    });
    // Each lane's lower half is an integer; lanes 0 and 2 are even columns.
    let even = |a, b| i16x8_shuffle::<0, 4, 8, 12, 0, 0, 0, 0>(a, b);
    let odd = |a, b| i16x8_shuffle::<2, 6, 10, 14, 0, 0, 0, 0>(a, b);
    let both = |low, high| i64x2_shuffle::<0, 2>(low, high);
    let (first, second) = q.split_at_mut(HALF / 2);
    // SAFETY: each half is 16 bytes.
    unsafe {
        v128_store(first.as_mut_ptr().cast(), both(even(a, b), even(c, d)));
        v128_store(second.as_mut_ptr().cast(), both(odd(a, b), odd(c, d)));
    }
}

/// Returns the sums of the lanes of four vectors.
#[inline(always)]
pub fn sums([a, b, c, d]: [V; 4]) -> V {
    let halves = |a, b| {
        f32x4_add(
            i32x4_shuffle::<0, 4, 1, 5>(a, b),
            i32x4_shuffle::<2, 6, 3, 7>(a, b),
        )
    };
    let (ab, cd) = (halves(a, b), halves(c, d));
    f32x4_add(
        i32x4_shuffle::<0, 1, 4, 5>(ab, cd),
        i32x4_shuffle::<2, 3, 6, 7>(ab, cd),
    )
}

#[inline(always)]
pub fn to_array(v: V) -> [f32; 4] {
    let mut four = [0.0; 4];
    // SAFETY: `four` is 16 bytes.
    unsafe { v128_store(four.as_mut_ptr().cast(), v) };
    four
}
