//! What a header says of a model is what loading it takes.

use hearth::format::{Value, folder};
use hearth::inspect::{InspectOptions, Report, Runs, inspect};
use hearth::ops::KvType;
use hearth_tests::{On, TinyFile, exact, golden_bytes, goldens, header, load_file_with, open};

fn report(file: &str, options: InspectOptions<'_>) -> Report {
    inspect(&header(&golden_bytes(file)), options)
}

#[test]
fn the_budget_is_what_an_engine_takes() {
    for name in [
        "tiny_llama",
        "family_llama_kquants",
        "family_gemma3",
        "family_phi3",
        "family_qwen3moe",
        "family_gpt2",
        "embed_bert",
    ] {
        let file = format!("{name}.gguf");
        let device = open(On::Cpu).expect("the CPU always opens");
        let options = InspectOptions {
            context_size: Some(100),
            kv_type: Some(KvType::F32),
            device: Some(&device.info().clone()),
            bandwidth: Some(1e9),
        };
        let report = report(&file, options);
        let engine = load_file_with(device, &goldens().join(&file), exact(100));
        let info = engine.info();
        assert_eq!(report.parameters, info.parameters, "{name}");
        let counts = report
            .quants
            .iter()
            .map(|(name, quant)| (name.to_string(), quant.tensors as usize));
        assert!(counts.eq(info.quants.clone()), "{name}");
        let Runs::Budget(budget) = report.run else {
            panic!("{name}: {:?}", report.run)
        };
        assert_eq!(budget.memory.weights, info.weight_bytes, "{name}");
        assert_eq!(budget.memory.kv, info.kv_bytes, "{name}");
        assert_eq!(budget.n_ctx, info.n_ctx, "{name}");
        let verdict = budget.device.expect("a device was named");
        assert!(verdict.fits, "{:?}", verdict.reason);
        let speed = verdict.tokens_per_second.expect("a bandwidth was named");
        assert!((speed - 1e9 / budget.token.bytes as f64).abs() < 1e-3);
    }
}

/// By hand: two layers of width 64, 4 heads of 16, 2 for keys and values, feed-forward 160, 320 tokens, untied.
#[test]
fn the_work_of_a_token_is_counted() {
    let report = report(
        "tiny_llama.gguf",
        InspectOptions {
            context_size: Some(50),
            ..Default::default()
        },
    );
    let Runs::Budget(budget) = report.run else {
        panic!("{:?}", report.run)
    };
    let layer = 64 * (64 + 2 * 32) + 64 * 64 + 3 * 64 * 160;
    let attention = 2 * 2 * 2 * 4 * 16 * 50;
    assert_eq!(budget.token.flops, 2 * (2 * layer + 320 * 64) + attention);
    assert_eq!(budget.memory.kv, 2 * 2 * 2 * 50 * 32);
}

/// By hand: two layers of width 64, 4 heads of 32, 2 for keys and values; 8 experts of 32, of which a token goes to 3; 320
/// tokens, untied.
#[test]
fn of_experts_only_those_count_that_are_used() {
    let report = report("family_qwen3moe.gguf", InspectOptions::default());
    let Runs::Budget(budget) = report.run else {
        panic!("{:?}", report.run)
    };
    let attention = 64 * (128 + 2 * 64) + 128 * 64;
    let experts = 64 * 8 + 3 * (3 * 64 * 32);
    let scores = 2 * 2 * 2 * 4 * 32 * budget.n_ctx as u64;
    let active = 2 * (attention + experts) + 320 * 64;
    assert_eq!(budget.token.flops, 2 * active + scores);
    assert!(budget.token.bytes < budget.memory.weights + budget.memory.kv);
}

#[test]
fn a_folder_has_a_report_too() {
    let (files, _) = folder::open(&goldens().join("hf_llama3")).unwrap();
    let (header, _) = files.join().unwrap();
    let report = inspect(&header, InspectOptions::default());
    assert_eq!(
        (report.format, report.architecture.as_str()),
        ("safetensors", "llama")
    );
    assert_eq!(report.tensor_bytes, 4 * report.parameters);
    assert!(matches!(report.run, Runs::Budget(_)));
}

#[test]
fn what_cannot_run_says_why() {
    let mamba = TinyFile::read()
        .set("general.architecture", Value::String("mamba".into()))
        .set("mamba.context_length", Value::U32(192));
    let report = inspect(&header(&mamba.bytes()), InspectOptions::default());
    assert_eq!(
        (report.architecture.as_str(), report.n_ctx_train),
        ("mamba", Some(192))
    );
    assert!(report.parameters > 0);
    let Runs::Unsupported {
        code,
        message,
        hint,
    } = report.run
    else {
        panic!("mamba runs: take another name for this test")
    };
    assert_eq!(code, "unsupported_architecture");
    assert!(message.contains("mamba") && message.contains("llama") && !hint.is_empty());
}
