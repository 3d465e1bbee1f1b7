//! A weight's rows on the device while they are loaded.

use std::rc::Rc;

use burn::tensor::{Int, Tensor};

use crate::ops::in_place::InPlace;
use crate::ops::pool::Pooled;
use crate::ops::{Ops, Scaling, Segment, Source, Weight, WeightPart};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::Packing;
use hearth_modelfile::weight_requests::WeightRequest;

/// A range of rows of a matrix.
#[derive(Clone, Copy)]
pub struct RowRange {
    pub row: usize,
    pub rows: usize,
}

/// Rows of a matrix that one tensor of the file provides.
#[derive(Clone, Copy)]
pub struct TensorRows {
    /// Packing on the device.
    pub packing: Packing,
    pub rows: usize,
    /// Bytes of a row in the file.
    pub file_row_bytes: usize,
}

/// A matrix being filled on the device.
pub struct WeightBuilder {
    rows: usize,
    cols: usize,
    parts: Vec<Part>,
    segments: Rc<[Segment]>,
}

struct Part {
    packing: Packing,
    first_row: usize,
    rows: usize,
    /// Words of quants in a row.
    quant_words: usize,
    /// Words of scales in a row; 0 for the float packings.
    scale_words: usize,
    quants: InPlace<Tensor<2, Int>>,
    scales: InPlace<Tensor<2, Int>>,
    /// Addresses in the pool, if it keeps the part instead.
    pooled: Option<Pooled>,
    source: Source,
}

/// A part before it has memory.
struct PlannedPart {
    packing: Packing,
    first_row: usize,
    rows: usize,
    names: Vec<String>,
    file_bytes: u64,
}

impl PlannedPart {
    /// Adds rows of a tensor. Of experts that are tensors of their own, the first names all.
    fn with(mut self, tensor: &str, rows: usize, file_row_bytes: usize, experts: usize) -> Self {
        self.rows += rows;
        self.file_bytes += rows as u64 * file_row_bytes as u64;
        let name = short_name(tensor);
        let is_named = self.names.last().is_some_and(|last| last == name);
        if self.names.is_empty() || (experts == 1 && !is_named) {
            self.names.push(name.to_owned());
        }
        self
    }
}

/// Returns a tensor's name without its layer and suffix: `attn_q` of `blk.3.attn_q.weight`.
fn short_name(name: &str) -> &str {
    let name = name.strip_suffix(".weight").unwrap_or(name);
    let in_layer = name
        .strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'));
    in_layer.map_or(name, |(_, rest)| rest)
}

impl Part {
    /// Allocates the part on the device, or in the pool of the CPU's threads.
    fn alloc(ops: &Ops, planned: PlannedPart, cols: usize) -> Result<Self> {
        let (packing, rows) = (planned.packing, planned.rows);
        let blocks = packing.blocks_per_row(cols);
        let quant_words = blocks * packing.quant_words_per_block();
        let scale_words = blocks * packing.scale_words_per_block();
        let mut pooled = None;
        let mut here = rows;
        if let Some(pool) = ops.pool(packing) {
            pooled = Some(Pooled {
                quants: pool.alloc(rows * quant_words)?,
                scales: pool.alloc(rows * scale_words)?,
            });
            here = 0;
        }
        Ok(Self {
            packing,
            first_row: planned.first_row,
            rows,
            quant_words,
            scale_words,
            quants: InPlace::new(ops.alloc_words(here * quant_words)),
            scales: InPlace::new(ops.alloc_scales(packing, here, cols)),
            pooled,
            source: Source {
                name: planned.names.join("+").into(),
                file_bytes: planned.file_bytes,
            },
        })
    }

    /// Writes rows from row `at` of the part on.
    fn write(&mut self, ops: &Ops, at: usize, quants: Vec<u32>, scales: Vec<u32>) {
        let (quants_at, scales_at) = (at * self.quant_words, at * self.scale_words);
        if let (Some(pooled), Some(pool)) = (self.pooled, ops.pool(self.packing)) {
            pool.write(pooled.quants + 4 * quants_at as u32, &quants);
            pool.write(pooled.scales + 4 * scales_at as u32, &scales);
            return;
        }
        if !quants.is_empty() {
            (self.quants).update(|tensor| ops.write_words(tensor, quants_at, quants));
        }
        if !scales.is_empty() {
            (self.scales).update(|tensor| ops.write_words(tensor, scales_at, scales));
        }
    }
}

impl WeightBuilder {
    /// Allocates room for consecutive row ranges in their packings; neighbours of one packing share a part, no part
    /// exceeds `binding` bytes, and no expert is split between two.
    pub fn alloc(
        ops: &Ops,
        names: &WeightRequest,
        ranges: &[TensorRows],
        binding: u64,
    ) -> Result<Self> {
        let cols = names.cols;
        let mut parts: Vec<PlannedPart> = Vec::new();
        let mut row = 0;
        let mut segments = Vec::new();
        for (range, (name, _)) in ranges.iter().zip(&names.parts) {
            let packing = range.packing;
            let row_bytes = 4 * packing.blocks_per_row(cols) * packing.quant_words_per_block();
            // Number of rows that must stay together.
            let all: usize = ranges.iter().map(|range| range.rows).sum();
            let unit = match names.experts {
                1 => 1,
                experts => all / experts,
            };
            let fitting = usize::try_from(binding).unwrap_or(usize::MAX) / row_bytes;
            let max_rows = fitting / unit * unit;
            if max_rows == 0 {
                return Err(Error::OutOfMemory {
                    what: format!("{unit} rows of a weight"),
                    needed: (row_bytes * unit) as u64,
                    available: binding,
                });
            }
            segments.push(Segment {
                tensor: name.as_str().into(),
                first_row: row,
                rows: range.rows,
            });
            let mut left = range.rows;
            while left > 0 {
                let part = match parts.pop() {
                    Some(part) if part.packing == packing && part.rows < max_rows => part,
                    other => {
                        parts.extend(other);
                        PlannedPart {
                            packing,
                            first_row: row,
                            rows: 0,
                            names: Vec::new(),
                            file_bytes: 0,
                        }
                    }
                };
                let taken = left.min(max_rows - part.rows);
                parts.push(part.with(name, taken, range.file_row_bytes, names.experts));
                row += taken;
                left -= taken;
            }
        }
        let parts = parts
            .into_iter()
            .map(|planned| Part::alloc(ops, planned, cols))
            .collect::<Result<_>>()?;
        Ok(Self {
            rows: row,
            cols,
            parts,
            segments: segments.into(),
        })
    }

    /// Writes the words of rows that may span parts of one packing; either quants or scales may be empty.
    ///
    /// # Errors
    /// [`Error::Internal`] if the rows are outside the matrix.
    pub fn write(
        &mut self,
        ops: &Ops,
        range: RowRange,
        quants: Vec<u32>,
        scales: Vec<u32>,
    ) -> Result<()> {
        let (mut row, end) = (range.row, range.row + range.rows);
        let (mut quants, mut scales) = (quants, scales);
        for part in &mut self.parts {
            let part_end = part.first_row + part.rows;
            if row >= part_end || end <= part.first_row || row == end {
                continue;
            }
            let n = end.min(part_end) - row;
            let at = row - part.first_row;
            // Words for the next parts; empty unless the rows straddle two parts.
            let later_quants = quants.split_off(quants.len().min(n * part.quant_words));
            let later_scales = scales.split_off(scales.len().min(n * part.scale_words));
            part.write(ops, at, quants, scales);
            (quants, scales) = (later_quants, later_scales);
            row += n;
        }
        if row == end {
            Ok(())
        } else {
            Err(Error::Internal {
                what: "WeightBuilder::write".into(),
                message: format!("row {row} of {end} has no place"),
            })
        }
    }

    /// Returns the bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.parts
            .iter()
            .map(|p| 4 * (p.rows * (p.quant_words + p.scale_words)) as u64)
            .sum()
    }

    /// Returns the finished weight, which shares the device memory.
    pub fn weight(&self) -> Weight {
        Weight {
            rows: self.rows,
            cols: self.cols,
            scaling: Scaling::NONE,
            segments: self.segments.clone(),
            lora: None,
            bias: None,
            parts: (self.parts.iter())
                .map(|part| WeightPart {
                    packing: part.packing,
                    first_row: part.first_row,
                    rows: part.rows,
                    quants: part.quants.get().clone(),
                    scales: part.scales.get().clone(),
                    pooled: part.pooled,
                    source: part.source.clone(),
                })
                .collect(),
        }
    }
}
