//! Tensors of a file as they arrive, kept as what the model makes of them.

use std::collections::HashMap;

use hearth_modelfile::container::GgmlType;
use hearth_modelfile::quant::block_format;
use hearth_modelfile::{Error, Result};

use crate::weight::{Weight, not_finite};

/// Values of a tensor: a weight that is projected with, or numbers that are added.
enum Values {
    Weight(Weight),
    Plain(Vec<f32>),
}

/// Tensors by transformers' names, without the `model.` before them.
#[derive(Default)]
pub struct Tensors {
    values: HashMap<String, Values>,
    parameters: u64,
}

/// Ends of the names of tensors whose numbers are added, though they have two dimensions.
const ADDED: [&str; 3] = [
    "relative_attention_bias.weight",
    "embed_positions.weight",
    "final_logits_bias",
];

impl Tensors {
    /// Converts a tensor. `shape`: its dimensions, the contiguous one last.
    ///
    /// # Errors
    /// [`Error::UnsupportedQuant`], [`Error::BadFile`] for values that are no numbers, [`Error::OutOfMemory`].
    pub fn add(&mut self, name: &str, shape: &[u64], dtype: GgmlType, bytes: &[u8]) -> Result<()> {
        let len = shape.iter().product::<u64>() as usize;
        let k = shape.last().copied().unwrap_or(1).max(1) as usize;
        let is_weight = shape.len() > 1 && !ADDED.iter().any(|end| name.ends_with(end));
        let values = if is_weight {
            Values::Weight(Weight::read(name, len / k, k, dtype, bytes)?)
        } else {
            let mut values = vec![0.0; len];
            block_format(dtype, name)?.dequantize(bytes, &mut values)?;
            if !values.iter().all(|v| v.is_finite()) {
                return Err(not_finite(name));
            }
            Values::Plain(values)
        };
        self.parameters += len as u64;
        if self.values.insert(name.to_owned(), values).is_some() {
            return Err(Error::BadFile {
                format: "translation model",
                what: "the tensors".into(),
                expected: "each name once".into(),
                found: format!("\"{name}\" twice"),
            });
        }
        Ok(())
    }

    /// Returns whether a tensor is still here.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Takes a weight [n, k].
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`].
    pub fn weight(&mut self, name: &str, n: usize, k: usize) -> Result<Weight> {
        match self.take(name)? {
            Values::Weight(weight) if weight.shape() == (n, k) => Ok(weight),
            Values::Weight(weight) => {
                let found = weight.shape();
                Err(Error::tensor_shape(name, &[n, k], &[found.0, found.1]))
            }
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
            Values::Weight(weight) => {
                let found = weight.shape();
                Err(Error::tensor_shape(name, &[len], &[found.0, found.1]))
            }
        }
    }

    /// Takes the weight of the first of `names` that is here, and drops the others, which have to be the same: files of tied
    /// weights may repeat them.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::BadFile`] if two of them differ.
    pub fn tied(&mut self, names: &[&str], n: usize, k: usize) -> Result<Weight> {
        let mut here = names.iter().filter(|name| self.has(name)).copied();
        let first = here.next().unwrap_or(names[0]);
        let others: Vec<&str> = here.collect();
        let weight = self.weight(first, n, k)?;
        for name in others {
            if !self.weight(name, n, k)?.equals(&weight) {
                return Err(Error::BadFile {
                    format: "translation model",
                    what: format!("tensor \"{name}\""),
                    expected: format!("that of \"{first}\", to which the config ties it"),
                    found: "other numbers".into(),
                });
            }
        }
        Ok(weight)
    }

    /// Returns the number of values, and of the bytes that they take.
    pub fn size(&self) -> (u64, u64) {
        let bytes = self.values.values().map(|values| match values {
            Values::Weight(weight) => weight.bytes(),
            Values::Plain(values) => size_of_val(values.as_slice()),
        });
        (self.parameters, bytes.map(|n| n as u64).sum())
    }

    /// Drops a tensor that says nothing, if it is here.
    pub fn drop(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Returns the name of a tensor that nothing took, if there is one: it would change what the model computes.
    pub fn unread(&self) -> Option<&str> {
        self.values.keys().map(String::as_str).min()
    }

    fn take(&mut self, name: &str) -> Result<Values> {
        self.values
            .remove(name)
            .ok_or_else(|| Error::MissingTensor {
                name: name.to_owned(),
            })
    }
}
