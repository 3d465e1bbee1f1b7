//! Tiny models of every family against transformers, whose results `tests/goldens/generator/gold_translation.py` writes.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hearth_modelfile::Result;
use hearth_translation::{
    Files, Finish, Limits, Loader, MODEL_FILES, Rules, Stopping, Translator, bucket,
};
use serde::Deserialize;
use serde_json::Value;

/// Bytes that are pushed at once: no divisor of anything.
const PIECE: usize = 9_973;
/// Ids that each answer of the goldens has.
const N_GREEDY: usize = 24;

#[derive(Deserialize)]
struct Golden {
    folder: String,
    gguf: Option<String>,
    encoder_bin: Floats,
    logits_bin: Floats,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Floats {
    file: String,
    shape: Vec<usize>,
}

#[derive(Deserialize)]
struct Run {
    text: String,
    source: Option<String>,
    target: Option<String>,
    input_ids: Vec<u32>,
    forced_id: Option<u32>,
    greedy_ids: Vec<u32>,
    answer: String,
    searches: Vec<Searched>,
}

/// Result of a beam search.
#[derive(Deserialize)]
struct Searched {
    beams: usize,
    length_penalty: f64,
    early_stopping: Value,
    is_renormalised: bool,
    ends: Vec<u32>,
    ids: Vec<u32>,
    is_ended: bool,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("HEARTH_ROOT"))
        .join("tests/goldens/data/translation")
        .join(name)
}

fn read(name: &str) -> Vec<u8> {
    let path = data(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden(name: &str) -> Golden {
    serde_json::from_slice(&read(&format!("{name}.json"))).unwrap()
}

fn floats(of: &Floats) -> Vec<f32> {
    let bytes = read(&of.file);
    let values: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();
    assert_eq!(values.len(), of.shape.iter().product::<usize>());
    values
}

/// Reads the files of a folder.
fn files(folder: &str) -> Files {
    let mut files = Files::default();
    for file in MODEL_FILES {
        let Ok(bytes) = std::fs::read(data(folder).join(file.name)) else {
            continue;
        };
        if file.binary {
            files.binaries.insert(file.name.into(), bytes);
        } else {
            let text = String::from_utf8(bytes).unwrap();
            files.texts.insert(file.name.into(), text);
        }
    }
    files.weights = read(&format!("{folder}/model.safetensors"));
    files
}

fn load(files: &Files) -> Result<Translator> {
    let mut loader = Loader::default();
    for (name, text) in &files.texts {
        loader.text(name, text);
    }
    for (name, bytes) in &files.binaries {
        loader.file(name, bytes.clone());
    }
    for piece in files.weights.chunks(PIECE) {
        loader.push(piece)?;
    }
    loader.finish()
}

/// Returns the largest difference of two lists, which may not have NaN.
fn worst(name: &str, found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len(), "{name}");
    let mut worst = 0.0f32;
    for (found, wanted) in found.iter().zip(wanted) {
        let difference = (found - wanted).abs();
        assert!(difference.is_finite(), "{name}: {found}, expected {wanted}");
        worst = worst.max(difference);
    }
    worst
}

/// Compares a model with what transformers made of all texts.
fn compare(name: &str, model: &Translator, golden: &Golden, bounds: (f32, f32)) {
    let (states, logits) = (floats(&golden.encoder_bin), floats(&golden.logits_bin));
    let d = golden.encoder_bin.shape[1];
    let n_vocab = golden.logits_bin.shape[1];
    let (mut row, mut most) = (0, (0.0f32, 0.0f32));
    assert!(golden.runs.len() >= 5);
    for (i, run) in golden.runs.iter().enumerate() {
        let (source, target) = (run.source.as_deref(), run.target.as_deref());
        let input = model.input(&run.text, source, target).unwrap();
        assert_eq!(input.ids, run.input_ids, "{name}: {:?}", run.text);
        assert_eq!(input.forced, run.forced_id, "{name}");
        let parts = &model.model;
        let mut encoding = parts.encoder.begin(&parts.embedding, &input.ids);
        let encoded = loop {
            if let Some(encoded) = parts.encoder.step(&mut encoding) {
                break encoded;
            }
        };
        let wanted = &states[row * d..(row + input.ids.len()) * d];
        row += input.ids.len();
        most.0 = most.0.max(worst(name, &encoded, wanted));
        let mut context = parts.decoder.begin(parts.decoder.see(&encoded));
        let mut first = vec![parts.config.start];
        first.extend(input.forced);
        let found = parts.decoder.run(parts.target(), &first, &mut context);
        let wanted = &logits[i * n_vocab..(i + 1) * n_vocab];
        most.1 = most.1.max(worst(name, &found, wanted));
        let limits = Limits {
            max_tokens: Some(N_GREEDY),
            keeps_repetitions: true,
            ..Limits::default()
        };
        let mut streamed = String::new();
        let answer = model.translate(&run.text, source, target, limits, |text| {
            streamed.push_str(text);
            ControlFlow::Continue(())
        });
        let answer = answer.unwrap();
        assert_eq!(answer.ids, run.greedy_ids, "{name}: {:?}", run.text);
        assert_eq!(answer.finish, Finish::Length);
        assert_eq!(answer.text, run.answer, "{name}");
        assert_eq!(streamed.trim(), answer.text, "{name}");
        assert_eq!(answer.input_tokens, run.input_ids.len());
    }
    assert_eq!(row, golden.encoder_bin.shape[0]);
    let ((states, logits), (most_states, most_logits)) = (most, bounds);
    println!("{name}: largest differences {states:.1e} of states, {logits:.1e} of logits");
    assert!(
        states <= most_states,
        "{name}: {states:e} of states, at most {most_states:e}"
    );
    assert!(
        logits <= most_logits,
        "{name}: {logits:e} of logits, at most {most_logits:e}"
    );
}

/// Compares the folder, and the GGUF file if there is one. `bounds`: of states and logits of the folder, then of the file.
fn both(name: &str, bounds: [(f32, f32); 2]) {
    let golden = golden(name);
    let model = load(&files(&golden.folder)).unwrap();
    compare(name, &model, &golden, bounds[0]);
    assert_eq!(model.licence(), Some("cc-by-4.0"));
    let Some(gguf) = &golden.gguf else { return };
    let model = load(&Files {
        weights: read(gguf),
        ..Files::default()
    });
    let mut of_file = golden;
    let model = model.unwrap();
    assert_eq!(model.licence(), Some("apache-2.0"));
    // GGUF has no list of tasks: the first T5 is known by what it computes.
    if name == "t5_first" {
        let targets: Vec<_> = model
            .languages()
            .targets
            .iter()
            .map(|l| l.code.as_str())
            .collect();
        assert_eq!(targets, ["de", "fr", "ro"]);
    }
    of_file.folder.clear();
    compare(&format!("{name}.gguf"), &model, &of_file, bounds[1]);
}

/// Searches with several beams, by different rules; `least`: texts whose answers end, and those that one beam answers otherwise.
fn searches(name: &str, least: (usize, usize)) {
    let golden = golden(name);
    let mut model = load(&files(&golden.folder)).unwrap();
    if ["m2m100", "nllb"].contains(&name) {
        // The padding, which these searches may not write: transformers gives it a position of its own.
        model.model.config.suppressed.push(1);
    }
    let (mut ended, mut others) = (0, 0);
    for run in &golden.runs {
        assert!(run.searches.len() >= 3, "{name}: {:?}", run.text);
        for wanted in &run.searches {
            model.model.config.ends.clone_from(&wanted.ends);
            model.model.config.rules = Rules {
                advised: 1,
                length_penalty: wanted.length_penalty,
                stopping: match wanted.early_stopping.as_bool() {
                    Some(true) => Stopping::Early,
                    Some(false) => Stopping::Heuristic,
                    None => Stopping::Never,
                },
                is_renormalised: wanted.is_renormalised,
            };
            let limits = Limits {
                max_tokens: Some(N_GREEDY),
                keeps_repetitions: true,
                beams: Some(wanted.beams),
            };
            let (source, target) = (run.source.as_deref(), run.target.as_deref());
            let mut streamed = String::new();
            let answer = model.translate(&run.text, source, target, limits, |text| {
                streamed.push_str(text);
                ControlFlow::Continue(())
            });
            let answer = answer.unwrap();
            let of = format!("{name}: {:?} by {} beams", run.text, wanted.beams);
            assert_eq!(answer.ids, wanted.ids, "{of}");
            let finish = match wanted.is_ended {
                true => Finish::Stop,
                false => Finish::Length,
            };
            assert_eq!(answer.finish, finish, "{of}");
            // Text given before the end is not taken back.
            let given = streamed.trim();
            assert!(answer.text.starts_with(given), "{of}: {given}");
            ended += usize::from(wanted.is_ended);
            others += usize::from(!run.greedy_ids.starts_with(&wanted.ids));
        }
    }
    println!("{name}: {ended} answers end, {others} are others than one beam's");
    assert!(ended >= least.0 && others >= least.1, "{name}");
}

#[test]
fn several_beams_find_what_transformers_finds() {
    for name in [
        "t5_first",
        "t5_gated",
        "umt5",
        "marian",
        "marian_apart",
        "m2m100",
        "nllb",
    ] {
        searches(name, (5, 5));
    }
}

#[test]
fn beams_out_of_range_are_refused() {
    let model = load(&files("marian/hf")).unwrap();
    assert_eq!(model.model.config.rules.advised, 6);
    for beams in [0, 17] {
        let limits = Limits {
            beams: Some(beams),
            ..Limits::default()
        };
        let error = model
            .begin("Wind!", None, Some("de"), limits)
            .err()
            .unwrap();
        assert_eq!(error.code(), "invalid_request");
        assert!(error.to_string().contains("beams"), "{error}");
    }
}

#[test]
fn t5_first() {
    both("t5_first", [(1.5e-5, 2.6e-5); 2]);
}

#[test]
fn t5_gated() {
    both("t5_gated", [(2.5e-5, 3.6e-4), (2.4e-3, 3.6e-2)]);
}

#[test]
fn umt5() {
    both("umt5", [(2.5e-5, 5.5e-4); 2]);
}

/// A folder without tokenizer.json has SentencePiece's own file.
#[test]
fn umt5_by_its_pieces() {
    let golden = golden("umt5");
    let mut files = files(&golden.folder);
    assert!(files.texts.remove("tokenizer.json").is_some());
    compare(
        "umt5 by its pieces",
        &load(&files).unwrap(),
        &golden,
        (2.5e-5, 5.5e-4),
    );
}

#[test]
fn marian() {
    both("marian", [(1.1e-4, 8.5e-4); 2]);
}

/// Texts and answers have a vocabulary and an embedding each.
#[test]
fn marian_apart() {
    both("marian_apart", [(6.6e-5, 7.8e-4); 2]);
}

#[test]
fn vocabularies_that_do_not_fit_are_refused_by_name() {
    let whole = files("marian_apart/hf");
    let error = |name: &str, from: &str, to: &str| {
        let mut files = whole.clone();
        let text = files.texts.get_mut(name).unwrap();
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
        load(&files).err().unwrap().to_string()
    };
    // Answers of a model with two vocabularies are not spelled by the first.
    let mut files = whole.clone();
    files.texts.remove("target_vocab.json");
    let missing = load(&files).err().unwrap();
    assert!(
        missing.to_string().contains("target_vocab.json"),
        "{missing}"
    );
    let mut files = whole.clone();
    files.binaries.remove("source.spm");
    let missing = load(&files).err().unwrap();
    assert!(missing.to_string().contains("source.spm"), "{missing}");
    let size = "decoder_vocab_size";
    let found = error(
        "config.json",
        &format!("\"{size}\": 136"),
        &format!("\"{size}\": 20"),
    );
    assert!(found.contains(size), "{found}");
    let found = error(
        "config.json",
        "\"share_encoder_decoder_embeddings\": false",
        "\"x\": 0",
    );
    assert!(found.contains(size), "{found}");
    let found = error("config.json", "\"marian\"", "\"m2m_100\"");
    assert!(
        found.contains("share_encoder_decoder_embeddings"),
        "{found}"
    );
    let found = error("target_vocab.json", "<unk>", "<no>");
    assert!(found.contains("target_vocab.json"), "{found}");
}

#[test]
fn m2m100() {
    both("m2m100", [(8e-6, 1.6e-5); 2]);
}

#[test]
fn nllb() {
    both("nllb", [(8e-6, 1.6e-5); 2]);
}

/// A folder without tokenizer.json, whose tokenizer_config.json has the ids of languages as transformers 4 wrote them.
#[test]
fn nllb_by_its_pieces() {
    let golden = golden("nllb");
    let mut files = files(&golden.folder);
    let tokenizer = files.texts.remove("tokenizer.json").unwrap();
    let tokenizer: Value = serde_json::from_str(&tokenizer).unwrap();
    let config = files.texts.get_mut("tokenizer_config.json").unwrap();
    let mut json: Value = serde_json::from_str(config).unwrap();
    for token in tokenizer["added_tokens"].as_array().unwrap() {
        json["added_tokens_decoder"][token["id"].to_string()] = token.clone();
    }
    *config = json.to_string();
    let model = load(&files).unwrap();
    // (the blank at the end of a text is a piece for tokenizer.json, and nothing for SentencePiece)
    let runs = golden.runs.iter().filter(|run| !run.text.ends_with(' '));
    let runs: Vec<&Run> = runs.collect();
    assert!(runs.len() >= 4);
    for run in runs {
        let (source, target) = (run.source.as_deref(), run.target.as_deref());
        let input = model.input(&run.text, source, target).unwrap();
        assert_eq!(input.ids, run.input_ids, "{:?}", run.text);
        assert_eq!(input.forced, run.forced_id);
        let limits = Limits {
            max_tokens: Some(N_GREEDY),
            keeps_repetitions: true,
            ..Limits::default()
        };
        let answer = model.translate(&run.text, source, target, limits, |_| {
            ControlFlow::Continue(())
        });
        let answer = answer.unwrap();
        assert_eq!(answer.ids, run.greedy_ids, "{:?}", run.text);
        assert_eq!(answer.text, run.answer);
    }
    json["legacy_behaviour"] = Value::Bool(true);
    files
        .texts
        .insert("tokenizer_config.json".into(), json.to_string());
    let error = load(&files).err().unwrap();
    assert!(error.to_string().contains("legacy_behaviour"), "{error}");
    files.binaries.remove("sentencepiece.bpe.model");
    files.texts.remove("tokenizer_config.json");
    let error = load(&files).err().unwrap();
    assert!(
        error.to_string().contains("sentencepiece.bpe.model"),
        "{error}"
    );
}

#[test]
fn buckets_are_those_of_transformers() {
    #[derive(Deserialize)]
    struct Buckets {
        first: i64,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        is_causal: bool,
        buckets: usize,
        max_distance: usize,
        of: Vec<usize>,
    }
    let golden: Buckets = serde_json::from_slice(&read("t5_buckets.json")).unwrap();
    assert!(golden.cases.len() >= 8);
    for case in golden.cases {
        let found: Vec<usize> = (golden.first..golden.first + case.of.len() as i64)
            .map(|at| bucket(at, case.is_causal, case.buckets, case.max_distance))
            .collect();
        assert_eq!(found, case.of, "{} {}", case.is_causal, case.buckets);
    }
}
