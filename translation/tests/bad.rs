//! Files that are damaged or of another kind: each is one error with a code, and none a panic.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use hearth_translation::{Files, Limits, Translator};

fn data(name: &str) -> PathBuf {
    Path::new(env!("HEARTH_ROOT"))
        .join("tests/goldens/data/translation")
        .join(name)
}

fn folder() -> Files {
    let mut files = Files::default();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        let path = data("t5_first/hf").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        files.texts.insert(name.into(), text);
    }
    files.weights = std::fs::read(data("t5_first/hf/model.safetensors")).unwrap();
    files
}

fn gguf() -> Files {
    Files {
        weights: std::fs::read(data("t5_gated/gguf/model.gguf")).unwrap(),
        ..Files::default()
    }
}

fn code(files: Files) -> Option<&'static str> {
    Translator::open(files).err().map(|error| error.code())
}

#[test]
fn whole_files_load() {
    assert_eq!(code(folder()), None);
    assert_eq!(code(gguf()), None);
}

#[test]
fn shorter_files_are_truncated() {
    for whole in [folder(), gguf()] {
        let len = whole.weights.len();
        for end in [0, 4, 100, len / 2, len - 500] {
            let mut files = whole.clone();
            files.weights.truncate(end);
            assert_eq!(code(files), Some("truncated_file"), "{end} of {len}");
        }
    }
}

#[test]
fn other_files_are_named() {
    let mut files = folder();
    files.weights = b"PK\x03\x04pytorch_model.bin".to_vec();
    let error = Translator::open(files).err().unwrap();
    assert_eq!(error.code(), "bad_file");
    assert!(error.to_string().contains("PyTorch"), "{error}");
    for (name, wanted) in [
        ("config.json", "invalid_request"),
        ("tokenizer.json", "invalid_request"),
    ] {
        let mut files = folder();
        files.texts.remove(name);
        let error = Translator::open(files).err().unwrap();
        assert_eq!(error.code(), wanted);
        assert!(error.to_string().contains(name), "{error}");
    }
    for (from, to, wanted) in [
        (
            "\"model_type\": \"t5\"",
            "\"model_type\": \"bart\"",
            "unsupported_architecture",
        ),
        ("\"d_ff\": 64", "\"d_ff\": 65", "tensor_shape"),
        ("\"num_layers\": 2", "\"num_layers\": 3", "missing_tensor"),
        (
            "\"num_layers\": 2",
            "\"num_layers\": 1",
            "unsupported_architecture",
        ),
        ("\"relu\"", "\"gated-gelu\"", "missing_tensor"),
        (
            "\"vocab_size\": 352",
            "\"vocab_size\": 300",
            "tokenizer_error",
        ),
    ] {
        let mut files = folder();
        let config = files.texts.get_mut("config.json").unwrap();
        assert!(config.contains(from), "{from}");
        *config = config.replace(from, to);
        assert_eq!(code(files), Some(wanted), "{to}");
    }
}

#[test]
fn requests_that_a_model_has_not_are_refused() {
    let model = Translator::open(folder()).unwrap();
    let code = |text: &str, source: Option<&str>, target: Option<&str>| {
        let run = model.begin(text, source, target, Limits::default());
        run.err().map(|error| error.to_string())
    };
    assert_eq!(code("Wind!", None, Some("de-AT")), None);
    assert_eq!(code("Wind!", None, None), None);
    let unknown = code("Wind!", None, Some("ja")).unwrap();
    assert!(
        unknown.contains("de, fr") && unknown.contains("ja"),
        "{unknown}"
    );
    let unknown = code("Wind!", Some("ja"), Some("de")).unwrap();
    assert!(
        unknown.contains("en") && unknown.contains("ja"),
        "{unknown}"
    );
    assert!(code(" \n", None, Some("de")).is_some());
    assert!(code(&"wind ".repeat(9_000), None, Some("de")).is_some());
}

#[test]
fn a_translation_may_be_stopped() {
    use std::ops::ControlFlow;
    let model = Translator::open(folder()).unwrap();
    let mut calls = 0;
    let found = model.translate("A small fire.", None, Some("de"), Limits::default(), |_| {
        calls += 1;
        if calls == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(
        (found.err().map(|e| e.code()), calls),
        (Some("cancelled"), 3)
    );
}

/// Loads a seed of the fuzz target `translation`: a folder's texts, a NUL behind each, and its weights.
fn load_seed(data: &[u8]) -> hearth_modelfile::Result<Translator> {
    let mut loader = hearth_translation::Loader::default();
    let mut rest = data;
    for file in hearth_translation::MODEL_FILES {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
        let (part, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        if !part.is_empty() && !file.binary {
            loader.text(file.name, &String::from_utf8_lossy(part));
        }
    }
    loader.push(rest)?;
    loader.finish()
}

#[test]
fn no_changed_byte_is_a_panic() {
    let corpus = Path::new(env!("HEARTH_ROOT")).join("fuzz/corpus");
    let whole = std::fs::read(corpus.join("translation/t5")).unwrap();
    let model = load_seed(&whole).unwrap();
    let answer = model.translate("ab", None, None, Limits::default(), |_| {
        std::ops::ControlFlow::Continue(())
    });
    assert!(answer.is_ok());
    for at in (0..whole.len()).step_by(3) {
        let mut data = whole.clone();
        data[at] ^= 1 << (at % 8);
        let _ = load_seed(&data);
    }
    for name in ["unigram", "bpe"] {
        use hearth_modelfile::text::tokenizer::Tokenizer;
        let whole = std::fs::read(corpus.join("sentencepiece").join(name)).unwrap();
        let read = |data: &[u8]| -> hearth_modelfile::Result<Vec<u32>> {
            let metadata = hearth_translation::sentencepiece::metadata(data)?;
            Tokenizer::from_gguf(&metadata)?.encode("win  4 <x>")
        };
        assert!(read(&whole).is_ok_and(|ids| ids.len() > 2));
        for at in 0..whole.len() {
            let mut data = whole.clone();
            data[at] ^= 1 << (at % 8);
            let _ = read(&data);
            let _ = read(&whole[..at]);
        }
    }
}
