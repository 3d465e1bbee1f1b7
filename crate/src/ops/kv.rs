//! What the KV cache is kept in.

/// A storage type of keys and values. A row is one head at one position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    #[default]
    F32,
    /// Half the memory and half the bytes read per token.
    F16,
    /// About a quarter: bytes, and the row's largest magnitude as an f32 behind them.
    Q8,
}

impl KvType {
    /// As it is written in options.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::Q8 => "q8",
        }
    }

    /// Words of a row.
    pub const fn row_words(self, head_dim: usize) -> usize {
        match self {
            KvType::F32 => head_dim,
            KvType::F16 => head_dim / 2,
            KvType::Q8 => head_dim / 4 + 1,
        }
    }

    /// Bytes of a row.
    pub const fn row_bytes(self, head_dim: usize) -> u64 {
        4 * self.row_words(head_dim) as u64
    }

    /// A row as it is when it has been kept. The CPU keeps f32 in any case and only rounds.
    pub(super) fn round(self, row: &mut [f32]) {
        match self {
            KvType::F32 => {}
            KvType::F16 => {
                for v in row {
                    *v = half::f16::from_f32(*v).to_f32();
                }
            }
            KvType::Q8 => {
                let peak = row.iter().fold(0.0f32, |peak, v| peak.max(v.abs()));
                let inverse = if peak > 0.0 { 127.0 / peak } else { 0.0 };
                for v in row {
                    *v = (*v * inverse).round() / 127.0 * peak;
                }
            }
        }
    }

    /// Texts of the kernel that appends.
    pub(super) const fn append_texts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            KvType::F32 => &[("KV2", "vec2<f32>"), ("PACK2", "")],
            KvType::F16 => &[("KV2", "u32"), ("PACK2", "pack2x16float")],
            KvType::Q8 => &[("KV2", "u32")],
        }
    }

    /// Texts of the kernel that attends: the caches' element, and how four values of a row are read.
    pub(super) const fn attention_texts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            KvType::F32 => &[
                ("KV4", "vec4<f32>"),
                ("LOAD_K", "k_cache[row * HEAD_DIM4 + i]"),
                ("LOAD_V", "v_cache[row * HEAD_DIM4 + i]"),
            ],
            KvType::F16 => &[
                ("KV4", "vec2<u32>"),
                ("LOAD_K", "halves(k_cache[row * HEAD_DIM4 + i])"),
                ("LOAD_V", "halves(v_cache[row * HEAD_DIM4 + i])"),
            ],
            KvType::Q8 => &[
                ("KV4", "u32"),
                (
                    "LOAD_K",
                    "unpack4x8snorm(k_cache[row * Q8_ROW + i]) * bitcast<f32>(k_cache[row * Q8_ROW + HEAD_DIM4])",
                ),
                (
                    "LOAD_V",
                    "unpack4x8snorm(v_cache[row * Q8_ROW + i]) * bitcast<f32>(v_cache[row * Q8_ROW + HEAD_DIM4])",
                ),
            ],
        }
    }
}
