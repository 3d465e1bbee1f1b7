//! The typed key-value pairs of a GGUF header.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    String(String),
    Array(Array),
}

/// A metadata array, stored compactly by element type: a vocabulary has up to 256k entries.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    String(Vec<String>),
    Array(Vec<Array>),
}

/// Evaluates `$body` with `$v` bound to the vector inside an [`Array`], whatever its type.
macro_rules! with_elements {
    ($array:expr, $v:ident => $body:expr) => {
        match $array {
            Array::U8($v) => $body,
            Array::I8($v) => $body,
            Array::U16($v) => $body,
            Array::I16($v) => $body,
            Array::U32($v) => $body,
            Array::I32($v) => $body,
            Array::U64($v) => $body,
            Array::I64($v) => $body,
            Array::F32($v) => $body,
            Array::F64($v) => $body,
            Array::Bool($v) => $body,
            Array::String($v) => $body,
            Array::Array($v) => $body,
        }
    };
}

impl Array {
    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        with_elements!(self, v => v.len())
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the element type's name, e.g. `"string"`.
    pub fn element_type(&self) -> &'static str {
        match self {
            Array::U8(_) => "u8",
            Array::I8(_) => "i8",
            Array::U16(_) => "u16",
            Array::I16(_) => "i16",
            Array::U32(_) => "u32",
            Array::I32(_) => "i32",
            Array::U64(_) => "u64",
            Array::I64(_) => "i64",
            Array::F32(_) => "f32",
            Array::F64(_) => "f64",
            Array::Bool(_) => "bool",
            Array::String(_) => "string",
            Array::Array(_) => "array",
        }
    }

    /// Returns the elements as integers, or `None` if the array holds anything else (an empty one does not).
    pub(crate) fn integers<T: TryFrom<i128>>(&self) -> Option<Vec<T>> {
        fn convert<S: Copy + Into<i128>, T: TryFrom<i128>>(v: &[S]) -> Option<Vec<T>> {
            v.iter().map(|&x| T::try_from(x.into()).ok()).collect()
        }
        match self {
            Array::U8(v) => convert(v),
            Array::I8(v) => convert(v),
            Array::U16(v) => convert(v),
            Array::I16(v) => convert(v),
            Array::U32(v) => convert(v),
            Array::I32(v) => convert(v),
            Array::U64(v) => convert(v),
            Array::I64(v) => convert(v),
            _ => self.is_empty().then(Vec::new),
        }
    }
}

impl Value {
    /// Returns the value as an integer, if it is one.
    pub(crate) fn integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(x) => x.into(),
            Value::I8(x) => x.into(),
            Value::U16(x) => x.into(),
            Value::I16(x) => x.into(),
            Value::U32(x) => x.into(),
            Value::I32(x) => x.into(),
            Value::U64(x) => x.into(),
            Value::I64(x) => x.into(),
            _ => return None,
        })
    }

    /// Describes type and value in a few words, for error messages.
    pub(crate) fn describe(&self) -> String {
        const MAX_CHARS: usize = 40;
        match self {
            Value::U8(x) => format!("u8 {x}"),
            Value::I8(x) => format!("i8 {x}"),
            Value::U16(x) => format!("u16 {x}"),
            Value::I16(x) => format!("i16 {x}"),
            Value::U32(x) => format!("u32 {x}"),
            Value::I32(x) => format!("i32 {x}"),
            Value::U64(x) => format!("u64 {x}"),
            Value::I64(x) => format!("i64 {x}"),
            Value::F32(x) => format!("f32 {x}"),
            Value::F64(x) => format!("f64 {x}"),
            Value::Bool(x) => format!("bool {x}"),
            Value::String(text) => {
                let head: String = text.chars().take(MAX_CHARS).collect();
                let more = if head.len() < text.len() { "..." } else { "" };
                format!("string {head:?}{more}")
            }
            Value::Array(array) => format!("array of {} {}", array.len(), array.element_type()),
        }
    }
}

/// The metadata of a file, by key.
///
/// Each getter `x(key)` requires the key and fails with [`Error::Metadata`] if it is absent; `opt_x(key)` returns
/// `Ok(None)` then. Both fail with [`Error::Metadata`] if the value has another type or does not fit.
/// Integers of any stored width are converted if they fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: BTreeMap<String, Value>,
}

/// Defines `$name` and `$opt_name` from a conversion `&Value -> Option<$type>`.
macro_rules! getters {
    ($(#[$doc:meta])* $name:ident, $opt_name:ident -> $type:ty, $expected:literal, $convert:expr) => {
        $(#[$doc])*
        pub fn $name(&self, key: &str) -> Result<$type> {
            self.$opt_name(key)?.ok_or_else(|| Error::Metadata {
                key: key.to_owned(),
                expected: $expected.to_owned(),
                found: "nothing: the key is absent".to_owned(),
            })
        }

        #[doc = concat!("Like [`Metadata::", stringify!($name), "`], but `Ok(None)` if the key is absent.")]
        pub fn $opt_name(&self, key: &str) -> Result<Option<$type>> {
            let Some(value) = self.entries.get(key) else {
                return Ok(None);
            };
            let convert: fn(&Value) -> Option<$type> = $convert;
            match convert(value) {
                Some(converted) => Ok(Some(converted)),
                None => Err(Error::Metadata {
                    key: key.to_owned(),
                    expected: $expected.to_owned(),
                    found: value.describe(),
                }),
            }
        }
    };
}

impl Metadata {
    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the value as stored.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Adds a value; returns the key's previous value.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) -> Option<Value> {
        self.entries.insert(key.into(), value)
    }

    /// Removes a key; returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.entries.remove(key)
    }

    /// Returns all entries in ascending order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    getters! {
        /// Returns a string.
        str, opt_str -> &str, "a string", |value| match value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        }
    }
    getters! {
        /// Returns an integer from 0 to 2^32 - 1.
        u32, opt_u32 -> u32, "an integer that fits u32", |value| value.integer()?.try_into().ok()
    }
    getters! {
        /// Returns an integer from 0 to 2^64 - 1.
        u64, opt_u64 -> u64, "an integer that fits u64", |value| value.integer()?.try_into().ok()
    }
    getters! {
        /// Returns a floating-point number; one stored as `f64` is rounded.
        f32, opt_f32 -> f32, "a floating-point number", |value| match *value {
            Value::F32(x) => Some(x),
            Value::F64(x) => Some(x as f32),
            // JavaScript writes 2.0 as 2; see `overrides`.
            Value::I64(x) => Some(x as f32),
            _ => None,
        }
    }
    getters! {
        /// Returns a bool.
        bool, opt_bool -> bool, "a bool", |value| match *value {
            Value::Bool(x) => Some(x),
            _ => None,
        }
    }
    getters! {
        /// Returns an array of strings.
        strings, opt_strings -> &[String], "an array of strings", |value| match value {
            Value::Array(Array::String(v)) => Some(v),
            Value::Array(array) if array.is_empty() => Some(&[]),
            _ => None,
        }
    }
    getters! {
        /// Returns an array of `f32`.
        f32s, opt_f32s -> &[f32], "an array of f32", |value| match value {
            Value::Array(Array::F32(v)) => Some(v),
            Value::Array(array) if array.is_empty() => Some(&[]),
            _ => None,
        }
    }
    getters! {
        /// Returns an array of bools.
        bools, opt_bools -> &[bool], "an array of bools", |value| match value {
            Value::Array(Array::Bool(v)) => Some(v),
            Value::Array(array) if array.is_empty() => Some(&[]),
            _ => None,
        }
    }
    getters! {
        /// Returns an array of integers that fit `i32`; borrowed if stored as `i32`.
        i32s, opt_i32s -> Cow<'_, [i32]>, "an array of integers that fit i32", |value| match value {
            Value::Array(Array::I32(v)) => Some(Cow::Borrowed(v)),
            Value::Array(array) => array.integers().map(Cow::Owned),
            _ => None,
        }
    }
    getters! {
        /// Returns an array of integers that fit `u32`; borrowed if stored as `u32`.
        u32s, opt_u32s -> Cow<'_, [u32]>, "an array of integers that fit u32", |value| match value {
            Value::Array(Array::U32(v)) => Some(Cow::Borrowed(v)),
            Value::Array(array) => array.integers().map(Cow::Owned),
            _ => None,
        }
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(pairs: I) -> Self {
        let entries = pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect();
        Metadata { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        Metadata::from_iter([
            ("name", Value::String("a model".into())),
            ("small", Value::U8(7)),
            ("wide", Value::I64(7)),
            ("negative", Value::I8(-1)),
            ("huge", Value::U64(u64::MAX)),
            ("eps", Value::F64(1e-6)),
            ("flag", Value::Bool(true)),
            ("ids", Value::Array(Array::I32(vec![1, -2]))),
            ("counts", Value::Array(Array::U16(vec![1, 2]))),
            ("empty", Value::Array(Array::U8(vec![]))),
        ])
    }

    #[test]
    fn integers_convert_where_they_fit() {
        let m = sample();
        assert_eq!(m.u32("small"), Ok(7));
        assert_eq!(m.u32("wide"), Ok(7));
        assert_eq!(m.u64("huge"), Ok(u64::MAX));
        assert!(m.u32("negative").is_err());
        assert!(m.u32("huge").is_err());
        assert_eq!(m.i32s("counts").unwrap().as_ref(), [1, 2]);
        assert_eq!(m.i32s("ids").unwrap().as_ref(), [1, -2]);
        assert!(m.u32s("ids").is_err());
        assert!(m.strings("empty").unwrap().is_empty());
        assert!(m.i32s("empty").unwrap().is_empty());
    }

    #[test]
    fn floats_round() {
        assert_eq!(sample().f32("eps"), Ok(1e-6));
        assert!(sample().f32("small").is_err());
    }

    #[test]
    fn absent_and_wrong_types_say_so() {
        let m = sample();
        assert_eq!(m.opt_str("nothing"), Ok(None));
        assert_eq!(m.opt_bool("flag"), Ok(Some(true)));
        assert!(m.opt_bool("small").is_err());
        let message = m.str("nothing").unwrap_err().to_string();
        assert_eq!(
            message,
            "metadata \"nothing\": expected a string, found nothing: the key is absent"
        );
        let message = m.f32s("ids").unwrap_err().to_string();
        assert_eq!(
            message,
            "metadata \"ids\": expected an array of f32, found array of 2 i32"
        );
    }
}
