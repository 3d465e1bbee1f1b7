//! Answers that resume after tokens from another device: the same tokens, text and usage as if there had been no
//! interruption.

use std::collections::BTreeMap;

use hearth::engine::request::Request;
use hearth::{Drafts, Engine, LoadOptions};
use hearth_grammar::Format;
use hearth_tests::structured::{constraint, vocabulary};
use hearth_tests::{Answer, On, exact, finish, goldens, load_file_with, open, prompts};

fn tiny(on: On, drafts: Drafts) -> Option<Engine> {
    let options = LoadOptions {
        drafts,
        ..exact(256)
    };
    let path = goldens().join("tiny/tiny_llama.gguf");
    Some(load_file_with(open(on)?, &path, options))
}

/// Returns chats, with a place in the answer where a stop text begins and is held back.
fn requests() -> Vec<Request> {
    let [chat, _] = prompts();
    let plain = Request {
        messages: chat.messages,
        max_tokens: Some(90),
        temperature: Some(0.0),
        seed: Some(5),
        ..Request::default()
    };
    let drawn = Request {
        temperature: Some(1.3),
        top_p: Some(0.95),
        ..plain.clone()
    };
    let penalised = Request {
        repetition_penalty: Some(1.2),
        frequency_penalty: Some(0.4),
        presence_penalty: Some(0.3),
        logit_bias: BTreeMap::from([("40".into(), 6.0), ("41".into(), 6.0)]),
        ..drawn.clone()
    };
    vec![plain, drawn, penalised]
}

fn answer(engine: &mut Engine, request: &Request) -> Answer {
    engine.start(request).unwrap();
    finish(engine).unwrap()
}

/// Resuming after the first `n` tokens of `whole` gives the rest of it.
fn check(engine: &mut Engine, request: &Request, whole: &Answer, n: usize) {
    let request = Request {
        resume_ids: whole.ids[..n].to_vec(),
        ..request.clone()
    };
    let rest = answer(engine, &request);
    assert_eq!(rest.ids, whole.ids[n..], "behind {n}");
    assert!(
        whole.text.ends_with(&rest.text),
        "{:?} behind {n}",
        rest.text
    );
    assert_eq!(rest.finish, whole.finish);
    let (found, expected) = (rest.usage, whole.usage);
    assert_eq!(found.completion_tokens, expected.completion_tokens);
    assert_eq!(found.prompt_tokens, expected.prompt_tokens);
    // A caller that kept the tokens alone gets their text again.
    let again = answer(
        engine,
        &Request {
            repeat_resumed: true,
            ..request
        },
    );
    assert_eq!(again.ids, whole.ids, "behind {n}");
    assert_eq!(again.text, whole.text, "behind {n}");
    assert_eq!(again.finish, whole.finish);
    assert_eq!(again.usage.completion_tokens, whole.usage.completion_tokens);
}

#[test]
fn an_answer_goes_on_where_another_device_left_it() {
    for (on, drafts) in [
        (On::Cpu, Drafts::Off),
        (On::Gpu, Drafts::Off),
        (On::Gpu, Drafts::Always),
    ] {
        let (Some(mut first), Some(mut second)) = (tiny(on, drafts), tiny(on, drafts)) else {
            continue;
        };
        for request in requests() {
            let whole = answer(&mut first, &request);
            for n in [1, 2, 17, 64, 70, whole.ids.len() - 1] {
                if n < whole.ids.len() {
                    check(&mut second, &request, &whole, n);
                }
            }
            // With the beginning of the stop text after the tokens given.
            let tail: String = whole.text.chars().skip(20).take(6).collect();
            let stopping = Request {
                stop: vec![tail],
                ..request
            };
            let whole = answer(&mut first, &stopping);
            assert_eq!(whole.finish, "stop");
            for n in 1..whole.ids.len() {
                check(&mut second, &stopping, &whole, n);
            }
        }
    }
}

#[test]
fn a_format_goes_on_as_well() {
    let Some(mut engine) = tiny(On::Cpu, Drafts::Off) else {
        return;
    };
    let vocabulary = vocabulary(&engine);
    let format = Format::Regex("[0-9]{4}-(0[1-9]|1[0-2])-x{3}".into());
    let request = &requests()[1];
    let mut run = |request: &Request| {
        engine.start(request).unwrap();
        engine
            .constrain(constraint(&vocabulary, &format).unwrap())
            .unwrap();
        finish(&mut engine).unwrap()
    };
    let whole = run(request);
    for n in 1..whole.ids.len() {
        let rest = run(&Request {
            resume_ids: whole.ids[..n].to_vec(),
            ..request.clone()
        });
        assert_eq!(rest.ids, whole.ids[n..], "behind {n}");
        assert_eq!(rest.finish, whole.finish);
        assert_eq!(rest.usage.completion_tokens, whole.usage.completion_tokens);
        let given = whole.text.strip_suffix(rest.text.as_str());
        assert!(given.is_some() && !rest.text.is_empty(), "{:?}", rest.text);
    }
    assert_eq!(whole.text.len(), 11, "{}", whole.text);
    assert_eq!((&whole.text[4..5], &whole.text[7..]), ("-", "-xxx"));
}

#[test]
fn what_was_given_has_to_make_sense() {
    let mut engine = tiny(On::Cpu, Drafts::Off).expect("the CPU always opens");
    let request = &requests()[0];
    for (resume_ids, max_tokens) in [(vec![5; 90], 90), (vec![5; 91], 90), (vec![1 << 30], 90)] {
        let request = Request {
            resume_ids,
            max_tokens: Some(max_tokens),
            ..request.clone()
        };
        let error = engine.start(&request).unwrap_err();
        assert_eq!(error.code(), "invalid_request", "{error}");
        assert!(error.to_string().contains("resume_ids"), "{error}");
    }
    let with_logprobs = Request {
        resume_ids: vec![5],
        repeat_resumed: true,
        logprobs: true,
        ..request.clone()
    };
    let error = engine.start(&with_logprobs).unwrap_err();
    assert!(error.to_string().contains("beside logprobs"), "{error}");
    // Also more tokens than the context has room for.
    let request = Request {
        resume_ids: vec![5; 240],
        max_tokens: None,
        ..request.clone()
    };
    assert!(engine.start(&request).is_err());
}
