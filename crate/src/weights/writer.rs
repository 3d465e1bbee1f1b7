//! Writes the bytes of tensors, in the file's order, to their places on the device.

use crate::device::Device;
use crate::ops::Ops;
use crate::ops::buffer::read_words;
use crate::weights::builder::RowRange;
use crate::weights::fp8_rows::{Fp8Rows, WaitingRows};
use crate::weights::plan::{Destination, Factors, LoadPlan, Piece, PlannedRead};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::container::transposed::rows_of_columns;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::codebook::{multiply_scales, repack_exponents, repack_pairs};
use hearth_modelfile::quant::{are_finite, block_format, repack_rows};

/// Writes the tensors of a plan as their bytes come.
pub(crate) struct TensorWriter {
    pub(crate) ops: Ops,
    pub(crate) plan: LoadPlan,
    /// The tensor being read: index into the plan's reading order.
    current: usize,
    /// Bytes of the current tensor that do not fill a row yet.
    rest: Vec<u8>,
    /// Rows of the current tensor already written, to any destination.
    rows_done: usize,
    /// Bytes written to the device since the queue was last drained.
    unflushed: usize,
    /// Scales whose factors come later in the file.
    waiting: Vec<Waiting>,
    /// Rows of 8-bit floats whose scales come later in the file.
    fp8: WaitingRows,
}

/// Scales of rows of a matrix that are not multiplied by their factors yet.
struct Waiting {
    factors: Factors,
    /// The first row's number in the tensor.
    row: usize,
    matrix: usize,
    range: RowRange,
    scales: Vec<u32>,
}

impl TensorWriter {
    pub(crate) fn new(ops: Ops, plan: LoadPlan) -> Self {
        Self {
            ops,
            plan,
            current: 0,
            rest: Vec::new(),
            rows_done: 0,
            unflushed: 0,
            waiting: Vec::new(),
            fp8: WaitingRows::default(),
        }
    }

    /// Returns the tensor being read; `None` after the last.
    pub(crate) fn tensor(&self) -> Option<&PlannedRead> {
        self.plan.order.get(self.current)
    }

    /// Consumes the file's bytes `start .. start + chunk.len()`.
    pub(crate) async fn feed(&mut self, device: &Device, start: u64, chunk: &[u8]) -> Result<()> {
        let end = start + chunk.len() as u64;
        while let Some(tensor) = self.plan.order.get(self.current) {
            let from = tensor.offset.max(start);
            let to = (tensor.offset + tensor.size).min(end);
            if from >= to {
                break;
            }
            let bytes = &chunk[(from - start) as usize..(to - start) as usize];
            let complete = to == tensor.offset + tensor.size;
            self.write(bytes)?;
            if !complete {
                break;
            }
            self.current += 1;
            self.rows_done = 0;
            self.rest.clear();
            self.write_waiting()?;
            self.write_fp8()?;
        }
        // Queued writes hold a copy of their bytes; drain them before they pile up.
        const DRAIN_BYTES: usize = 32 << 20;
        if self.unflushed > DRAIN_BYTES {
            self.unflushed = 0;
            if device.is_gpu() {
                device
                    .wait(read_words(self.ops.device_handle(), 0, 1))
                    .await?;
            }
            device.check()?;
        }
        Ok(())
    }

    /// Writes the next bytes of the current tensor.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let row_bytes = tensor.row_bytes()?;
        let mut bytes = bytes;
        // Rows are written in slices, so that a large chunk is not doubled in memory.
        const SLICE_BYTES: usize = 1 << 20;
        if let Some(matrix_bytes) = tensor.by_columns {
            return self.write_columns(bytes, matrix_bytes as usize, row_bytes, SLICE_BYTES);
        }
        // Complete the row that the last chunk began.
        if !self.rest.is_empty() {
            let missing = (row_bytes - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.rest.len() < row_bytes {
                return Ok(());
            }
            let row = std::mem::take(&mut self.rest);
            self.write_rows(&row)?;
        }
        let whole = bytes.len() / row_bytes * row_bytes;
        let step = (SLICE_BYTES / row_bytes).max(1) * row_bytes;
        for rows in bytes[..whole].chunks(step) {
            self.write_rows(rows)?;
        }
        self.rest.extend_from_slice(&bytes[whole..]);
        Ok(())
    }

    /// Writes a matrix stored by columns. A row is complete only once all columns are, so they are buffered until
    /// then: GPT-2's largest matrix is 41 MB.
    fn write_columns(
        &mut self,
        mut bytes: &[u8],
        matrix_bytes: usize,
        row_bytes: usize,
        slice_bytes: usize,
    ) -> Result<()> {
        while let Some(tensor) = self.plan.order.get(self.current)
            && !bytes.is_empty()
        {
            let missing = matrix_bytes.saturating_sub(self.rest.len());
            let element = block_format(tensor.dtype, &tensor.name)?.block_bytes();
            if self.rest.try_reserve_exact(missing).is_err() {
                return Err(Error::OutOfMemory {
                    what: format!("tensor \"{}\", which the file has by columns", tensor.name),
                    needed: matrix_bytes as u64,
                    available: 0,
                });
            }
            let (now, later) = bytes.split_at(missing.min(bytes.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if now.len() == missing {
                let columns = std::mem::take(&mut self.rest);
                rows_of_columns(&columns, element, row_bytes, slice_bytes, |rows| {
                    self.write_rows(rows)
                })?;
            }
        }
        Ok(())
    }

    /// Writes whole rows of the current tensor, which its destinations take in turns.
    fn write_rows(&mut self, rows: &[u8]) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let row_bytes = tensor.row_bytes()?;
        let destinations = tensor.destinations.clone();
        let (done, n) = (self.rows_done, rows.len() / row_bytes);
        for (turn, destination) in destinations.iter().enumerate() {
            // The first of these rows that belongs to this destination, and its number among the destination's rows.
            let skipped =
                (turn + destinations.len() - done % destinations.len()) % destinations.len();
            let row = (done + skipped) / destinations.len();
            match (destination, destinations.len()) {
                (Some(destination), 1) => self.write_to(rows, *destination, row)?,
                (Some(destination), turns) => {
                    let all = rows.chunks_exact(row_bytes).skip(skipped);
                    let own: Vec<u8> = all.step_by(turns).flatten().copied().collect();
                    self.write_to(&own, *destination, row)?;
                }
                (None, _) => {}
            }
        }
        self.rows_done += n;
        Ok(())
    }

    /// Repacks and writes whole rows of a destination, starting at its row `row`.
    fn write_to(&mut self, rows: &[u8], destination: Destination, row: usize) -> Result<()> {
        let Some(tensor) = self.plan.order.get(self.current) else {
            return Ok(());
        };
        let format = block_format(tensor.dtype, &tensor.name)?;
        let cols = tensor.cols;
        match destination {
            Destination::Vector(index) => {
                let mut values = vec![0.0; rows.len() / format.block_bytes() * format.block_len()];
                format.dequantize(rows, &mut values)?;
                check_finite(&tensor.name, values.iter().all(|v| v.is_finite()))?;
                self.plan.vectors[index].extend(values);
            }
            Destination::Matrix { matrix, first } => {
                let n = rows.len() / tensor.row_bytes()?;
                let (mut quants, mut scales) = (Vec::new(), Vec::new());
                let range = RowRange {
                    row: first + row,
                    rows: n,
                };
                match (tensor.piece, tensor.quantize) {
                    (Piece::Fp8(planned), quantize) => {
                        self.unflushed += rows.len();
                        self.fp8.push(Fp8Rows {
                            tensor: tensor.name.clone(),
                            planned,
                            quantize,
                            cols,
                            row,
                            matrix,
                            range,
                            bytes: rows.to_vec(),
                        })?;
                        return self.write_fp8();
                    }
                    (Piece::Quants, _) => repack_pairs(rows, &mut quants)?,
                    (Piece::Scales, _) => repack_exponents(rows, &mut scales)?,
                    (Piece::Whole, Some(quantize)) => {
                        let mut values = vec![0.0; n * cols];
                        format.dequantize(rows, &mut values)?;
                        check_finite(&tensor.name, values.iter().all(|v| v.is_finite()))?;
                        let kept = block_format(quantize.dtype(), &tensor.name)?;
                        let blocks = quantize.blocks(&values);
                        repack_rows(kept, cols, &blocks, &mut quants, &mut scales)?;
                    }
                    (Piece::Whole, None) if tensor.widened => {
                        let mut values = vec![0.0; n * cols];
                        format.dequantize(rows, &mut values)?;
                        check_finite(&tensor.name, values.iter().all(|v| v.is_finite()))?;
                        let kept = block_format(GgmlType::F32, &tensor.name)?;
                        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                        repack_rows(kept, cols, &bytes, &mut quants, &mut scales)?;
                    }
                    (Piece::Whole, None) => {
                        repack_rows(format, cols, rows, &mut quants, &mut scales)?;
                        let finite = are_finite(format.packing(), &quants, &scales);
                        check_finite(&tensor.name, finite)?;
                    }
                }
                self.unflushed += rows.len();
                if let Some(factors) = tensor.factors {
                    let waiting = Waiting {
                        factors,
                        row,
                        matrix,
                        range,
                        scales: std::mem::take(&mut scales),
                    };
                    self.waiting.push(waiting);
                    self.plan.matrices[matrix].write(&self.ops, range, quants, Vec::new())?;
                    return self.write_waiting();
                }
                self.plan.matrices[matrix].write(&self.ops, range, quants, scales)?;
            }
        }
        Ok(())
    }
}

impl TensorWriter {
    /// Writes the rows of 8-bit floats whose scales are there.
    fn write_fp8(&mut self) -> Result<()> {
        for rows in self.fp8.ready(&self.plan.vectors) {
            let scales =
                (self.plan.vectors.get(rows.planned.vector)).map_or(&[][..], Vec::as_slice);
            let (quants, scales) = rows.repacked(scales)?;
            self.plan.matrices[rows.matrix].write(&self.ops, rows.range, quants, scales)?;
        }
        Ok(())
    }

    /// Writes the scales whose factors are there.
    fn write_waiting(&mut self) -> Result<()> {
        let vectors = &self.plan.vectors;
        let is_there = |w: &Waiting| {
            let factors = vectors.get(w.factors.vector);
            factors.is_some_and(|factors| factors.len() == w.factors.count)
        };
        let all = std::mem::take(&mut self.waiting);
        let (ready, later): (Vec<_>, _) = all.into_iter().partition(is_there);
        self.waiting = later;
        for mut waiting in ready {
            let Factors { vector, rows, .. } = waiting.factors;
            let of_row = waiting.scales.len() / waiting.range.rows.max(1);
            let all = waiting.scales.chunks_exact_mut(of_row.max(1));
            for (r, scales) in all.enumerate() {
                let factor = self.plan.vectors[vector].get((waiting.row + r) / rows.max(1));
                multiply_scales(scales, factor.copied().unwrap_or(f32::NAN))?;
            }
            self.plan.matrices[waiting.matrix].write(
                &self.ops,
                waiting.range,
                Vec::new(),
                waiting.scales,
            )?;
        }
        Ok(())
    }
}

/// Rejects NaN and infinity: a model with such weights produces no useful output.
pub(super) fn check_finite(name: &str, finite: bool) -> Result<()> {
    if finite {
        return Ok(());
    }
    Err(Error::BadFile {
        format: "model",
        what: format!("tensor {name:?}"),
        expected: "numbers".into(),
        found: "NaN or infinity".into(),
    })
}
