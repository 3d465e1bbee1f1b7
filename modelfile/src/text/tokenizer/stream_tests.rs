//! Tests of streams, of unusual input, and of a real file.

use super::Tokenizer;
use super::testing::{
    NASTY, Random, chatml, chatml_metadata, sentence_piece, sentence_piece_metadata,
    smollm2_metadata, unigram,
};
use crate::container::{Array, Metadata, Value};
use crate::error::Error;

fn assert_streams(tokenizer: &Tokenizer, ids: &[u32]) {
    let mut stream = tokenizer.stream();
    let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
    text.push_str(&stream.finish());
    assert_eq!(text, tokenizer.decode(ids), "{ids:?}");
}

#[test]
fn streams_equal_the_whole() {
    let mut random = Random(42);
    for tokenizer in [chatml(), sentence_piece(), unigram()] {
        for _ in 0..3000 {
            let ids: Vec<u32> = (0..random.below(20))
                .map(|_| random.below(tokenizer.vocab_size() + 2) as u32)
                .collect();
            assert_streams(&tokenizer, &ids);
        }
        for text in NASTY {
            assert_streams(&tokenizer, &tokenizer.encode(text).unwrap());
        }
    }
}

#[test]
fn a_continuing_stream_keeps_its_blank() {
    let tokenizer = sentence_piece();
    assert_eq!(tokenizer.stream().push(261), "hello");
    assert_eq!(tokenizer.stream().keep_leading_blank().push(261), " hello");
}

#[test]
fn long_and_monotonous_texts() {
    let word = "a".repeat(100_000);
    let blanks = " ".repeat(300_000);
    let digits = "7".repeat(50_000);
    let lines = "\n".repeat(50_000);
    let marks = "e\u{301}".repeat(20_000);
    let tags = "<|im_end|>".repeat(5_000);
    let tokenizers = [chatml(), sentence_piece()];
    for text in [&word, &blanks, &digits, &lines, &marks, &tags] {
        for tokenizer in &tokenizers {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(&tokenizer.decode(&ids), text);
        }
    }
}

#[test]
fn bad_metadata_is_an_error() {
    let fails = |key: &str, value: Value| {
        let mut meta = chatml_metadata();
        meta.insert(key, value);
        Tokenizer::from_gguf(&meta).unwrap_err()
    };
    let string = |text: &str| Value::String(text.to_owned());
    let strings = |texts: &[&str]| {
        Value::Array(Array::String(
            texts.iter().map(|t| (*t).to_owned()).collect(),
        ))
    };
    assert_eq!(
        Tokenizer::from_gguf(&Metadata::default())
            .unwrap_err()
            .code(),
        "bad_metadata"
    );
    assert!(
        fails("tokenizer.ggml.model", string("rwkv"))
            .to_string()
            .contains("gpt2")
    );
    assert!(
        fails("tokenizer.ggml.pre", string("nonsense"))
            .to_string()
            .contains("smollm")
    );
    for merge in [
        "nothing",
        "h",
        "h ",
        " ",
        "h e l",
        "hello hello",
        "日 本",
        "",
    ] {
        let error = fails("tokenizer.ggml.merges", strings(&[merge]));
        assert!(
            matches!(error, Error::Metadata { .. }),
            "{merge:?}: {error}"
        );
    }
    for key in ["bos", "eos", "eot", "unknown"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        assert!(
            matches!(fails(&key, Value::F32(5.0)), Error::Metadata { .. }),
            "{key}"
        );
    }
    fails("tokenizer.ggml.tokens", strings(&[]));
    fails("tokenizer.ggml.tokens", strings(&["a"]));
    fails(
        "tokenizer.ggml.token_type",
        Value::Array(Array::I32(vec![1; 5])),
    );
    fails("tokenizer.ggml.token_type", Value::Bool(true));
    let mut meta = sentence_piece_metadata();
    meta.insert("tokenizer.ggml.scores", Value::Array(Array::F32(vec![0.0])));
    assert!(matches!(
        Tokenizer::from_gguf(&meta),
        Err(Error::Metadata { .. })
    ));
    meta.insert(
        "tokenizer.ggml.scores",
        Value::Array(Array::F32(vec![f32::NAN; 290])),
    );
    Tokenizer::from_gguf(&meta)
        .unwrap()
        .encode("hello world")
        .unwrap();
    let mut meta = chatml_metadata();
    meta.insert("tokenizer.ggml.padding_token_id", Value::U32(u32::MAX));
    meta.insert("tokenizer.ggml.bos_token_id", Value::U32(u32::MAX));
    assert_eq!(Tokenizer::from_gguf(&meta).unwrap().bos(), None);
}

#[test]
fn smollm2() {
    let Some(meta) = smollm2_metadata() else {
        return;
    };
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(tokenizer.vocab_size(), 49152);
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.unknown()),
        (Some(1), Some(2), Some(0))
    );
    assert_eq!(tokenizer.eog(), [0, 2]);
    assert!(!tokenizer.add_bos());
    for text in NASTY {
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.iter().all(|&id| id > 16), "{text:?}");
        // Two texts contain bytes (of U+FFFE and other noncharacters) that this vocabulary cannot express.
        if !text.contains('\u{ffff}') {
            assert_eq!(&tokenizer.decode(&ids), text);
        }
        assert_streams(&tokenizer, &ids);
    }
    let mut random = Random(1);
    for _ in 0..2000 {
        let ids: Vec<u32> = (0..random.below(50))
            .map(|_| random.below(49160) as u32)
            .collect();
        assert_streams(&tokenizer, &ids);
    }
}
