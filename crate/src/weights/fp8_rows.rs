//! Rows of 8-bit floats on their way to the device. They need their scales, which files have before them or, where a model is
//! divided between two files, after them.

use crate::weights::builder::RowRange;
use crate::weights::plan::PlannedFp8;
use crate::weights::writer::check_finite;
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::fp8::{bf16_blocks, dequantize_rows};
use hearth_modelfile::quant::quantize::Quantize;
use hearth_modelfile::quant::{are_finite, block_format, repack_rows};

/// Bytes that may wait at a time: some of the largest matrices, so that a file with all its scales at its end is refused instead of
/// being kept in memory.
const MAX_WAITING: usize = 256 << 20;

/// Whole rows of a tensor.
pub(super) struct Fp8Rows {
    pub(super) tensor: String,
    pub(super) planned: PlannedFp8,
    /// Format to which the products are quantised.
    pub(super) quantize: Option<Quantize>,
    pub(super) cols: usize,
    /// The first row's number in the tensor.
    pub(super) row: usize,
    /// Index of the matrix that the rows belong to, and their place there.
    pub(super) matrix: usize,
    pub(super) range: RowRange,
    pub(super) bytes: Vec<u8>,
}

impl Fp8Rows {
    /// Returns the words of quants and of scales on the device: of BF16, or of the format asked for. `scales`: all those of the
    /// tensor.
    ///
    /// # Errors
    /// [`Error::BadFile`] if an element is not finite.
    pub(super) fn repacked(&self, scales: &[f32]) -> Result<(Vec<u32>, Vec<u32>)> {
        let (cols, blocks) = (self.cols, &self.planned.blocks);
        let mut values = vec![0.0; self.bytes.len()];
        dequantize_rows(&self.bytes, cols, self.row, blocks, scales, &mut values)?;
        check_finite(&self.tensor, values.iter().all(|v| v.is_finite()))?;
        let (dtype, kept) = match self.quantize {
            Some(quantize) => (quantize.dtype(), quantize.blocks(&values)),
            None => (GgmlType::BF16, bf16_blocks(&values)),
        };
        let format = block_format(dtype, &self.tensor)?;
        let (mut quants, mut scales) = (Vec::new(), Vec::new());
        repack_rows(format, cols, &kept, &mut quants, &mut scales)?;
        // (the largest values of f32 would be rounded to infinity)
        let finite = are_finite(format.packing(), &quants, &scales);
        check_finite(&self.tensor, finite)?;
        Ok((quants, scales))
    }
}

/// Rows that wait for their scales.
#[derive(Default)]
pub(super) struct WaitingRows {
    rows: Vec<Fp8Rows>,
    bytes: usize,
}

impl WaitingRows {
    /// Takes rows.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if too many wait.
    pub(super) fn push(&mut self, rows: Fp8Rows) -> Result<()> {
        self.bytes += rows.bytes.len();
        if self.bytes > MAX_WAITING {
            return Err(Error::OutOfMemory {
                what: format!(
                    "tensor \"{}\" and others whose scales come later in the file",
                    rows.tensor
                ),
                needed: self.bytes as u64,
                available: MAX_WAITING as u64,
            });
        }
        self.rows.push(rows);
        Ok(())
    }

    /// Returns the rows whose scales are complete; they wait no longer.
    pub(super) fn ready(&mut self, vectors: &[Vec<f32>]) -> Vec<Fp8Rows> {
        let is_ready = |rows: &Fp8Rows| {
            let scales = vectors.get(rows.planned.vector);
            scales.is_some_and(|scales| scales.len() == rows.planned.count)
        };
        let all = std::mem::take(&mut self.rows);
        let (ready, later): (Vec<_>, Vec<_>) = all.into_iter().partition(is_ready);
        self.rows = later;
        self.bytes = self.rows.iter().map(|rows| rows.bytes.len()).sum();
        ready
    }
}
