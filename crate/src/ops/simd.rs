//! The inner loops of the CPU path.
//!
//! Activations are quantised to 16 bits per block of 32 (error about 2^-16 of the block's largest value, far
//! below that of the weights), so that a block of 4- or 8-bit weights needs four integer dot instructions:
//! `i32x4.dot_i16x8_s` in WebAssembly SIMD128, `pmaddwd` on x86, which the plain loop below becomes.

/// Weights in a quantised block.
pub const BLOCK: usize = 32;

/// A row of activations as 16-bit integers: x ~ scale * q, per block of 32.
pub struct Quantised {
    /// [cols]
    pub q: Vec<i16>,
    /// [cols / 32]
    pub scale: Vec<f32>,
    /// [cols / 32], the sum of each block's x, which the affine formats' minimum multiplies
    pub sum: Vec<f32>,
}

impl Quantised {
    /// Quantises `x`, whose length is a multiple of 32.
    pub fn new(x: &[f32]) -> Self {
        let blocks = x.len() / BLOCK;
        let mut out = Self {
            q: Vec::with_capacity(x.len()),
            scale: Vec::with_capacity(blocks),
            sum: Vec::with_capacity(blocks),
        };
        for block in x.chunks_exact(BLOCK) {
            let max = block.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            let inverse = if max > 0.0 { 32767.0 / max } else { 0.0 };
            out.q
                .extend(block.iter().map(|v| (v * inverse).round_ties_even() as i16));
            out.scale.push(max / 32767.0);
            out.sum.push(block.iter().sum());
        }
        out
    }
}

/// The f32 value of an f16, for finite inputs: two shifts and an exact multiplication instead of a table or
/// branches (the exponent is rebased by 2^112; subnormals come out right because the product normalises).
#[inline(always)]
pub fn f16_to_f32(h: u32) -> f32 {
    let magnitude = f32::from_bits((h & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | ((h & 0x8000) << 16))
}

/// Dot product of two equally long f32 slices, in eight lanes.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Dot product of a Q4 row with quantised activations.
///
/// `quants`: [blocks, 4] words, `scales`: [blocks] words of f16 d | f16 m.
pub fn dot_q4(quants: &[u32], scales: &[u32], x: &Quantised) -> f32 {
    let (quants, _) = quants.as_chunks::<4>();
    let (xq, _) = x.q.as_chunks::<BLOCK>();
    let mut acc = lanes::zero();
    let mut low = 0.0f32;
    for ((((words, dm), xq), xs), xsum) in
        quants.iter().zip(scales).zip(xq).zip(&x.scale).zip(&x.sum)
    {
        acc = lanes::add_q4(acc, words, xq, f16_to_f32(dm & 0xffff) * xs);
        low += f16_to_f32(dm >> 16) * xsum;
    }
    lanes::sum(acc) + low
}

/// Dot product of a Q8 row with quantised activations.
///
/// `quants`: [blocks, 8] words, `scales`: [blocks] words of f16 d.
pub fn dot_q8(quants: &[u32], scales: &[u32], x: &Quantised) -> f32 {
    let (quants, _) = quants.as_chunks::<8>();
    let (xq, _) = x.q.as_chunks::<BLOCK>();
    let mut acc = lanes::zero();
    for (((words, dm), xq), xs) in quants.iter().zip(scales).zip(xq).zip(&x.scale) {
        acc = lanes::add_q8(acc, words, xq, f16_to_f32(dm & 0xffff) * xs);
    }
    lanes::sum(acc)
}

#[cfg(not(target_feature = "simd128"))]
mod lanes {
    //! Plain loops that the compiler turns into `pmaddwd`.
    pub type Acc = f32;

    #[inline(always)]
    pub fn zero() -> Acc {
        0.0
    }

    #[inline(always)]
    pub fn sum(acc: Acc) -> f32 {
        acc
    }

    #[inline(always)]
    pub fn add_q4(acc: Acc, words: &[u32; 4], x: &[i16; 32], scale: f32) -> Acc {
        let bytes: &[u8; 16] = bytemuck::cast_ref(words);
        let mut dot = 0i32;
        for i in 0..16 {
            dot += (bytes[i] & 15) as i16 as i32 * x[i] as i32;
        }
        for i in 0..16 {
            dot += (bytes[i] >> 4) as i16 as i32 * x[i + 16] as i32;
        }
        acc + dot as f32 * scale
    }

    #[inline(always)]
    pub fn add_q8(acc: Acc, words: &[u32; 8], x: &[i16; 32], scale: f32) -> Acc {
        let bytes: &[i8; 32] = bytemuck::cast_ref(words);
        let mut dot = 0i32;
        for i in 0..32 {
            dot += bytes[i] as i16 as i32 * x[i] as i32;
        }
        acc + dot as f32 * scale
    }
}

#[cfg(target_feature = "simd128")]
mod lanes {
    //! WebAssembly SIMD128.
    use core::arch::wasm32::*;

    pub type Acc = v128;

    #[inline(always)]
    pub fn zero() -> Acc {
        f32x4_splat(0.0)
    }

    #[inline(always)]
    pub fn sum(acc: Acc) -> f32 {
        f32x4_extract_lane::<0>(acc)
            + f32x4_extract_lane::<1>(acc)
            + f32x4_extract_lane::<2>(acc)
            + f32x4_extract_lane::<3>(acc)
    }

    /// Eight 16-bit activations from `at` on.
    #[inline(always)]
    fn load(x: &[i16; 32], at: usize) -> v128 {
        debug_assert!(at + 8 <= 32);
        // SAFETY: `at` is one of 0, 8, 16, 24, so the 16 bytes lie inside the array.
        unsafe { v128_load(x.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    fn add_scaled(acc: Acc, dot: v128, scale: f32) -> Acc {
        f32x4_add(acc, f32x4_mul(f32x4_convert_i32x4(dot), f32x4_splat(scale)))
    }

    #[inline(always)]
    pub fn add_q4(acc: Acc, words: &[u32; 4], x: &[i16; 32], scale: f32) -> Acc {
        // SAFETY: `words` is 16 bytes.
        let bytes = unsafe { v128_load(words.as_ptr().cast()) };
        let lo = v128_and(bytes, u8x16_splat(15));
        let hi = u8x16_shr(bytes, 4);
        let dot = i32x4_add(
            i32x4_add(
                i32x4_dot_i16x8(u16x8_extend_low_u8x16(lo), load(x, 0)),
                i32x4_dot_i16x8(u16x8_extend_high_u8x16(lo), load(x, 8)),
            ),
            i32x4_add(
                i32x4_dot_i16x8(u16x8_extend_low_u8x16(hi), load(x, 16)),
                i32x4_dot_i16x8(u16x8_extend_high_u8x16(hi), load(x, 24)),
            ),
        );
        add_scaled(acc, dot, scale)
    }

    #[inline(always)]
    pub fn add_q8(acc: Acc, words: &[u32; 8], x: &[i16; 32], scale: f32) -> Acc {
        // SAFETY: `words` is 32 bytes.
        let (a, b) = unsafe {
            (
                v128_load(words.as_ptr().cast()),
                v128_load(words.as_ptr().add(4).cast()),
            )
        };
        let dot = i32x4_add(
            i32x4_add(
                i32x4_dot_i16x8(i16x8_extend_low_i8x16(a), load(x, 0)),
                i32x4_dot_i16x8(i16x8_extend_high_i8x16(a), load(x, 8)),
            ),
            i32x4_add(
                i32x4_dot_i16x8(i16x8_extend_low_i8x16(b), load(x, 16)),
                i32x4_dot_i16x8(i16x8_extend_high_i8x16(b), load(x, 24)),
            ),
        );
        add_scaled(acc, dot, scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_f16_converts_exactly() {
        for h in 0..=0xffffu16 {
            let exact = half::f16::from_bits(h);
            if exact.is_finite() {
                assert_eq!(f16_to_f32(h as u32).to_bits(), exact.to_f32().to_bits());
            }
        }
    }
}
