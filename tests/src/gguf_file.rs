//! Files of true shapes with random weights, for programs that read files: other engines, and whoever measures loading.

use std::io::{Error, ErrorKind, Result, Write};

use half::f16;
use hearth_modelfile::container::GgmlType;

use crate::synthetic::Shape;

/// Tensors begin at multiples of this.
const ALIGNMENT: usize = 32;
/// Bytes, about, after which the noise repeats.
const PERIOD: usize = 1 << 20;

/// Bytes of a storage type's block, where its scale is, and a scale that makes weights about as large as a model's.
struct Blocks {
    bytes: usize,
    scale_at: usize,
    scale: f32,
}

impl Blocks {
    fn of(dtype: GgmlType) -> Option<Self> {
        let (bytes, scale_at, scale) = match dtype {
            GgmlType::Q4_0 => (18, 0, 4e-3),
            GgmlType::Q8_0 => (34, 0, 3e-4),
            // (products of it, an 8-bit scale and a 6-bit weight)
            GgmlType::Q6_K => (210, 208, 2e-5),
            _ => return None,
        };
        Some(Self {
            bytes,
            scale_at,
            scale,
        })
    }

    /// Returns blocks of noise, all of one scale. Equal bits would tell a GPU's memory less than real weights do.
    fn noise(&self) -> Vec<u8> {
        let mut s: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut byte = || {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 32) as u8
        };
        let blocks = PERIOD / self.bytes;
        let mut noise: Vec<u8> = (0..blocks * self.bytes).map(|_| byte()).collect();
        let scale = f16::from_f32(self.scale).to_le_bytes();
        for block in noise.chunks_exact_mut(self.bytes) {
            block[self.scale_at..][..2].copy_from_slice(&scale);
        }
        noise
    }
}

/// Writes the file of `shape` and returns its length.
///
/// # Errors
/// Errors of `out`, and `Unsupported` for storage types without a description here.
pub fn write(shape: &Shape, out: &mut impl Write) -> Result<u64> {
    let (header, total) = shape.header();
    out.write_all(&header)?;
    for (name, dims, dtype) in shape.tensors() {
        let elements = dims.iter().product::<u64>() as usize;
        let bytes = match Blocks::of(dtype) {
            Some(blocks) => {
                let noise = blocks.noise();
                let per_block = if dtype == GgmlType::Q6_K { 256 } else { 32 };
                let bytes = elements / per_block * blocks.bytes;
                let mut left = bytes;
                while left > 0 {
                    let now = left.min(noise.len());
                    out.write_all(&noise[..now])?;
                    left -= now;
                }
                bytes
            }
            // Only norms are floats.
            None if dtype == GgmlType::F32 => {
                let ones = 1.0f32.to_le_bytes().repeat(elements);
                out.write_all(&ones)?;
                ones.len()
            }
            None => {
                let message = format!("noise of type {} for {name}", dtype.name());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        out.write_all(&vec![0; bytes.next_multiple_of(ALIGNMENT) - bytes])?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Types, published};

    #[test]
    fn a_file_is_as_long_as_its_header_says() {
        let [q4, q8] = [GgmlType::Q4_0, GgmlType::Q8_0].map(Types::All);
        for shape in published([q4, q8, Types::Q40, Types::Q40]) {
            let shape = Shape {
                n_layers: 1,
                vocab: 512,
                ..shape
            };
            let mut bytes = Vec::new();
            let total = write(&shape, &mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, total, "{}", shape.name);
        }
    }
}
