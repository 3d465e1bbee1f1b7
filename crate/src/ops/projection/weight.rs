//! A weight matrix on the device: one or more parts, each a range of rows in one packing.
//!
//! Parts serve two purposes with one mechanism. Matrices that read the same input (q, k and v; gate and up) form one
//! weight, and thus one dispatch if their packing agrees; and a matrix larger than the device's storage binding (128
//! MiB by WebGPU's defaults) is split by rows.

use std::rc::Rc;

use burn::tensor::{Int, Tensor};

use crate::ops::Ops;
use crate::ops::kernel::{Kernel, modules};
use crate::ops::pool::Pooled;
use crate::ops::projection::lora::{Lora, Segment};
use hearth_modelfile::families::Activation;
use hearth_modelfile::quant::Packing;

/// Transformation of each sum of a projection: v * factor, then softcap * tanh(v / softcap) if softcap is not 0.
///
/// Some families scale their embedding, their residual branches or their logits; Gemma 2 caps its logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    pub factor: f32,
    pub softcap: f32,
}

impl Scaling {
    /// Leaves sums unchanged.
    pub const NONE: Self = Self::by(1.0);

    /// Scales by a factor only.
    pub const fn by(factor: f32) -> Self {
        Self {
            factor,
            softcap: 0.0,
        }
    }

    /// Examples for [`crate::ops::registry`], each with whether to add to the output.
    pub(in crate::ops) const EXAMPLES: [(bool, Self); 2] = [
        (true, Self::NONE),
        (
            false,
            Self {
                factor: 1.0,
                softcap: 30.0,
            },
        ),
    ];

    /// Transforms one sum on the CPU.
    pub fn apply(self, v: f32) -> f32 {
        let v = v * self.factor;
        match self.softcap {
            0.0 => v,
            cap => cap * (v / cap).tanh(),
        }
    }
}

impl Kernel {
    /// Adds the module that scales sums.
    pub(in crate::ops) fn scales(self, scaling: Scaling) -> Self {
        self.module(&modules::SCALING)
            .f32s([("FACTOR", scaling.factor), ("LOGIT_CAP", scaling.softcap)])
    }
}

/// A matrix [rows, cols] on the device.
#[derive(Clone)]
pub struct Weight {
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// The parts, in row order, without gaps.
    pub parts: Vec<WeightPart>,
    pub scaling: Scaling,
    /// The tensors whose rows it has; empty if nothing asks for them.
    pub segments: Rc<[Segment]>,
    /// Change by the adapters of the request, if there are any.
    pub lora: Option<Rc<Lora>>,
    /// Bias that is added where the sums are written: in the layers of towers, which have thousands of rows. Only
    /// [`Ops::linear_into`] and what calls it add it.
    pub bias: Option<Rc<RowBias>>,
}

/// A bias for each row of a [`Weight`], and the function of the sums with it.
pub struct RowBias {
    /// [1, rows]
    pub values: Tensor<2>,
    /// None where the product is added to something.
    pub activation: Option<Activation>,
}

impl Weight {
    /// Returns the weight without changes by adapters.
    pub fn unchanged(&self) -> Self {
        Self {
            lora: None,
            ..self.clone()
        }
    }

    /// Returns the same memory with a bias that is added where the sums are written.
    pub fn with_bias(mut self, values: Tensor<2>, activation: Option<Activation>) -> Self {
        self.bias = Some(Rc::new(RowBias { values, activation }));
        self
    }

    /// Returns the same memory with another scaling.
    pub fn scaled(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
    }
}

impl Ops {
    /// Creates a weight of floats from its values: [rows, cols], cols a multiple of 4.
    pub fn upload_weight(&self, values: &[f32], rows: usize, cols: usize) -> Weight {
        let words: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        let part = WeightPart {
            packing: Packing::F32,
            first_row: 0,
            rows,
            quants: self.write_words(self.alloc_words(words.len()), 0, words),
            scales: self.alloc_words(0),
            pooled: None,
            source: Source::default(),
        };
        Weight {
            rows,
            cols,
            parts: vec![part],
            scaling: Scaling::NONE,
            segments: Rc::default(),
            lora: None,
            bias: None,
        }
    }
}

/// Rows `first_row .. first_row + rows` of a [`Weight`].
#[derive(Clone)]
pub struct WeightPart {
    pub packing: Packing,
    pub first_row: usize,
    pub rows: usize,
    /// [rows, words of a row], see [`Packing`].
    pub quants: Tensor<2, Int>,
    /// [rows, blocks of a row]; a dummy for the float packings.
    pub scales: Tensor<2, Int>,
    /// Location of the weight if the CPU's threads keep it; both tensors are dummies then.
    pub pooled: Option<Pooled>,
    pub source: Source,
}

/// Tensors of the file whose rows a part has.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Names without layer and suffix, joined by `+`: `attn_q+attn_k`.
    pub name: Rc<str>,
    /// Bytes that the rows have in the file.
    pub file_bytes: u64,
}
