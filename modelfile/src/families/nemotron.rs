//! Nemotron-H, a hybrid whose layers are one thing each: a selective scan of Mamba 2, attention without positions, or a feed-forward
//! block without a gate, which in Nemotron 3 Nano is a mixture of such blocks.
//!
//! Reference: NVIDIA 2025, arXiv:2504.03624; transformers `models/nemotron_h/modeling_nemotron_h.py`.

use super::checkpoint::CheckpointNames;
use super::mamba::check_scan;
use super::{Activation, Checkpoint, ModelSpec, Recurrent, TensorNames};
use crate::error::Result;
use crate::json::Object;
use crate::router::{Gating, Router, SharedExpert};

/// Nemotron-H, and in safetensors its mixtures as well.
pub const NEMOTRON_H: ModelSpec = ModelSpec {
    name: "nemotron_h",
    models: "Nemotron-H 4B and 8B, Nemotron Nano 9B and 12B v2, Nemotron 3 Nano 4B",
    // (no layer rotates)
    nope_period: 1,
    gated: false,
    activation: Activation::SquaredRelu,
    router: Router {
        gating: Gating::Sigmoid,
        biased: true,
        ..Router::PLAIN
    },
    shared_expert: SharedExpert::Plain,
    single_blocks: true,
    recurrent: Recurrent::Mamba,
    honours: &[
        "ssm.state_size",
        "expert_gating_func",
        "expert_shared_count",
        "expert_shared_feed_forward_length",
        "expert_weights_norm",
        "expert_weights_scale",
    ],
    names: &TensorNames {
        ffn_norm: TensorNames::GGUF.attn_norm,
        gate_up_proj: &["blk.{}.ffn_up.weight"],
        expert_gate_up: &["blk.{}.ffn_up_exps.weight"],
        shared_gate_up: &["blk.{}.ffn_up_shexp.weight"],
        ..TensorNames::GGUF
    },
    checkpoints: &[Checkpoint {
        names: &CheckpointNames {
            prefix: "backbone.",
            around: &[
                ("embeddings", "token_embd"),
                ("norm_f", "output_norm"),
                ("lm_head", "output"),
            ],
            layers: "layers.",
            of_layer: &[
                ("norm", "attn_norm"),
                ("mixer.in_proj", "ssm_in"),
                ("mixer.conv1d", "ssm_conv1d"),
                ("mixer.norm", "ssm_norm"),
                ("mixer.out_proj", "ssm_out"),
                ("mixer.q_proj", "attn_q"),
                ("mixer.k_proj", "attn_k"),
                ("mixer.v_proj", "attn_v"),
                ("mixer.o_proj", "attn_output"),
                ("mixer.up_proj", "ffn_up"),
                ("mixer.down_proj", "ffn_down"),
                ("mixer.gate", "ffn_gate_inp"),
                ("mixer.shared_experts.up_proj", "ffn_up_shexp"),
                ("mixer.shared_experts.down_proj", "ffn_down_shexp"),
            ],
        },
        aliases: &[
            ("layers_block_type", "layer_types"),
            ("attention_head_dim", "head_dim"),
            ("layer_norm_epsilon", "rms_norm_eps"),
            ("mamba_num_heads", "mamba_n_heads"),
            ("mamba_head_dim", "mamba_d_head"),
            ("n_groups", "mamba_n_groups"),
            ("ssm_state_size", "mamba_d_state"),
            ("conv_kernel", "mamba_d_conv"),
        ],
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("head_dim", 128.0),
            ("num_key_value_heads", 8.0),
            ("mamba_n_heads", 128.0),
            ("mamba_d_head", 64.0),
            ("mamba_n_groups", 8.0),
            ("mamba_d_state", 128.0),
            ("mamba_d_conv", 4.0),
        ],
        check,
        parameters: &[
            ("mixer.A_log", "ssm_a_log"),
            ("mixer.dt_bias", "ssm_dt.bias"),
            ("mixer.D", "ssm_d"),
            ("mixer.gate.e_score_correction_bias", "exp_probs_b.bias"),
            ("mixer.experts.up_proj", "ffn_up_exps.weight"),
            ("mixer.experts.down_proj", "ffn_down_exps.weight"),
        ],
        ..Checkpoint::new("nemotron_h")
    }],
    ..ModelSpec::PLAIN
};

/// Nemotron-H with experts, which GGUF has another name for.
pub const NEMOTRON_H_MOE: ModelSpec = ModelSpec {
    name: "nemotron_h_moe",
    models: "Nemotron 3 Nano 30B-A3B",
    checkpoints: &[],
    ..NEMOTRON_H
};

/// Refuses biases, other activations than the family's, windows, and experts of another width than the model's.
fn check(config: &Object) -> Result<()> {
    for key in ["use_bias", "mlp_bias"] {
        if config.bool(key)? == Some(true) {
            return Err(config.wrong(key, "false"));
        }
    }
    for (key, expected) in [("mlp_hidden_act", "relu2"), ("mamba_hidden_act", "silu")] {
        if config.str(key)?.is_some_and(|found| found != expected) {
            return Err(config.wrong(key, expected));
        }
    }
    for key in ["moe_latent_size", "sliding_window"] {
        if config.u32(key)?.is_some_and(|found| found > 0) {
            return Err(config.wrong(key, "null"));
        }
    }
    check_scan(config)
}
