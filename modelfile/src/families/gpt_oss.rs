//! gpt-oss: experts in MXFP4 with biases and a clamped gate, attention sinks, YaRN, every other layer sliding.
//!
//! Its experts' tensors differ from every other model's. Tensors of a layer, with shapes as in safetensors:
//!
//! ```text
//! as published    gate_up_proj_blocks  U8 [n_experts, 2 d_ff, d_model / 32, 16]    quants, two neighbours in a byte
//!                 gate_up_proj_scales  U8 [n_experts, 2 d_ff, d_model / 32]        exponents
//!                 down_proj_blocks, down_proj_scales   the same of [n_experts, d_model, d_ff / 32, ...]
//! in floats       gate_up_proj         [n_experts, d_model, 2 d_ff]                columns where others have rows
//!                 down_proj            [n_experts, d_ff, d_model]
//! always          gate_up_proj_bias    [n_experts, 2 d_ff]
//!                 down_proj_bias       [n_experts, d_model]
//! ```
//!
//! Rows of gate and up are interleaved. Sinks are a bare parameter too.
//!
//! Reference: OpenAI 2025, arXiv:2508.10925; transformers `models/gpt_oss/modeling_gpt_oss.py` and
//! `integrations/mxfp4.py`.

use std::collections::HashMap;

use super::{Activation, Checkpoint, ModelSpec, Sliding, TensorNames};
use crate::container::{Arrangement, GgmlType, Range, TensorInfo};
use crate::error::{Error, Result};
use crate::json::Object;

/// gpt-oss.
pub const GPT_OSS: ModelSpec = ModelSpec {
    name: "gpt-oss",
    models: "gpt-oss 20B and 120B",
    sinks: true,
    activation: Activation::Clamped,
    yarn_rounds: false,
    sliding: Sliding::AllBut(2),
    honours: &["attention.sliding_window"],
    names: &TensorNames {
        ffn_norm: "blk.{}.post_attention_norm.weight",
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        post_attention_layernorm: "post_attention_norm",
        quant_method: Some("mxfp4"),
        check,
        rename,
        ..Checkpoint::new("gpt_oss")
    }],
    ..ModelSpec::PLAIN
};

/// Refuses settings that differ from gpt-oss's own, which are built in: the answers would be wrong.
///
/// # Errors
/// [`Error::Metadata`].
fn check(config: &Object) -> Result<()> {
    for (key, known) in [("swiglu_limit", 7.0), ("swiglu_alpha", 1.702)] {
        if config.f32(key)?.is_some_and(|found| found != known) {
            return Err(config.wrong(key, &known.to_string()));
        }
    }
    Ok(())
}

/// Returns the tensors under GGUF's names, and unchanged those whose names follow the usual scheme.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::TensorShape`] if quants and scales do not match.
pub(super) fn rename(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let mut renamed = Vec::with_capacity(tensors.len());
    let scales: HashMap<_, _> = (tensors.iter())
        .filter_map(|tensor| Some((tensor.name.strip_suffix("_scales")?, tensor)))
        .collect();
    for tensor in &tensors {
        let part = of_layer(&tensor.name);
        let expert = part.and_then(|(n, part)| Some((n, part.strip_prefix("mlp.experts.")?)));
        match (part, expert) {
            (Some((layer, "self_attn.sinks")), _) => renamed.push(TensorInfo {
                name: format!("blk.{layer}.attn_sinks.weight"),
                ..tensor.clone()
            }),
            (_, Some((layer, part))) => renamed.extend(of_experts(tensor, layer, part, &scales)?),
            _ => renamed.push(tensor.clone()),
        }
    }
    Ok(renamed)
}

/// Returns the tensors that one tensor of experts holds, one after the other or interleaved.
fn of_experts(
    tensor: &TensorInfo,
    layer: &str,
    part: &str,
    scales: &HashMap<&str, &TensorInfo>,
) -> Result<Vec<TensorInfo>> {
    let (whole, kind) = match part {
        "gate_up_proj_blocks" | "down_proj_blocks" => (in_blocks(tensor, scales)?, "weight"),
        "gate_up_proj" | "down_proj" => (in_columns(tensor), "weight"),
        "gate_up_proj_bias" | "down_proj_bias" => (one_by_one(tensor), "bias"),
        // (scales are read with their blocks)
        _ => return Ok(Vec::new()),
    };
    let names: &[&str] = match part.starts_with("down") {
        true => &["ffn_down_exps"],
        false => &["ffn_gate_exps", "ffn_up_exps"],
    };
    let turns = names.iter().enumerate().map(|(turn, name)| {
        let name = format!("blk.{layer}.{name}.{kind}");
        taking_turns(&whole, turn, names.len(), name)
    });
    Ok(turns.collect())
}

/// Splits a name into the layer's number and the part after it.
fn of_layer(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix("model.").unwrap_or(name);
    name.strip_prefix("layers.")?.split_once('.')
}

/// Returns an MXFP4 tensor as [cols, rows, experts].
fn in_blocks(blocks: &TensorInfo, scales: &HashMap<&str, &TensorInfo>) -> Result<TensorInfo> {
    let name = blocks.name.strip_suffix("_blocks").unwrap_or_default();
    let Some(scales) = scales.get(name) else {
        let name = format!("{name}_scales");
        return Err(Error::MissingTensor { name });
    };
    let expected = [&[16], &scales.shape[..]].concat();
    let same = blocks.shape == expected && scales.shape.len() == 3;
    if !same || [blocks, *scales].iter().any(|t| t.dtype != GgmlType::I8) {
        return Err(Error::TensorShape {
            name: blocks.name.clone(),
            expected,
            found: blocks.shape.clone(),
        });
    }
    let mut shape = scales.shape.clone();
    shape[0] = shape[0].saturating_mul(32);
    Ok(TensorInfo {
        shape,
        dtype: GgmlType::MXFP4,
        arrangement: Arrangement {
            scales: Some(Range {
                offset: scales.offset,
                size: scales.size,
            }),
            ..blocks.arrangement
        },
        ..blocks.clone()
    })
}

/// Returns a tensor stored by columns in the shape that the others have.
fn in_columns(tensor: &TensorInfo) -> TensorInfo {
    let mut tensor = tensor.clone();
    if tensor.shape.len() > 1 {
        tensor.shape.swap(0, 1);
    }
    tensor.arrangement.by_columns = true;
    tensor
}

/// Returns a bias as [1, rows, experts].
fn one_by_one(tensor: &TensorInfo) -> TensorInfo {
    let mut tensor = tensor.clone();
    tensor.shape.insert(0, 1);
    tensor
}

/// Returns one of several tensors whose rows are interleaved.
fn taking_turns(whole: &TensorInfo, turn: usize, turns: usize, name: String) -> TensorInfo {
    let mut tensor = whole.clone();
    tensor.name = name;
    if let Some(rows) = tensor.shape.get_mut(1) {
        *rows /= turns as u64;
    }
    tensor.arrangement.turn = turn as u64;
    tensor.arrangement.turns = turns as u64;
    tensor
}
