//! Gemma 4: what its files may say of their layers, and the figures of a model of true size.

use hearth_modelfile::budget::{InspectOptions, Limits, Report, Runs, inspect};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::{Arrangement, Array, GgmlType, ModelHeader, TensorInfo, Value};
use hearth_tests::{
    On, TinyFile, exact, greedy, header, load_file_with, load_with, manifest, open, prompts,
};

fn small() -> ModelHeader {
    header(&std::fs::read(manifest::named("family_gemma4_small").model()).unwrap())
}

#[test]
fn layers_have_two_geometries_and_the_last_read_earlier_caches() {
    let config = ModelConfig::from_gguf(&small()).unwrap();
    let layer = |i: usize| &config.layers[i];
    let windows: Vec<usize> = config.layers.iter().map(|layer| layer.window).collect();
    assert_eq!(windows, [16, 0, 16, 0, 16, 16, 0]);
    let owners: Vec<_> = config.layers.iter().map(|layer| layer.kv_of).collect();
    assert_eq!(owners, [None, None, None, None, Some(2), Some(2), Some(3)]);
    assert_eq!([layer(2).head_dim, layer(3).head_dim], [16, 32]);
    assert_eq!([layer(3).d_ff, layer(4).d_ff], [64, 128]);
    assert_eq!(layer(4).qkv_rows(), [64]);
    // Two layers of each kind keep K and V.
    let kv = hearth_modelfile::kv_type::KvType::F32;
    assert_eq!(config.kv_bytes(100, kv), 2 * 4 * 100 * 2 * (16 + 32));
}

#[test]
fn what_a_file_says_wrongly_is_refused_by_name() {
    let list = |numbers: &[u32]| Value::Array(Array::U32(numbers.to_vec()));
    let sliding = |flags: [bool; 7]| Value::Array(Array::Bool(flags.into()));
    for (key, value) in [
        // (no cache that slides, none that does not, none at all, more layers than there are)
        ("attention.shared_kv_layers", Value::U32(7)),
        ("attention.shared_kv_layers", Value::U32(8)),
        ("attention.shared_kv_layers", Value::U32(6)),
        ("attention.shared_kv_layers", Value::U32(u32::MAX)),
        ("attention.shared_kv_layers", Value::String("3".into())),
        ("attention.head_count_kv", list(&[1, 1, 1, 1, 1, 1])),
        ("attention.head_count_kv", list(&[1, 1, 1, 1, 1, 1, 0])),
        ("attention.head_count_kv", list(&[1, 1, 1, 1, 1, 1, 3])),
        ("attention.key_length", Value::U32(516)),
        ("attention.key_length", Value::U32(1 << 31)),
        ("attention.key_length_swa", Value::U32(0)),
        ("attention.key_length_swa", Value::U32(18)),
        ("attention.key_length_swa", Value::U32(1024)),
        ("attention.value_length_swa", Value::U32(32)),
        ("rope.dimension_count_swa", Value::U32(32)),
        ("rope.dimension_count_swa", Value::U32(3)),
        ("embedding_length_per_layer_input", Value::U32(6)),
        ("embedding_length_per_layer_input", Value::U32(u32::MAX)),
        ("feed_forward_length", list(&[64, 64, 64, 64, 128, 128, 6])),
        ("feed_forward_length", list(&[64])),
        ("expert_count", Value::U32(4)),
        ("attention.sliding_window_pattern", Value::Bool(true)),
    ] {
        let mut header = small();
        let key = format!("gemma4.{key}");
        header.metadata.insert(key.as_str(), value.clone());
        let error = ModelConfig::from_gguf(&header).expect_err(&key).to_string();
        let stem = key
            .trim_end_matches("_swa")
            .replace("value_length", "key_length");
        let is_named = error.contains(&stem) || error.contains("expert_used_count");
        assert!(is_named, "{key} {value:?}: {error}");
    }
    // A sharer of a kind with another number of heads than its owner's.
    let mut header = small();
    let heads = list(&[1, 1, 1, 1, 1, 1, 4]);
    header
        .metadata
        .insert("gemma4.attention.head_count_kv", heads);
    let error = ModelConfig::from_gguf(&header).unwrap_err().to_string();
    assert!(error.contains("shared_kv_layers"), "{error}");
    // No layer that slides owns a cache.
    let mut header = small();
    let flags = sliding([false, false, false, false, true, true, false]);
    let key = "gemma4.attention.sliding_window_pattern";
    header.metadata.insert(key, flags);
    let error = ModelConfig::from_gguf(&header).unwrap_err().to_string();
    assert!(error.contains("shared_kv_layers"), "{error}");
}

#[test]
fn a_missing_tensor_is_named() {
    for name in [
        "per_layer_token_embd.weight",
        "per_layer_model_proj.weight",
        "per_layer_proj_norm.weight",
        "blk.0.inp_gate.weight",
        "blk.6.proj.weight",
        "blk.3.post_norm.weight",
        "blk.0.attn_v.weight",
        "blk.1.attn_k.weight",
        "blk.1.attn_k_norm.weight",
    ] {
        let mut header = small();
        header.tensors.retain(|tensor| tensor.name != name);
        match inspect(&header, InspectOptions::default()).run {
            Runs::Unsupported { message, .. } => assert!(message.contains(name), "{message}"),
            Runs::Budget(_) => panic!("{name} is not missed"),
        }
    }
}

/// Returns a header of E2B's shape: 35 layers of width 1536, of which every fifth does not slide, 20 without a cache and
/// twice as wide.
fn e2b() -> ModelHeader {
    let mut header = small();
    let (n_layers, d, vocab, per_layer) = (35u64, 1536u64, 262_144u64, 256u64);
    let numbers =
        |number: &dyn Fn(u64) -> u32| Value::Array(Array::U32((0..n_layers).map(number).collect()));
    let is_full = |i: u64| i % 5 == 4;
    let d_ff = |i: u64| if i < 15 { 6144 } else { 12_288 };
    let slides = (0..n_layers).map(|i| !is_full(i)).collect();
    for (key, value) in [
        ("block_count", Value::U32(35)),
        ("embedding_length", Value::U32(1536)),
        ("context_length", Value::U32(131_072)),
        ("attention.head_count", Value::U32(8)),
        ("attention.head_count_kv", Value::U32(1)),
        ("attention.key_length", Value::U32(512)),
        ("attention.value_length", Value::U32(512)),
        ("attention.key_length_swa", Value::U32(256)),
        ("attention.value_length_swa", Value::U32(256)),
        ("attention.sliding_window", Value::U32(512)),
        ("attention.shared_kv_layers", Value::U32(20)),
        ("rope.dimension_count", Value::U32(512)),
        ("rope.dimension_count_swa", Value::U32(256)),
        ("embedding_length_per_layer_input", Value::U32(256)),
        (
            "attention.sliding_window_pattern",
            Value::Array(Array::Bool(slides)),
        ),
        ("feed_forward_length", numbers(&|i| d_ff(i) as u32)),
    ] {
        header.metadata.insert(format!("gemma4.{key}"), value);
    }
    let mut tensors: Vec<(String, Vec<u64>, GgmlType)> = vec![
        ("token_embd.weight".into(), vec![d, vocab], GgmlType::Q6_K),
        (
            "per_layer_token_embd.weight".into(),
            vec![n_layers * per_layer, vocab],
            GgmlType::Q5_K,
        ),
        (
            "per_layer_model_proj.weight".into(),
            vec![d, n_layers * per_layer],
            GgmlType::BF16,
        ),
        (
            "per_layer_proj_norm.weight".into(),
            vec![per_layer],
            GgmlType::F32,
        ),
        ("output_norm.weight".into(), vec![d], GgmlType::F32),
        ("rope_freqs.weight".into(), vec![256], GgmlType::F32),
    ];
    for i in 0..n_layers {
        let head = if is_full(i) { 512 } else { 256 };
        let mut of_layer = vec![
            ("attn_q", vec![d, 8 * head]),
            ("attn_output", vec![8 * head, d]),
            ("ffn_gate", vec![d, d_ff(i)]),
            ("ffn_up", vec![d, d_ff(i)]),
            ("ffn_down", vec![d_ff(i), d]),
            ("inp_gate", vec![d, per_layer]),
            ("proj", vec![per_layer, d]),
            ("attn_q_norm", vec![head]),
            ("layer_output_scale", vec![1]),
        ];
        let norms = [
            "attn_norm",
            "post_attention_norm",
            "ffn_norm",
            "post_ffw_norm",
            "post_norm",
        ];
        of_layer.extend(norms.map(|name| (name, vec![d])));
        if i < 15 {
            of_layer.extend([("attn_k", vec![d, head]), ("attn_v", vec![d, head])]);
            of_layer.push(("attn_k_norm", vec![head]));
        }
        tensors.extend(of_layer.into_iter().map(|(name, shape)| {
            let dtype = if shape.len() == 1 {
                GgmlType::F32
            } else {
                GgmlType::Q4_K
            };
            (format!("blk.{i}.{name}.weight"), shape, dtype)
        }));
    }
    header.tensors = (tensors.into_iter())
        .map(|(name, shape, dtype)| TensorInfo {
            name,
            shape,
            dtype,
            offset: 0,
            size: 0,
            arrangement: Arrangement::default(),
        })
        .collect();
    header
}

/// The table of embeddings by layer is most of the weights, and is not read as a whole.
#[test]
fn e2b_has_sane_figures() {
    const LEAST: u64 = 128 << 20;
    let limits = Limits {
        max_buffer_size: 256 << 20,
        max_storage_buffer_binding_size: LEAST,
        max_storage_buffers_per_shader_stage: 8,
        max_compute_workgroup_storage_size: 16 << 10,
    };
    let options = InspectOptions {
        context_size: Some(8192),
        device: Some(&limits),
        ..Default::default()
    };
    let Report {
        parameters, run, ..
    } = inspect(&e2b(), options);
    let Runs::Budget(budget) = run else {
        panic!("{run:?}");
    };
    let (memory, token) = (budget.memory, budget.token);
    println!("{parameters} parameters, {memory:?}, {token:?}");
    let table = 262_144 * 35 * 256u64;
    assert!(parameters > table && parameters < 2 * table);
    // Five to six bits each, besides the others.
    assert!(memory.weights > table * 11 / 16 && memory.weights < table * 3 / 2);
    assert!(token.bytes < memory.weights - table / 2);
    // 12 layers of 256 and 3 of 512, two bytes a value.
    assert_eq!(memory.kv, 8192 * 2 * 2 * (12 * 256 + 3 * 512));
    let verdict = budget.device.unwrap();
    assert!(verdict.fits, "{:?}", verdict.reason);
}

/// Ids that a file does not have are no harm.
#[test]
fn suppressed_tokens_are_never_generated() {
    let [chat, _] = prompts();
    let never = chat.greedy_ids[0];
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        let ids = Value::Array(Array::I32(vec![-1, never as i32, 99_999]));
        let file = TinyFile::read().set("tokenizer.ggml.suppress_tokens", ids);
        let mut engine = load_with(device, &file.bytes(), exact(128), 1 << 20).unwrap();
        let (ids, _) = greedy(&mut engine, &chat.ids, 8).unwrap();
        assert!(!ids.is_empty() && !ids.contains(&never), "{ids:?}");
    }
}

/// Long prompts, whose last token goes through the layers without a cache alone, and short ones, which go through them whole.
#[test]
fn a_prompt_may_come_in_any_pieces() {
    let model = manifest::named("family_gemma4_small").model();
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        let mut engine = load_file_with(device, &model, exact(128));
        let [chat, _] = prompts();
        let ids: Vec<u32> = chat.ids.iter().cycle().take(60).copied().collect();
        let (whole, _) = greedy(&mut engine, &ids, 6).unwrap();
        for kept in [59, 52, 40, 3] {
            // The rest of the prompt is all that is new: 1, 8, 20 and 57 tokens.
            let (first, _) = greedy(&mut engine, &ids[..kept], 1).unwrap();
            assert_eq!(first.len(), 1);
            assert_eq!(
                greedy(&mut engine, &ids, 6).unwrap().0,
                whole,
                "{on:?} {kept}"
            );
        }
    }
}
