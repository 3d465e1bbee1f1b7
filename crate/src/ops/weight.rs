//! A weight matrix on the device: one or more parts, each a range of rows in one packing.
//!
//! Parts serve two purposes with one mechanism. Matrices that read the same input (q, k and v; gate and up)
//! are one weight, so that they are one dispatch where their packing agrees; and a matrix larger than the
//! device's storage binding (128 MiB by WebGPU's defaults) is split by rows.

use burn::tensor::{Int, Tensor};

use super::pool::Pooled;
use crate::quant::Packing;

/// A matrix [rows, cols] on the device.
#[derive(Clone)]
pub struct Weight {
    /// Output features.
    pub rows: usize,
    /// Input features.
    pub cols: usize,
    /// In row order, without gaps.
    pub parts: Vec<WeightPart>,
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
