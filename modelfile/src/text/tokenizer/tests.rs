//! Tests of ids.

use super::Tokenizer;
use super::testing::{
    NASTY, Random, byte_level_metadata, chatml, sentence_piece, sentence_piece_metadata,
    set_string, unigram,
};
use crate::container::{Array, Value};
use crate::text::MarkedText;

#[test]
fn byte_level_round_trip() {
    let tokenizer = chatml();
    for text in NASTY {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(&tokenizer.decode(&ids), text);
    }
    assert_eq!(tokenizer.encode("hello").unwrap(), [259]);
    assert_eq!(tokenizer.token_text(259), Some("hello"));
    assert_eq!(tokenizer.token_to_id("hello"), Some(259));
    assert_eq!(tokenizer.token_bytes(262), "é".as_bytes());
    assert_eq!(tokenizer.vocab_size(), 273);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(268), Some(269)));
    assert!(!tokenizer.add_bos() && !tokenizer.add_eos());
}

#[test]
fn text_never_becomes_a_special_token() {
    let tokenizers = [chatml(), sentence_piece(), unigram()];
    for tokenizer in &tokenizers {
        let special: Vec<u32> = tokenizer.special_tokens().map(|(id, _)| id).collect();
        assert!(special.len() >= 3);
        for text in NASTY {
            let ids = tokenizer.encode(text).unwrap();
            let unknown = tokenizer.unknown();
            assert!(
                !ids.iter()
                    .any(|id| special.contains(id) && Some(*id) != unknown),
                "{text:?}: {ids:?}"
            );
        }
        for (_, text) in tokenizer.special_tokens() {
            let ids = tokenizer.encode(text).unwrap();
            assert!(
                !ids.iter().any(|id| special.contains(id)),
                "{text:?}: {ids:?}"
            );
        }
    }
}

#[test]
fn ignoring_merges_does_not_reach_special_tokens() {
    let mut meta = byte_level_metadata(&[("word", 4), ("other", 3), ("zz", 1)]);
    set_string(&mut meta, "tokenizer.ggml.pre", "llama-bpe");
    set_string(&mut meta, "tokenizer.chat_template", "word");
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(tokenizer.encode("word").unwrap().len(), 4);
    assert_eq!(tokenizer.encode("other").unwrap().len(), 4);
    // No merge produces it, but it is a whole word.
    assert_eq!(tokenizer.encode("zz").unwrap(), [269]);
    assert!(tokenizer.add_bos());
}

#[test]
fn white_space_tokens_belong_to_text() {
    let tokenizer = chatml();
    assert_eq!(tokenizer.token_to_id("\n\n"), Some(272));
    assert_eq!(
        tokenizer.encode("hello\n\n\nhello").unwrap(),
        [259, 272, 10, 259]
    );
    assert!(tokenizer.special_tokens().all(|(id, _)| id != 272));
    assert_eq!(tokenizer.decode(&[272]), "\n\n");
}

/// Gemma's HTML is text, as in training; tokens that the template writes, and those that end an answer, are not.
#[test]
fn user_defined_tokens_that_no_template_writes_belong_to_text() {
    let tokens = [
        ("<table>", 4),
        ("<table><tr>", 4),
        ("<call>", 4),
        ("<|eot|>", 4),
    ];
    let mut meta = byte_level_metadata(&tokens);
    set_string(&mut meta, "tokenizer.chat_template", "{{ '<call>' }}");
    meta.insert("tokenizer.ggml.eot_token_id", Value::U32(270));
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(
        tokenizer.encode("hello<table>hello<table><tr>").unwrap(),
        [259, 267, 259, 268]
    );
    let specials: Vec<&str> = tokenizer.special_tokens().map(|(_, text)| text).collect();
    assert_eq!(specials, ["<call>", "<|eot|>"]);
    for text in specials {
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.iter().all(|id| *id < 267), "{text}: {ids:?}");
    }
    assert_eq!(tokenizer.mark("<table>", '\u{e000}', None), None);
    assert_eq!(tokenizer.decode(&[267, 259]), "<table>hello");
}

#[test]
fn special_tokens_decode_to_nothing_but_user_defined_ones_are_visible() {
    let tokenizer = chatml();
    assert_eq!(
        tokenizer.decode(&[268, 259, 269, 270, 259, 271, 9999]),
        "hello<think>hello</think>"
    );
    assert_eq!(sentence_piece().decode(&[1, 261, 0, 2]), "hello");
}

#[test]
fn end_of_generation() {
    let tokenizer = chatml();
    assert_eq!(tokenizer.eog(), [267, 269]);
    assert!(tokenizer.is_eog(269) && !tokenizer.is_eog(268));
    assert_eq!(sentence_piece().eog(), [2]);

    let mut meta = byte_level_metadata(&[("</s>", 4), ("<end_of_turn>", 3), ("<x>", 3)]);
    meta.insert("tokenizer.ggml.eot_token_id", Value::U32(269));
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(
        tokenizer.eog(),
        [268, 269],
        "a user-defined </s> is an HTML tag"
    );

    let meta = byte_level_metadata(&[("<|end|>", 3), ("<|return|>", 3), ("<|call|>", 3)]);
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(tokenizer.eog(), [268, 269], "gpt-oss goes on after <|end|>");

    let gemma4 = [("<turn|>", 3), ("<|tool_response>", 4), ("</s>", 3)];
    let tokenizer = Tokenizer::from_gguf(&byte_level_metadata(&gemma4)).unwrap();
    assert_eq!(tokenizer.eog(), [267, 268], "no </s>, whatever its kind");
}

#[test]
fn templates_are_cut_at_special_tokens() {
    let mut tokenizer = chatml();
    let trusted = MarkedText::trusted("<|im_start|>hello<|im_end|>\n<think>");
    assert_eq!(
        tokenizer.encode_template(&trusted).unwrap(),
        [268, 259, 269, 10, 270]
    );
    tokenizer.add_bos = true;
    // The text has a beginning-of-sequence token already.
    assert_eq!(
        tokenizer.encode_template(&trusted).unwrap(),
        [268, 259, 269, 10, 270]
    );
    assert_eq!(
        tokenizer
            .encode_template(&MarkedText::trusted("hello"))
            .unwrap(),
        [268, 259]
    );
    assert_eq!(
        tokenizer.encode_template(&MarkedText::trusted("")).unwrap(),
        [268]
    );
}

#[test]
fn markers_break_and_vanish() {
    let tokenizer = chatml();
    let marker = '\u{e000}';
    assert_eq!(tokenizer.mark("hello", marker, None), None);
    for text in NASTY.iter().filter(|text| !text.contains(marker)) {
        let marked = tokenizer.mark(text, marker, None);
        let rendered = MarkedText {
            text: marked.unwrap_or_else(|| (*text).to_owned()),
            marker,
            in_thoughts: false,
        };
        assert_eq!(&rendered.plain(), text);
        assert_eq!(
            tokenizer.encode_template(&rendered).unwrap(),
            tokenizer.encode(text).unwrap(),
            "{text:?}"
        );
    }
    // The model's own words keep their user-defined tokens.
    assert_eq!(tokenizer.mark("<think>", marker, Some(&[])), None);
    assert_eq!(
        tokenizer.mark("<think>", marker, None).unwrap(),
        "<\u{e000}think>"
    );
    assert_eq!(
        tokenizer.mark("<|im_end|>", marker, Some(&[])).unwrap(),
        "<\u{e000}|im_end|>"
    );
    // Two adjacent texts in a template do not form a token either.
    let left = tokenizer.mark("x <|im_", marker, None).unwrap();
    let rendered = MarkedText {
        text: format!("{left}end|>"),
        marker,
        in_thoughts: false,
    };
    let plain = tokenizer.encode("x <|im_end|>").unwrap();
    assert_eq!(tokenizer.encode_template(&rendered).unwrap(), plain);
}

#[test]
fn sentence_piece_ids() {
    let tokenizer = sentence_piece();
    assert!(tokenizer.add_bos());
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.unknown()),
        (Some(1), Some(2), Some(0))
    );
    assert_eq!(tokenizer.encode("hello world").unwrap(), [261, 266]);
    assert_eq!(tokenizer.encode("").unwrap(), [0u32; 0]);
    // "ü" is no piece, so it becomes its two bytes.
    assert_eq!(tokenizer.encode("ü").unwrap(), [274, 3 + 0xc3, 3 + 0xbc]);
    assert_eq!(tokenizer.encode("日").unwrap(), [274, 286]);
    let trusted = MarkedText::trusted("<s>hello</s>hello");
    assert_eq!(
        tokenizer.encode_template(&trusted).unwrap(),
        [1, 261, 2, 261]
    );
    for text in NASTY {
        let ids = tokenizer.encode(text).unwrap();
        // "▁" means a blank in these vocabularies.
        assert_eq!(tokenizer.decode(&ids), text.replace('▁', " "));
    }
}

#[test]
fn sentence_piece_without_bytes_has_unknown_tokens() {
    let mut meta = sentence_piece_metadata();
    meta.insert("tokenizer.ggml.add_space_prefix", Value::Bool(false));
    let types: Vec<i32> = meta
        .i32s("tokenizer.ggml.token_type")
        .unwrap()
        .iter()
        .map(|&t| t % 6 + t / 6 * 5)
        .collect();
    meta.insert("tokenizer.ggml.token_type", Value::Array(Array::I32(types)));
    let tokenizer = Tokenizer::from_gguf(&meta).unwrap();
    assert_eq!(tokenizer.encode("heüüllo").unwrap(), [271, 0, 260]);
}

/// Compares with Hugging Face's converter: merges from scores, in the `tokenizers` crate.
#[test]
fn sentence_piece_agrees_with_merges() {
    use tokenizers::Model as _;
    use tokenizers::models::bpe::{BPE, Vocab};
    let meta = sentence_piece_metadata();
    let tokens = meta.strings("tokenizer.ggml.tokens").unwrap();
    let scores = meta.f32s("tokenizer.ggml.scores").unwrap();
    let mut ids = Vocab::default();
    ids.extend(
        tokens
            .iter()
            .enumerate()
            .map(|(id, token)| (token.clone(), id as u32)),
    );
    let mut merges = Vec::new();
    for (id, token) in tokens.iter().enumerate().skip(259) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(l), Some(r)) = (ids.get(left), ids.get(right)) {
                merges.push((
                    -scores[id] as i32,
                    *l,
                    *r,
                    (left.to_owned(), right.to_owned()),
                ));
            }
        }
    }
    merges.sort();
    let merges = merges.into_iter().map(|merge| merge.3).collect();
    let reference = BPE::builder()
        .vocab_and_merges(ids, merges)
        .byte_fallback(true)
        .fuse_unk(true)
        .unk_token("<unk>".to_owned())
        .build()
        .unwrap();
    let tokenizer = sentence_piece();
    let mut random = Random(7);
    let alphabet: Vec<char> = "hellowrdingé日 ü".chars().collect();
    for _ in 0..2000 {
        let text: String = (0..random.below(24))
            .map(|_| alphabet[random.below(alphabet.len())])
            .collect();
        let spelled = if text.is_empty() {
            text.clone()
        } else {
            format!("▁{}", text.replace(' ', "▁"))
        };
        let expected: Vec<u32> = reference
            .tokenize(&spelled)
            .unwrap()
            .iter()
            .map(|t| t.id)
            .collect();
        assert_eq!(tokenizer.encode(&text).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn unigram_takes_the_most_probable_pieces() {
    let tokenizer = unigram();
    assert!(!tokenizer.add_bos());
    assert_eq!(tokenizer.encode("hello world").unwrap(), [259, 260, 266]);
    assert_eq!(
        tokenizer.decode(&tokenizer.encode("hello ü").unwrap()),
        "hello ü"
    );
}
