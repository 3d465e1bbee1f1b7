//! Answers that follow a schema, a grammar, a regular expression or a choice.

use hearth::engine::constraint::Constraint;
use hearth::engine::request::{Request, Sampling};
use hearth::{Engine, Error};
use hearth_grammar::{Format, Vocabulary};
use hearth_tests::structured::{constraint, vocabulary};
use hearth_tests::{
    Answer, GREEDY, On, exact, finish, generate, goldens, load_file_with, open, prompts, smollm2,
};
use pollster::block_on;
use serde::Deserialize;
use serde_json::{Value, json};

fn sampled() -> Sampling {
    Sampling {
        temperature: 1.5,
        seed: 11,
        ..GREEDY
    }
}

fn tiny(on: On) -> Option<Engine> {
    let path = goldens().join("tiny/tiny_llama.gguf");
    Some(load_file_with(open(on)?, &path, exact(512)))
}

fn answer(
    engine: &mut Engine,
    vocabulary: &Vocabulary,
    format: &Format,
    sampling: Sampling,
    max: usize,
) -> Answer {
    let [chat, _] = prompts();
    (engine.start_ids(chat.ids.clone(), sampling, Some(max), &[])).unwrap();
    (engine.constrain(constraint(vocabulary, format).unwrap())).unwrap();
    finish(engine).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Person {
    name: String,
    age: u8,
    tags: Vec<Tag>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Tag {
    Red,
    Green,
}

fn person() -> Format {
    Format::JsonSchema(json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 8 },
            "age": { "type": "integer", "minimum": 0, "maximum": 99 },
            "tags": { "type": "array", "items": { "enum": ["red", "green"] }, "minItems": 1, "maxItems": 3 },
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": false,
    }))
}

/// The tiny model knows no language at all: anything right about its answers is the constraint's doing.
#[test]
fn an_answer_follows_its_format() {
    for on in [On::Cpu, On::Gpu] {
        let Some(mut engine) = tiny(on) else { continue };
        let vocabulary = vocabulary(&engine);
        for sampling in [GREEDY, sampled()] {
            let found = answer(&mut engine, &vocabulary, &person(), sampling.clone(), 200);
            assert_eq!(found.finish, "stop", "{on:?}: {}", found.text);
            let person: Person = serde_json::from_str(&found.text)
                .unwrap_or_else(|e| panic!("{on:?}: {e} in {}", found.text));
            assert!((1..=3).contains(&person.tags.len()) && person.age < 100);
            assert_eq!(engine.tokenizer().decode(&found.ids), found.text);

            let choice = Format::Choice(vec!["a plan".into(), "a \"plant\"".into(), "né".into()]);
            let found = answer(&mut engine, &vocabulary, &choice, sampling.clone(), 50);
            assert!(
                ["a plan", "a \"plant\"", "né"].contains(&found.text.as_str()),
                "{}",
                found.text
            );
            assert_eq!(found.finish, "stop");

            let regex = Format::Regex("[0-9]{4}-(0[1-9]|1[0-2])".into());
            let found = answer(&mut engine, &vocabulary, &regex, sampling.clone(), 50);
            let (year, month) = found.text.split_once('-').unwrap();
            assert!(
                year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()),
                "{}",
                found.text
            );
            assert!((1..=12).contains(&month.parse().unwrap()));

            let lark = Format::Grammar("start: \"<\" word+ \">\"\nword: \"la\" | \"lo\"".into());
            let found = answer(&mut engine, &vocabulary, &lark, sampling.clone(), 40);
            let inner = found.text.strip_prefix('<').unwrap();
            let words = match found.finish {
                "stop" => inner.strip_suffix('>').unwrap(),
                // Cut off, possibly within a word.
                _ => inner.strip_suffix('l').unwrap_or(inner),
            };
            assert!(!words.is_empty(), "{}", found.text);
            for word in words.as_bytes().chunks(2) {
                assert!(word == b"la" || word == b"lo", "{}", found.text);
            }
        }
    }
}

/// Forced tokens are computed several at a time: fewer steps, the same answer, and a cache no different from usual.
#[test]
fn what_must_come_costs_few_steps() {
    for on in [On::Cpu, On::Gpu] {
        let Some(mut engine) = tiny(on) else { continue };
        let vocabulary = vocabulary(&engine);
        let fixed =
            "A sentence of which the model has no choice, however long it may be, ends here: ";
        let format = Format::Regex(format!("{fixed}(yes|no)"));
        let before = engine.stats().readbacks;
        let found = answer(&mut engine, &vocabulary, &format, GREEDY, 200);
        let readbacks = engine.stats().readbacks - before;
        assert!(found.text.starts_with(fixed), "{}", found.text);
        assert!(
            readbacks < found.ids.len() as u64 / 2,
            "{readbacks} for {}",
            found.ids.len()
        );
        assert_eq!(found.usage.completion_tokens, found.ids.len());
        // max_tokens also counts forced tokens.
        for max in [1, 3, 10] {
            let cut = answer(&mut engine, &vocabulary, &format, GREEDY, max);
            assert_eq!((cut.ids.len(), cut.finish), (max, "length"), "{on:?}");
            assert_eq!(cut.ids, found.ids[..max]);
        }
        // The cache then holds what a fresh engine would compute.
        let [chat, _] = prompts();
        let found = answer(&mut engine, &vocabulary, &format, GREEDY, 200);
        let all = [&chat.ids[..], &found.ids, &[5, 6]].concat();
        let logits = block_on(engine.logits(&all)).unwrap();
        let Some(mut fresh) = tiny(on) else { continue };
        let expected = block_on(fresh.logits(&all)).unwrap();
        for (a, b) in logits.iter().zip(&expected) {
            assert!((a - b).abs() < 2e-2, "{on:?}: {a} for {b}");
        }
    }
}

/// A vocabulary that includes bytes that are not text.
struct Anything;

impl Constraint for Anything {
    fn allow(&mut self, bits: &mut [u32]) -> hearth::Result<bool> {
        bits.fill(u32::MAX);
        Ok(true)
    }

    fn forced(&mut self) -> hearth::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn accept(&mut self, _: &[u32]) -> hearth::Result<()> {
        Ok(())
    }
}

#[test]
fn requests_after_a_constrained_one_are_free_again() {
    for on in [On::Cpu, On::Gpu] {
        let Some(mut engine) = tiny(on) else { continue };
        let vocabulary = vocabulary(&engine);
        answer(&mut engine, &vocabulary, &person(), GREEDY, 7);
        let [chat, _] = prompts();
        let (ids, _) = generate(&mut engine, &chat.ids, 16, GREEDY).unwrap();
        assert_eq!(ids, chat.greedy_ids[..16], "{on:?}");
        // Biases of an earlier request must not carry over to a masked one.
        let mut biased = sampled();
        biased.logit_bias = vec![(chat.greedy_ids[0], -100.0)];
        generate(&mut engine, &chat.ids, 4, biased).unwrap();
        (engine.start_ids(chat.ids.clone(), GREEDY, Some(8), &[])).unwrap();
        engine.constrain(Box::new(Anything)).unwrap();
        assert_eq!(
            finish(&mut engine).unwrap().ids,
            chat.greedy_ids[..8],
            "{on:?}"
        );
    }
}

#[test]
fn a_constraint_that_fails_ends_the_request_and_not_the_engine() {
    struct Broken;
    impl Constraint for Broken {
        fn allow(&mut self, _: &mut [u32]) -> hearth::Result<bool> {
            Err(Error::Grammar {
                message: "too much".into(),
            })
        }
        fn forced(&mut self) -> hearth::Result<Vec<u8>> {
            Ok(vec![0xff, 0xfe])
        }
        fn accept(&mut self, _: &[u32]) -> hearth::Result<()> {
            Ok(())
        }
    }
    let Some(mut engine) = tiny(On::Cpu) else {
        return;
    };
    let [chat, _] = prompts();
    engine
        .start_ids(chat.ids.clone(), GREEDY, None, &[])
        .unwrap();
    engine.constrain(Box::new(Broken)).unwrap();
    assert_eq!(finish(&mut engine).unwrap_err().code(), "grammar_error");
    assert_eq!(
        engine.constrain(Box::new(Broken)).unwrap_err().code(),
        "invalid_request"
    );
    let (ids, _) = generate(&mut engine, &chat.ids, 8, GREEDY).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8]);
}

/// Invalid formats are refused before anything runs, and none of them causes a panic or a hang.
#[test]
fn formats_that_cannot_be_followed_are_refused() {
    let Some(engine) = tiny(On::Cpu) else { return };
    let vocabulary = vocabulary(&engine);
    let deep = (0..200).fold(
        json!({"type": "null"}),
        |inner, _| json!({"type": "array", "items": inner}),
    );
    for format in [
        Format::JsonSchema(json!({ "type": "colour" })),
        Format::JsonSchema(json!({ "$ref": "#/$defs/none" })),
        Format::JsonSchema(json!({ "$ref": "https://example.com/schema" })),
        Format::JsonSchema(json!({ "type": "string", "pattern": "(" })),
        Format::JsonSchema(json!({ "type": "integer", "minimum": 5, "maximum": 4 })),
        Format::JsonSchema(json!(7)),
        Format::JsonSchema(deep),
        Format::Regex("(".repeat(9999) + &")".repeat(9999)),
        Format::Grammar("start: nothing".into()),
        Format::Grammar("not a grammar".into()),
        Format::Grammar(String::new()),
        Format::Regex("a(".into()),
        Format::Choice(vec![]),
        Format::Choice(vec!["a".into(), String::new()]),
    ] {
        let Err(error) = constraint(&vocabulary, &format) else {
            panic!("{format:?} was taken");
        };
        assert_eq!(error.code(), "grammar_error");
        assert!(error.to_string().len() < 2000, "{error}");
    }
    assert!(Vocabulary::new(&[b"a".to_vec()], &[1]).is_err());
    assert!(Vocabulary::new(&[b"a".to_vec()], &[]).is_err());
}

/// An unknown `format` is an annotation and changes nothing; a value named `format` is kept.
#[test]
fn unknown_formats_of_texts_are_ignored() {
    let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain([vec![]]).collect();
    let vocabulary = Vocabulary::new(&tokens, &[256]).unwrap();
    let properties = json!({ "format": { "enum": [{ "format": "phone" }] } });
    for (schema, text) in [
        (json!({ "type": "string", "format": "phone" }), r#""x""#),
        (
            json!({ "type": "array", "items": { "type": "string", "format": "phone" } }),
            r#"["x"]"#,
        ),
        (
            json!({ "type": "object", "properties": properties, "required": ["format"] }),
            r#"{"format": {"format": "phone"}}"#,
        ),
    ] {
        let mut grammar = vocabulary.grammar(&Format::JsonSchema(schema)).unwrap();
        let mut bits = [0; 257usize.div_ceil(32)];
        for byte in text.bytes().map(usize::from) {
            assert!(grammar.allow(&mut bits).unwrap(), "{text} ends early");
            assert!(bits[byte / 32] >> (byte % 32) & 1 == 1, "{text}: {byte}");
            grammar.accept(&[byte as u32]).unwrap();
        }
    }
    let date = Format::JsonSchema(json!({ "type": "string", "format": "date" }));
    let mut grammar = vocabulary.grammar(&date).unwrap();
    let mut bits = [0; 257usize.div_ceil(32)];
    grammar.accept(&[u32::from(b'"')]).unwrap();
    grammar.allow(&mut bits).unwrap();
    let x = usize::from(b'x');
    assert!(bits[x / 32] >> (x % 32) & 1 == 0, "a known format holds");
}

/// The real model, with a vocabulary from a real tokenizer.
#[test]
fn smollm2_writes_a_person() {
    let Some(path) = smollm2() else { return };
    let Some(device) = open(On::Cpu) else { return };
    let mut engine = load_file_with(device, &path, exact(512));
    let vocabulary = vocabulary(&engine);
    let request: Request = serde_json::from_value(json!({
        "messages": [{ "role": "user", "content": "Describe a child named Tom who likes red, in JSON." }],
        "max_tokens": 80,
        "temperature": 0.0,
    }))
    .unwrap();
    engine.start(&request).unwrap();
    engine
        .constrain(constraint(&vocabulary, &person()).unwrap())
        .unwrap();
    let found = finish(&mut engine).unwrap();
    println!("{}", found.text);
    let person: Person = serde_json::from_str(&found.text).unwrap();
    assert_eq!(person.name, "Tom");
    assert!(
        serde_json::from_str::<Value>(&found.text)
            .unwrap()
            .is_object()
    );
}
