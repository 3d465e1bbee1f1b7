//! Keys of a model's architecture, checked against absurd values. Names are given without the architecture.

use crate::by_layer::in_range;
use crate::container::{Metadata, Value};
use crate::error::{Error, Result};

/// Reads single numbers; an upper bound is that of any model, and a header that claims more is damaged.
pub(super) struct Keys<'a> {
    pub meta: &'a Metadata,
    pub architecture: &'a str,
}

impl Keys<'_> {
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// Returns a number of 1 to `max`.
    ///
    /// # Errors
    /// [`Error::Metadata`] also if the key is absent.
    pub fn size(&self, name: &str, max: usize) -> Result<usize> {
        let key = self.key(name);
        let found = match self.of_all_layers(&key)? {
            Some(found) => found,
            None => self.meta.u32(&key)?,
        };
        in_range(&key, found as usize, max)
    }

    /// Returns a number of 1 to `max`, or `default` if the key is absent.
    pub fn optional(&self, name: &str, default: usize, max: usize) -> Result<usize> {
        let key = self.key(name);
        match self.of_all_layers(&key)? {
            Some(found) => in_range(&key, found as usize, max),
            None => Ok(default),
        }
    }

    /// Returns a number of 0 to `max`, 0 if the key is absent.
    pub fn count(&self, name: &str, max: usize) -> Result<usize> {
        let key = self.key(name);
        match self.of_all_layers(&key)?.unwrap_or(0) as usize {
            0 => Ok(0),
            found => in_range(&key, found, max),
        }
    }

    /// Returns a number used in calculations, which is neither infinite nor NaN.
    pub fn real(&self, name: &str, default: f32) -> Result<f32> {
        finite(self.meta, &self.key(name), default)
    }

    /// Returns the epsilon of a norm, which must be above 0 so that a row of zeros can be divided by its norm.
    pub fn epsilon(&self, name: &str) -> Result<f32> {
        match self.meta.f32(&self.key(name))? {
            eps if eps.is_finite() && eps > 0.0 => Ok(eps),
            found => Err(self.wrong(name, "a finite number above 0", found)),
        }
    }

    pub fn wrong(
        &self,
        name: &str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Error {
        Error::Metadata {
            key: self.key(name),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// Reads a number that a file may give once, or as a list with one entry per layer; only equal entries are
    /// supported.
    fn of_all_layers(&self, key: &str) -> Result<Option<u32>> {
        let Some(Value::Array(_)) = self.meta.get(key) else {
            return self.meta.opt_u32(key);
        };
        let list = self.meta.u32s(key)?;
        match list.first() {
            Some(first) if list.iter().all(|one| one == first) => Ok(Some(*first)),
            _ => Err(Error::Metadata {
                key: key.into(),
                expected: "the same number for every layer".into(),
                found: format!("{list:?}").chars().take(60).collect(),
            }),
        }
    }
}

/// Reads a number that is neither infinite nor NaN.
pub(super) fn finite(meta: &Metadata, key: &str, default: f32) -> Result<f32> {
    match meta.opt_f32(key)? {
        Some(found) if found.is_finite() => Ok(found),
        Some(found) => Err(Error::Metadata {
            key: key.to_owned(),
            expected: "a finite number".into(),
            found: found.to_string(),
        }),
        None => Ok(default),
    }
}
