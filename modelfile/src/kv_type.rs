//! Storage types of the KV cache.

/// A storage type of keys and values. A row is one head at one position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    #[default]
    F32,
    /// Half the memory and half the bytes read per token.
    F16,
    /// About a quarter: bytes, followed by the row's largest magnitude as an f32.
    Q8,
}

impl KvType {
    /// Returns the name used in options.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8 => "q8",
        }
    }

    /// Returns the words of a row.
    pub const fn row_words(self, head_dim: usize) -> usize {
        match self {
            KvType::F32 => head_dim,
            KvType::F16 => head_dim / 2,
            KvType::Q8 => head_dim / 4 + 1,
        }
    }

    /// Returns the bytes of a row.
    pub const fn row_bytes(self, head_dim: usize) -> u64 {
        4 * self.row_words(head_dim) as u64
    }
}
