//! Writes small GGUF files: the counterpart of [`super::gguf`] for tests, benches and tools.
//!
//! Input is written as given, valid or not, so that tests can also create files that must be refused.

use super::ggml_type::GgmlType;
use super::gguf::{DEFAULT_ALIGNMENT, MAGIC};
use super::metadata::{Array, Value};

/// A GGUF file under construction.
///
/// ```
/// use hearth_modelfile::container::{GgmlType, Parsed, Value, gguf, writer::GgufWriter};
///
/// let file = GgufWriter::new()
///     .metadata("general.architecture", Value::String("llama".into()))
///     .tensor("output_norm.weight", &[2], GgmlType::F32, &[0; 8])
///     .finish();
/// assert!(matches!(gguf::parse(&file, None), Ok(Parsed::Header(_))));
/// ```
#[derive(Debug, Clone)]
pub struct GgufWriter {
    version: u32,
    alignment: u64,
    metadata: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

#[derive(Debug, Clone)]
struct Tensor {
    name: String,
    shape: Vec<u64>,
    type_id: u32,
    offset: Option<u64>,
    data: Vec<u8>,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufWriter {
    /// Creates an empty file of version 3 with an alignment of 32.
    pub fn new() -> Self {
        GgufWriter {
            version: 3,
            alignment: DEFAULT_ALIGNMENT,
            metadata: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// Sets another version number (the layout remains that of 2 and 3).
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Aligns tensor data to `alignment` bytes and records it as `general.alignment`.
    pub fn alignment(mut self, alignment: u32) -> Self {
        self.alignment = u64::from(alignment.max(1));
        self.metadata("general.alignment", Value::U32(alignment))
    }

    /// Appends a key-value pair.
    pub fn metadata(mut self, key: &str, value: Value) -> Self {
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// Appends a tensor: `shape` in GGML's order (columns first), `data` its blocks.
    pub fn tensor(self, name: &str, shape: &[u64], dtype: GgmlType, data: &[u8]) -> Self {
        self.raw_tensor(name, shape, dtype.id(), None, data)
    }

    /// Appends a tensor with any type id and, if given, any offset (from the start of the data) in its entry.
    pub fn raw_tensor(
        mut self,
        name: &str,
        shape: &[u64],
        type_id: u32,
        offset: Option<u64>,
        data: &[u8],
    ) -> Self {
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            type_id,
            offset,
            data: data.to_vec(),
        });
        self
    }

    /// Returns the file's bytes.
    pub fn finish(self) -> Vec<u8> {
        let align = |out: &mut Vec<u8>| {
            out.resize(out.len().next_multiple_of(self.alignment as usize), 0);
        };
        let mut out = MAGIC.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_string(&mut out, key);
            put_value(&mut out, value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            put_string(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            out.extend(tensor.shape.iter().flat_map(|dim| dim.to_le_bytes()));
            out.extend(tensor.type_id.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
            align(&mut data);
        }
        align(&mut out);
        out.extend(data);
        out
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut put = |type_id: u32, bytes: &[u8]| {
        out.extend(type_id.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U8(x) => put(0, &x.to_le_bytes()),
        Value::I8(x) => put(1, &x.to_le_bytes()),
        Value::U16(x) => put(2, &x.to_le_bytes()),
        Value::I16(x) => put(3, &x.to_le_bytes()),
        Value::U32(x) => put(4, &x.to_le_bytes()),
        Value::I32(x) => put(5, &x.to_le_bytes()),
        Value::F32(x) => put(6, &x.to_le_bytes()),
        Value::Bool(x) => put(7, &[u8::from(*x)]),
        Value::String(text) => {
            put(8, &[]);
            put_string(out, text);
        }
        Value::Array(array) => {
            put(9, &[]);
            put_array(out, array);
        }
        Value::U64(x) => put(10, &x.to_le_bytes()),
        Value::I64(x) => put(11, &x.to_le_bytes()),
        Value::F64(x) => put(12, &x.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    match array {
        Array::U8(v) => put_elements(out, 0, v, |out, x| out.extend(x.to_le_bytes())),
        Array::I8(v) => put_elements(out, 1, v, |out, x| out.extend(x.to_le_bytes())),
        Array::U16(v) => put_elements(out, 2, v, |out, x| out.extend(x.to_le_bytes())),
        Array::I16(v) => put_elements(out, 3, v, |out, x| out.extend(x.to_le_bytes())),
        Array::U32(v) => put_elements(out, 4, v, |out, x| out.extend(x.to_le_bytes())),
        Array::I32(v) => put_elements(out, 5, v, |out, x| out.extend(x.to_le_bytes())),
        Array::F32(v) => put_elements(out, 6, v, |out, x| out.extend(x.to_le_bytes())),
        Array::Bool(v) => put_elements(out, 7, v, |out, &x| out.push(u8::from(x))),
        Array::String(v) => put_elements(out, 8, v, |out, x| put_string(out, x)),
        Array::Array(v) => put_elements(out, 9, v, put_array),
        Array::U64(v) => put_elements(out, 10, v, |out, x| out.extend(x.to_le_bytes())),
        Array::I64(v) => put_elements(out, 11, v, |out, x| out.extend(x.to_le_bytes())),
        Array::F64(v) => put_elements(out, 12, v, |out, x| out.extend(x.to_le_bytes())),
    }
}

fn put_elements<T>(
    out: &mut Vec<u8>,
    type_id: u32,
    elements: &[T],
    put: impl Fn(&mut Vec<u8>, &T),
) {
    out.extend(type_id.to_le_bytes());
    out.extend((elements.len() as u64).to_le_bytes());
    for element in elements {
        put(out, element);
    }
}
