//! Tensors of a file as they arrive, kept as what the model makes of them.

use std::collections::HashMap;

use hearth_cpu::layers::{NoMemory, reserve};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::quant::block_format;
use hearth_modelfile::{Error, Result};

use super::layers::{EPS, Linear, Matrix, Norm};

/// Largest number of f16.
const MOST_HALF: f32 = 65_504.0;

/// Values of a tensor: a weight that is projected with, or numbers that are added.
enum Values {
    Matrix(Matrix),
    Plain(Vec<f32>),
}

/// Tensors by transformers' names, without the `model.` before them.
#[derive(Default)]
pub struct Tensors(HashMap<String, Values>);

impl Tensors {
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
        let values = if is_matrix {
            let k = len / rows.max(1);
            // Weights of a few bits lose nothing that counts in f16, and take half of f32's room.
            let is_quantised = dtype.block_len() > 1;
            let matrix = if is_quantised && values.iter().all(|v| v.abs() <= MOST_HALF) {
                Matrix::halves(&values, rows, k)
            } else {
                Matrix::pack(&values, rows, k)
            };
            Values::Matrix(matrix.map_err(no_memory)?)
        } else {
            Values::Plain(values)
        };
        if self.0.insert(name.to_owned(), values).is_some() {
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
            Values::Matrix(matrix) => Err(shape(name, &[n, k], &[matrix.n(), matrix.k()])),
            Values::Plain(values) => Err(shape(name, &[n, k], &[values.len()])),
        }
    }

    /// Takes `len` numbers.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn plain(&mut self, name: &str, len: usize) -> Result<Vec<f32>> {
        match self.take(name)? {
            Values::Plain(values) if values.len() == len => Ok(values),
            Values::Plain(values) => Err(shape(name, &[len], &[values.len()])),
            Values::Matrix(matrix) => Err(shape(name, &[len], &[matrix.n(), matrix.k()])),
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
        let sizes = self.0.values().map(|values| match values {
            Values::Matrix(matrix) => (matrix.n() * matrix.k(), matrix.bytes()),
            Values::Plain(values) => (values.len(), size_of_val(values.as_slice())),
        });
        sizes.fold((0, 0), |(n, bytes), (m, more)| {
            (n + m as u64, bytes + more as u64)
        })
    }

    /// Returns the name of a tensor that nothing took, if there is one: it would change what the model computes.
    pub fn unread(&self) -> Option<&str> {
        self.0.keys().map(String::as_str).min()
    }

    /// Returns the outputs of a projection that is still here.
    pub fn rows_of(&self, name: &str) -> Option<usize> {
        match self.0.get(name)? {
            Values::Matrix(matrix) => Some(matrix.n()),
            Values::Plain(values) => Some(values.len()),
        }
    }

    fn take(&mut self, name: &str) -> Result<Values> {
        self.0.remove(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })
    }
}

fn shape(name: &str, expected: &[usize], found: &[usize]) -> Error {
    let wide = |shape: &[usize]| shape.iter().map(|n| *n as u64).collect();
    Error::TensorShape {
        name: name.to_owned(),
        expected: wide(expected),
        found: wide(found),
    }
}

fn no_memory(NoMemory { needed }: NoMemory) -> Error {
    Error::OutOfMemory {
        what: "the weights".into(),
        needed,
        available: isize::MAX as u64,
    }
}
