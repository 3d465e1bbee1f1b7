//! Where each tensor of a file goes: the plan that the loader follows.

use burn::tensor::{Int, Tensor};

use crate::error::{Error, Result};
use crate::format::{GgmlType, Gguf, TensorInfo};
use crate::model::ModelConfig;
use crate::model::assemble::{self, MatrixNames};
use crate::ops::linear::kernel_block;
use crate::ops::pool::Pooled;
use crate::ops::{Ops, Scaling, Weight, WeightPart};
use crate::quant::quantize::Quantize;
use crate::quant::{Packing, block_format};

/// A tensor that will be read, with its destination.
pub struct Planned {
    pub name: String,
    pub dtype: GgmlType,
    /// What a matrix of floats is made of.
    pub quantize: Option<Quantize>,
    /// Columns of a row (the contiguous dimension).
    pub cols: usize,
    /// Position in the file.
    pub offset: u64,
    /// Bytes in the file.
    pub size: u64,
    /// As [`TensorInfo::is_transposed`].
    pub is_transposed: bool,
    pub target: Target,
}

/// A destination.
#[derive(Clone, Copy)]
pub enum Target {
    /// Small f32 data kept on the host until the end: index into [`Plan::vectors`].
    Vector(usize),
    /// Rows of a matrix on the device, from `first` on.
    Matrix { matrix: usize, first: usize },
}

/// Rows of a matrix.
#[derive(Clone, Copy)]
pub struct Place {
    pub row: usize,
    pub rows: usize,
}

/// What to read, in file order, and where to put it.
pub struct Plan {
    pub order: Vec<Planned>,
    pub matrices: Vec<Matrix>,
    pub vectors: Vec<Vec<f32>>,
    matrix_names: Vec<String>,
    vector_names: Vec<String>,
}

impl Plan {
    /// Plans the tensors of `gguf`; allocates the matrices on the device. `binding` is the largest storage
    /// binding in bytes.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, an unsupported storage type.
    pub fn new(
        gguf: &Gguf,
        config: &ModelConfig,
        ops: &Ops,
        binding: u64,
        quantize: Option<Quantize>,
    ) -> Result<Self> {
        let mut plan = Self {
            order: Vec::new(),
            matrices: Vec::new(),
            vectors: Vec::new(),
            matrix_names: Vec::new(),
            vector_names: Vec::new(),
        };
        let (matrices, vectors) = assemble::tensors(gguf, config);
        for matrix in &matrices {
            plan.add_matrix(gguf, ops, matrix, binding, quantize)?;
        }
        for name in vectors {
            plan.add_vector(gguf, name)?;
        }
        plan.order.sort_by_key(|tensor| tensor.offset);
        Ok(plan)
    }

    /// The matrix whose first tensor is `name`.
    pub fn matrix(&self, name: &str) -> Result<&Matrix> {
        let index = self.matrix_names.iter().position(|n| n == name);
        index
            .and_then(|i| self.matrices.get(i))
            .ok_or_else(|| Error::MissingTensor { name: name.into() })
    }

    /// The values of a small tensor.
    pub fn vector(&self, name: &str) -> Result<&Vec<f32>> {
        let index = self.vector_names.iter().position(|n| n == name);
        index
            .and_then(|i| self.vectors.get(i))
            .ok_or_else(|| Error::MissingTensor { name: name.into() })
    }

    fn add_vector(&mut self, gguf: &Gguf, name: String) -> Result<()> {
        let info = find(gguf, &name)?;
        // Norms, biases, those of all experts: anything much larger is none of them.
        const MAX_VECTOR: u64 = 1 << 22;
        if info.n_rows().saturating_mul(info.n_cols()) > MAX_VECTOR {
            return Err(Error::TensorShape {
                name,
                expected: vec![info.n_cols().min(MAX_VECTOR)],
                found: info.shape.clone(),
            });
        }
        block_format(info.dtype, &name)?;
        self.order
            .push(planned(info, None, Target::Vector(self.vectors.len())));
        self.vectors.push(Vec::new());
        self.vector_names.push(name);
        Ok(())
    }

    fn add_matrix(
        &mut self,
        gguf: &Gguf,
        ops: &Ops,
        names: &MatrixNames,
        binding: u64,
        quantize: Option<Quantize>,
    ) -> Result<()> {
        let (tensors, cols) = (&names.parts, names.cols);
        let index = self.matrices.len();
        let mut packings = Vec::new();
        let mut first = 0;
        for (name, rows) in tensors {
            let info = find(gguf, name)?;
            let expected = vec![cols as u64, *rows as u64];
            // (experts are a dimension of their own)
            if info.n_cols() != expected[0] || info.n_rows() != expected[1] {
                return Err(Error::TensorShape {
                    name: name.clone(),
                    expected,
                    found: info.shape.clone(),
                });
            }
            let quantize = quantize.filter(|q| !names.exact && q.applies(info));
            let kept = quantize.map_or(info.dtype, Quantize::dtype);
            let packing = block_format(kept, name)?.packing();
            let block = kernel_block(packing) as usize;
            if !cols.is_multiple_of(block) {
                return Err(Error::TensorShape {
                    name: name.clone(),
                    expected: vec![(cols.next_multiple_of(block)) as u64, *rows as u64],
                    found: info.shape.clone(),
                });
            }
            packings.push((packing, *rows));
            let matrix = index;
            self.order
                .push(planned(info, quantize, Target::Matrix { matrix, first }));
            first += rows;
        }
        self.matrices
            .push(Matrix::alloc(ops, names, &packings, binding)?);
        self.matrix_names
            .extend(tensors.first().map(|t| t.0.clone()));
        Ok(())
    }
}

fn find<'a>(gguf: &'a Gguf, name: &str) -> Result<&'a TensorInfo> {
    gguf.tensor(name)
        .ok_or_else(|| Error::MissingTensor { name: name.into() })
}

fn planned(info: &TensorInfo, quantize: Option<Quantize>, target: Target) -> Planned {
    Planned {
        name: info.name.clone(),
        dtype: info.dtype,
        quantize,
        cols: info.n_cols() as usize,
        offset: info.offset,
        size: info.size,
        is_transposed: info.is_transposed,
        target,
    }
}

/// A matrix being filled on the device.
pub struct Matrix {
    rows: usize,
    cols: usize,
    parts: Vec<Part>,
}

struct Part {
    packing: Packing,
    first_row: usize,
    rows: usize,
    /// Words of quants in a row.
    quant_words: usize,
    /// Words of scales in a row; 0 for the float packings.
    scale_words: usize,
    /// Taken out while it is written: the CPU writes in place only what is held once.
    quants: Option<Tensor<2, Int>>,
    scales: Option<Tensor<2, Int>>,
    /// Where the pool keeps them instead.
    pooled: Option<Pooled>,
}

impl Part {
    /// Room on the device, or in the pool of the CPU's threads.
    fn alloc(
        ops: &Ops,
        packing: Packing,
        first_row: usize,
        rows: usize,
        cols: usize,
    ) -> Result<Self> {
        let blocks = packing.blocks_per_row(cols);
        let quant_words = blocks * packing.quant_words_per_block();
        let scale_words = blocks * packing.scale_words_per_block();
        let mut pooled = None;
        let (mut here, mut scales_here) = (rows * quant_words, rows * scale_words);
        if let Some(pool) = ops.pool(packing) {
            pooled = Some(Pooled {
                quants: pool.alloc(here)?,
                scales: pool.alloc(scales_here)?,
            });
            (here, scales_here) = (0, 0);
        }
        Ok(Self {
            packing,
            first_row,
            rows,
            quant_words,
            scale_words,
            quants: Some(ops.alloc_words(here)),
            scales: Some(ops.alloc_words(scales_here)),
            pooled,
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
        if let Some(tensor) = self.quants.take() {
            self.quants = Some(ops.write_words(tensor, quants_at, quants));
        }
        if self.scale_words > 0
            && let Some(tensor) = self.scales.take()
        {
            self.scales = Some(ops.write_words(tensor, scales_at, scales));
        }
    }
}

impl Matrix {
    /// Allocates room for consecutive row ranges in their packings; neighbours of one packing share a part, no part
    /// exceeds `binding` bytes, and no expert is in two.
    fn alloc(
        ops: &Ops,
        names: &MatrixNames,
        ranges: &[(Packing, usize)],
        binding: u64,
    ) -> Result<Self> {
        let cols = names.cols;
        let mut parts: Vec<(Packing, usize, usize)> = Vec::new();
        let mut row = 0;
        for (packing, rows) in ranges {
            let row_bytes = 4 * packing.blocks_per_row(cols) * packing.quant_words_per_block();
            // Rows that have to stay together.
            let all: usize = ranges.iter().map(|(_, rows)| rows).sum();
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
            let mut left = *rows;
            while left > 0 {
                let taken = match parts.last_mut() {
                    Some((p, _, n)) if p == packing && *n < max_rows => {
                        let taken = left.min(max_rows - *n);
                        *n += taken;
                        taken
                    }
                    _ => {
                        let taken = left.min(max_rows);
                        parts.push((*packing, row, taken));
                        taken
                    }
                };
                row += taken;
                left -= taken;
            }
        }
        let parts = parts
            .into_iter()
            .map(|(packing, first_row, rows)| Part::alloc(ops, packing, first_row, rows, cols))
            .collect::<Result<_>>()?;
        Ok(Self {
            rows: row,
            cols,
            parts,
        })
    }

    /// Writes the words of rows that may span parts of one packing.
    ///
    /// # Errors
    /// [`Error::Internal`] if the rows are outside the matrix.
    pub fn write(
        &mut self,
        ops: &Ops,
        place: Place,
        quants: Vec<u32>,
        scales: Vec<u32>,
    ) -> Result<()> {
        let (mut row, end) = (place.row, place.row + place.rows);
        let (mut quants, mut scales) = (quants, scales);
        for part in &mut self.parts {
            let part_end = part.first_row + part.rows;
            if row >= part_end || end <= part.first_row || row == end {
                continue;
            }
            let n = end.min(part_end) - row;
            let at = row - part.first_row;
            // What the next parts take; empty unless the rows straddle two parts.
            let later_quants = quants.split_off(n * part.quant_words);
            let later_scales = scales.split_off(n * part.scale_words);
            part.write(ops, at, quants, scales);
            (quants, scales) = (later_quants, later_scales);
            row += n;
        }
        if row == end {
            Ok(())
        } else {
            Err(Error::Internal {
                what: "Matrix::write".into(),
                message: format!("row {row} of {end} has no place"),
            })
        }
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.parts
            .iter()
            .map(|p| 4 * (p.rows * (p.quant_words + p.scale_words)) as u64)
            .sum()
    }

    /// The finished weight; shares the device memory.
    pub fn weight(&self) -> Weight {
        Weight {
            rows: self.rows,
            cols: self.cols,
            scaling: Scaling::NONE,
            parts: self
                .parts
                .iter()
                .filter_map(|p| {
                    Some(WeightPart {
                        packing: p.packing,
                        first_row: p.first_row,
                        rows: p.rows,
                        quants: p.quants.clone()?,
                        scales: p.scales.clone()?,
                        pooled: p.pooled,
                    })
                })
                .collect(),
        }
    }
}
