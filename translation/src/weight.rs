//! Weights of projections, as floats in panels or in the blocks that the file stores.

use hearth_cpu::dot::{BLOCK, Row, padded, quantise};
use hearth_cpu::layers::{Matrix, NoMemory};
use hearth_cpu::rows::{Format, groups, product_of};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::quant::{BlockFormat, Packing, block_format, repack_rows, unpack_row};
use hearth_modelfile::{Error, Result};

/// Rows that are converted at once.
const ROWS: usize = 64;

/// A weight [n, k] of y = x W^T.
pub enum Weight {
    Floats(Matrix),
    Blocks(Blocks),
}

/// A weight in the layout that the inner loops of quantised products read.
pub struct Blocks {
    n: usize,
    k: usize,
    packing: Packing,
    format: Format,
    quants: Vec<u32>,
    scales: Vec<u32>,
}

impl Weight {
    /// Converts the bytes of tensor `name`, [n, k].
    ///
    /// # Errors
    /// [`Error::UnsupportedQuant`], [`Error::BadFile`] for values that are no numbers, [`Error::OutOfMemory`].
    pub fn read(name: &str, n: usize, k: usize, dtype: GgmlType, bytes: &[u8]) -> Result<Self> {
        let format = block_format(dtype, name)?;
        let packing = format.packing();
        // (activations are quantised in blocks of 32)
        if let Some(cpu) = packing.cpu_format().filter(|_| k.is_multiple_of(BLOCK)) {
            let (mut quants, mut scales) = (Vec::new(), Vec::new());
            repack_rows(format, k, bytes, &mut quants, &mut scales)?;
            if !hearth_modelfile::quant::are_finite(packing, &quants, &scales) {
                return Err(not_finite(name));
            }
            return Ok(Self::Blocks(Blocks {
                n,
                k,
                packing,
                format: cpu,
                quants,
                scales,
            }));
        }
        let mut is_half = true;
        each_row(format, k, bytes, |_, row| {
            if !row.iter().all(|v| v.is_finite()) {
                return Err(not_finite(name));
            }
            is_half &= Matrix::is_half(row);
            Ok(())
        })?;
        let mut matrix = Matrix::zeros(n, k, is_half).map_err(no_memory)?;
        each_row(format, k, bytes, |r, row| {
            matrix.set_row(r, row);
            Ok(())
        })?;
        Ok(Self::Floats(matrix))
    }

    /// Returns the rows of the weight, that is outputs, and its columns, that is inputs.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Floats(matrix) => (matrix.n(), matrix.k()),
            Self::Blocks(blocks) => (blocks.n, blocks.k),
        }
    }

    /// Returns the bytes that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Floats(matrix) => matrix.bytes(),
            Self::Blocks(blocks) => 4 * (blocks.quants.len() + blocks.scales.len()),
        }
    }

    /// Returns x W^T + b: `x`: [rows, k], `bias`: [n] or none, result [rows, n].
    pub fn times(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        match self {
            Self::Floats(matrix) => matrix.times(x, bias),
            Self::Blocks(blocks) => blocks.times(x, bias),
        }
    }

    /// Writes row `row` of the weight, as the embedding of a token.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Floats(matrix) => matrix.row(row, out),
            Self::Blocks(blocks) => blocks.row(row, out),
        }
    }

    /// Returns whether all values of two weights are the same.
    pub fn equals(&self, other: &Self) -> bool {
        let (n, k) = self.shape();
        if other.shape() != (n, k) {
            return false;
        }
        let (mut a, mut b) = (vec![0.0; k], vec![0.0; k]);
        (0..n).all(|row| {
            self.row(row, &mut a);
            other.row(row, &mut b);
            a == b
        })
    }
}

impl Blocks {
    fn times(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let rows = x.len() / self.k.max(1);
        let mut out = match bias {
            Some(bias) => bias.repeat(rows),
            None => vec![0.0; rows * self.n],
        };
        let blocks = padded(self.k / BLOCK);
        let made: Vec<_> = x
            .chunks_exact(self.k.max(1))
            .map(|x| {
                let (mut q, mut floats) = (vec![0; self.k], [(); 3].map(|()| vec![0.0; blocks]));
                let [scale, sum, first] = &mut floats;
                quantise(x, &mut q, scale, sum, first);
                (q, floats)
            })
            .collect();
        let x: Vec<_> = made
            .iter()
            .map(|(q, [scale, sum, first])| Row {
                q,
                scale,
                sum,
                first,
            })
            .collect();
        let put = |t: usize, r: usize, value: f32| {
            if let Some(out) = out.get_mut(t * self.n + r) {
                *out += value;
            }
        };
        let (quants, scales) = (&self.quants, &self.scales);
        product_of(
            self.format,
            &x,
            quants,
            scales,
            self.n,
            0..groups(self.n),
            put,
        );
        out
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let n = self.n.max(1);
        let (words, scales) = (self.quants.len() / n, self.scales.len() / n);
        let quants = self.quants.get(row * words..(row + 1) * words);
        let scales = self.scales.get(row * scales..(row + 1) * scales);
        match quants.zip(scales) {
            Some((quants, scales)) => unpack_row(self.packing, quants, scales, out),
            None => out.fill(0.0),
        }
    }
}

/// Calls `each` with the number and the values of every row.
fn each_row(
    format: &dyn BlockFormat,
    k: usize,
    bytes: &[u8],
    mut each: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let row_bytes = k / format.block_len() * format.block_bytes();
    let mut values = vec![0.0; ROWS * k];
    for (at, rows) in bytes.chunks(ROWS * row_bytes.max(1)).enumerate() {
        let values = &mut values[..rows.len() / row_bytes.max(1) * k];
        format.dequantize(rows, values)?;
        for (r, row) in values.chunks_exact(k.max(1)).enumerate() {
            each(at * ROWS + r, row)?;
        }
    }
    Ok(())
}

pub fn not_finite(name: &str) -> Error {
    Error::BadFile {
        format: "translation model",
        what: format!("tensor \"{name}\""),
        expected: "finite numbers".into(),
        found: "NaN or infinity".into(),
    }
}

fn no_memory(NoMemory { needed }: NoMemory) -> Error {
    Error::OutOfMemory {
        what: "the weights".into(),
        needed,
        available: isize::MAX as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_modelfile::quant::quantize_q8_0;

    fn number(i: usize, step: usize) -> f32 {
        ((i * step) % 23) as f32 / 4.0 - 2.0
    }

    #[test]
    fn blocks_and_floats_agree() {
        let (rows, n, k) = (5, 7, 64);
        let values: Vec<f32> = (0..n * k).map(|i| number(i, 7)).collect();
        let bias: Vec<f32> = (0..n).map(|i| i as f32).collect();
        let x: Vec<f32> = (0..rows * k).map(|i| number(i, 5)).collect();
        let floats: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let floats = Weight::read("w", n, k, GgmlType::F32, &floats).unwrap();
        let blocks = quantize_q8_0(&values);
        let blocks = Weight::read("w", n, k, GgmlType::Q8_0, &blocks).unwrap();
        assert!(matches!(blocks, Weight::Blocks(_)));
        let (a, b) = (floats.times(&x, Some(&bias)), blocks.times(&x, Some(&bias)));
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
        let worst = worst.fold(0.0, f32::max);
        assert!(worst < 0.6 && worst > 0.0, "{worst}");
        let (mut a, mut b) = (vec![0.0; k], vec![0.0; k]);
        floats.row(n - 1, &mut a);
        blocks.row(n - 1, &mut b);
        assert_eq!(a, values[(n - 1) * k..]);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.02));
        assert!(floats.equals(&floats) && !floats.equals(&blocks));
    }

    #[test]
    fn numbers_must_be_finite() {
        for value in [f32::NAN, f32::INFINITY] {
            let bytes: Vec<u8> = [1.0, value].iter().flat_map(|v| v.to_le_bytes()).collect();
            let found = Weight::read("w", 1, 2, GgmlType::F32, &bytes);
            assert_eq!(found.err().map(|e| e.code()), Some("bad_file"));
        }
    }
}
