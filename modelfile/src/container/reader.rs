//! A bounded cursor over the header's prefix, and the GGUF primitives read with it.
//!
//! Every read is checked against the header limit, then the file's size, and only then against the bytes
//! that are present; memory is only allocated for bytes that are.

use super::limits::{MAX_ARRAY, MAX_ARRAY_DEPTH, MAX_HEADER_BYTES, MAX_STRING};
use super::metadata::{Array, Value};
use crate::error::Error;

/// The reason why reading stopped.
pub(super) enum Stop {
    /// The prefix is too short: at least this many bytes from the file's start are needed.
    Need(u64),
    /// More bytes would not help.
    Fail(Error),
}

pub(super) type Read<T> = Result<T, Stop>;

/// Returns the error for a malformed field of a GGUF file.
pub(super) fn bad(
    what: impl Into<String>,
    expected: impl Into<String>,
    found: impl ToString,
) -> Error {
    Error::BadFile {
        format: "GGUF",
        what: what.into(),
        expected: expected.into(),
        found: found.to_string(),
    }
}

fn fail<T>(what: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> Read<T> {
    Err(Stop::Fail(bad(what, expected, found)))
}

/// The cursor. `what` in its methods names the field for error messages.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
    file_size: Option<u64>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], file_size: Option<u64>) -> Self {
        Reader {
            bytes,
            pos: 0,
            file_size,
        }
    }

    /// Returns the number of bytes consumed from the file's start.
    pub(super) fn position(&self) -> u64 {
        self.pos as u64
    }

    /// Checks that `n` more bytes are possible and present, and returns them without consuming them.
    fn peek(&self, n: u64, what: &str) -> Read<&'a [u8]> {
        let end = self.position().checked_add(n);
        let Some(end) = end.filter(|&end| end <= MAX_HEADER_BYTES) else {
            return fail(
                what,
                format!("a header of at most {MAX_HEADER_BYTES} bytes"),
                format!("{n} bytes more at {}", self.pos),
            );
        };
        if let Some(available) = self.file_size.filter(|&size| size < end) {
            return Err(Stop::Fail(Error::Truncated {
                what: format!("the GGUF header ({what})"),
                needed: end,
                available,
            }));
        }
        // `end` is at most `MAX_HEADER_BYTES`, so it fits a 32-bit `usize` too.
        self.bytes
            .get(self.pos..end as usize)
            .ok_or(Stop::Need(end))
    }

    /// Checks that `n` more bytes are present.
    pub(super) fn require(&self, n: u64, what: &str) -> Read<()> {
        self.peek(n, what).map(|_| ())
    }

    fn take(&mut self, n: u64, what: &str) -> Read<&'a [u8]> {
        let bytes = self.peek(n, what)?;
        self.pos += bytes.len();
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Read<[u8; N]> {
        let mut array = [0; N];
        // Lengths agree: `take` returns exactly what was asked for.
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self, what: &str) -> Read<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Read<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Checks a count of the entries that follow: at most `max`, with at least `min_bytes` present for each.
    /// Allocating for the returned count is therefore safe.
    pub(super) fn check_count(&self, n: u64, max: u64, min_bytes: u64, what: &str) -> Read<usize> {
        if n > max {
            return fail(what, format!("at most {max}"), n);
        }
        self.require(n.saturating_mul(min_bytes), what)?;
        Ok(n as usize) // at most the prefix's length
    }

    /// Reads a `u64` length and that many bytes of UTF-8, at most `max`. Trailing NULs are not part of a name: files
    /// of August 2023 have them.
    pub(super) fn name(&mut self, max: u64, what: &str) -> Read<&'a str> {
        let bytes = self.bytes(max, what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.trim_end_matches('\0')),
            Err(error) => fail(what, "UTF-8 text", error),
        }
    }

    /// Reads a text that may be in any encoding, because most texts of a file are never used. Bytes that are not
    /// UTF-8 become U+FFFD.
    fn text(&mut self, what: &str) -> Read<String> {
        let bytes = self.bytes(MAX_STRING, what)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Reads a `u64` length and that many bytes, at most `max`.
    fn bytes(&mut self, max: u64, what: &str) -> Read<&'a [u8]> {
        let len = self.u64(what)?;
        if len > max {
            return fail(what, format!("a string of at most {max} bytes"), len);
        }
        self.take(len, what)
    }

    /// Reads a value of the GGUF type `type_id`.
    pub(super) fn value(&mut self, type_id: u32, what: &str) -> Read<Value> {
        Ok(match type_id {
            0 => Value::U8(u8::from_le_bytes(self.array(what)?)),
            1 => Value::I8(i8::from_le_bytes(self.array(what)?)),
            2 => Value::U16(u16::from_le_bytes(self.array(what)?)),
            3 => Value::I16(i16::from_le_bytes(self.array(what)?)),
            4 => Value::U32(self.u32(what)?),
            5 => Value::I32(i32::from_le_bytes(self.array(what)?)),
            6 => Value::F32(f32::from_le_bytes(self.array(what)?)),
            7 => {
                let [byte] = self.array(what)?;
                Value::Bool(bool_of(byte))
            }
            // (in a list a NUL may be a token)
            8 => Value::String(self.text(what)?.trim_end_matches('\0').to_owned()),
            9 => Value::Array(self.values(MAX_ARRAY_DEPTH, what)?),
            10 => Value::U64(self.u64(what)?),
            11 => Value::I64(i64::from_le_bytes(self.array(what)?)),
            12 => Value::F64(f64::from_le_bytes(self.array(what)?)),
            _ => return fail(what, "a value type from 0 to 12", type_id),
        })
    }

    /// Reads an element type, a count and the elements; `depth` is how many levels of arrays may still be opened.
    fn values(&mut self, depth: u32, what: &str) -> Read<Array> {
        if depth == 0 {
            return fail(
                what,
                format!("arrays nested at most {MAX_ARRAY_DEPTH} deep"),
                "deeper",
            );
        }
        let type_id = self.u32(what)?;
        let n = self.u64(what)?;
        Ok(match type_id {
            0 => Array::U8(self.numbers(n, what, u8::from_le_bytes)?),
            1 => Array::I8(self.numbers(n, what, i8::from_le_bytes)?),
            2 => Array::U16(self.numbers(n, what, u16::from_le_bytes)?),
            3 => Array::I16(self.numbers(n, what, i16::from_le_bytes)?),
            4 => Array::U32(self.numbers(n, what, u32::from_le_bytes)?),
            5 => Array::I32(self.numbers(n, what, i32::from_le_bytes)?),
            6 => Array::F32(self.numbers(n, what, f32::from_le_bytes)?),
            7 => {
                let bytes: Vec<u8> = self.numbers(n, what, u8::from_le_bytes)?;
                Array::Bool(bytes.into_iter().map(bool_of).collect())
            }
            8 => {
                // A string takes at least its 8 bytes of length.
                let n = self.check_count(n, MAX_ARRAY, 8, what)?;
                let mut strings = Vec::with_capacity(n);
                for _ in 0..n {
                    strings.push(self.text(what)?);
                }
                Array::String(strings)
            }
            9 => {
                // An array takes at least its type (4) and its count (8).
                let n = self.check_count(n, MAX_ARRAY, 12, what)?;
                let mut arrays = Vec::with_capacity(n);
                for _ in 0..n {
                    arrays.push(self.values(depth - 1, what)?);
                }
                Array::Array(arrays)
            }
            10 => Array::U64(self.numbers(n, what, u64::from_le_bytes)?),
            11 => Array::I64(self.numbers(n, what, i64::from_le_bytes)?),
            12 => Array::F64(self.numbers(n, what, f64::from_le_bytes)?),
            _ => return fail(what, "an element type from 0 to 12", type_id),
        })
    }

    fn numbers<const N: usize, T>(
        &mut self,
        n: u64,
        what: &str,
        from_le_bytes: impl Fn([u8; N]) -> T,
    ) -> Read<Vec<T>> {
        let n = self.check_count(n, MAX_ARRAY, N as u64, what)?;
        let bytes = self.take((n * N) as u64, what)?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().map(|&chunk| from_le_bytes(chunk)).collect())
    }
}

/// Converts a byte as C does: some writers store -1 for true.
fn bool_of(byte: u8) -> bool {
    byte != 0
}
