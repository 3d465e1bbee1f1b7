//! Phi 3, 3.5 and 4: Llama with q, k, v in one tensor and gate, up in another, LongRoPE, and partly rotated heads.
//!
//! Reference: Abdin et al. 2024, arXiv:2404.14219; transformers `models/phi3/modeling_phi3.py`.

use super::{Checkpoint, ModelSpec, Sliding, TensorNames};

/// The family's spec.
pub const PHI3: ModelSpec = ModelSpec {
    name: "phi3",
    models: "Phi 3, 3.5 and 4",
    sliding: Sliding::All,
    honours: &["attention.sliding_window"],
    names: &TensorNames {
        qkv_proj: &["blk.{}.attn_qkv.weight"],
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint::new("phi3")],
    ..ModelSpec::PLAIN
};
