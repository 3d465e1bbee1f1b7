//! Embedding models against transformers' embeddings of the same texts.

use hearth::engine::embed::{EmbedInput, Embedding};
use hearth::{Engine, LoadOptions};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::{ModelHeader, Value};
use hearth_tests::compare::{assert_near, assert_within, worst_error};
use hearth_tests::manifest::{self, Kind};
use hearth_tests::{
    On, borrow, exact, goldens, header, load_file_with, load_files, open, real_model,
};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    max_length: usize,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    truncated_from: Option<usize>,
}

fn check(name: &str, engine: &mut Engine, on: On, tolerance: f32) {
    let golden: Golden = manifest::named(name).expected();
    let expected = manifest::named(name).floats("embeddings");
    let width = engine.info().config.embedding_dim;
    assert_eq!(expected.len(), golden.cases.len() * width, "{name}: rows");
    let mut worst = 0.0f32;
    for (case, expected) in golden.cases.iter().zip(expected.chunks_exact(width)) {
        if case.truncated_from.is_none() {
            let ids = engine.tokenizer().encode_whole(&case.text).unwrap();
            assert_eq!(ids, case.ids, "{name}: {:?}", case.text);
        } else {
            let error = block_on(engine.embed(&EmbedInput::text(&case.text))).unwrap_err();
            assert_eq!(error.code(), "context_overflow", "{name}");
        }
        let input = EmbedInput {
            truncate: true,
            ..EmbedInput::text(&case.text)
        };
        let found = block_on(engine.embed(&input)).unwrap();
        assert_eq!(found.tokens, case.ids.len());
        let length: f32 = found.values.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        worst = worst.max(worst_error(name, &found.values, expected));
    }
    assert_within(&format!("{name} on {on:?}"), worst, tolerance);
}

fn check_all(on: On, tolerance: f32) {
    let kinds = [Kind::Embedding, Kind::EmbeddingFolder];
    for golden in kinds.into_iter().flat_map(manifest::of) {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let options = exact(golden.expected::<Golden>().max_length);
        let mut engine = load_files(device.clone(), &golden.model(), options).unwrap();
        check(&golden.name, &mut engine, on, tolerance);
        if golden.generates {
            // A decoder still generates, whatever was embedded before.
            block_on(engine.logits(&[5, 6, 7])).unwrap();
        } else {
            let error = block_on(engine.logits(&[5, 6, 7])).unwrap_err();
            assert_eq!(error.code(), "invalid_request");
        }
        block_on(engine.close());
    }
}

/// The CPU's activations have 16 bits.
#[test]
fn embeddings_on_the_cpu() {
    check_all(On::Cpu, 1.5e-4);
}

#[test]
fn embeddings_on_the_gpu() {
    check_all(On::Gpu, 2e-6);
}

/// Checks that texts have the embeddings that they have alone when they share steps, and that those of an encoder then take at most
/// two thirds of the launches.
fn check_together(name: &str, engine: &mut Engine, inputs: &[EmbedInput], tolerance: f32) {
    let launches = |engine: &Engine| engine.stats().dispatches;
    let begin = launches(engine);
    let alone: Vec<Embedding> = (inputs.iter())
        .map(|input| block_on(engine.embed(input)).unwrap())
        .collect();
    let between = launches(engine);
    let (mut together, mut steps) = (Vec::new(), 0);
    while together.len() < inputs.len() {
        together.extend(block_on(engine.embed_first(&inputs[together.len()..])).unwrap());
        steps += 1;
    }
    let (of_alone, of_together) = (between - begin, launches(engine) - between);
    println!("{name}: {of_alone} launches alone, {of_together} in {steps} steps");
    let mut worst = 0.0f32;
    for (found, expected) in together.iter().zip(&alone) {
        assert_eq!(found.tokens, expected.tokens, "{name}");
        worst = worst.max(worst_error(name, &found.values, &expected.values));
    }
    assert_within(&format!("{name} together"), worst, tolerance);
    if engine.info().config.spec.causal {
        assert_eq!(steps, inputs.len(), "{name}");
    } else {
        assert!(2 * of_alone >= 3 * of_together, "{name}: {of_together}");
    }
}

fn check_all_together(on: On, tolerance: f32) {
    for golden in manifest::of(Kind::Embedding) {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let mut engine = load_files(device.clone(), &golden.model(), exact(64)).unwrap();
        let of = |i: u32| EmbedInput {
            ids: Some((0..2 + i % 7).map(|k| 5 + (i * 31 + k * 7) % 200).collect()),
            ..EmbedInput::default()
        };
        let inputs: Vec<EmbedInput> = (0..12).map(of).collect();
        check_together(&golden.name, &mut engine, &inputs, tolerance);
        block_on(engine.close());
    }
}

#[test]
fn short_texts_share_a_step_on_the_cpu() {
    check_all_together(On::Cpu, 1.5e-4);
}

#[test]
fn short_texts_share_a_step_on_the_gpu() {
    check_all_together(On::Gpu, 2e-6);
    check_all_together(On::LargeGpu, 2e-6);
}

/// A text that does not fit beside the others, or has an error, waits for its turn; so does one that is longer than a window.
#[test]
fn a_step_ends_before_what_it_cannot_take() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let golden = manifest::named("embed_bert");
    let mut engine = load_file_with(device, &golden.model(), exact(64));
    let of = |n: usize| EmbedInput {
        ids: Some(vec![7; n]),
        ..EmbedInput::default()
    };
    let mut taken =
        |inputs: &[EmbedInput]| block_on(engine.embed_first(inputs)).map(|found| found.len());
    assert_eq!(taken(&[]).unwrap(), 0);
    assert_eq!(taken(&[of(30), of(34), of(1)]).unwrap(), 2);
    assert_eq!(taken(&[of(64), of(1)]).unwrap(), 1);
    assert_eq!(taken(&[of(3), of(65), of(3)]).unwrap(), 1);
    assert_eq!(taken(&[of(3), of(0)]).unwrap(), 1);
    assert_eq!(taken(&[of(65)]).unwrap_err().code(), "context_overflow");
    let device = open(On::Cpu).expect("the CPU always opens");
    let golden = manifest::named("embed_modern_bert");
    let mut engine = load_file_with(device, &golden.model(), exact(64));
    let found = block_on(engine.embed_first(&[of(9), of(9), of(10), of(9)])).unwrap();
    assert_eq!(found.len(), 2);
    let found = block_on(engine.embed_first(&[of(10), of(9)])).unwrap();
    assert_eq!(found.len(), 1);
}

/// Returns what is wrong with EmbeddingGemma's golden after `change`.
fn refused(change: impl FnOnce(&mut ModelHeader)) -> String {
    let mut gguf = header(&std::fs::read(manifest::named("embed_gemma").model()).unwrap());
    change(&mut gguf);
    let config = ModelConfig::from_gguf(&gguf);
    config.expect_err("the file was accepted").to_string()
}

#[test]
fn projections_behind_the_pooling_fit_one_another() {
    let key = |end: &str| format!("gemma-embedding.dense_{end}");
    let set = |end: &str, n: u32| {
        refused(|gguf| {
            gguf.metadata.insert(key(end), Value::U32(n));
        })
    };
    for end in ["2_feat_in", "2_feat_out", "3_feat_in", "3_feat_out"] {
        assert!(set(end, 20).contains(&key(end)), "{end}");
    }
    let renamed = |from: &str, to: &str| {
        refused(|gguf| {
            for tensor in &mut gguf.tensors {
                if tensor.name == from {
                    tensor.name = to.to_owned();
                }
            }
        })
    };
    for name in ["dense_2.weight", "dense_3.weight"] {
        assert!(renamed(name, "other.weight").contains(name), "{name}");
    }
    // A bias that nobody would add.
    let bias = "dense_2.bias";
    assert!(renamed("output_norm.weight", bias).contains(bias));
    let swapped = refused(|gguf| {
        for tensor in &mut gguf.tensors {
            if tensor.name == "dense_2.weight" {
                tensor.shape.reverse();
            }
        }
        for end in ["2_feat_in", "2_feat_out"] {
            gguf.metadata.insert(key(end), Value::U32(0));
        }
    });
    assert!(swapped.contains("dense_2.weight"), "{swapped}");
}

/// A window has half of its positions on either side, and its middle.
#[test]
fn windows_of_an_encoder_are_symmetric() {
    for (name, expected) in [
        ("embed_gemma", &[9, 0, 9][..]),
        ("embed_modern_bert", &[0, 9, 9, 0]),
    ] {
        let gguf = header(&std::fs::read(manifest::named(name).model()).unwrap());
        let config = ModelConfig::from_gguf(&gguf).unwrap();
        let windows: Vec<usize> = config.layers.iter().map(|layer| layer.window).collect();
        assert_eq!(
            (config.sliding_window, &windows[..]),
            (16, expected),
            "{name}"
        );
    }
}

/// The first numbers of the whole embedding, normalised again.
#[test]
fn as_many_dimensions_as_are_asked_for() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let golden = manifest::named("embed_gemma");
    let mut engine = load_file_with(device, &golden.model(), exact(256));
    let whole = block_on(engine.embed(&EmbedInput::text("a fire"))).unwrap();
    let width = whole.values.len();
    assert_eq!(width, engine.info().config.embedding_dim);
    let mut of = |dimensions: usize| {
        let input = EmbedInput {
            dimensions: Some(dimensions),
            ..EmbedInput::text("a fire")
        };
        block_on(engine.embed(&input))
    };
    for n in [1, 7, width - 1, width] {
        let length: f32 = whole.values[..n].iter().map(|v| v * v).sum::<f32>().sqrt();
        let expected: Vec<f32> = whole.values[..n].iter().map(|v| v / length).collect();
        let found = of(n).unwrap();
        assert_eq!((found.tokens, found.values.len()), (whole.tokens, n));
        assert_near("cut", &found.values, &expected, 1e-6);
    }
    for n in [0, width + 1] {
        let error = of(n).unwrap_err().to_string();
        let expected = format!("1 to {width}");
        assert!(
            error.contains("dimensions") && error.contains(&expected),
            "{error}"
        );
    }
}

#[test]
fn tokens_stand_for_the_text_that_they_spell() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let golden = manifest::named("embed_bert");
    let mut engine = load_file_with(device, &golden.model(), exact(64));
    let text = block_on(engine.embed(&EmbedInput::text("a fire"))).unwrap();
    let all = engine.tokenizer().encode_whole("a fire").unwrap();
    let mut of = |ids: Vec<u32>, truncate: bool| {
        block_on(engine.embed(&EmbedInput {
            ids: Some(ids),
            truncate,
            ..EmbedInput::default()
        }))
    };
    assert_eq!(of(all.clone(), false).unwrap(), text);
    let long = [vec![7; 80], all[all.len() - 1..].to_vec()].concat();
    let kept = [vec![7; 63], all[all.len() - 1..].to_vec()].concat();
    assert_eq!(of(long.clone(), true).unwrap(), of(kept, false).unwrap());
    assert_eq!(of(long, false).unwrap_err().code(), "context_overflow");
    for ids in [vec![], vec![400]] {
        assert_eq!(of(ids, true).unwrap_err().code(), "invalid_request");
    }
    let both = EmbedInput {
        ids: Some(all),
        ..EmbedInput::text("a fire")
    };
    for wrong in [both, EmbedInput::default()] {
        let error = block_on(engine.embed(&wrong)).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
    }
}

#[test]
fn a_model_that_writes_makes_no_embeddings() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let mut engine = load_file_with(device, &goldens().join("tiny/tiny_llama.gguf"), exact(64));
    let error = block_on(engine.embed(&EmbedInput::text("Hi"))).unwrap_err();
    assert_eq!(error.code(), "invalid_request");
}

/// The real MiniLM, in the folder named by HEARTH_MINILM (`cargo xtask test` sets it).
#[test]
fn minilm() {
    let Some(folder) = real_model("HEARTH_MINILM", "all-MiniLM-L6-v2") else {
        return;
    };
    for (on, tolerance) in [(On::Cpu, 1e-5), (On::Gpu, 1e-5)] {
        let Some(device) = borrow(on, |_| ()) else {
            return;
        };
        let options = LoadOptions {
            context_size: Some(256),
            ..Default::default()
        };
        let mut engine = load_files(device.clone(), &folder, options).unwrap();
        check("minilm", &mut engine, on, tolerance);
        let golden: Golden = manifest::named("minilm").expected();
        let inputs: Vec<EmbedInput> = (golden.cases.iter())
            .filter(|case| case.truncated_from.is_none())
            .map(|case| EmbedInput::text(&case.text))
            .collect();
        check_together("minilm", &mut engine, &inputs, tolerance);
        block_on(engine.close());
    }
}
