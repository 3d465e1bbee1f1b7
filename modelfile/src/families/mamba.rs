//! Hybrids of attention and the selective scans of Mamba 2. Granite 4 H has one or the other in a layer, and positions in
//! neither; Falcon-H1 has both in every layer, side by side, and factors for most of what it projects, which GGUF has in the
//! weights.
//!
//! Reference: Dao & Gu 2024, arXiv:2405.21060; Zuo et al. 2025, arXiv:2507.22448; transformers
//! `models/granitemoehybrid/modeling_granitemoehybrid.py`, `models/falcon_h1/modeling_falcon_h1.py`.

use super::checkpoint::CheckpointNames;
use super::{Checkpoint, ModelSpec, Recurrent, TensorNames, granite};
use crate::container::TensorInfo;
use crate::error::Result;
use crate::json::Object;

/// Granite 4 H without experts, and in safetensors all of Granite 4 without experts.
pub const GRANITE_HYBRID: ModelSpec = ModelSpec {
    name: "granitehybrid",
    models: "Granite 4 H 350M, 1B and Micro",
    recurrent: Recurrent::Mamba,
    checkpoints: &[Checkpoint {
        names: &CheckpointNames {
            of_layer: &[
                ("input_layernorm", "attn_norm"),
                ("post_attention_layernorm", "ffn_norm"),
                ("self_attn.q_proj", "attn_q"),
                ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"),
                ("self_attn.o_proj", "attn_output"),
                ("mamba.in_proj", "ssm_in"),
                ("mamba.conv1d", "ssm_conv1d"),
                ("mamba.norm", "ssm_norm"),
                ("mamba.out_proj", "ssm_out"),
                ("shared_mlp.gate_proj", "ffn_gate"),
                ("shared_mlp.up_proj", "ffn_up"),
                ("shared_mlp.output_linear", "ffn_down"),
            ],
            ..CheckpointNames::LLAMA
        },
        aliases: &[("layers_block_type", "layer_types")],
        defaults: &[
            ("rms_norm_eps", 1e-6),
            ("attention_multiplier", 1.0),
            ("mamba_expand", 2.0),
            ("mamba_d_conv", 4.0),
            ("mamba_d_state", 256.0),
            ("mamba_n_groups", 1.0),
            ("mamba_n_heads", 128.0),
            ("shared_intermediate_size", 1024.0),
            ("num_local_experts", 8.0),
        ],
        check: check_granite,
        parameters: &PARAMETERS,
        rename: split_gate_up,
        ..Checkpoint::new("granitemoehybrid")
    }],
    ..granite::GRANITE
};

/// Falcon-H1.
pub const FALCON_H1: ModelSpec = ModelSpec {
    name: "falcon-h1",
    models: "Falcon-H1",
    recurrent: Recurrent::AttentionAndMamba,
    honours: &["ssm.state_size"],
    multiplies_logits: true,
    names: &TensorNames {
        ffn_norm: "blk.{}.ffn_norm",
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CheckpointNames {
            around: &[
                ("embed_tokens", "token_embd"),
                ("final_layernorm", "output_norm"),
                ("lm_head", "output"),
            ],
            of_layer: &[
                ("input_layernorm", "attn_norm"),
                ("self_attn.q_proj", "attn_q"),
                ("self_attn.k_proj", "attn_k"),
                ("self_attn.v_proj", "attn_v"),
                ("self_attn.o_proj", "attn_output"),
                ("mamba.in_proj", "ssm_in"),
                ("mamba.conv1d", "ssm_conv1d"),
                ("mamba.norm", "ssm_norm"),
                ("mamba.out_proj", "ssm_out"),
                ("feed_forward.gate_proj", "ffn_gate"),
                ("feed_forward.up_proj", "ffn_up"),
                ("feed_forward.down_proj", "ffn_down"),
            ],
            ..CheckpointNames::LLAMA
        },
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("mamba_expand", 2.0),
            ("mamba_d_conv", 4.0),
            ("mamba_d_state", 256.0),
            ("mamba_n_groups", 1.0),
            ("mamba_n_heads", 128.0),
        ],
        check: check_falcon,
        parameters: &PARAMETERS,
        ..Checkpoint::new("falcon_h1")
    }],
    ..ModelSpec::PLAIN
};

/// Parameters of a scan that are no weights of a module.
const PARAMETERS: [(&str, &str); 4] = [
    ("mamba.A_log", "ssm_a_log"),
    ("mamba.dt_bias", "ssm_dt.bias"),
    ("mamba.D", "ssm_d"),
    // (that of Falcon-H1 alone, whose name in GGUF has no suffix)
    ("pre_ff_layernorm.weight", "ffn_norm"),
];

/// Refuses experts, whose layers have one more that all tokens take, and what every scan here does without.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check_granite(config: &Object) -> Result<()> {
    if config.u32("num_local_experts")? != Some(0) {
        return Err(config.wrong(
            "num_local_experts",
            "0: experts of this family are not supported",
        ));
    }
    check_scan(config)
}

/// Refuses biases, and norms before the gate.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check_falcon(config: &Object) -> Result<()> {
    for key in ["projectors_bias", "mlp_bias"] {
        if config.bool(key)? == Some(true) {
            return Err(config.wrong(key, "false"));
        }
    }
    // (transformers' default)
    let before = config.bool("mamba_norm_before_gate")?.unwrap_or(true);
    if config.bool("mamba_rms_norm")? == Some(true) && before {
        return Err(config.wrong("mamba_norm_before_gate", "false"));
    }
    check_scan(config)
}

/// Refuses biases of the scan's projections, and bounds of its steps.
///
/// # Errors
/// [`Error::Metadata`](crate::Error::Metadata).
fn check_scan(config: &Object) -> Result<()> {
    for key in ["mamba_proj_bias", "attention_bias"] {
        if config.bool(key)? == Some(true) {
            return Err(config.wrong(key, "false"));
        }
    }
    const LIMIT: &str = "time_step_limit";
    let Some(limit) = config.get(LIMIT) else {
        return Ok(());
    };
    // (infinity is no number in JSON)
    let bounds = limit.as_array().map(|bounds| &bounds[..]);
    match bounds {
        Some([least, most]) if least.as_f64() == Some(0.0) && !most.is_number() => Ok(()),
        _ => Err(config.wrong(LIMIT, "0 to infinity")),
    }
}

/// Takes apart gate and up of the block that every token takes, which the file has in one tensor.
///
/// # Errors
/// None.
fn split_gate_up(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let halves = tensors.into_iter().flat_map(|tensor| {
        let block = tensor.name.strip_suffix("input_linear.weight");
        let Some(block) = block.filter(|block| block.ends_with(".shared_mlp.")) else {
            return vec![tensor];
        };
        let mut half = tensor.clone();
        half.size /= 2;
        if let Some(rows) = half.shape.get_mut(1) {
            *rows /= 2;
        }
        let up = TensorInfo {
            name: format!("{block}up_proj.weight"),
            offset: half.offset + half.size,
            ..half.clone()
        };
        let name = format!("{block}gate_proj.weight");
        vec![TensorInfo { name, ..half }, up]
    });
    Ok(halves.collect())
}
