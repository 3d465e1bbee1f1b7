//! Hybrids of attention and the selective scans of Mamba 2. Granite 4 H has one or the other in a layer, and positions in
//! neither, and in its larger sizes experts besides the block that every token uses; Falcon-H1 has both in every layer, side
//! by side, and factors for most of what it projects, which GGUF has in the weights.
//!
//! Reference: Dao & Gu 2024, arXiv:2405.21060; Zuo et al. 2025, arXiv:2507.22448; transformers
//! `models/granitemoehybrid/modeling_granitemoehybrid.py`, `models/falcon_h1/modeling_falcon_h1.py`.

use super::checkpoint::CheckpointNames;
use super::{Checkpoint, ModelSpec, Recurrent, TensorNames, granite};
use crate::container::TensorInfo;
use crate::error::Result;
use crate::json::Object;
use crate::router::SharedExpert;

/// Granite 4 H, and in safetensors all of Granite 4.
pub const GRANITE_HYBRID: ModelSpec = ModelSpec {
    name: "granitehybrid",
    models: "Granite 4 H: 350M, 1B, Micro, Tiny and Small",
    recurrent: Recurrent::Mamba,
    shared_expert: SharedExpert::Plain,
    honours: &[
        "rope.scaling.finetuned",
        "ssm.state_size",
        "expert_shared_feed_forward_length",
    ],
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
                // ([`split_shared`])
                ("mlp.gate_proj", "ffn_gate"),
                ("mlp.up_proj", "ffn_up"),
                ("mlp.down_proj", "ffn_down"),
                ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
                ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
                ("mlp.shared_expert.down_proj", "ffn_down_shexp"),
                ("block_sparse_moe.router.layer", "ffn_gate_inp"),
                ("block_sparse_moe.input_linear", "ffn_gate_up_exps"),
                ("block_sparse_moe.output_linear", "ffn_down_exps"),
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
        check: check_scan,
        parameters: &PARAMETERS,
        rename: split_shared,
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
pub(super) fn check_scan(config: &Object) -> Result<()> {
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

/// Takes apart gate and up of the block that every token uses, which the file has in one tensor, and names it for an expert
/// where there are others.
///
/// # Errors
/// None.
fn split_shared(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    const BLOCK: &str = ".shared_mlp.";
    let mixes = |tensor: &TensorInfo| tensor.name.contains(".block_sparse_moe.");
    let block = match tensors.iter().any(mixes) {
        true => ".mlp.shared_expert.",
        false => ".mlp.",
    };
    let renamed = tensors.into_iter().flat_map(|tensor| {
        let Some((layer, part)) = tensor.name.split_once(BLOCK) else {
            return vec![tensor];
        };
        let name = |part: &str| format!("{layer}{block}{part}.weight");
        match part {
            "input_linear.weight" => {
                let (gate, up) = (name("gate_proj"), name("up_proj"));
                let mut half = tensor.clone();
                half.size /= 2;
                if let Some(rows) = half.shape.get_mut(1) {
                    *rows /= 2;
                }
                let offset = half.offset + half.size;
                let gate = TensorInfo {
                    name: gate,
                    ..half.clone()
                };
                let up = TensorInfo {
                    name: up,
                    offset,
                    ..half
                };
                vec![gate, up]
            }
            "output_linear.weight" => {
                let name = name("down_proj");
                vec![TensorInfo { name, ..tensor }]
            }
            _ => vec![tensor],
        }
    });
    Ok(renamed.collect())
}
