//! Storage types of the KV cache, as the CPU keeps them; kernels read them by `kv_*.wgsl` and write them by
//! `append_*.wgsl`.

pub use hearth_modelfile::kv_type::KvType;

/// Rounding of cache rows to a storage type.
pub(in crate::ops) trait KvRows {
    /// Rounds a row to the cache's precision. The CPU always keeps f32 and only rounds.
    fn round(self, row: &mut [f32]);
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
}
