//! StableLM without parallel blocks: LayerNorm with bias, a quarter of each head rotated, biases on q, k and v in some
//! sizes.
//!
//! Reference: Bellagente et al. 2024, arXiv:2402.17834; transformers `models/stablelm/modeling_stablelm.py`.

use super::{Checkpoint, ModelSpec};
use crate::error::Result;
use crate::json::Object;

/// The family's spec.
pub const STABLELM: ModelSpec = ModelSpec {
    name: "stablelm",
    models: "StableLM 3B, StableLM 2 1.6B, StableLM Zephyr 3B, Stable Code 3B",
    layer_norm: true,
    checkpoints: &[Checkpoint {
        defaults: &[("partial_rotary_factor", 0.25), ("layer_norm_eps", 1e-5)],
        check,
        ..Checkpoint::new("stablelm")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses what only the 12B model has: parallel blocks, and LayerNorm of each query and key head.
fn check(config: &Object) -> Result<()> {
    for key in ["use_parallel_residual", "qk_layernorm"] {
        if config.bool(key)? == Some(true) {
            return Err(config.wrong(key, "false"));
        }
    }
    Ok(())
}
