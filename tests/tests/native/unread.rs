//! Tensors that a file has and nothing reads: a model without them would answer something else.

use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::error::Result;
use hearth_modelfile::weight_requests::{check_unread, tensors};
use hearth_tests::{goldens, header};

/// Checks a golden that has a vector of these names too.
fn check(golden: &str, names: &[&str]) -> Result<()> {
    let path = goldens().join(format!("families/{golden}.gguf"));
    let mut gguf = header(&std::fs::read(path).unwrap());
    let norm = gguf.tensor("output_norm.weight").unwrap().clone();
    for name in names {
        let mut tensor = norm.clone();
        (*name).clone_into(&mut tensor.name);
        gguf.tensors.push(tensor);
    }
    let config = ModelConfig::from_gguf(&gguf)?;
    check_unread(&gguf, &config, &tensors(&gguf, &config))
}

#[test]
fn biases_that_nothing_adds_are_refused_by_name() {
    for (golden, name) in [
        ("family_qwen3", "blk.0.ffn_gate.bias"),
        ("family_qwen3", "blk.0.ffn_up.bias"),
        ("family_qwen3", "blk.1.attn_norm.bias"),
        ("family_qwen3", "blk.1.attn_q_norm.bias"),
        ("family_qwen3", "blk.0.ffn_gate_inp.bias"),
        ("family_qwen3", "output_norm.bias"),
        ("family_qwen3moe", "blk.0.ffn_down.bias"),
        ("family_qwen3moe", "blk.0.ffn_gate_exps.bias"),
        ("family_qwen3moe", "blk.1.ffn_up_exps.bias"),
        ("family_gpt_oss", "blk.0.attn_sinks.bias"),
        ("family_gpt2", "blk.0.attn_q_norm.bias"),
        ("family_granite_hybrid", "blk.0.attn_q.bias"),
    ] {
        let error = check(golden, &[name]).expect_err(name).to_string();
        assert!(error.contains(name), "{golden}: {error}");
    }
}

#[test]
fn biases_that_are_added_are_read() {
    for (golden, names) in [
        ("family_qwen3", &[][..]),
        (
            "family_qwen3",
            &["blk.0.ffn_down.bias", "blk.0.attn_output.bias"],
        ),
        (
            "family_qwen3moe",
            &[
                "blk.0.ffn_gate_exps.bias",
                "blk.0.ffn_up_exps.bias",
                "blk.0.ffn_gate_inp.bias",
            ],
        ),
        ("family_gpt2", &[]),
        ("family_gpt_oss", &[]),
        ("family_command_r", &["blk.0.attn_norm.bias"]),
    ] {
        assert_eq!(check(golden, names), Ok(()), "{golden} {names:?}");
    }
}
