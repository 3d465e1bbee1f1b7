//! GGML's reference quantisers: for float weights that are to be made smaller, and for synthetic ones in tests and
//! benches.
//!
//! Source: `quantize_row_q4_0_ref`, `quantize_row_q4_1_ref` and `quantize_row_q8_0_ref` in
//! `ggml/src/ggml-quants.c` of llama.cpp. Each takes any number of elements (the last block is completed with
//! zeros) and returns whole blocks.

use half::f16;

use crate::container::{GgmlType, TensorInfo};

const BLOCK_LEN: usize = 32;

/// Types to which float weights can be quantised at load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Quantize {
    /// Q8_0: about half the size of f16, negligible loss.
    Q8,
    /// Q4_1: less than a third of f16.
    Q4,
}

impl Quantize {
    /// Returns whether a tensor is a matrix of floats whose rows are whole blocks.
    pub fn applies(self, tensor: &TensorInfo) -> bool {
        let is_float = matches!(tensor.dtype, GgmlType::F32 | GgmlType::F16 | GgmlType::BF16);
        is_float && tensor.n_cols().is_multiple_of(BLOCK_LEN as u64)
    }

    /// Returns the resulting type.
    pub const fn dtype(self) -> GgmlType {
        match self {
            Quantize::Q8 => GgmlType::Q8_0,
            Quantize::Q4 => GgmlType::Q4_1,
        }
    }

    /// Quantises to blocks of the resulting type.
    pub fn blocks(self, x: &[f32]) -> Vec<u8> {
        match self {
            Quantize::Q8 => quantize_q8_0(x),
            Quantize::Q4 => quantize_q4_1(x),
        }
    }
}

/// Returns the type in which a matrix of this type is kept: kernels take floats of 16 bits by eights, and rows that are a whole number of
/// fours only, such as Qwen 2.5 VL's tower has, become F32.
pub fn widened(dtype: GgmlType, cols: usize) -> GgmlType {
    let is_half = matches!(dtype, GgmlType::F16 | GgmlType::BF16);
    match is_half && cols % 8 == 4 {
        true => GgmlType::F32,
        false => dtype,
    }
}

/// Returns the bytes of a tensor's blocks after loading, assuming that it is a matrix that may be quantised.
pub fn kept_bytes(tensor: &TensorInfo, quantize: Option<Quantize>) -> u64 {
    match quantize.filter(|quantize| quantize.applies(tensor)) {
        Some(quantize) => {
            let elements = tensor.n_cols().saturating_mul(tensor.n_rows());
            elements / BLOCK_LEN as u64 * quantize.dtype().block_bytes() as u64
        }
        None => tensor.kept_bytes(),
    }
}

/// Quantises to `Q4_0`: the element of largest magnitude becomes `q = 0`, i.e. `d = extreme / -8`.
pub fn quantize_q4_0(x: &[f32]) -> Vec<u8> {
    quantize(x, 18, |x, out| {
        let extreme = x
            .iter()
            .fold(0.0f32, |m, &v| if v.abs() > m.abs() { v } else { m });
        let d = extreme / -8.0;
        let id = inverse(d);
        out.extend(f16::from_f32(d).to_le_bytes());
        pack_nibbles(x, out, |v| v * id + 8.5);
    })
}

/// Quantises to `Q4_1`: the range from the smallest to the largest element is divided into 15 steps.
pub fn quantize_q4_1(x: &[f32]) -> Vec<u8> {
    quantize(x, 20, |x, out| {
        let min = x.iter().copied().fold(f32::MAX, f32::min);
        let max = x.iter().copied().fold(f32::MIN, f32::max);
        let d = (max - min) / 15.0;
        let id = inverse(d);
        out.extend(f16::from_f32(d).to_le_bytes());
        out.extend(f16::from_f32(min).to_le_bytes());
        pack_nibbles(x, out, |v| (v - min) * id + 0.5);
    })
}

/// Quantises to `Q8_0`: the largest magnitude becomes 127.
pub fn quantize_q8_0(x: &[f32]) -> Vec<u8> {
    quantize(x, 34, |x, out| {
        let d = x.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 127.0;
        let id = inverse(d);
        out.extend(f16::from_f32(d).to_le_bytes());
        // `as i8` saturates, which the rounding error of `id` could otherwise require.
        out.extend(x.iter().map(|v| (v * id).round() as i8 as u8));
    })
}

fn quantize(
    x: &[f32],
    block_bytes: usize,
    block: impl Fn(&[f32; BLOCK_LEN], &mut Vec<u8>),
) -> Vec<u8> {
    let (blocks, rest) = x.as_chunks::<BLOCK_LEN>();
    let mut out = Vec::with_capacity(x.len().div_ceil(BLOCK_LEN) * block_bytes);
    for x in blocks {
        block(x, &mut out);
    }
    if !rest.is_empty() {
        let mut last = [0.0; BLOCK_LEN];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        block(&last, &mut out);
    }
    out
}

/// Returns `1 / d`, or 0 for a block of equal elements.
fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Appends 16 bytes; `level` returns the quant before truncation to an integer.
fn pack_nibbles(x: &[f32; BLOCK_LEN], out: &mut Vec<u8>, level: impl Fn(f32) -> f32) {
    let q = |v: &f32| (level(*v) as u8).min(15);
    let (low, high) = x.split_at(BLOCK_LEN / 2);
    out.extend(low.iter().zip(high).map(|(a, b)| q(a) | q(b) << 4));
}
