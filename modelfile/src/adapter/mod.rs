//! Adapters (LoRA): low-rank changes of a model's weights, W + B A, beside a file of the model.
//!
//! - [`gguf`]: a file as llama.cpp writes it. [`peft`]: a folder as PEFT writes it, under the names and with the order of rows
//!   that the model's own file has.
//!
//! An adapter is small and is read as a whole. What it says and is not computed here is refused by name: the answers would be
//! wrong. Source: Hu et al. 2021, arXiv:2106.09685.

pub mod gguf;
pub mod peft;

use crate::config::ModelConfig;
use crate::container::{ModelHeader, Parsed, TensorInfo};
use crate::error::{Error, Result};
use crate::quant::block_format;

/// Largest rank of a change. Files of the whole difference between two models have more, and are no adapters.
pub const MAX_RANK: usize = 512;

/// An adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Changes, each of another weight, in the order of the weights' names.
    pub changes: Vec<Change>,
}

/// The change of one weight, in which the adapter's own scale (alpha / rank) is contained.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// GGUF's name of the weight: `blk.0.attn_q.weight`.
    pub weight: String,
    pub rank: usize,
    /// [rank, columns of the weight]
    pub a: Vec<f32>,
    /// [rows of the weight, rank]
    pub b: Vec<f32>,
}

impl Change {
    /// Returns the columns of the weight.
    pub fn cols(&self) -> usize {
        self.a.len() / self.rank
    }

    /// Returns the rows of the weight.
    pub fn rows(&self) -> usize {
        self.b.len() / self.rank
    }
}

impl Adapter {
    /// Returns the largest rank.
    pub fn rank(&self) -> usize {
        let ranks = self.changes.iter().map(|change| change.rank);
        ranks.max().unwrap_or(0)
    }

    /// Returns the bytes of all values in 32 bits.
    pub fn bytes(&self) -> u64 {
        let values = (self.changes.iter()).map(|change| (change.a.len() + change.b.len()) as u64);
        4 * values.sum::<u64>()
    }
}

/// Matrices of a change as the file has them, before both are there.
#[derive(Default)]
struct Pair {
    a: Option<Matrix>,
    b: Option<Matrix>,
}

/// A matrix: [rows, cols].
struct Matrix {
    /// Name of the tensor.
    name: String,
    rows: usize,
    cols: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Reads a tensor of `bytes`, a whole file.
    fn read(tensor: &TensorInfo, bytes: &[u8]) -> Result<Self> {
        let shape = |expected: Vec<u64>| Error::TensorShape {
            name: tensor.name.clone(),
            expected,
            found: tensor.shape.clone(),
        };
        let [cols, rows] = tensor.shape[..] else {
            return Err(shape(vec![0, 0]));
        };
        let range = (usize::try_from(tensor.offset).ok())
            .zip(usize::try_from(tensor.size).ok())
            .and_then(|(from, size)| bytes.get(from..from.checked_add(size)?));
        let range = range.ok_or_else(|| Error::Truncated {
            what: format!("tensor \"{}\"", tensor.name),
            needed: tensor.offset.saturating_add(tensor.size),
            available: bytes.len() as u64,
        })?;
        let too_large = || Error::OutOfMemory {
            what: format!("tensor \"{}\"", tensor.name),
            needed: cols.saturating_mul(rows).saturating_mul(4),
            available: isize::MAX as u64,
        };
        let count = (cols.checked_mul(rows)).and_then(|n| usize::try_from(n).ok());
        let count = count.ok_or_else(too_large)?;
        let mut values = Vec::new();
        values.try_reserve(count).map_err(|_| too_large())?;
        values.resize(count, 0.0);
        block_format(tensor.dtype, &tensor.name)?.dequantize(range, &mut values)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(bad(
                &tensor.name,
                "finite numbers".into(),
                "NaN or infinity",
            ));
        }
        Ok(Self {
            name: tensor.name.clone(),
            rows: rows as usize,
            cols: cols as usize,
            values,
        })
    }
}

impl Pair {
    /// Returns the change of `weight`, B multiplied by what `scale` says of the rank.
    fn join(self, weight: String, scale: impl FnOnce(usize) -> Result<f32>) -> Result<Change> {
        let missing = |end: &str| Error::MissingTensor {
            name: format!("{weight}.{end}"),
        };
        let a = self.a.ok_or_else(|| missing("lora_a"))?;
        let mut b = self.b.ok_or_else(|| missing("lora_b"))?;
        if a.rows != b.cols {
            return Err(Error::TensorShape {
                name: b.name,
                expected: vec![a.rows as u64, b.rows as u64],
                found: vec![b.cols as u64, b.rows as u64],
            });
        }
        if a.rows > MAX_RANK {
            let found = a.rows.to_string();
            return Err(bad(&a.name, format!("a rank up to {MAX_RANK}"), &found));
        }
        let scale = scale(a.rows)?;
        if !scale.is_finite() {
            return Err(bad(&weight, "a finite scale".into(), &scale.to_string()));
        }
        b.values.iter_mut().for_each(|value| *value *= scale);
        Ok(Change {
            weight,
            rank: a.rows,
            a: a.values,
            b: b.values,
        })
    }
}

fn bad(what: &str, expected: String, found: &str) -> Error {
    Error::BadFile {
        format: "adapter",
        what: what.into(),
        expected,
        found: found.into(),
    }
}

/// Refuses an adapter that changes nothing.
fn checked(changes: Vec<Change>) -> Result<Adapter> {
    match changes.is_empty() {
        true => Err(bad("tensors", "at least one change".into(), "none")),
        false => Ok(Adapter { changes }),
    }
}

/// Order of a weight's rows that an adapter has to take over, since rotations pair rows of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowOrder {
    Same,
    /// From pairs (i, i + d/2) to pairs of neighbours.
    ToNeighbours,
    /// From pairs of neighbours to pairs (i, i + d/2).
    ToHalves,
}

impl RowOrder {
    /// Puts the rows of a change into this order, if its weight is one of queries or keys.
    fn apply(self, change: &mut Change, config: &ModelConfig) -> Result<()> {
        let Some((layer, keys)) = rotated(&change.weight).filter(|_| self != Self::Same) else {
            return Ok(());
        };
        let spec = config
            .layers
            .get(layer)
            .ok_or_else(|| Error::MissingTensor {
                name: change.weight.clone(),
            })?;
        let heads = if keys { spec.kv_heads } else { spec.heads };
        let rows = change.rows();
        if heads == 0 || !rows.is_multiple_of(2 * heads) {
            return Err(Error::TensorShape {
                name: change.weight.clone(),
                expected: vec![(heads * spec.head_dim) as u64],
                found: vec![rows as u64],
            });
        }
        let (width, rank) = (rows / heads, change.rank);
        let mut ordered = vec![0.0; change.b.len()];
        for head in 0..heads {
            for at in 0..width {
                let (pair, second) = (at % (width / 2), at / (width / 2));
                let (halves, neighbours) = (head * width + at, head * width + 2 * pair + second);
                let (from, to) = match self {
                    Self::ToNeighbours => (halves, neighbours),
                    _ => (neighbours, halves),
                };
                ordered[to * rank..(to + 1) * rank]
                    .copy_from_slice(&change.b[from * rank..(from + 1) * rank]);
            }
        }
        change.b = ordered;
        Ok(())
    }
}

/// Returns the layer of a weight of queries or keys, and whether they are keys.
fn rotated(weight: &str) -> Option<(usize, bool)> {
    let (layer, part) = weight.strip_prefix("blk.")?.split_once('.')?;
    let keys = match part {
        "attn_q.weight" => false,
        "attn_k.weight" => true,
        _ => return None,
    };
    Some((layer.parse().ok()?, keys))
}

/// Returns the header of a file that is in memory as a whole.
fn whole(parsed: Parsed, available: usize) -> Result<ModelHeader> {
    match parsed {
        Parsed::Header(header) => Ok(header),
        Parsed::NeedMore { at_least } => Err(Error::Truncated {
            what: "the header".into(),
            needed: at_least,
            available: available as u64,
        }),
    }
}
