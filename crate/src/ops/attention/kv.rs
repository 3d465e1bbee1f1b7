//! Storage types of the KV cache, as kernels and the CPU write and read them.

pub use hearth_modelfile::kv_type::KvType;

/// Reading and writing of cache rows in a storage type.
pub(in crate::ops) trait KvRows {
    /// Rounds a row to the cache's precision. The CPU always keeps f32 and only rounds.
    fn round(self, row: &mut [f32]);
    /// Template texts of the append kernel.
    fn append_texts(self) -> &'static [(&'static str, &'static str)];
    /// Template texts of the attention kernel: the caches' element type, and how four values of a row are read.
    fn attention_texts(self) -> &'static [(&'static str, &'static str)];
}

impl KvRows for KvType {
    fn round(self, row: &mut [f32]) {
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

    fn append_texts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            KvType::F32 => &[("KV2", "vec2<f32>"), ("PACK2", "")],
            KvType::F16 => &[("KV2", "u32"), ("PACK2", "pack2x16float")],
            KvType::Q8 => &[("KV2", "u32")],
        }
    }

    fn attention_texts(self) -> &'static [(&'static str, &'static str)] {
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
