//! Ids of texts by SentencePiece's files alone, which `tests/goldens/generator/gold_translation.py` writes.

// A test ends where one of its helpers does.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use hearth_translation::Vocabulary;
use serde::Deserialize;
use serde_json::Value;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("HEARTH_ROOT"))
        .join("tests/goldens/data/translation")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Odd texts have the ids that SentencePiece gives them, and languages those behind its pieces.
#[test]
fn pieces_have_the_ids_of_the_reference() {
    #[derive(Deserialize)]
    struct Pieces {
        texts: Vec<String>,
        nllb: Vec<Vec<u32>>,
        nllb_languages: BTreeMap<String, u32>,
        m2m100: Vec<Vec<u32>>,
    }
    let golden: Pieces = serde_json::from_slice(&read("pieces.json")).unwrap();
    let spm = read("nllb/hf/sentencepiece.bpe.model");
    let nllb = Vocabulary::nllb(&spm, &Value::Null).unwrap();
    let all: BTreeMap<&str, u32> = nllb.tokens().map(|(id, token)| (token, id)).collect();
    assert_eq!(golden.nllb_languages.len(), 202);
    for (code, id) in &golden.nllb_languages {
        assert_eq!(all.get(code.as_str()), Some(id), "{code}");
    }
    let spm = read("m2m100/hf/sentencepiece.bpe.model");
    let vocab = String::from_utf8(read("m2m100/hf/vocab.json")).unwrap();
    let m2m100 = Vocabulary::mapped(&spm, &vocab, None, None).unwrap();
    assert!(golden.texts.len() >= 30);
    // A mark of blanks in a text is a blank, as it is for tokenizer.json; SentencePiece keeps it.
    let texts = golden.texts.iter().enumerate();
    for (i, text) in texts.filter(|(_, text)| !text.contains('▁')) {
        assert_eq!(nllb.encode(text).unwrap(), golden.nllb[i], "{text:?}");
        // (transformers reads special tokens in texts, which are not meant by those who write them)
        if !text.contains("</s>") {
            assert_eq!(m2m100.encode(text).unwrap(), golden.m2m100[i], "{text:?}");
        }
    }
}
