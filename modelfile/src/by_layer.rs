//! Facts that a file gives once for all layers, or once for each.

use crate::container::{Metadata, Value};
use crate::error::{Error, Result};
use crate::families::{ModelSpec, Sliding};

/// Reads facts by layer. Keys are given without the architecture.
pub(crate) struct ByLayer<'a> {
    pub meta: &'a Metadata,
    pub architecture: &'a str,
    pub n_layers: usize,
    /// Blocks in the file: those after the layers belong to heads that predict further tokens, and are not run.
    pub n_blocks: usize,
}

impl ByLayer<'_> {
    /// Returns a number of 0 to `max` for each layer, or `None` if the key is absent.
    ///
    /// # Errors
    /// [`Error::Metadata`] for another type, a list of another length, or a number above `max`.
    pub fn numbers(&self, name: &str, max: usize) -> Result<Option<Vec<usize>>> {
        let key = self.key(name);
        let found = match self.meta.get(&key) {
            None => return Ok(None),
            Some(Value::Array(_)) => {
                let list = self.meta.u32s(&key)?;
                self.check_len(&key, list.len())?;
                list.into_owned()
            }
            Some(_) => vec![self.meta.u32(&key)?; self.n_layers],
        };
        let numbers = found.into_iter().take(self.n_layers).map(|n| n as usize);
        let numbers: Vec<usize> = numbers.collect();
        match numbers.iter().find(|n| **n > max) {
            Some(n) => Err(out_of_range(&key, *n, 0, max)),
            None => Ok(Some(numbers)),
        }
    }

    /// Returns whether something holds of each layer, from a list of bools or numbers; `None` if the key is absent.
    ///
    /// # Errors
    /// [`Error::Metadata`] for another type, or a list of another length.
    pub fn flags(&self, name: &str) -> Result<Option<Vec<bool>>> {
        let key = self.key(name);
        let flags: Vec<bool> = match self.meta.get(&key) {
            None => return Ok(None),
            Some(_) => match self.meta.bools(&key) {
                Ok(flags) => flags.to_vec(),
                Err(wrong) => {
                    let numbers = self.meta.u32s(&key).map_err(|_| wrong)?;
                    numbers.iter().map(|n| *n != 0).collect()
                }
            },
        };
        self.check_len(&key, flags.len())?;
        Ok(Some(flags.into_iter().take(self.n_layers).collect()))
    }

    /// Returns the layers that slide: as the file says, or as the family defines if the file says nothing.
    ///
    /// # Errors
    /// [`Error::Metadata`] for a pattern that is neither a period nor a list.
    pub fn slides(&self, spec: &ModelSpec) -> Result<Vec<bool>> {
        const PATTERN: &str = "attention.sliding_window_pattern";
        let pattern = match self.meta.get(&self.key(PATTERN)) {
            _ if spec.sliding == Sliding::None => Sliding::None,
            None => spec.sliding,
            Some(Value::Array(_)) => return Ok(self.flags(PATTERN)?.unwrap_or_default()),
            Some(_) => match self.meta.u32(&self.key(PATTERN))? {
                0 => Sliding::All,
                period => match spec.sliding {
                    Sliding::AllButFirst(_) => Sliding::AllButFirst(period as usize),
                    _ => Sliding::AllBut(period as usize),
                },
            },
        };
        Ok((0..self.n_layers).map(|i| pattern.slides(i)).collect())
    }

    /// Returns the layer whose KV cache each layer reads instead of its own: the last layers read that of the last earlier one
    /// that slides, or does not slide, as they do.
    ///
    /// # Errors
    /// [`Error::Metadata`] if there is no such layer, or it has another number of heads.
    pub fn shared_caches(&self, slides: &[bool], kv_heads: &[usize]) -> Result<Vec<Option<usize>>> {
        let key = format!("{}.attention.shared_kv_layers", self.architecture);
        let shared = self.meta.opt_u32(&key)?.unwrap_or(0) as usize;
        let n_layers = self.n_layers;
        let own = n_layers.saturating_sub(shared);
        let owner = |i: usize| {
            (0..own.min(i))
                .rev()
                .find(|j| slides[*j] == slides[i])
                .filter(|j| kv_heads[*j] == kv_heads[i])
        };
        (0..n_layers)
            .map(|i| match owner(i) {
                _ if i < own => Ok(None),
                Some(owner) => Ok(Some(owner)),
                None => Err(Error::Metadata {
                    key: key.clone(),
                    expected: format!(
                        "a cache of the kind that layer {i} can read in an earlier layer"
                    ),
                    found: shared.to_string(),
                }),
            })
            .collect()
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn check_len(&self, key: &str, found: usize) -> Result<()> {
        if found == self.n_layers || found == self.n_blocks {
            return Ok(());
        }
        Err(Error::Metadata {
            key: key.to_owned(),
            expected: format!(
                "one value, or {} of them, one for each layer",
                self.n_layers
            ),
            found: format!("{found} values"),
        })
    }
}

/// Returns `found` if it is 1 to `max`.
pub(crate) fn in_range(key: &str, found: usize, max: usize) -> Result<usize> {
    match (1..=max).contains(&found) {
        true => Ok(found),
        false => Err(out_of_range(key, found, 1, max)),
    }
}

fn out_of_range(key: &str, found: usize, min: usize, max: usize) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: format!("{min} to {max}"),
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Array;
    use crate::families::gpt_oss::GPT_OSS;

    fn with(value: Value) -> Metadata {
        Metadata::from_iter([("gpt-oss.attention.sliding_window_pattern", value)])
    }

    fn by_layer(meta: &Metadata) -> ByLayer<'_> {
        ByLayer {
            meta,
            architecture: "gpt-oss",
            n_layers: 4,
            n_blocks: 5,
        }
    }

    #[test]
    fn a_number_holds_for_every_layer_and_a_list_has_one_for_each() {
        let numbers =
            |value, max| by_layer(&with(value)).numbers("attention.sliding_window_pattern", max);
        assert_eq!(numbers(Value::U32(7), 7), Ok(Some(vec![7; 4])));
        assert!(numbers(Value::U32(8), 7).is_err());
        let list = |n: i32| Value::Array(Array::I32((0..n).collect()));
        assert_eq!(numbers(list(4), 3), Ok(Some(vec![0, 1, 2, 3])));
        // (the blocks behind the layers have entries as well)
        assert_eq!(numbers(list(5), 3), Ok(Some(vec![0, 1, 2, 3])));
        for wrong in [
            list(3),
            list(6),
            list(0),
            Value::Array(Array::I32(vec![-1; 4])),
            Value::F32(1.0),
        ] {
            assert!(numbers(wrong.clone(), 99).is_err(), "{wrong:?}");
        }
        assert_eq!(by_layer(&Metadata::default()).numbers("other", 1), Ok(None));
    }

    #[test]
    fn layers_slide_by_a_list_a_period_or_the_family() {
        let slides = |value| by_layer(&with(value)).slides(&GPT_OSS);
        let list = [false, true, true, false];
        assert_eq!(
            slides(Value::Array(Array::Bool(list.into()))),
            Ok(list.into())
        );
        assert_eq!(
            slides(Value::Array(Array::U32(vec![0, 1, 1, 0]))),
            Ok(list.into())
        );
        assert_eq!(slides(Value::U32(3)), Ok(vec![true, true, false, true]));
        assert_eq!(slides(Value::I32(1)), Ok(vec![false; 4]));
        assert_eq!(slides(Value::U32(0)), Ok(vec![true; 4]));
        let own = by_layer(&Metadata::default()).slides(&GPT_OSS);
        assert_eq!(own, Ok(vec![true, false, true, false]));
        for wrong in [
            Value::String("all".into()),
            Value::Bool(true),
            Value::Array(Array::Bool(vec![true; 3])),
            Value::Array(Array::F32(vec![1.0; 4])),
        ] {
            assert!(slides(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
