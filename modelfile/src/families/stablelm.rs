//! StableLM without parallel blocks: LayerNorm with bias, a quarter of each head rotated, biases on q, k and v in some
//! sizes.
//!
//! Reference: Bellagente et al. 2024, arXiv:2402.17834; transformers `models/stablelm/modeling_stablelm.py`.

use super::names::{of_head, of_layer};
use super::{Checkpoint, ModelSpec, QkNorm, TensorNames};
use crate::container::TensorInfo;
use crate::error::Result;
use crate::json::Object;

/// The family's spec.
pub const STABLELM: ModelSpec = ModelSpec {
    name: "stablelm",
    models: "StableLM 3B, StableLM 2 1.6B and 12B, StableLM Zephyr 3B, Stable Code 3B",
    layer_norm: true,
    // (files of either kind say either; their tensors tell)
    honours: &["use_parallel_residual"],
    variant: |gguf| {
        let name = of_layer(TensorNames::GGUF.q_norm, 0);
        let both = [of_head(&name, 0), name];
        let normalises = both.iter().any(|name| gguf.tensor(name).is_some());
        normalises.then_some(&STABLELM_12B)
    },
    checkpoints: &[Checkpoint {
        defaults: &[("partial_rotary_factor", 0.25), ("layer_norm_eps", 1e-5)],
        check,
        rename: of_heads,
        ..Checkpoint::new("stablelm")
    }],
    ..ModelSpec::PLAIN
};

/// StableLM 2 12B: parallel blocks, and a LayerNorm of each head of the queries and keys.
const STABLELM_12B: ModelSpec = ModelSpec {
    parallel: true,
    qk_norm: QkNorm::CentredHead,
    checkpoints: &[],
    ..STABLELM
};

/// Refuses one of the two things without the other that the 12B model has.
fn check(config: &Object) -> Result<()> {
    let is_set = |key: &str| config.bool(key).map(|found| found == Some(true));
    match is_set("use_parallel_residual")? == is_set("qk_layernorm")? {
        true => Ok(()),
        false => Err(config.wrong("qk_layernorm", "that of use_parallel_residual")),
    }
}

/// Gives GGUF's names to the norms of heads, which have a tensor each.
///
/// # Errors
/// None.
fn of_heads(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    const NORMS: [(&str, &str); 2] = [
        (".self_attn.q_layernorm.norms.", ".attn_q_norm."),
        (".self_attn.k_layernorm.norms.", ".attn_k_norm."),
    ];
    let renamed = tensors.into_iter().map(|tensor| {
        let found = NORMS.iter().find_map(|(theirs, ours)| {
            let (layer, head) = tensor.name.split_once(theirs)?;
            let layer = layer.rsplit('.').next()?;
            Some(format!("blk.{layer}{ours}{head}"))
        });
        match found {
            Some(name) => TensorInfo { name, ..tensor },
            None => tensor,
        }
    });
    Ok(renamed.collect())
}
