//! Limits of headers: a file that exceeds one is damaged or hostile.

/// Largest header read, in bytes. A tokenizer of 256k entries takes about 10 MB.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Largest number of tensors.
pub const MAX_TENSORS: u64 = 65_536;
/// Largest number of metadata pairs.
pub const MAX_METADATA: u64 = 65_536;
/// Largest metadata string, in bytes.
pub const MAX_STRING: u64 = 16 << 20;
/// Largest metadata key or tensor name, in bytes.
pub const MAX_KEY: u64 = 65_535;
/// Largest number of elements in one metadata array.
pub const MAX_ARRAY: u64 = 4 << 20;
/// Maximum nesting depth of metadata arrays.
pub const MAX_ARRAY_DEPTH: u32 = 4;
/// Largest number of dimensions of a tensor in GGUF.
pub const MAX_DIMS: u32 = 4;
/// Largest number of dimensions of a tensor in safetensors: convolutions of vision models have five.
pub const MAX_SAFETENSORS_DIMS: usize = 8;
/// Largest `general.alignment`, in bytes.
pub const MAX_ALIGNMENT: u64 = 1 << 20;
