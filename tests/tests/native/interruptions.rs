//! Answers that begin again with other tokens: thoughts that are long enough, and contexts that are full.

use hearth::engine::request::{Request, Sampling};
use hearth::{Engine, Loader};
use hearth_modelfile::text::template::Message;
use hearth_tests::{Answer, On, exact, finish, golden_bytes, open};
use pollster::block_on;
use serde_json::json;

/// A template whose answers begin among thoughts.
const THINKS: &str = "{% for message in messages %}{{ message.content }}{% endfor %}<think>";

/// Tokens that end an answer of these models; without them it is as long as it may be.
const ENDS: [u32; 3] = [0, 1, 2];
const TINY: &str = "tiny/tiny_llama.gguf";

fn load(file: &str, on: On, context: usize) -> Option<Engine> {
    let overrides = serde_json::from_value(json!({"chatTemplate": THINKS})).unwrap();
    let mut loader = Loader::new(open(on)?, exact(context)).with_overrides(overrides);
    let engine = block_on(async {
        loader.push(&golden_bytes(file)).await?;
        loader.finish().await
    });
    Some(engine.unwrap())
}

fn chat() -> Request {
    Request {
        messages: Some(vec![Message::new("user", "Hello there, how are you?")]),
        max_tokens: Some(60),
        temperature: Some(0.0),
        logit_bias: ENDS.map(|id| (id.to_string(), -100.0)).into(),
        ..Request::default()
    }
}

fn answer(engine: &mut Engine, request: &Request) -> Answer {
    engine.start(request).unwrap();
    finish(engine).unwrap()
}

#[test]
fn thoughts_end_after_their_budget() {
    for on in [On::Cpu, On::Gpu] {
        let Some(mut engine) = load(TINY, on, 256) else {
            continue;
        };
        let free = answer(&mut engine, &chat());
        assert!(!free.text.contains("</think>"), "{}", free.text);
        for most in [1, 2, 9, 20] {
            let request = Request {
                thinking_token_budget: Some(most),
                ..chat()
            };
            let found = answer(&mut engine, &request);
            assert_eq!(found.ids[..most], free.ids[..most], "{on:?}");
            let (thoughts, after) = found.text.split_once("\n</think>\n\n").unwrap();
            assert!(free.text.starts_with(thoughts), "{thoughts}");
            assert!(!after.contains("</think>"), "once only: {after}");
            assert_eq!((found.ids.len(), found.finish), (60, "length"));
            assert_eq!(found.usage.completion_tokens, 60);
            assert_eq!(found.usage.prompt_tokens, free.usage.prompt_tokens);
            // It goes on as if the model had written the mark, also on another device.
            for n in [most - 1, most + 12, 40] {
                let rest = Request {
                    resume_ids: found.ids[..n].to_vec(),
                    ..request.clone()
                };
                let rest = answer(&mut engine, &rest);
                let expected = found.ids[n..].to_vec();
                assert_eq!(rest.ids, expected, "{on:?}, {most}, behind {n}");
            }
        }
        // Thoughts that are shorter, or end with the answer, stay as they are.
        let roomy = Request {
            thinking_token_budget: Some(200),
            ..chat()
        };
        assert_eq!(answer(&mut engine, &roomy).ids, free.ids);
        let refused = Request {
            thinking_token_budget: Some(5),
            logprobs: true,
            ..chat()
        };
        assert_eq!(
            engine.start(&refused).unwrap_err().code(),
            "invalid_request"
        );
    }
}

#[test]
fn a_full_context_loses_its_oldest_tokens() {
    // States of the other two cannot be cut.
    for file in [
        TINY,
        "families/family_lfm2.gguf",
        "families/family_qwen35.gguf",
    ] {
        for on in [On::Cpu, On::Gpu] {
            let pair = (load(file, on, 64), load(file, on, 64));
            if let (Some(mut engine), Some(mut other)) = pair {
                shifts(&mut engine, &mut other, &format!("{file} on {on:?}"));
            }
        }
    }
}

fn shifts(engine: &mut Engine, other: &mut Engine, what: &str) {
    const KEPT: usize = 4;
    let long = Request {
        max_tokens: Some(150),
        ..chat()
    };
    let ended = answer(other, &long);
    assert_eq!(ended.finish, "length", "{what}");
    assert_eq!(ended.usage.total_tokens, 64, "{what}: the context is full");
    let shifting = Request {
        context_shift: true,
        n_keep: Some(KEPT),
        ..long.clone()
    };
    let found = answer(engine, &shifting);
    assert_eq!((found.ids.len(), found.finish), (150, "length"), "{what}");
    let n = ended.ids.len();
    assert_eq!(found.ids[..n], ended.ids, "{what}");
    assert_eq!(found.usage.completion_tokens, 150, "{what}");
    let prompt = ended.usage.prompt_tokens;
    assert_eq!(found.usage.prompt_tokens, prompt, "{what}");
    // After each shift the tokens are those that follow what was kept.
    let mut ids = engine.encode_chat(&long.messages.unwrap()).unwrap();
    assert_eq!(ids.len(), prompt, "{what}");
    let mut at = n;
    let endless = Sampling {
        logit_bias: ENDS.map(|id| (id, -100.0)).into(),
        ..Sampling::GREEDY
    };
    ids.extend(&ended.ids);
    while at < 150 {
        let tail = (64 - KEPT) / 2;
        ids = [&ids[..KEPT], &ids[ids.len() - tail..]].concat();
        let most = (64 - ids.len()).min(150 - at);
        (other.start_ids(ids.clone(), endless.clone(), Some(most), &[])).unwrap();
        let next = finish(other).unwrap().ids;
        assert_eq!(found.ids[at..at + next.len()], next, "{what} from {at}");
        at += next.len();
        ids.extend(next);
    }
    // A prompt that is too long is refused, or cut.
    let text = "Hello there. ".repeat(40);
    let mut too_long = Request {
        messages: Some(vec![Message::new("user", text)]),
        max_tokens: Some(8),
        ..chat()
    };
    let refused = engine.start(&too_long).unwrap_err();
    assert_eq!(refused.code(), "context_overflow", "{what}");
    too_long.context_shift = true;
    let cut = answer(engine, &too_long);
    assert_eq!(cut.ids.len(), 8, "{what}");
    assert!(cut.usage.prompt_tokens > 64, "{what}");
}
