//! The plan that the loader follows: the destination of each tensor of a file.

use std::collections::HashMap;

use crate::ops::Ops;
use crate::ops::projection::packing::kernel_block;
use crate::weights::builder::{TensorRows, WeightBuilder};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::factor::{factors_of, matrices};
use hearth_modelfile::container::{Arrangement, Fp8, GgmlType, ModelHeader, Range, TensorInfo};
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::quant::quantize::{Quantize, widened};
use hearth_modelfile::quant::{block_format, fp8};
use hearth_modelfile::weight_requests::{self, WeightRequest};

/// A tensor that will be read, with its destination.
pub struct PlannedRead {
    pub name: String,
    pub dtype: GgmlType,
    /// Format to which a matrix of floats is quantised.
    pub quantize: Option<Quantize>,
    /// A matrix of 16-bit floats becomes one of 32.
    pub widened: bool,
    /// Columns of a row (the contiguous dimension).
    pub cols: usize,
    /// Position in the file.
    pub offset: u64,
    /// Bytes in the file.
    pub size: u64,
    pub piece: Piece,
    /// Factors of its scales.
    pub factors: Option<Factors>,
    /// Bytes of one matrix, if it is stored column by column.
    pub by_columns: Option<u64>,
    /// Destinations that take rows in turns; `None` if no weight needs those rows.
    pub destinations: Vec<Option<Destination>>,
}

/// The place of a weight's factors, which may be read before or after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Index into [`LoadPlan::vectors`].
    pub vector: usize,
    pub count: usize,
    /// Rows that share a factor.
    pub rows: usize,
}

/// The piece of a weight that the bytes contain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Piece {
    Whole,
    /// Quants in pairs, see [`hearth_modelfile::quant::codebook::repack_pairs`].
    Quants,
    /// Exponents, see [`hearth_modelfile::quant::codebook::repack_exponents`].
    Scales,
    /// 8-bit floats, whose scales may be read before or after them.
    Fp8(PlannedFp8),
}

/// The place of the scales of 8-bit floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedFp8 {
    /// Index into [`LoadPlan::vectors`].
    pub vector: usize,
    pub count: usize,
    pub blocks: Fp8,
}

impl PlannedRead {
    /// Returns the bytes of a row.
    ///
    /// # Errors
    /// [`Error::UnsupportedQuant`].
    pub fn row_bytes(&self) -> Result<usize> {
        let format = block_format(self.dtype, &self.name)?;
        let blocks = self.cols / format.block_len();
        Ok(match self.piece {
            Piece::Whole => blocks * format.block_bytes(),
            Piece::Quants => blocks * (format.block_bytes() - 1),
            Piece::Scales => blocks,
            Piece::Fp8(_) => self.cols,
        })
    }
}

/// A destination.
#[derive(Debug, Clone, Copy)]
pub enum Destination {
    /// Small f32 data kept on the host until the end: index into [`LoadPlan::vectors`].
    Vector(usize),
    /// Rows of a matrix on the device, from `first` on.
    Matrix { matrix: usize, first: usize },
}

/// Ranges to read, in file order, and their destinations.
pub struct LoadPlan {
    pub order: Vec<PlannedRead>,
    pub matrices: Vec<WeightBuilder>,
    pub vectors: Vec<Vec<f32>>,
    /// Indices by the name of the first tensor. Files have tens of thousands of tensors, so the plan never searches
    /// linearly for one.
    matrix_of: HashMap<String, usize>,
    vector_of: HashMap<String, usize>,
    /// Indices in `order` of ranges whose rows alternate between several tensors, by offset.
    in_turns: HashMap<u64, usize>,
}

type Tensors<'a> = HashMap<&'a str, &'a TensorInfo>;

impl LoadPlan {
    /// Plans the tensors of `gguf` and allocates the matrices on the device. `binding` is the largest storage binding
    /// in bytes.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, an unsupported storage type.
    pub fn new(
        gguf: &ModelHeader,
        config: &ModelConfig,
        ops: &Ops,
        binding: u64,
        quantize: Option<Quantize>,
    ) -> Result<Self> {
        let requests = weight_requests::tensors(gguf, config);
        weight_requests::check_unread(gguf, config, &requests)?;
        Self::of_requests(gguf, requests, ops, binding, quantize)
    }

    /// Plans these matrices and vectors of `gguf`, see [`LoadPlan::new`].
    ///
    /// # Errors
    /// The errors of [`LoadPlan::new`].
    pub fn of_requests(
        gguf: &ModelHeader,
        (matrices, vectors): (Vec<WeightRequest>, Vec<String>),
        ops: &Ops,
        binding: u64,
        quantize: Option<Quantize>,
    ) -> Result<Self> {
        let mut plan = Self {
            order: Vec::new(),
            matrices: Vec::new(),
            vectors: Vec::new(),
            matrix_of: HashMap::new(),
            vector_of: HashMap::new(),
            in_turns: HashMap::new(),
        };
        let tensors = gguf.by_name();
        for matrix in &matrices {
            plan.add_matrix(&tensors, ops, matrix, binding, quantize)?;
        }
        for name in vectors {
            plan.add_vector(&tensors, name)?;
        }
        plan.order.sort_by_key(|tensor| tensor.offset);
        Ok(plan)
    }

    /// Returns the matrix whose first tensor is `name`.
    pub fn matrix(&self, name: &str) -> Result<&WeightBuilder> {
        (self.matrix_of.get(name))
            .and_then(|i| self.matrices.get(*i))
            .ok_or_else(|| Error::MissingTensor { name: name.into() })
    }

    /// Makes every small tensor zeros, as if it had been read.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if they are more than is reasonable to allocate for nothing.
    pub fn blank_vectors(&mut self, gguf: &ModelHeader) -> Result<()> {
        const MAX: u64 = 1 << 24;
        let mut left = MAX;
        for tensor in &gguf.tensors {
            let vector = self.vector_of.get(&tensor.name);
            let Some(vector) = vector.and_then(|at| self.vectors.get_mut(*at)) else {
                continue;
            };
            // (`add_vector` has bounded each)
            let n = tensor.n_cols() * tensor.n_rows();
            left = left.checked_sub(n).ok_or_else(|| Error::OutOfMemory {
                what: "norms and biases of an outline".into(),
                needed: 4 * n,
                available: 4 * MAX,
            })?;
            vector.resize(n as usize, 0.0);
        }
        Ok(())
    }

    /// Returns the values of a small tensor.
    pub fn vector(&self, name: &str) -> Result<&Vec<f32>> {
        (self.vector_of.get(name))
            .and_then(|i| self.vectors.get(*i))
            .ok_or_else(|| Error::MissingTensor { name: name.into() })
    }

    fn add_vector(&mut self, all: &Tensors, name: String) -> Result<()> {
        let info = find(all, &name)?;
        // Vectors are norms and biases (of all experts at most); anything larger is a damaged file.
        const MAX_VECTOR: u64 = 1 << 22;
        if info.n_rows().saturating_mul(info.n_cols()) > MAX_VECTOR {
            return Err(Error::TensorShape {
                name,
                expected: vec![info.n_cols().min(MAX_VECTOR)],
                found: info.shape.clone(),
            });
        }
        block_format(info.dtype, &name)?;
        if info.arrangement.fp8.is_some() {
            return Err(Error::UnsupportedQuant {
                tensor: name,
                found: info.stored_type().into(),
                supported: vec!["F32", "F16", "BF16"],
            });
        }
        self.read(info, None, Destination::Vector(self.vectors.len()));
        self.vector_of.insert(name, self.vectors.len());
        self.vectors.push(Vec::new());
        Ok(())
    }

    fn add_matrix(
        &mut self,
        all: &Tensors,
        ops: &Ops,
        names: &WeightRequest,
        binding: u64,
        quantize: Option<Quantize>,
    ) -> Result<()> {
        let (tensors, cols) = (&names.parts, names.cols);
        let index = self.matrices.len();
        let mut packings = Vec::new();
        let mut first = 0;
        for (name, rows) in tensors {
            let info = find(all, name)?;
            let expected = vec![cols as u64, *rows as u64];
            // (experts are a separate dimension)
            if info.n_cols() != expected[0] || info.n_rows() != expected[1] {
                return Err(Error::TensorShape {
                    name: name.clone(),
                    expected,
                    found: info.shape.clone(),
                });
            }
            let quantize = quantize.filter(|q| !names.exact && q.applies(info));
            let kept = quantize.map_or(kept_type(info), Quantize::dtype);
            let packing = block_format(kept, name)?.packing();
            let block = kernel_block(packing) as usize;
            if !cols.is_multiple_of(block) {
                return Err(Error::TensorShape {
                    name: name.clone(),
                    expected: vec![(cols.next_multiple_of(block)) as u64, *rows as u64],
                    found: info.shape.clone(),
                });
            }
            let format = block_format(info.dtype, name)?;
            packings.push(TensorRows {
                packing,
                rows: *rows,
                file_row_bytes: match info.arrangement.fp8 {
                    Some(_) => cols,
                    None => cols / format.block_len() * format.block_bytes(),
                },
            });
            let matrix = index;
            let factors = match factors_of(info, all)? {
                None => None,
                Some(factors) => {
                    let (vector, count) = (self.vectors.len(), matrices(info) as usize);
                    self.vectors.push(Vec::new());
                    self.read(factors, None, Destination::Vector(vector));
                    let rows = rows / count;
                    Some(Factors {
                        vector,
                        count,
                        rows,
                    })
                }
            };
            self.read(info, quantize, Destination::Matrix { matrix, first });
            if let Some(planned) = self.order.last_mut() {
                planned.factors = factors;
            }
            first += rows;
        }
        self.matrices
            .push(WeightBuilder::alloc(ops, names, &packings, binding)?);
        let name = tensors.first().map(|tensor| tensor.0.clone());
        self.matrix_of.extend(name.map(|name| (name, index)));
        Ok(())
    }

    /// Plans reading a tensor to `destination`.
    fn read(&mut self, info: &TensorInfo, quantize: Option<Quantize>, destination: Destination) {
        let (offset, size) = (info.offset, info.size);
        if let Some(blocks) = info.arrangement.fp8 {
            return self.read_fp8(info, quantize, blocks, destination);
        }
        let Some(scales) = info.arrangement.scales else {
            return self.read_range(
                info,
                quantize,
                Piece::Whole,
                Range { offset, size },
                destination,
            );
        };
        self.read_range(
            info,
            None,
            Piece::Quants,
            Range { offset, size },
            destination,
        );
        self.read_range(info, None, Piece::Scales, scales, destination);
    }

    /// Plans reading 8-bit floats to `destination`, and their scales.
    fn read_fp8(
        &mut self,
        info: &TensorInfo,
        quantize: Option<Quantize>,
        blocks: Fp8,
        destination: Destination,
    ) {
        let count = fp8::scale_count(&blocks, info.n_rows(), info.n_cols());
        let scales = TensorInfo {
            name: format!("{} (its scales)", info.name),
            shape: vec![count],
            dtype: blocks.scale_type,
            offset: blocks.scales.offset,
            size: blocks.scales.size,
            arrangement: Arrangement::default(),
        };
        let planned = PlannedFp8 {
            vector: self.vectors.len(),
            count: count as usize,
            blocks,
        };
        self.vectors.push(Vec::new());
        let vector = Destination::Vector(planned.vector);
        self.read_range(&scales, None, Piece::Whole, blocks.scales, vector);
        let (offset, size) = (info.offset, info.size);
        let range = Range { offset, size };
        self.read_range(info, quantize, Piece::Fp8(planned), range, destination);
    }

    /// Plans reading a range to `destination`, which may alternate with another tensor's.
    fn read_range(
        &mut self,
        info: &TensorInfo,
        quantize: Option<Quantize>,
        piece: Piece,
        range: Range,
        destination: Destination,
    ) {
        let arrangement = info.arrangement;
        let turn = arrangement.turn as usize;
        if arrangement.turns > 1 {
            let shared = self.in_turns.get(&range.offset);
            let shared = shared.and_then(|at| self.order.get_mut(*at));
            if let Some(taken) = shared.and_then(|planned| planned.destinations.get_mut(turn)) {
                *taken = Some(destination);
                return;
            }
            self.in_turns.insert(range.offset, self.order.len());
        }
        let mut destinations = vec![None; arrangement.turns.max(1) as usize];
        if let Some(own) = destinations.get_mut(turn) {
            *own = Some(destination);
        }
        let matrices = info.shape.iter().skip(2).product::<u64>().max(1);
        self.order.push(PlannedRead {
            name: info.name.clone(),
            dtype: info.dtype,
            quantize,
            widened: quantize.is_none() && kept_type(info) != info.dtype,
            cols: info.n_cols() as usize,
            offset: range.offset,
            size: range.size,
            piece,
            factors: None,
            by_columns: (arrangement.by_columns).then_some(range.size / matrices),
            destinations,
        });
    }
}

/// Returns the type in which a matrix is kept that is not quantised.
fn kept_type(info: &TensorInfo) -> GgmlType {
    match info.arrangement.fp8 {
        Some(_) => info.dtype,
        None => widened(info.dtype, info.n_cols() as usize),
    }
}

fn find<'a>(all: &Tensors<'a>, name: &str) -> Result<&'a TensorInfo> {
    (all.get(name).copied()).ok_or_else(|| Error::MissingTensor { name: name.into() })
}
