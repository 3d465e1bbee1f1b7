//! Embedding models against transformers' embeddings of the same texts.

use hearth::{Engine, LoadOptions};
use hearth_tests::compare::{assert_within, worst_error};
use hearth_tests::manifest::{self, Kind};
use hearth_tests::{On, exact, goldens, load_file_with, load_files, open, real_model};
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
    let width = engine.info().config.d_model;
    assert_eq!(expected.len(), golden.cases.len() * width, "{name}: rows");
    let mut worst = 0.0f32;
    for (case, expected) in golden.cases.iter().zip(expected.chunks_exact(width)) {
        if case.truncated_from.is_none() {
            let ids = engine.tokenizer().encode_whole(&case.text).unwrap();
            assert_eq!(ids, case.ids, "{name}: {:?}", case.text);
        } else {
            let error = block_on(engine.embed(&case.text, false)).unwrap_err();
            assert_eq!(error.code(), "context_overflow", "{name}");
        }
        let found = block_on(engine.embed(&case.text, true)).unwrap();
        assert_eq!(found.tokens, case.ids.len());
        let length: f32 = found.values.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        worst = worst.max(worst_error(name, &found.values, expected));
    }
    assert_within(&format!("{name} on {on:?}"), worst, tolerance);
}

fn check_all(on: On, tolerance: f32) {
    for golden in manifest::of(Kind::Embedding) {
        let Some(device) = open(on) else { return };
        let max_length = golden.expected::<Golden>().max_length;
        let mut engine = load_file_with(device, &golden.model(), exact(max_length));
        check(&golden.name, &mut engine, on, tolerance);
        if golden.generates {
            // A decoder still generates, whatever was embedded before.
            block_on(engine.logits(&[5, 6, 7])).unwrap();
        } else {
            let error = block_on(engine.logits(&[5, 6, 7])).unwrap_err();
            assert_eq!(error.code(), "invalid_request");
        }
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

#[test]
fn a_model_that_writes_makes_no_embeddings() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let mut engine = load_file_with(device, &goldens().join("tiny/tiny_llama.gguf"), exact(64));
    let error = block_on(engine.embed("Hi", false)).unwrap_err();
    assert_eq!(error.code(), "invalid_request");
}

/// The real MiniLM, in the folder named by HEARTH_MINILM (`cargo xtask test` sets it).
#[test]
fn minilm() {
    let Some(folder) = real_model("HEARTH_MINILM", "all-MiniLM-L6-v2") else {
        return;
    };
    for (on, tolerance) in [(On::Cpu, 1e-5), (On::Gpu, 1e-5)] {
        let Some(device) = open(on) else { return };
        let options = LoadOptions {
            context_size: Some(256),
            ..Default::default()
        };
        let mut engine = load_files(device, &folder, options).unwrap();
        check("minilm", &mut engine, on, tolerance);
    }
}
