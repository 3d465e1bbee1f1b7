//! Qwen 2 and 2.5 (biases on q, k and v) and Qwen 3 (norms of queries and keys instead, a separate head_dim), with or
//! without experts.
//!
//! Qwen 3.5, 3.6 and 3.8 are hybrids: three of four layers are gated delta nets, and attention has a gate. Blocks that
//! predict further tokens are not read. What sees is Qwen 3 VL's tower without rows of layers in between.
//!
//! In Qwen 2 and 3.5 with experts every token uses one of them besides, with a gate; the weights of the others do not
//! add up to 1 in Qwen 2.
//!
//! Reference: Yang et al. 2024, arXiv:2407.10671 and 2025, arXiv:2505.09388; transformers
//! `models/qwen2/modeling_qwen2.py`, `models/qwen2_vl/modeling_qwen2_vl.py`,
//! `models/qwen2_5_vl/modeling_qwen2_5_vl.py`, `models/qwen3/modeling_qwen3.py`,
//! `models/qwen3_moe/modeling_qwen3_moe.py`, `models/qwen3_vl/modeling_qwen3_vl.py`,
//! `models/qwen3_5/modeling_qwen3_5.py`, `models/qwen2_moe/modeling_qwen2_moe.py`,
//! `models/qwen3_5_moe/modeling_qwen3_5_moe.py`.

use super::checkpoint::CheckpointNames;
use super::{
    AttentionGate, Checkpoint, ModelSpec, QkNorm, Ranking, Recurrent, Sliding, SlidingRope,
    TensorNames, Turns,
};
use crate::error::Result;
use crate::json::Object;
use crate::router::{Router, SharedExpert};

/// Qwen 2 and 2.5.
pub const QWEN2: ModelSpec = ModelSpec {
    name: "qwen2",
    models: "Qwen 2 and 2.5",
    checkpoints: &[Checkpoint::new("qwen2")],
    ..ModelSpec::PLAIN
};

/// The language model of Qwen 2 VL and 2.5 VL. Positions of text are the same in all three dimensions of its rotation: see
/// [`crate::vision`].
pub const QWEN2VL: ModelSpec = ModelSpec {
    name: "qwen2vl",
    models: "Qwen 2 VL and 2.5 VL",
    turns: Turns::InSections,
    honours: &["rope.dimension_sections"],
    // The names with `_text` are those of transformers 5; before, all settings were in one object.
    checkpoints: &[
        Checkpoint {
            model_type: "qwen2_vl_text",
            ..QWEN2VL_CHECKPOINT
        },
        Checkpoint {
            model_type: "qwen2_vl",
            ..QWEN2VL_CHECKPOINT
        },
        Checkpoint {
            model_type: "qwen2_5_vl_text",
            ..QWEN2VL_CHECKPOINT
        },
        Checkpoint {
            model_type: "qwen2_5_vl",
            ..QWEN2VL_CHECKPOINT
        },
    ],
    ..QWEN2
};

const QWEN2VL_CHECKPOINT: Checkpoint = Checkpoint {
    defaults: &[("rope_theta", 1e6), ("rms_norm_eps", 1e-5)],
    ..Checkpoint::new("")
};

/// Qwen 3.
pub const QWEN3: ModelSpec = ModelSpec {
    name: "qwen3",
    models: "Qwen 3",
    checkpoints: &[Checkpoint::new("qwen3")],
    qk_norm: QkNorm::Head,
    ranking: Ranking::YesOrNo,
    ..ModelSpec::PLAIN
};

/// The language model of Qwen 3 VL. Positions of text are the same in all three dimensions of its rotation, and pictures alone
/// add to the first layers' outputs: see [`crate::vision`].
pub const QWEN3VL: ModelSpec = ModelSpec {
    name: "qwen3vl",
    models: "Qwen 3 VL",
    turns: Turns::Interleaved,
    honours: &["rope.dimension_sections", "n_deepstack_layers"],
    checkpoints: &[Checkpoint::new("qwen3_vl_text")],
    ranking: Ranking::None,
    ..QWEN3
};

/// Qwen 3 with experts.
pub const QWEN3MOE: ModelSpec = ModelSpec {
    name: "qwen3moe",
    models: "Qwen 3 with experts (30B-A3B, 235B-A22B)",
    checkpoints: &[Checkpoint {
        check: check_normalised,
        ..Checkpoint::new("qwen3_moe")
    }],
    ranking: Ranking::None,
    ..QWEN3
};

/// Refuses weights of experts that do not add up to 1, which are the default in transformers and are in no published model.
fn check_normalised(config: &Object) -> Result<()> {
    match config.bool("norm_topk_prob")? {
        Some(true) => Ok(()),
        _ => Err(config.wrong("norm_topk_prob", "true")),
    }
}

/// Qwen 1.5 and 2 with experts.
pub const QWEN2MOE: ModelSpec = ModelSpec {
    name: "qwen2moe",
    models: "Qwen 1.5 and 2 with experts (A2.7B, 57B-A14B)",
    router: Router {
        normalised: false,
        ..Router::PLAIN
    },
    shared_expert: SharedExpert::Gated,
    honours: &["expert_weights_norm", "expert_shared_feed_forward_length"],
    checkpoints: &[Checkpoint::new("qwen2_moe")],
    ..QWEN2
};

/// Mellum 2, JetBrains' code model: Qwen 3 with experts, of which three of four layers slide and rotate by a base of their own.
///
/// Reference: transformers `models/mellum/modeling_mellum.py`.
pub const MELLUM: ModelSpec = ModelSpec {
    name: "mellum",
    models: "Mellum 2 12B-A2.5B",
    sliding: Sliding::AllBut(4),
    sliding_rope: SlidingRope::Unscaled { theta: None },
    honours: &["attention.sliding_window", "rope.freq_base_swa"],
    checkpoints: &[Checkpoint {
        defaults: &[("sliding_window", 1024.0), ("head_dim", 128.0)],
        parameters: &[
            ("mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"),
            ("mlp.experts.down_proj", "ffn_down_exps.weight"),
        ],
        check: check_mellum,
        ..Checkpoint::new("mellum")
    }],
    ..QWEN3MOE
};

/// Refuses dense layers, and settings whose defaults are transformers' own.
fn check_mellum(config: &Object) -> Result<()> {
    const TYPES: &str = "mlp_layer_types";
    let types = config.get(TYPES).and_then(|types| types.as_array());
    if types.is_some_and(|types| types.iter().any(|kind| kind != "sparse")) {
        return Err(config.wrong(TYPES, "\"sparse\" for each layer"));
    }
    config.must_state(&["layer_types", "rope_parameters"])?;
    match config.bool("norm_topk_prob")? {
        Some(false) => Err(config.wrong("norm_topk_prob", "true")),
        _ => Ok(()),
    }
}

/// Qwen 3.5, 3.6 and 3.8.
pub const QWEN35: ModelSpec = ModelSpec {
    name: "qwen35",
    models: "Qwen 3.5, 3.6 and 3.8, dense",
    turns: Turns::Interleaved,
    recurrent: Recurrent::GatedDelta,
    attention_gate: AttentionGate::Interleaved,
    honours: &[
        "attention.recurrent_layers",
        "full_attention_interval",
        "ssm.state_size",
        "rope.dimension_sections",
    ],
    names: &TensorNames {
        ffn_norm: "blk.{}.post_attention_norm.weight",
        ..TensorNames::GGUF
    },
    checkpoints: &[
        Checkpoint {
            model_type: "qwen3_5_text",
            ..QWEN35_CHECKPOINT
        },
        Checkpoint {
            model_type: "qwen3_5",
            ..QWEN35_CHECKPOINT
        },
    ],
    ranking: Ranking::None,
    ..QWEN3
};

/// Qwen 3.5 and 3.6 with experts.
pub const QWEN35MOE: ModelSpec = ModelSpec {
    name: "qwen35moe",
    models: "Qwen 3.5 and 3.6 with experts (35B-A3B)",
    shared_expert: SharedExpert::Gated,
    honours: &[
        "attention.recurrent_layers",
        "full_attention_interval",
        "ssm.state_size",
        "rope.dimension_sections",
        "expert_shared_feed_forward_length",
    ],
    checkpoints: &[
        Checkpoint {
            model_type: "qwen3_5_moe_text",
            ..QWEN35_CHECKPOINT
        },
        Checkpoint {
            model_type: "qwen3_5_moe",
            ..QWEN35_CHECKPOINT
        },
    ],
    ..QWEN35
};

const QWEN35_CHECKPOINT: Checkpoint = Checkpoint {
    names: &CheckpointNames {
        of_layer: &[
            ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "post_attention_norm"),
            ("self_attn.q_proj", "attn_q"),
            ("self_attn.k_proj", "attn_k"),
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"),
            ("self_attn.q_norm", "attn_q_norm"),
            ("self_attn.k_norm", "attn_k_norm"),
            ("linear_attn.in_proj_qkv", "attn_qkv"),
            ("linear_attn.in_proj_z", "attn_gate"),
            ("linear_attn.in_proj_b", "ssm_beta"),
            ("linear_attn.in_proj_a", "ssm_alpha"),
            ("linear_attn.conv1d", "ssm_conv1d"),
            ("linear_attn.norm", "ssm_norm"),
            ("linear_attn.out_proj", "ssm_out"),
            ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"),
            ("mlp.down_proj", "ffn_down"),
            ("mlp.gate", "ffn_gate_inp"),
            ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
            ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
            ("mlp.shared_expert.down_proj", "ffn_down_shexp"),
            ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
        ],
        ..CheckpointNames::LLAMA
    },
    defaults: &[
        ("rms_norm_eps", 1e-6),
        ("partial_rotary_factor", 0.25),
        ("linear_conv_kernel_dim", 4.0),
        ("linear_key_head_dim", 128.0),
        ("linear_value_head_dim", 128.0),
        ("linear_num_key_heads", 16.0),
        ("linear_num_value_heads", 32.0),
    ],
    norms_lack_one: true,
    parameters: &[
        ("linear_attn.A_log", "ssm_a_log"),
        ("linear_attn.dt_bias", "ssm_dt.bias"),
        // (transformers writes experts one by one)
        ("mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"),
        ("mlp.experts.down_proj", "ffn_down_exps.weight"),
    ],
    ..Checkpoint::new("")
};
