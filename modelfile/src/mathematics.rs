//! Keys of the metadata that change what a model computes.
//!
//! A model whose file says something about the computation that is not honoured would answer wrongly and without an
//! error. Each family declares which of these keys it honours ([`ModelSpec::honours`]); a file of the family that
//! sets another one is refused. Keys that every family honours (sizes, scales, soft caps, the rotation of all layers) are not listed.
//!
//! Source: llama.cpp `src/llama-arch.cpp`.

use crate::container::{Array, Metadata, Value};
use crate::error::{Error, Result};
use crate::families::ModelSpec;

/// The values with which a key changes nothing.
enum Idle {
    /// Zero, false and empty texts.
    Zero,
    /// Zero, one, booleans and empty texts.
    ZeroOrOne,
    /// True and one.
    One,
    /// True, one, and negative numbers, which mean "by default".
    OneOrNegative,
    /// The value of this other key.
    SameAs(&'static str),
}

use Idle::{One, OneOrNegative, SameAs, Zero, ZeroOrOne};

/// The keys, without the architecture.
const KEYS: &[(&str, Idle)] = &[
    // Attention
    ("attention.sliding_window", Zero),
    ("attention.recurrent_layers", Zero),
    ("attention.shared_kv_layers", Zero),
    ("attention.max_alibi_bias", Zero),
    ("attention.clamp_kqv", Zero),
    ("attention.group_norm_groups", Zero),
    ("attention.q_lora_rank", Zero),
    ("attention.kv_lora_rank", Zero),
    ("attention.relative_buckets_count", Zero),
    ("attention.output_scale", ZeroOrOne),
    ("attention.value_scale", ZeroOrOne),
    (
        "attention.temperature_length",
        SameAs("rope.scaling.original_context_length"),
    ),
    ("attention.key_length_mla", Zero),
    ("attention.value_length_mla", Zero),
    ("attention.key_length_swa", SameAs("attention.key_length")),
    (
        "attention.value_length_swa",
        SameAs("attention.value_length"),
    ),
    ("attention.indexer.top_k", Zero),
    ("attention.output_group_count", Zero),
    ("attention.compress_ratios", Zero),
    ("attn_res.block_size", Zero),
    // Rotation
    ("rope.dimension_count_swa", SameAs("rope.dimension_count")),
    ("rope.dimension_sections", Zero),
    ("rope.freq_base_swa", SameAs("rope.freq_base")),
    ("rope.scale_linear", ZeroOrOne),
    ("rope.scaling.alpha", Zero),
    ("rope.scaling.yarn_ext_factor", OneOrNegative),
    // Layers other than attention and feed-forward, and others than one after the other
    ("leading_dense_block_count", Zero),
    ("full_attention_interval", ZeroOrOne),
    ("use_parallel_residual", Zero),
    ("embedding_length_per_layer_input", Zero),
    ("embedding_length_out", SameAs("embedding_length")),
    ("n_deepstack_layers", Zero),
    ("num_loops", ZeroOrOne),
    ("skip_loop_final_norm", Zero),
    ("hyper_connection.count", ZeroOrOne),
    ("ple.ngram_size", Zero),
    ("hrm.layers_per_stack", Zero),
    ("shortconv.l_cache", Zero),
    ("ssm.state_size", Zero),
    ("kda.head_dim", Zero),
    ("wkv.head_size", Zero),
    ("token_shift_count", Zero),
    ("adapters.count", Zero),
    ("dense_2_feat_out", Zero),
    ("dense_3_feat_out", Zero),
    // Feed-forward
    ("swiglu_clamp_exp", Zero),
    ("swiglu_clamp_shexp", Zero),
    ("activation.situ_beta", Zero),
    ("expert_shared_count", Zero),
    ("expert_shared_feed_forward_length", Zero),
    ("expert_chunk_feed_forward_length", Zero),
    ("expert_latent_length", Zero),
    ("moe_latent_size", Zero),
    ("expert_group_count", ZeroOrOne),
    ("expert_group_used_count", ZeroOrOne),
    ("expert_group_scale", ZeroOrOne),
    ("experts_per_group", Zero),
    ("expert_weights_scale", ZeroOrOne),
    ("expert_weights_norm", One),
    // 1: softmax. The chosen weights add up to 1, as with 3: softmax of the chosen.
    ("expert_gating_func", ZeroOrOne),
    ("moe_every_n_layers", ZeroOrOne),
    ("interleave_moe_layer_step", ZeroOrOne),
    ("router_logit_softcapping", Zero),
];

/// The keys that belong to no architecture.
const GLOBAL_KEYS: &[(&str, Idle)] = &[("xielu.alpha_p", Zero), ("xielu.alpha_n", Zero)];

/// The beginning of keys that describe a rotation of weights.
const HADAMARD: &str = "prism.hadamard";

/// Refuses a file that says something about the computation that the family does not honour.
///
/// # Errors
/// [`Error::Metadata`] with the key.
pub(crate) fn check(meta: &Metadata, spec: &ModelSpec) -> Result<()> {
    let own = |name: &str| format!("{}.{name}", spec.name);
    let of_family = KEYS.iter().map(|(name, idle)| (*name, own(name), idle));
    let global = GLOBAL_KEYS
        .iter()
        .map(|(name, idle)| (*name, (*name).to_owned(), idle));
    let has_experts = meta.opt_u32(&own("expert_count"))?.unwrap_or(0) > 0;
    for (name, key, idle) in of_family.chain(global) {
        let Some(value) = meta.get(&key) else {
            continue;
        };
        if name.starts_with("expert") && !has_experts {
            continue;
        }
        let is_idle = match idle {
            SameAs(other) => meta.get(&own(other)) == Some(value),
            _ => numbers(value).is_some_and(|all| all.iter().all(|n| idle.holds(*n))),
        };
        if !is_idle && !spec.honours.contains(&name) {
            return Err(Error::Metadata {
                key,
                expected: match idle {
                    SameAs(other) => format!("the value of {}", own(other)),
                    One | OneOrNegative => "nothing or 1".to_owned(),
                    Zero | ZeroOrOne => "nothing".to_owned(),
                } + ": models of this architecture are computed without it",
                found: value.describe(),
            });
        }
    }
    // PrismML's rotated weights, whose inputs have to be rotated too.
    if let Some((key, value)) = meta.iter().find(|(key, _)| key.starts_with(HADAMARD)) {
        return Err(Error::Metadata {
            key: key.to_owned(),
            expected: "nothing: weights are multiplied by inputs that are not rotated".to_owned(),
            found: value.describe(),
        });
    }
    let key = own("attention.causal");
    if meta
        .opt_bool(&key)?
        .is_some_and(|causal| causal != spec.causal)
    {
        return Err(Error::Metadata {
            key,
            expected: spec.causal.to_string(),
            found: (!spec.causal).to_string(),
        });
    }
    let key = own("hidden_activation");
    match meta.opt_str(&key)? {
        Some(found) if !spec.activation.is_called(found) => Err(Error::Metadata {
            key,
            expected: format!("the family's own ({:?})", spec.activation),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

impl Idle {
    fn holds(&self, n: f64) -> bool {
        match self {
            Zero => n == 0.0,
            ZeroOrOne => n == 0.0 || n == 1.0,
            One => n == 1.0,
            OneOrNegative => n == 1.0 || n < 0.0,
            SameAs(_) => false,
        }
    }
}

/// Returns a value's numbers; `None` if it is, or holds, something else.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    Some(match value {
        Value::F32(x) => vec![f64::from(*x)],
        Value::F64(x) => vec![*x],
        Value::Bool(x) => vec![f64::from(u8::from(*x))],
        Value::String(text) => return text.is_empty().then(Vec::new),
        Value::Array(Array::F32(list)) => list.iter().map(|x| f64::from(*x)).collect(),
        Value::Array(Array::F64(list)) => list.clone(),
        Value::Array(Array::Bool(list)) => list.iter().map(|x| f64::from(u8::from(*x))).collect(),
        Value::Array(list) => list
            .integers::<i128>()?
            .into_iter()
            .map(|n| n as f64)
            .collect(),
        _ => vec![value.integer()? as f64],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::FAMILIES;
    use crate::families::gemma::GEMMA3;
    use crate::families::qwen::QWEN3MOE;

    fn refused(spec: &ModelSpec, key: &str, value: Value) -> bool {
        let experts = ("qwen3moe.expert_count", Value::U32(8));
        match check(&Metadata::from_iter([(key, value), experts]), spec) {
            Ok(()) => false,
            Err(error) => {
                assert!(error.to_string().contains(key), "{error}");
                true
            }
        }
    }

    #[test]
    fn what_a_family_does_not_honour_is_refused_by_name() {
        let list = |n: u32| Value::Array(Array::U32(vec![0, n, 0, 0]));
        for (key, value) in [
            ("attention.sliding_window", Value::U32(4096)),
            (
                "attention.recurrent_layers",
                Value::Array(Array::Bool(vec![false, true])),
            ),
            ("rope.dimension_sections", list(11)),
            ("rope.freq_base_swa", Value::F32(1e4)),
            ("rope.scale_linear", Value::F32(4.0)),
            ("rope.scaling.yarn_ext_factor", Value::F32(0.0)),
            ("expert_shared_count", Value::U32(1)),
            ("expert_gating_func", Value::U32(2)),
            ("expert_weights_norm", Value::Bool(false)),
            ("expert_weights_scale", Value::F32(2.5)),
            ("use_parallel_residual", Value::Bool(true)),
            ("swiglu_clamp_exp", Value::Array(Array::F32(vec![0.0, 7.0]))),
            ("attention.causal", Value::Bool(false)),
            ("hidden_activation", Value::String("gelu".into())),
            // (not what it should be, but hardly nothing)
            ("expert_shared_count", Value::String("1".into())),
            (
                "expert_shared_count",
                Value::Array(Array::String(vec!["1".into()])),
            ),
        ] {
            let key = format!("qwen3moe.{key}");
            assert!(refused(&QWEN3MOE, &key, value.clone()), "{key} {value:?}");
        }
        let slopes = Value::Array(Array::F32(vec![7.0]));
        assert!(refused(&QWEN3MOE, "xielu.alpha_p", slopes));
    }

    #[test]
    fn rotated_weights_are_refused_by_their_key() {
        let mut meta = Metadata::default();
        meta.insert("prism.hadamard.block_size", Value::U32(128));
        let error = check(&meta, &GEMMA3).unwrap_err();
        assert!(
            error.to_string().contains("prism.hadamard.block_size"),
            "{error}"
        );
    }

    #[test]
    fn what_changes_nothing_is_accepted() {
        for (key, value) in [
            ("attention.sliding_window", Value::U32(0)),
            (
                "attention.recurrent_layers",
                Value::Array(Array::Bool(vec![false; 2])),
            ),
            (
                "rope.dimension_sections",
                Value::Array(Array::I32(vec![0; 4])),
            ),
            ("rope.scale_linear", Value::F32(1.0)),
            ("rope.scaling.yarn_ext_factor", Value::F32(-1.0)),
            ("expert_shared_count", Value::I32(0)),
            ("expert_gating_func", Value::U32(1)),
            ("expert_weights_norm", Value::Bool(true)),
            ("expert_weights_scale", Value::F64(1.0)),
            ("use_parallel_residual", Value::Bool(false)),
            ("swiglu_clamp_exp", Value::Array(Array::F32(vec![]))),
            ("attention.causal", Value::Bool(true)),
            ("hidden_activation", Value::String("silu".into())),
            ("something.new", Value::U32(7)),
        ] {
            let key = format!("qwen3moe.{key}");
            assert!(!refused(&QWEN3MOE, &key, value.clone()), "{key} {value:?}");
        }
        let same = Metadata::from_iter([
            ("qwen3moe.rope.freq_base", Value::F32(1e6)),
            ("qwen3moe.rope.freq_base_swa", Value::F32(1e6)),
        ]);
        assert_eq!(check(&same, &QWEN3MOE), Ok(()));
        let no_experts = [("qwen3moe.expert_shared_count", Value::U32(1))];
        assert_eq!(check(&Metadata::from_iter(no_experts), &QWEN3MOE), Ok(()));
        let other_family = Value::U32(1024);
        assert!(!refused(
            &QWEN3MOE,
            "gemma3.attention.sliding_window",
            other_family.clone()
        ));
        assert!(!refused(
            &GEMMA3,
            "gemma3.attention.sliding_window",
            other_family
        ));
    }

    /// A declared key with a slip in its name would never be missed.
    #[test]
    fn families_declare_keys_that_are_refused_otherwise() {
        let known: Vec<&str> = (KEYS.iter().chain(GLOBAL_KEYS))
            .map(|(name, _)| *name)
            .collect();
        for spec in FAMILIES {
            for key in spec.honours {
                let is_known = known.contains(key) || *key == "rope.scaling.finetuned";
                assert!(is_known, "{}: {key}", spec.name);
            }
        }
    }
}
