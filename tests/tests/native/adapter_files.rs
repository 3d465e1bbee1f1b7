//! Files of adapters: what is not supported is refused by name, and no damage is read as something else.

use hearth_modelfile::adapter::{Adapter, gguf, peft};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{GgmlType, Value};
use hearth_modelfile::error::{Error, Result};
use hearth_tests::{goldens, header};
use serde_json::json;

fn base() -> ModelConfig {
    let path = goldens().join("tiny/tiny_llama_tied_f16.gguf");
    ModelConfig::from_gguf(&header(&std::fs::read(path).unwrap())).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(goldens().join("adapters/lora_tiny").join(name)).unwrap()
}

fn config() -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_slice(&file(peft::CONFIG)).unwrap()
}

fn read_peft(
    changed: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) -> Result<Adapter> {
    let mut config = config();
    changed(&mut config);
    let text = serde_json::to_string(&config).unwrap();
    peft::read(&text, &file(peft::TENSORS), &base())
}

/// Both forms of one adapter are the same numbers, in the order of the model's rows.
#[test]
fn both_forms_are_the_same_adapter() {
    let from_gguf = gguf::read(&file("adapter.gguf"), &base()).unwrap();
    let from_peft = read_peft(|_| ()).unwrap();
    assert_eq!(from_gguf.changes.len(), 14);
    for (a, b) in from_gguf.changes.iter().zip(&from_peft.changes) {
        assert_eq!((&a.weight, a.rank, &a.a), (&b.weight, b.rank, &b.a));
        let worst = (a.b.iter().zip(&b.b)).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-6, "{}: {worst}", a.weight);
    }
}

#[test]
fn settings_that_are_not_supported_are_refused_by_name() {
    for (key, value) in [
        ("use_dora", json!(true)),
        ("modules_to_save", json!(["lm_head"])),
        ("bias", json!("all")),
        ("peft_type", json!("LOHA")),
        ("lora_bias", json!(true)),
        ("layer_replication", json!([[0, 2], [1, 3]])),
        ("trainable_token_indices", json!([1, 2])),
        ("target_parameters", json!(["experts.weight"])),
        ("init_lora_weights", json!("pissa")),
        ("alora_invocation_tokens", json!([1])),
        ("something_new", json!({"a": 1})),
        ("r", json!(0)),
        ("r", json!("8")),
        ("lora_alpha", json!(null)),
        ("rank_pattern", json!({"k_.*": 6})),
        ("alpha_pattern", json!([1])),
        ("target_modules", json!(["q_proj"])),
    ] {
        match read_peft(|config| drop(config.insert(key.into(), value.clone()))) {
            Err(Error::Metadata { key: found, .. }) => {
                assert_eq!(found, format!("{}: {key}", peft::CONFIG));
            }
            other => panic!("{key} {value}: {other:?}"),
        }
    }
    for (key, value) in [
        ("something_new", json!(null)),
        ("something_new", json!(false)),
        ("modules_to_save", json!([])),
        ("use_rslora", json!(true)),
        ("init_lora_weights", json!("gaussian")),
        ("target_modules", json!("all-linear")),
        ("fan_in_fan_out", json!(true)),
    ] {
        read_peft(|config| drop(config.insert(key.into(), value.clone())))
            .unwrap_or_else(|e| panic!("{key} {value}: {e}"));
    }
    // Ranks that the settings deny.
    let error = read_peft(|config| drop(config.remove("rank_pattern"))).unwrap_err();
    assert!(error.to_string().contains("k_proj"), "{error}");
}

#[test]
fn the_scale_is_that_of_the_settings() {
    let plain = read_peft(|_| ()).unwrap();
    let rooted = read_peft(|config| drop(config.insert("use_rslora".into(), json!(true)))).unwrap();
    for (plain, rooted) in plain.changes.iter().zip(&rooted.changes) {
        let factor = (plain.rank as f32).sqrt();
        for (plain, rooted) in plain.b.iter().zip(&rooted.b) {
            assert!((plain * factor - rooted).abs() < 1e-5);
        }
    }
}

/// A small adapter of one weight, with other metadata and names.
fn small(changes: &[(&str, Value)], tensors: &[(&str, &[u64])]) -> Result<Adapter> {
    let mut writer = GgufWriter::new();
    let text = |text: &str| Value::String(text.into());
    for (key, value) in [
        ("general.type", text("adapter")),
        ("general.architecture", text("llama")),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(8.0)),
    ] {
        let changed = changes.iter().find(|(changed, _)| *changed == key);
        writer = writer.metadata(key, changed.map_or(value, |(_, value)| value.clone()));
    }
    for (key, value) in changes {
        if !key.starts_with("general.") && *key != "adapter.type" && *key != "adapter.lora.alpha" {
            writer = writer.metadata(key, value.clone());
        }
    }
    for (name, shape) in tensors {
        let count: u64 = shape.iter().product();
        let data: Vec<u8> = (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect();
        writer = writer.tensor(name, shape, GgmlType::F32, &data);
    }
    gguf::read(&writer.finish(), &base())
}

#[test]
fn gguf_files_that_are_not_such_adapters_are_refused() {
    const A: (&str, &[u64]) = ("blk.0.attn_v.weight.lora_a", &[96, 2]);
    const B: (&str, &[u64]) = ("blk.0.attn_v.weight.lora_b", &[2, 24]);
    let found = small(&[], &[A, B]).unwrap();
    let [change] = &found.changes[..] else {
        panic!("{found:?}")
    };
    assert_eq!((change.rank, change.cols(), change.rows()), (2, 96, 24));
    // alpha / rank
    assert_eq!(change.b[..3], [0.0, 4.0, 8.0]);
    let text = |text: &str| Value::String(text.into());
    for (key, value) in [
        ("general.type", text("model")),
        ("general.architecture", text("qwen3")),
        ("adapter.type", text("control")),
        ("adapter.lora.alpha", text("8")),
        ("adapter.alora.invocation_tokens", Value::U32(1)),
    ] {
        let error = small(&[(key, value)], &[A, B]).unwrap_err();
        assert!(error.to_string().contains(key), "{key}: {error}");
        assert_eq!(error.code(), "bad_metadata");
    }
    for (tensors, code) in [
        (&[A][..], "missing_tensor"),
        (&[B], "missing_tensor"),
        (&[], "bad_file"),
        (
            &[A, ("blk.0.attn_v.weight.lora_b", &[3, 24])],
            "tensor_shape",
        ),
        (
            &[A, ("blk.0.attn_v.weight.lora_b", &[2, 24, 2])],
            "tensor_shape",
        ),
        (&[A, B, ("token_embd.weight", &[4, 4])], "bad_file"),
        (
            &[
                ("blk.0.attn_v.weight.lora_a", &[4, 600]),
                ("blk.0.attn_v.weight.lora_b", &[600, 4]),
            ],
            "bad_file",
        ),
    ] {
        let error = small(&[], tensors).unwrap_err();
        assert_eq!(error.code(), code, "{tensors:?}: {error}");
    }
}

/// Every cut of a file and every changed byte of its header is an error or another adapter, and no panic.
#[test]
fn damaged_files_are_errors() {
    let base = base();
    let (whole, tensors) = (file("adapter.gguf"), file(peft::TENSORS));
    let config = String::from_utf8(file(peft::CONFIG)).unwrap();
    for cut in (0..400).chain((400..whole.len()).step_by(997)) {
        assert!(gguf::read(&whole[..cut], &base).is_err(), "{cut}");
        if cut < tensors.len() {
            assert!(
                peft::read(&config, &tensors[..cut], &base).is_err(),
                "{cut}"
            );
        }
    }
    for at in 0..2000 {
        for bits in [0x01, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= bits;
            let _ = gguf::read(&changed, &base);
            let mut changed = tensors.clone();
            changed[at] ^= bits;
            let _ = peft::read(&config, &changed, &base);
        }
    }
    let mut endless = whole.clone();
    let last = endless.len() - 4;
    endless[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = gguf::read(&endless, &base).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    for text in ["", "[]", "{}", r#"{"peft_type": 5}"#] {
        assert!(peft::read(text, &tensors, &base).is_err(), "{text}");
    }
}
