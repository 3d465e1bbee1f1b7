//! Multi-head latent attention: DeepSeek V2 and V3 and the models that follow them. Of a token only a short vector is kept, of which
//! all heads' keys and values are made, and a rotated part that the heads share.
//!
//! Here queries are made comparable with that vector instead (DeepSeek-AI 2024, section 2.1.2), so that keys and values are never
//! written out. The norms within attention have transformers' epsilon, 1e-6, whatever the model's is.
//!
//! Reference: DeepSeek-AI 2024, arXiv:2405.04434; transformers `models/deepseek_v3/modeling_deepseek_v3.py`,
//! `models/deepseek_v2/modeling_deepseek_v2.py`, `models/glm4_moe_lite/modeling_glm4_moe_lite.py`, `models/youtu/modeling_youtu.py`.

use std::collections::HashMap;

use super::{Checkpoint, ModelSpec};
use crate::container::{ModelHeader, TensorInfo};
use crate::error::{Error, Result};
use crate::json::Object;
use crate::router::{Gating, Router, SharedExpert};

/// The family's spec; the router is that of DeepSeek V2.
pub const DEEPSEEK2: ModelSpec = ModelSpec {
    name: "deepseek2",
    models: "GLM-4.7-Flash, Youtu-LLM 2B, DeepSeek-V2-Lite, Moonlight, GigaChat 3 (latent attention, without groups of experts)",
    rope_neox: false,
    latent: true,
    router: Router {
        normalised: false,
        ..Router::PLAIN
    },
    shared_expert: SharedExpert::Plain,
    honours: &[
        "attention.q_lora_rank",
        "attention.kv_lora_rank",
        "attention.key_length_mla",
        "attention.value_length_mla",
        "leading_dense_block_count",
        "expert_shared_count",
        "expert_shared_feed_forward_length",
        "expert_gating_func",
        "expert_weights_norm",
        "expert_weights_scale",
    ],
    checkpoints: &[
        Checkpoint {
            defaults: &[
                ("rms_norm_eps", 1e-6),
                ("rope_theta", 10_000.0),
                ("n_shared_experts", 2.0),
                ("num_dense_layers", 0.0),
            ],
            check: check_greedy,
            ..CHECKPOINT
        },
        Checkpoint {
            model_type: "deepseek_v3",
            defaults: &[
                ("rms_norm_eps", 1e-6),
                ("rope_theta", 10_000.0),
                ("n_shared_experts", 1.0),
                ("num_dense_layers", 3.0),
                ("routed_scaling_factor", 2.5),
                ("n_group", 8.0),
                ("topk_group", 4.0),
            ],
            ..CHECKPOINT
        },
        Checkpoint {
            model_type: "glm4_moe_lite",
            defaults: &[
                ("rms_norm_eps", 1e-5),
                ("rope_theta", 10_000.0),
                ("n_shared_experts", 1.0),
                ("num_dense_layers", 1.0),
                ("routed_scaling_factor", 1.8),
            ],
            ..CHECKPOINT
        },
        Checkpoint {
            model_type: "youtu",
            defaults: &[("rms_norm_eps", 1e-6), ("rope_theta", 10_000.0)],
            tied: true,
            ..CHECKPOINT
        },
    ],
    variant: |gguf| has_choice_bias(gguf).then_some(&BIASED),
    ..ModelSpec::PLAIN
};

/// Models whose experts are chosen with a bias, by the sigmoids of their logits.
const BIASED: ModelSpec = ModelSpec {
    router: Router {
        gating: Gating::Sigmoid,
        normalised: true,
        biased: true,
        ..Router::PLAIN
    },
    checkpoints: &[],
    variant: |_| None,
    ..DEEPSEEK2
};

const CHECKPOINT: Checkpoint = Checkpoint {
    neighbours: true,
    aliases: &[
        ("n_routed_experts", "num_experts"),
        ("first_k_dense_replace", "num_dense_layers"),
    ],
    parameters: &[
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"),
        ("mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"),
        ("mlp.experts.down_proj", "ffn_down_exps.weight"),
    ],
    rename: split_heads,
    ..Checkpoint::new("deepseek_v2")
};

fn has_choice_bias(gguf: &ModelHeader) -> bool {
    let is_bias = |tensor: &TensorInfo| tensor.name.ends_with(".exp_probs_b.bias");
    gguf.tensors.iter().any(is_bias)
}

/// Refuses another choice of experts than that of the best.
fn check_greedy(config: &Object) -> Result<()> {
    match config.str("topk_method")? {
        None | Some("greedy") => Ok(()),
        Some(_) => Err(config.wrong("topk_method", "greedy")),
    }
}

/// End of the name of the tensor that has, for each head, the rows of its keys and then those of its values.
const KEYS_AND_VALUES: &str = ".self_attn.kv_b_proj.weight";

/// Divides what makes keys and values by head: the rows of keys, by columns, make queries comparable with latents. How many rows
/// those are follows from the shapes of the layer's other tensors.
fn split_heads(tensors: Vec<TensorInfo>) -> Result<Vec<TensorInfo>> {
    let shapes: HashMap<String, [u64; 2]> = (tensors.iter())
        .filter_map(|tensor| {
            let shape = <[u64; 2]>::try_from(tensor.shape.as_slice()).ok()?;
            Some((tensor.name.clone(), shape))
        })
        .collect();
    let mut all = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let Some(layer) = tensor.name.strip_suffix(KEYS_AND_VALUES) else {
            all.push(tensor);
            continue;
        };
        let shape = |part: &str| shapes.get(&format!("{layer}.self_attn.{part}.weight"));
        let number = layer.rsplit('.').next().unwrap_or_default();
        let heads = match (shape("q_b_proj").or(shape("q_proj")), shape("o_proj")) {
            (Some(query), Some(output)) => heads_of(
                &tensor,
                query[1],
                output[0],
                shape("kv_a_proj_with_mqa").map_or(0, |shape| shape[1]),
            ),
            _ => None,
        };
        let Some([heads, keys, values]) = heads else {
            return Err(Error::TensorShape {
                name: tensor.name,
                expected: vec![],
                found: tensor.shape,
            });
        };
        let cols = tensor.shape[0];
        let row_bytes = tensor.size / (heads * (keys + values));
        for head in 0..heads {
            let first = head * (keys + values);
            let rows = |first: u64, rows: u64| TensorInfo {
                shape: vec![cols, rows],
                offset: tensor.offset + first * row_bytes,
                size: rows * row_bytes,
                ..tensor.clone()
            };
            let mut to_latent = rows(first, keys);
            to_latent.name = format!("blk.{number}.attn_k_b.{head}.weight");
            to_latent.shape.reverse();
            to_latent.arrangement.by_columns = true;
            let mut from_latent = rows(first + keys, values);
            from_latent.name = format!("blk.{number}.attn_v_b.{head}.weight");
            all.extend([to_latent, from_latent]);
        }
    }
    Ok(all)
}

/// Returns the number of heads, and the rows of a head's keys and of its values, from the rows of all queries, the columns of the
/// output's projection, and the rows of what gives the latent and the part of keys that rotates.
fn heads_of(tensor: &TensorInfo, queries: u64, outputs: u64, latent: u64) -> Option<[u64; 3]> {
    let [rank, rows] = <[u64; 2]>::try_from(tensor.shape.as_slice()).ok()?;
    let plain = rows.checked_sub(outputs).filter(|plain| *plain > 0)?;
    let rotated = queries.checked_sub(plain)?;
    let of_head = latent.checked_sub(rank)?;
    let heads = rotated.checked_div(of_head)?;
    let is_whole = heads > 0
        && heads * of_head == rotated
        && heads <= 1024
        && [rows, plain, outputs]
            .iter()
            .all(|n| n.is_multiple_of(heads))
        && tensor.size.is_multiple_of(rows);
    is_whole.then(|| [heads, plain / heads, outputs / heads])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Arrangement, GgmlType};

    fn tensor(name: &str, cols: u64, rows: u64) -> TensorInfo {
        TensorInfo {
            name: format!("model.layers.3.self_attn.{name}.weight"),
            shape: vec![cols, rows],
            dtype: GgmlType::F16,
            offset: 1000,
            size: 2 * cols * rows,
            arrangement: Arrangement::default(),
        }
    }

    #[test]
    fn each_head_has_the_rows_of_its_keys_and_then_those_of_its_values() {
        // 4 heads of 16 + 8 columns of queries and 12 of values; 8 of each token's 32 + 8 rotate.
        let tensors = vec![
            tensor("q_proj", 64, 4 * 24),
            tensor("kv_a_proj_with_mqa", 64, 40),
            tensor("kv_b_proj", 32, 4 * 28),
            tensor("o_proj", 48, 64),
        ];
        let split = split_heads(tensors).unwrap();
        let of = |name: &str| {
            let found = split.iter().find(|tensor| tensor.name == name).unwrap();
            let by_columns = found.arrangement.by_columns;
            (found.shape.clone(), found.offset, found.size, by_columns)
        };
        let row = 64;
        assert_eq!(
            of("blk.3.attn_k_b.0.weight"),
            (vec![16, 32], 1000, 16 * row, true)
        );
        let second = 1000 + 28 * row;
        assert_eq!(
            of("blk.3.attn_k_b.1.weight"),
            (vec![16, 32], second, 16 * row, true)
        );
        let values = second + 16 * row;
        assert_eq!(
            of("blk.3.attn_v_b.1.weight"),
            (vec![32, 12], values, 12 * row, false)
        );
        assert_eq!(split.len(), 3 + 8);
    }

    #[test]
    fn shapes_that_do_not_belong_together_are_refused() {
        for (q, kv_a, kv_b, o) in [
            (96, 40, 113, 48),
            (96, 32, 112, 48),
            (96, 40, 48, 48),
            (60, 40, 112, 48),
            (96, 41, 112, 48),
        ] {
            let tensors = vec![
                tensor("q_proj", 64, q),
                tensor("kv_a_proj_with_mqa", 64, kv_a),
                tensor("kv_b_proj", 32, kv_b),
                tensor("o_proj", o, 64),
            ];
            let error = split_heads(tensors).unwrap_err();
            assert_eq!(error.code(), "tensor_shape", "{q} {kv_a} {kv_b} {o}");
        }
        let alone = vec![tensor("kv_b_proj", 32, 112)];
        assert_eq!(split_heads(alone).unwrap_err().code(), "tensor_shape");
    }
}
