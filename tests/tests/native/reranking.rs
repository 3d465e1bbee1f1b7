//! Models that rank documents, against transformers' scores of the same pairs.

use hearth::engine::embed::EmbedInput;
use hearth::engine::rank::{RankInput, RankScore};
use hearth::{Engine, Result};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::{Array, ModelHeader, Value};
use hearth_modelfile::files::folder;
use hearth_modelfile::text::pair::PairFormat;
use hearth_tests::compare::assert_within;
use hearth_tests::manifest::{self, Golden, Kind};
use hearth_tests::{On, exact, goldens, load_file_with, load_files, open};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    cases: Vec<Case>,
    max_length: usize,
}

#[derive(Deserialize)]
struct Case {
    query: String,
    document: String,
    ids: Vec<u32>,
    score: f32,
}

fn header(golden: &Golden) -> ModelHeader {
    let (files, _) = folder::open(&golden.model()).unwrap();
    files.join().unwrap().0
}

fn load(golden: &Golden, on: On, context: usize) -> Option<Engine> {
    Some(load_files(open(on)?, &golden.model(), exact(context)).unwrap())
}

fn rank(engine: &mut Engine, query: &str, document: &str, truncate: bool) -> Result<RankScore> {
    block_on(engine.rank(&RankInput {
        query: query.into(),
        document: document.into(),
        truncate,
    }))
}

fn check_all(on: On, tolerance: f32) {
    for golden in manifest::of(Kind::Rerank) {
        let expected: Expected = golden.expected();
        let Some(mut engine) = load(golden, on, expected.max_length) else {
            return;
        };
        let ranking = engine.info().config.spec.ranking;
        let format = PairFormat::from_gguf(&header(golden).metadata, ranking).unwrap();
        let mut worst = 0.0f32;
        for case in &expected.cases {
            let pair = format.encode(engine.tokenizer(), &case.query, &case.document);
            assert_eq!(
                pair.unwrap().ids,
                case.ids,
                "{}: {:?}",
                golden.name,
                case.document
            );
            let found = rank(&mut engine, &case.query, &case.document, false).unwrap();
            assert_eq!(found.tokens, case.ids.len());
            worst = worst.max((found.score - case.score).abs());
        }
        assert!(worst.is_finite());
        assert_within(&format!("{} on {on:?}", golden.name), worst, tolerance);
    }
}

/// The CPU's activations have 16 bits.
#[test]
fn scores_on_the_cpu() {
    check_all(On::Cpu, 5e-4);
}

#[test]
fn scores_on_the_gpu() {
    check_all(On::Gpu, 1e-5);
}

#[test]
fn a_document_is_cut_to_the_context_and_the_rest_of_the_prompt_is_not() {
    let long = "a house by the fire ".repeat(60);
    for golden in manifest::of(Kind::Rerank) {
        let context = golden.expected::<Expected>().max_length;
        let mut engine = load(golden, On::Cpu, context).expect("the CPU always opens");
        let ranking = engine.info().config.spec.ranking;
        let format = PairFormat::from_gguf(&header(golden).metadata, ranking).unwrap();
        let error = rank(&mut engine, "warm", &long, false).unwrap_err();
        assert_eq!(error.code(), "context_overflow", "{}", golden.name);
        let found = rank(&mut engine, "warm", &long, true).unwrap();
        assert_eq!(found.tokens, context, "{}", golden.name);
        let tokenizer = engine.tokenizer();
        let mut cut = format.encode(tokenizer, "warm", &long).unwrap();
        cut.cut(context).unwrap();
        let whole = format.encode(tokenizer, "warm", "").unwrap();
        let behind = |ids: &[u32], at: usize| ids[at..].to_vec();
        assert_eq!(
            behind(&cut.ids, cut.document_end),
            behind(&whole.ids, whole.document_end),
            "{}",
            golden.name
        );
        let error = rank(&mut engine, &long, "warm", true).unwrap_err();
        assert_eq!(error.code(), "context_overflow", "{}", golden.name);
    }
}

#[test]
fn models_do_what_they_are_made_for() {
    let device = || open(On::Cpu).expect("the CPU always opens");
    let mut ranks = load(manifest::named("rank_qwen3"), On::Cpu, 160).unwrap();
    let error = block_on(ranks.embed(&EmbedInput::text("Hi"))).unwrap_err();
    assert_eq!(error.code(), "invalid_request");
    // A decoder still generates, whatever was ranked before.
    block_on(ranks.logits(&[5, 6, 7])).unwrap();
    for other in ["embeddings/embed_bert.gguf", "tiny/tiny_llama.gguf"] {
        let mut other = load_file_with(device(), &goldens().join(other), exact(64));
        let error = rank(&mut other, "a", "b", false).unwrap_err();
        assert_eq!(error.code(), "invalid_request");
    }
}

/// Returns what is wrong with a golden's file after `change`.
fn refused(name: &str, change: impl FnOnce(&mut ModelHeader)) -> String {
    let mut gguf = header(manifest::named(name));
    change(&mut gguf);
    let config = ModelConfig::from_gguf(&gguf);
    config.expect_err("the file was accepted").to_string()
}

#[test]
fn heads_that_are_not_the_familys_are_refused() {
    let without =
        |name: &str, tensor: &str| refused(name, |gguf| gguf.tensors.retain(|t| t.name != tensor));
    // llama.cpp's converter drops the pooler of BERT's cross-encoders.
    assert!(without("rank_xlmr", "cls.weight").contains("cls.weight"));
    for tensor in ["cls.weight", "cls.norm.weight"] {
        assert!(without("rank_modern_bert", tensor).contains(tensor));
    }
    let pooling = "hearth.classifier.pooling";
    let other = refused("rank_modern_bert", |gguf| {
        gguf.metadata
            .insert(pooling, Value::String("max".to_owned()));
    });
    assert!(other.contains(pooling), "{other}");
    for name in ["rank_xlmr", "rank_qwen3", "rank_modern_bert"] {
        assert!(without(name, "cls.output.weight").contains("cls.output.weight"));
    }
    let labels = |name: &str, arch: &str, labels: &[&str]| {
        let list = labels.iter().map(|label| (*label).to_owned()).collect();
        let key = format!("{arch}.classifier.output_labels");
        let found = refused(name, |gguf| {
            gguf.metadata
                .insert(key.clone(), Value::Array(Array::String(list)));
        });
        assert!(found.contains(&key), "{found}");
    };
    labels("rank_qwen3", "qwen3", &["no", "yes"]);
    labels("rank_qwen3", "qwen3", &["yes"]);
    labels("rank_xlmr", "bert", &["entailment", "neutral"]);
    let other = refused("embed_nomic", |gguf| {
        gguf.metadata
            .insert("nomic-bert.pooling_type", Value::U32(4));
    });
    assert!(other.contains("0 to 3"), "{other}");
}
