//! A weight matrix on the device: one or more parts, each a range of rows in one packing.
//!
//! Parts serve two purposes with one mechanism. Matrices that read the same input (q, k and v; gate and up)
//! are one weight, so that they are one dispatch where their packing agrees; and a matrix larger than the
//! device's storage binding (128 MiB by WebGPU's defaults) is split by rows.

use burn::tensor::{Int, Tensor};

use crate::ops::pool::Pooled;
use hearth_modelfile::quant::Packing;

/// What is done to each sum of a projection: v * factor, then softcap * tanh(v / softcap) where that is not 0.
///
/// Some families scale their embedding, their residual branches or their logits; Gemma 2 caps its logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    pub factor: f32,
    pub softcap: f32,
}

impl Scaling {
    /// Nothing is done.
    pub const NONE: Self = Self::by(1.0);

    /// A factor alone.
    pub const fn by(factor: f32) -> Self {
        Self {
            factor,
            softcap: 0.0,
        }
    }

    /// Constants of `wgsl/scaling.wgsl`.
    pub(in crate::ops) fn floats(self) -> Vec<(&'static str, f32)> {
        vec![("FACTOR", self.factor), ("LOGIT_CAP", self.softcap)]
    }

    /// The CPU's way to do it.
    pub fn apply(self, v: f32) -> f32 {
        let v = v * self.factor;
        match self.softcap {
            0.0 => v,
            cap => cap * (v / cap).tanh(),
        }
    }
}

/// A matrix [rows, cols] on the device.
#[derive(Clone)]
pub struct Weight {
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// In row order, without gaps.
    pub parts: Vec<WeightPart>,
    pub scaling: Scaling,
}

impl Weight {
    /// The same memory with another scaling.
    pub fn scaled(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
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
    /// Where the weight is if the CPU's threads keep it; both tensors are dummies then.
    pub pooled: Option<Pooled>,
}
