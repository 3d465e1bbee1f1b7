//! The figures that a header gives for a model are what loading it takes.

use hearth::model::cost::cost;
use hearth::model::outline::{OutlineOptions, Step, allocated};
use hearth::model::report::inspect;
use hearth::ops::{KvType, Tuning};
use hearth_modelfile::budget::{InspectOptions, Report, Runs};
use hearth_modelfile::config::{ModelConfig, SNAPSHOTS};
use hearth_modelfile::container::writer::GgufWriter;
use hearth_modelfile::container::{Container, Parsed, Value, gguf};
use hearth_modelfile::files::folder;
use hearth_modelfile::layer_spec::RopeKind;
use hearth_modelfile::sampling::AdvisedSampling;
use hearth_tests::published;
use hearth_tests::synthetic::{SHAPES, Shape, Types, shape};
use hearth_tests::{On, TinyFile, exact, goldens, header, load_file_with, manifest, open};

fn report(name: &str, options: InspectOptions<'_>) -> Report {
    let bytes = std::fs::read(manifest::named(name).model()).unwrap();
    inspect(&header(&bytes), options)
}

#[test]
fn the_budget_is_what_an_engine_takes() {
    for name in [
        "tiny_llama",
        "family_llama_kquants",
        "family_gemma3",
        "family_gemma4_small",
        "family_gemma4_large",
        "family_gemma4_moe",
        "family_phi3",
        "family_qwen3moe",
        "family_gpt2",
        "family_lfm2",
        "family_qwen35",
        "family_granite_hybrid",
        "family_falcon_h1",
        "family_glm4_moe_lite",
        "family_youtu",
        "embed_bert",
    ] {
        let device = open(On::Cpu).expect("the CPU always opens");
        let options = InspectOptions {
            context_size: Some(100),
            memory: None,
            kv_type: Some(KvType::F32),
            device: Some(&device.info().limits),
            bandwidth: Some(1e9),
            launch_gap: None,
        };
        let report = report(name, options);
        let engine = load_file_with(device, &manifest::named(name).model(), exact(100));
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
        assert_eq!(budget.memory.state, info.state_bytes, "{name}");
        assert_eq!(budget.n_ctx, info.n_ctx, "{name}");
        let verdict = budget.device.expect("a device was named");
        assert!(verdict.fits, "{:?}", verdict.reason);
        if name == "embed_bert" {
            assert_eq!(
                (verdict.tokens_per_second, verdict.speed),
                (Some(1e9 / budget.token.bytes as f64), None)
            );
            continue;
        }
        if budget.memory.state == 0 {
            // But for rows of embeddings, which the launches read as well.
            let header = header(&std::fs::read(manifest::named(name).model()).unwrap());
            let totals = cost(&header, KvType::F32, Some(100)).unwrap().totals;
            let launches = totals.weight_bytes + totals.state_bytes;
            let ratio = launches as f64 / budget.token.bytes as f64;
            assert!((1.0..1.05).contains(&ratio), "{name}: {ratio}");
        }
        let speed = verdict.speed.expect("a bandwidth was named");
        assert!((speed.at_most - 1e9 / budget.token.bytes as f64).abs() < 1e-3);
        assert_eq!(verdict.tokens_per_second, Some(speed.tokens_per_second));
        assert!(speed.tokens_per_second < speed.at_most, "{name}: {speed:?}");
    }
}

/// Models of their true shapes, too large for a test's memory: what is said of them is what a loader would allocate.
#[test]
fn the_budget_of_a_true_shape_is_what_a_loader_allocates() {
    for model in [
        published::qwen35(Types::Q40),
        published::qwen35_4b(Types::Q40),
        published::gemma4_e2b(Types::Q40),
    ] {
        for kv_type in [KvType::F16, KvType::Q8] {
            let options = InspectOptions {
                context_size: Some(2048),
                memory: None,
                kv_type: Some(kv_type),
                device: None,
                bandwidth: None,
                launch_gap: None,
            };
            let report = inspect(&model.header, options);
            let Runs::Budget(budget) = report.run else {
                panic!("{}: {:?}", model.name, report.run)
            };
            let options = OutlineOptions {
                tuning: Tuning::LARGE_GPU,
                step: Step::Decode,
                context_size: Some(2048),
                kv_type,
                positions: None,
                filters: false,
            };
            let allocated = allocated(&model.header, options).unwrap();
            let memory = budget.memory;
            println!(
                "{} {kv_type:?}: {allocated:?} of {}",
                model.name, memory.total
            );
            let copies = 1 + SNAPSHOTS as u64;
            assert_eq!(memory.weights, allocated.weights, "{}", model.name);
            assert_eq!(memory.kv, allocated.kv, "{}", model.name);
            assert_eq!(memory.state, copies * allocated.states, "{}", model.name);
        }
    }
}

/// The page reckons with its list before it has a header: what models take beside their weights, and how much larger those are.
#[test]
fn the_page_knows_what_its_models_take() {
    let list = goldens().join("../../../www/src/models/catalog.ts");
    let list = std::fs::read_to_string(list).unwrap().replace('_', "");
    let entry = |id: &str| {
        let (_, entry) = list.split_once(&format!("id: \"{id}\"")).expect(id);
        let number = |key: &str| -> u64 {
            let (_, rest) = entry.split_once(key).expect(id);
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(0)].parse().expect(id)
        };
        (number("token: "), number("work: "))
    };
    let as_llama = [
        shape("bonsai-1.7b", [28, 2048, 16, 8, 128, 6144, 151_936], true),
        shape("qwen3-1.7b", [28, 2048, 16, 8, 128, 6144, 151_936], true),
        shape("gemma-3-1b", [26, 1152, 4, 1, 256, 6912, 262_144], true),
        shape("smollm3-3b", [36, 2048, 16, 4, 128, 11_008, 128_256], true),
        shape(
            "ministral-3-3b",
            [26, 3072, 32, 8, 128, 9216, 131_072],
            true,
        ),
    ];
    let shapes = SHAPES.into_iter().chain(as_llama);
    let others = [
        published::qwen35(Types::Q4KM),
        published::qwen35_2b(Types::Q4KM),
        published::qwen35_4b(Types::Q4KM),
        published::gemma4_e2b(Types::Q4KM),
    ];
    let shapes = shapes.map(|shape| {
        let types = Types::Q4KM;
        published::Published::from(Shape { types, ..shape })
    });
    let mut wrong = Vec::new();
    for model in shapes.chain(others) {
        let options = InspectOptions {
            context_size: Some(2048),
            ..Default::default()
        };
        let report = inspect(&model.header, options);
        let Runs::Budget(budget) = report.run else {
            panic!("{}: {:?}", model.name, report.run)
        };
        let memory = budget.memory;
        let packed = memory.weights as f64 / report.tensor_bytes as f64;
        println!(
            "{} in Q4_K_M: {} B, on a device {packed:.3} times",
            model.name, report.tensor_bytes
        );
        assert!((0.99..1.05).contains(&packed), "{}: {packed}", model.name);
        let found = (memory.kv / 2048, memory.state + memory.scratch);
        if entry(model.name) != found {
            wrong.push(format!("{}: {found:?}", model.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_default_context_suits_the_weights_and_the_memory() {
    let n_ctx = |name: &str, memory: Option<u64>| {
        let shape = SHAPES.iter().find(|shape| shape.name == name).unwrap();
        let options = InspectOptions {
            memory,
            ..Default::default()
        };
        let (bytes, total) = shape.header();
        let Ok(Parsed::Header(gguf)) = gguf::parse(&bytes, Some(total)) else {
            panic!("{name} has no header");
        };
        match inspect(&gguf, options).run {
            Runs::Budget(budget) => budget.n_ctx,
            Runs::Unsupported { message, .. } => panic!("{message}"),
        }
    };
    const GIB: u64 = 1 << 30;
    // 46 kB a position beside 76 MB, 115 kB beside 335 MB, 33 kB beside 695 MB, 131 kB beside 4.5 GB.
    for (name, memory, expected) in [
        ("smollm2-135m", None, 2048),
        ("qwen3-0.6b", None, 2048),
        ("llama-3.2-1b", None, 8192),
        ("llama-3.2-1b", Some(GIB), 4096),
        ("llama-3.2-1b", Some(GIB / 2), 2048),
        ("llama-3.1-8b", None, 16384),
        ("llama-3.1-8b", Some(6 * GIB), 4096),
    ] {
        assert_eq!(n_ctx(name, memory), expected, "{name}, {memory:?}");
    }
}

/// Counted by hand: two layers of width 64, 4 heads of 16, 2 for keys and values, feed-forward 160, 320 tokens,
/// untied.
#[test]
fn the_work_of_a_token_is_counted() {
    let report = report(
        "tiny_llama",
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

/// Counted by hand: two layers of width 64, 4 heads of 32, 2 for keys and values; 8 experts of 32, with 3 per token;
/// 320 tokens, untied.
#[test]
fn of_experts_only_those_count_that_are_used() {
    let report = report("family_qwen3moe", InspectOptions::default());
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
    let (files, _) = folder::open(&goldens().join("folders/hf_llama3")).unwrap();
    let (header, _) = files.join().unwrap();
    let report = inspect(&header, InspectOptions::default());
    assert_eq!(
        (report.format, report.architecture.as_str()),
        (Container::Safetensors, "llama")
    );
    assert_eq!(report.tensor_bytes, 4 * report.parameters);
    assert!(matches!(report.run, Runs::Budget(_)));
    let advice = AdvisedSampling {
        temperature: Some(0.7),
        top_p: Some(0.8),
        ..Default::default()
    };
    assert_eq!(report.sampling, Some(advice));
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

/// The largest Gemmas scale scores by d_model / n_heads, which their files do not state; the others by head_dim. The
/// numbers are `query_pre_attn_scalar` of the published configurations.
#[test]
fn gemmas_scale_their_scores_as_published() {
    for (family, n_layers, d_model, n_heads, head_dim, scalar) in [
        ("gemma2", 26, 2304, 8, 256, 256.0),
        ("gemma2", 42, 3584, 16, 256, 256.0),
        ("gemma2", 46, 4608, 32, 128, 144.0),
        ("gemma3", 34, 2560, 8, 256, 256.0),
        ("gemma3", 48, 3840, 16, 256, 256.0),
        ("gemma3", 62, 5376, 32, 128, 168.0),
    ] {
        let key = |name: &str| format!("{family}.{name}");
        let mut writer = GgufWriter::new()
            .metadata("general.architecture", Value::String(family.into()))
            .metadata(&key("attention.layer_norm_rms_epsilon"), Value::F32(1e-6));
        for (name, value) in [
            ("block_count", n_layers),
            ("embedding_length", d_model),
            ("attention.head_count", n_heads),
            ("attention.key_length", head_dim),
            ("attention.value_length", head_dim),
            ("feed_forward_length", 64),
            ("context_length", 8192),
            ("attention.sliding_window", 1024),
        ] {
            writer = writer.metadata(&key(name), Value::U32(value));
        }
        let table = vec![0; 4 * d_model as usize];
        let shape = [u64::from(d_model), 1];
        writer = writer.raw_tensor("token_embd.weight", &shape, 0, None, &table);
        let config = ModelConfig::from_gguf(&header(&writer.finish())).unwrap();
        let expected = 1.0 / f32::sqrt(scalar);
        assert_eq!(config.scales.attention, expected, "{family}, {n_layers}");
    }
}

/// YaRN's growth of cos and sin is 0.1 ln(factor) + 1. transformers' `attention_factor` is the whole of it: converters write it as
/// `yarn_attn_factor`, and wrote it as `attn_factor` in OLMo 3's first files.
#[test]
fn the_growth_of_a_rotation_is_applied_once() {
    let grown = 0.1 * 8f32.ln() + 1.0;
    for (key, value, expected) in [
        ("yarn_attn_factor", grown, 1.0),
        ("yarn_attn_factor", 1.0, 1.0),
        ("yarn_attn_factor", 1.5, 1.5 / grown),
        ("attn_factor", grown, 1.0),
        ("attn_factor", 1.1, 1.1),
    ] {
        let key = format!("llama.rope.scaling.{key}");
        let file = TinyFile::read()
            .set("llama.rope.scaling.type", Value::String("yarn".into()))
            .set("llama.rope.scaling.factor", Value::F32(8.0))
            .set("llama.rope.scaling.original_context_length", Value::U32(64))
            .set(&key, Value::F32(value));
        let config = ModelConfig::from_gguf(&header(&file.bytes())).unwrap();
        let found = config.rope.factor;
        assert!((found - expected).abs() < 1e-6, "{key} {value}: {found}");
    }
}

/// Files of Granite 4 say whether they rotate at all by a key that means something else elsewhere, and have the sizes of recurrent
/// layers even if they have no such layers.
#[test]
fn granite_says_whether_it_rotates() {
    for (rotates, expected) in [(true, RopeKind::Global), (false, RopeKind::None)] {
        let mut file = TinyFile::read();
        let metadata = file.metadata.iter();
        file.metadata = metadata
            .map(|(key, value)| (key.replacen("llama.", "granite.", 1), value.clone()))
            .collect();
        let file = file
            .set("general.architecture", Value::String("granite".into()))
            .set("granite.ssm.state_size", Value::U32(128))
            .set("granite.expert_shared_feed_forward_length", Value::U32(160))
            .set("granite.rope.scaling.finetuned", Value::Bool(rotates));
        let config = ModelConfig::from_gguf(&header(&file.bytes())).unwrap();
        assert!(config.layers.iter().all(|layer| layer.rope == expected));
    }
}
