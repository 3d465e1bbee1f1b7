//! Hunyuan without experts: Llama with norms of each query and key head after their rotation, whose base grows by a
//! factor that does not depend on the context's length.
//!
//! Reference: transformers `models/hunyuan_v1_dense/modeling_hunyuan_v1_dense.py`.

use super::{Checkpoint, ModelSpec, QkNorm};

/// The family's spec.
pub const HUNYUAN_DENSE: ModelSpec = ModelSpec {
    name: "hunyuan-dense",
    models: "Hunyuan 0.5B, 1.8B, 4B, 7B",
    qk_norm: QkNorm::RotatedHead,
    checkpoints: &[Checkpoint::new("hunyuan_v1_dense")],
    ..ModelSpec::PLAIN
};
