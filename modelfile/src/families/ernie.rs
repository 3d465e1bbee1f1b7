//! ERNIE 4.5: Llama whose rotary pairs are adjacent in transformers as well.
//!
//! With experts, a softmax weights them, and with a bias chooses them; the first layers are dense, and every token uses some
//! experts besides, as one that is as wide as they are together.
//!
//! Reference: Baidu 2025, "ERNIE 4.5 Technical Report"; transformers `models/ernie4_5/modeling_ernie4_5.py`,
//! `models/ernie4_5_moe/modeling_ernie4_5_moe.py`.

use super::{Checkpoint, ModelSpec};
use crate::error::Result;
use crate::json::Object;
use crate::router::{Router, SharedExpert};

/// The family's spec.
pub const ERNIE4_5: ModelSpec = ModelSpec {
    name: "ernie4_5",
    models: "ERNIE 4.5 0.3B",
    rope_neox: false,
    checkpoints: &[Checkpoint {
        neighbours: true,
        tied: true,
        ..Checkpoint::new("ernie4_5")
    }],
    ..ModelSpec::PLAIN
};

/// ERNIE 4.5 with experts.
pub const ERNIE4_5_MOE: ModelSpec = ModelSpec {
    name: "ernie4_5-moe",
    models: "ERNIE 4.5 with experts (21B-A3B, text)",
    router: Router {
        biased: true,
        ..Router::PLAIN
    },
    shared_expert: SharedExpert::Plain,
    honours: &[
        "leading_dense_block_count",
        "interleave_moe_layer_step",
        "expert_shared_count",
        "expert_shared_feed_forward_length",
    ],
    checkpoints: &[Checkpoint {
        neighbours: true,
        tied: true,
        aliases: &[
            ("moe_num_experts", "num_experts"),
            ("moe_k", "num_experts_per_tok"),
            ("moe_layer_start_index", "num_dense_layers"),
            ("moe_layer_interval", "decoder_sparse_step"),
            ("moe_num_shared_experts", "n_shared_experts"),
        ],
        defaults: &[
            ("rms_norm_eps", 1e-5),
            ("rope_theta", 500_000.0),
            ("num_dense_layers", 1.0),
            ("n_shared_experts", 2.0),
        ],
        // (on the hub, and in transformers)
        parameters: &[
            (
                "mlp.moe_statics.e_score_correction_bias",
                "exp_probs_b.bias",
            ),
            (
                "mlp.gate.moe_statics.e_score_correction_bias",
                "exp_probs_b.bias",
            ),
        ],
        check,
        ..Checkpoint::new("ernie4_5_moe")
    }],
    ..ERNIE4_5
};

/// Refuses dense layers behind those with experts.
fn check(config: &Object) -> Result<()> {
    let last = config.get("moe_layer_end_index").and_then(|n| n.as_i64());
    let n_layers = config.u32("num_hidden_layers")?.map(i64::from);
    match (last, n_layers) {
        (Some(0..), Some(n_layers)) if last < Some(n_layers - 1) => {
            Err(config.wrong("moe_layer_end_index", "-1 or the last layer"))
        }
        _ => Ok(()),
    }
}
