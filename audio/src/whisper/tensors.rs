//! Tensors of a file as they arrive, kept as what the model makes of them.

use std::collections::{HashMap, HashSet, VecDeque};

use half::f16;
use hearth_cpu::layers::{NoMemory, reserve};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::quant::block_format;
use hearth_modelfile::{Error, Result};

use super::layers::{EPS, Linear, Matrix, Norm};

/// Largest number of f16.
const MOST_HALF: f32 = 65_504.0;

/// Columns of a matrix of f16 that the core's kernels take at once.
const HALVES: usize = 8;

/// Values of a tensor: a weight that is projected with, or numbers that are added.
enum Values {
    Matrix(Matrix),
    Plain(Vec<f32>),
}

/// A tensor for a network that is computed elsewhere: a matrix of as many f16 or f32, or with one row what is added.
pub struct Handed {
    pub name: String,
    pub rows: usize,
    pub cols: usize,
    /// Whether the values are f16.
    pub halves: bool,
    pub bytes: Vec<u8>,
}

/// Tensors by transformers' names, without the `model.` before them.
#[derive(Default)]
pub struct Tensors {
    kept: HashMap<String, Values>,
    /// Tensors that are handed over instead of kept, and all names so far.
    handed: Option<(VecDeque<Handed>, HashSet<String>)>,
    /// Values of those that were handed over.
    parameters: u64,
}

impl Tensors {
    /// Begins with none; tensors are handed over instead of kept.
    pub fn handing_over() -> Self {
        Self {
            handed: Some(Default::default()),
            ..Self::default()
        }
    }

    /// Returns the next tensor that is handed over, if it has come.
    pub fn hand_over(&mut self) -> Option<Handed> {
        self.handed.as_mut()?.0.pop_front()
    }

    /// Converts a tensor. `shape`: its dimensions, the contiguous one last.
    ///
    /// # Errors
    /// [`Error::UnsupportedQuant`], [`Error::BadFile`] for values that are no numbers, [`Error::OutOfMemory`].
    pub fn add(&mut self, name: &str, shape: &[u64], dtype: GgmlType, bytes: &[u8]) -> Result<()> {
        let name = name.strip_prefix("model.").unwrap_or(name);
        // Tied to the embedding, which some files repeat.
        if name == "proj_out.weight" {
            return Ok(());
        }
        let len = shape.iter().product::<u64>() as usize;
        let mut values = reserve(0.0, len).map_err(no_memory)?;
        block_format(dtype, name)?.dequantize(bytes, &mut values)?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(Error::BadFile {
                format: "Whisper",
                what: format!("tensor \"{name}\""),
                expected: "finite numbers".into(),
                found: "NaN or infinity".into(),
            });
        }
        let rows = shape.first().copied().unwrap_or(1) as usize;
        // A convolution's taps follow each other, as those of the gathered rows do.
        let is_matrix = len > rows && !name.ends_with("positions.weight");
        // Weights of a few bits lose nothing that counts in f16, and take half of f32's room.
        let is_quantised = dtype.block_len() > 1;
        let halves = is_quantised && values.iter().all(|v| v.abs() <= MOST_HALF);
        let is_new = if let Some((waiting, names)) = &mut self.handed {
            let (rows, cols) = if is_matrix {
                (rows, len / rows.max(1))
            } else {
                (1, len)
            };
            let halves =
                is_matrix && cols.is_multiple_of(HALVES) && (halves || are_halves(&values));
            waiting.push_back(Handed {
                name: name.to_owned(),
                rows,
                cols,
                halves,
                bytes: bytes_of(&values, halves)?,
            });
            self.parameters += len as u64;
            names.insert(name.to_owned())
        } else if is_matrix {
            let k = len / rows.max(1);
            let matrix = if halves {
                Matrix::halves(&values, rows, k)
            } else {
                Matrix::pack(&values, rows, k)
            };
            let matrix = Values::Matrix(matrix.map_err(no_memory)?);
            self.kept.insert(name.to_owned(), matrix).is_none()
        } else {
            let values = Values::Plain(values);
            self.kept.insert(name.to_owned(), values).is_none()
        };
        if !is_new {
            return Err(Error::BadFile {
                format: "Whisper",
                what: "the tensors".into(),
                expected: "each name once".into(),
                found: format!("\"{name}\" twice"),
            });
        }
        Ok(())
    }

    /// Takes a weight [n, k].
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn matrix(&mut self, name: &str, n: usize, k: usize) -> Result<Matrix> {
        match self.take(name)? {
            Values::Matrix(matrix) if (matrix.n(), matrix.k()) == (n, k) => Ok(matrix),
            Values::Matrix(matrix) => Err(Error::tensor_shape(
                name,
                &[n, k],
                &[matrix.n(), matrix.k()],
            )),
            Values::Plain(values) => Err(Error::tensor_shape(name, &[n, k], &[values.len()])),
        }
    }

    /// Takes `len` numbers.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn plain(&mut self, name: &str, len: usize) -> Result<Vec<f32>> {
        match self.take(name)? {
            Values::Plain(values) if values.len() == len => Ok(values),
            Values::Plain(values) => Err(Error::tensor_shape(name, &[len], &[values.len()])),
            Values::Matrix(matrix) => {
                Err(Error::tensor_shape(name, &[len], &[matrix.n(), matrix.k()]))
            }
        }
    }

    /// Takes a projection [n, k] with its bias.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn linear(&mut self, name: &str, n: usize, k: usize) -> Result<Linear> {
        Ok(Linear {
            weight: self.matrix(&format!("{name}.weight"), n, k)?,
            bias: Some(self.plain(&format!("{name}.bias"), n)?),
        })
    }

    /// Takes a normalisation of `d` values.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn norm(&mut self, name: &str, d: usize) -> Result<Norm> {
        Ok(Norm {
            scale: self.plain(&format!("{name}.weight"), d)?,
            shift: self.plain(&format!("{name}.bias"), d)?,
            eps: EPS,
        })
    }

    /// Returns the number of values, and of the bytes that they take.
    pub fn size(&self) -> (u64, u64) {
        let sizes = self.kept.values().map(|values| match values {
            Values::Matrix(matrix) => (matrix.n() * matrix.k(), matrix.bytes()),
            Values::Plain(values) => (values.len(), size_of_val(values.as_slice())),
        });
        sizes.fold((self.parameters, 0), |(n, bytes), (m, more)| {
            (n + m as u64, bytes + more as u64)
        })
    }

    /// Returns the name of a tensor that nothing took, if there is one: it would change what the model computes.
    pub fn unread(&self) -> Option<&str> {
        self.kept.keys().map(String::as_str).min()
    }

    /// Returns the outputs of a projection that is still here.
    pub fn rows_of(&self, name: &str) -> Option<usize> {
        match self.kept.get(name)? {
            Values::Matrix(matrix) => Some(matrix.n()),
            Values::Plain(values) => Some(values.len()),
        }
    }

    fn take(&mut self, name: &str) -> Result<Values> {
        self.kept.remove(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })
    }
}

/// Returns whether f16 has every value.
fn are_halves(values: &[f32]) -> bool {
    (values.iter()).all(|v| f16::from_f32(*v).to_f32().to_bits() == v.to_bits())
}

/// Returns the bytes of values, as f16 or as they are.
fn bytes_of(values: &[f32], halves: bool) -> Result<Vec<u8>> {
    let width = if halves { 2 } else { 4 };
    let mut bytes = reserve(0, values.len() * width).map_err(no_memory)?;
    for (bytes, v) in bytes.chunks_exact_mut(width).zip(values) {
        match halves {
            true => bytes.copy_from_slice(&f16::from_f32(*v).to_le_bytes()),
            false => bytes.copy_from_slice(&v.to_le_bytes()),
        }
    }
    Ok(bytes)
}

fn no_memory(NoMemory { needed }: NoMemory) -> Error {
    Error::OutOfMemory {
        what: "the weights".into(),
        needed,
        available: isize::MAX as u64,
    }
}
