//! Plain loops over four lanes, which the compiler turns into vector instructions (`pmaddwd` and so on).
use crate::dot::{BLOCK, HALF, f16_to_f32};

// Has the square root, which core lacks.
extern crate std;

/// Four f32.
pub type V = [f32; 4];
pub const ZERO: V = [0.0; 4];

/// Four i32.
pub type I = [i32; 4];

/// Integers of a block in the order of [`crate::dot::Row`].
pub type Parts = [i16; BLOCK];

/// Maps each part of a block to its bit in a plane, as a mask, since vectors cannot shift each lane by a different
/// number.
///
/// `shift`: the position of a column's bit.
macro_rules! masks {
    ($c:ident => $shift:expr) => {{
        let mut masks = [0u32; BLOCK];
        let mut $c = 0;
        while $c < BLOCK {
            masks[$c / 16 * 16 + $c % 2 * 8 + $c % 16 / 2] = 1 << $shift;
            $c += 1;
        }
        masks
    }};
}
/// The lower of a column's two bits, in a plane of 16 columns.
const TWO_BITS: [u32; BLOCK] = masks!(c => (c % 4 * 8 + c % 16 / 4 * 2));
/// The bit of a column, in a plane of 32 columns.
const ONE_BIT: [u32; BLOCK] = masks!(c => (c % 4 * 8 + c / 4));

/// Unpacks four words of nibbles: byte j has column j in its low and j + 16 in its high nibble.
#[inline(always)]
pub fn nibbles(words: &[u32]) -> Parts {
    let mut parts = [0; BLOCK];
    for (i, pair) in bytemuck::cast_slice::<u32, u16>(words).iter().enumerate() {
        parts[i] = (pair & 15) as i16;
        parts[i + 8] = (pair >> 8 & 15) as i16;
        parts[i + 16] = (pair >> 4 & 15) as i16;
        parts[i + 24] = (pair >> 12) as i16;
    }
    parts
}

/// Unpacks four words of nibbles and the fifth bits. Column 4 p + k has its bit at bit p of the plane's byte k.
#[inline(always)]
pub fn five_bits(words: &[u32], plane: u32) -> Parts {
    or(nibbles(words), one_bit(plane, 16))
}

/// Unpacks two-bit integers, times 64. Column 4 p + k of a half has its bits at bits 2 p and 2 p + 1 of byte k of the
/// half's plane.
#[inline(always)]
pub fn two_bits(planes: &[u32]) -> Parts {
    upper_bits(planes, 6)
}

/// Unpacks three-bit integers, times 32, with the third bits laid out like the fifth in [`five_bits`].
#[inline(always)]
pub fn three_bits(planes: &[u32], plane: u32) -> Parts {
    or(upper_bits(planes, 5), one_bit(plane, 128))
}

/// Unpacks six-bit integers, times 4, with the lower four bits in nibbles and the others laid out as in [`two_bits`].
#[inline(always)]
pub fn six_bits(words: &[u32], planes: &[u32]) -> Parts {
    or(nibbles(words).map(|q| q << 2), upper_bits(planes, 6))
}

#[inline(always)]
fn or(mut a: Parts, b: Parts) -> Parts {
    for (a, b) in a.iter_mut().zip(b) {
        *a |= b;
    }
    a
}

/// Unpacks two planes of two bits, shifted left by `up`.
#[inline(always)]
fn upper_bits(planes: &[u32], up: u32) -> Parts {
    let mut parts = [0; BLOCK];
    for (i, part) in parts.iter_mut().enumerate() {
        let plane = planes[i / 16];
        let low = (plane & TWO_BITS[i] != 0) as i16;
        let high = (plane & TWO_BITS[i] << 1 != 0) as i16;
        *part = (low | high << 1) << up;
    }
    parts
}

/// Returns `value` where the bit of a plane is set, else 0.
#[inline(always)]
fn one_bit(plane: u32, value: i16) -> Parts {
    ONE_BIT.map(|bit| if plane & bit != 0 { value } else { 0 })
}

/// Returns -1 where the bit of a column is set, else 1; column c has bit c.
#[inline(always)]
pub fn signs(word: u32) -> Parts {
    signed([1; BLOCK], word)
}

/// Looks up codes of two bits, eight in a number, and negates the columns whose bit is set in `negative`.
#[inline(always)]
pub fn grid_of_eight(codes: [u16; 4], values: &[i8; 16], negative: u32) -> Parts {
    let value = |c: usize| i16::from(values[usize::from(codes[c / 8] >> (2 * (c % 8)) & 3)]);
    signed(core::array::from_fn(value), negative)
}

/// Looks up codes in nibbles, four in a number, and negates the columns whose bit is set in `negative`.
#[inline(always)]
pub fn grid_of_four(codes: [u16; 8], values: &[i8; 16], negative: u32) -> Parts {
    let value = |c: usize| i16::from(values[usize::from(codes[c / 4] >> (4 * (c % 4)) & 15)]);
    signed(core::array::from_fn(value), negative)
}

/// Puts columns in the order of parts, negated where their bit is set.
#[inline(always)]
fn signed(columns: [i16; BLOCK], negative: u32) -> Parts {
    let mut parts = [0; BLOCK];
    for (c, value) in columns.into_iter().enumerate() {
        let sign = 1 - 2 * (negative >> c & 1) as i16;
        parts[c / 16 * 16 + c % 2 * 8 + c % 16 / 2] = sign * value;
    }
    parts
}

/// Unpacks eight words of signed bytes.
#[inline(always)]
pub fn bytes(words: &[u32]) -> Parts {
    let mut parts = [0; BLOCK];
    for (i, pair) in bytemuck::cast_slice::<u32, i16>(words).iter().enumerate() {
        let at = i / 8 * 16 + i % 8;
        parts[at] = pair << 8 >> 8;
        parts[at + 8] = pair >> 8;
    }
    parts
}

/// Looks up four words of nibbles in a table.
#[inline(always)]
pub fn looked_up(words: &[u32], table: &[i8; 16]) -> Parts {
    nibbles(words).map(|q| i16::from(table[q as usize & 15]))
}

/// Returns the dot products of the block's halves with 32 integers, each spread over four lanes. Sixteen products of
/// 8 and 16 bits cannot overflow; overflow checks after each, as in a test build, would prevent vectorisation.
#[inline(always)]
pub fn dot(parts: Parts, x: &[i16; BLOCK]) -> (I, I) {
    let half = |from: usize| {
        let mut sums = [0i32; 4];
        for eight in [from, from + 8] {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let product = |i: usize| (parts[i] as i32).wrapping_mul(x[i] as i32);
                let at = eight + 2 * lane;
                *sum = sum.wrapping_add(product(at).wrapping_add(product(at + 1)));
            }
        }
        sums
    };
    (half(0), half(BLOCK / 2))
}

#[inline(always)]
pub fn add(a: I, b: I) -> I {
    core::array::from_fn(|i| a[i].wrapping_add(b[i]))
}

#[inline(always)]
pub fn convert(v: I) -> V {
    v.map(|v| v as f32)
}

/// Returns d and m of four blocks, times 2^-LESS.
#[inline(always)]
pub fn scales<const LESS: u32>(dm: &[u32; 4]) -> (V, V) {
    let factor = f32::from_bits((127 - LESS) << 23);
    let (mut d, mut m) = (ZERO, ZERO);
    // (closures for `map` are not inlined here)
    for (i, w) in dm.iter().enumerate() {
        d[i] = f16_to_f32(w & 0xffff) * factor;
        m[i] = f16_to_f32(w >> 16) * factor;
    }
    (d, m)
}

/// Returns d and m of four blocks.
#[inline(always)]
pub fn normal_scales(dm: &[u32; 4]) -> (V, V) {
    scales::<0>(dm)
}

/// Returns d of four blocks, two in a word.
#[inline(always)]
pub fn scales_in_pairs([a, b]: &[u32; 2]) -> V {
    [*a, a >> 16, *b, b >> 16].map(|h| f16_to_f32(h & 0xffff))
}

/// Returns d of four blocks, two in a word.
#[inline(always)]
pub fn normal_scales_in_pairs(pairs: &[u32; 2]) -> V {
    scales_in_pairs(pairs)
}

/// Reinterprets words as f32.
#[inline(always)]
pub fn floats(words: &[u32; 4]) -> V {
    words.map(f32::from_bits)
}

/// Returns the low and the high nibble of each word's lowest byte, as f32.
#[inline(always)]
pub fn nibble_numbers(words: &[u32; 4]) -> (V, V) {
    let number = |at: u32| words.map(|word| (word >> at & 15) as f32);
    (number(0), number(4))
}

/// Returns a word's bytes as numbers from 0 to 255.
#[inline(always)]
pub fn four_bytes(word: u32) -> V {
    word.to_le_bytes().map(f32::from)
}

#[inline(always)]
pub fn load(four: &[f32; 4]) -> V {
    *four
}

/// Copies a number to all lanes.
#[inline(always)]
pub fn all(v: f32) -> V {
    [v; 4]
}

#[inline(always)]
pub fn times(v: V, factor: f32) -> V {
    v.map(|v| v * factor)
}

#[inline(always)]
pub fn mul(a: V, b: V) -> V {
    core::array::from_fn(|i| a[i] * b[i])
}

#[inline(always)]
pub fn plus(a: V, b: V) -> V {
    core::array::from_fn(|i| a[i] + b[i])
}

#[inline(always)]
pub fn sub(a: V, b: V) -> V {
    core::array::from_fn(|i| a[i] - b[i])
}

#[inline(always)]
pub fn add_product(acc: V, a: V, b: V) -> V {
    core::array::from_fn(|i| acc[i] + a[i] * b[i])
}

#[inline(always)]
pub fn sum(v: V) -> f32 {
    v.iter().sum()
}

/// Returns the magnitudes.
#[inline(always)]
pub fn abs(v: V) -> V {
    v.map(f32::abs)
}

/// Returns the larger of two numbers in each lane, and `a` where `b` is NaN.
#[inline(always)]
pub fn larger(a: V, b: V) -> V {
    core::array::from_fn(|i| if b[i] > a[i] { b[i] } else { a[i] })
}

/// Returns the largest lane.
#[inline(always)]
pub fn largest(v: V) -> f32 {
    v.into_iter().fold(v[0], |a, b| if b > a { b } else { a })
}

#[inline(always)]
pub fn square_root(v: f32) -> f32 {
    v.sqrt()
}

/// Rounds half a block times `factor` to integers, ties to even, for products below 2^22: the even columns, then the odd
/// ones. Adding 1.5 * 2^23 leaves the integer in the low bits of the mantissa.
#[inline(always)]
pub fn integers(x: &[f32; HALF], factor: f32, q: &mut [i16; HALF]) {
    let round = |v: f32| (v * factor + 12_582_912.0).to_bits() as i16;
    for i in 0..HALF / 2 {
        q[i] = round(x[2 * i]);
        q[i + HALF / 2] = round(x[2 * i + 1]);
    }
}

/// Returns the sums of the lanes of four vectors.
#[inline(always)]
pub fn sums(v: [V; 4]) -> V {
    v.map(|v| (v[0] + v[2]) + (v[1] + v[3]))
}

#[inline(always)]
pub fn to_array(v: V) -> [f32; 4] {
    v
}
