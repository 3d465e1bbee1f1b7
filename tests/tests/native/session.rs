//! Sessions: limits, usage, stop texts, sampling, cancelling, reuse of the KV cache, threads.

use std::fmt::Debug;

use hearth::engine::request::{Request, Sampling};
use hearth::{Device, Engine, Error, Result};
use hearth_tests::{
    Answer, GREEDY, On, finish, generate, goldens, greedy, load_file, open, prompts,
};
use pollster::block_on;

fn tiny(device: Device, context: usize) -> Engine {
    load_file(device, &goldens().join("tiny/tiny_llama.gguf"), context)
}

/// Runs `test` on the CPU and on the GPU.
fn on_both(test: impl Fn(On, &dyn Fn(usize) -> Engine)) {
    for on in [On::Cpu, On::Gpu] {
        if let Some(device) = open(on) {
            test(on, &|context| tiny(device.clone(), context));
        }
    }
}

fn answer(engine: &mut Engine, prompt: &[u32], max: Option<usize>, stop: &[&str]) -> Answer {
    let stop: Vec<String> = stop.iter().map(|s| s.to_string()).collect();
    let started = engine.start_ids(prompt.to_vec(), GREEDY, max, &stop);
    started.and_then(|()| finish(engine)).unwrap()
}

fn request(prompt: &str) -> Request {
    Request {
        prompt: Some(prompt.into()),
        ..Default::default()
    }
}

fn assert_invalid<T: Debug>(result: Result<T>, name: &str) {
    match result {
        Err(Error::InvalidRequest { field, .. }) => assert_eq!(field, name),
        other => panic!("{name}: {other:?}"),
    }
}

fn assert_overflow<T: Debug>(result: Result<T>, n: usize) {
    match result {
        Err(Error::ContextOverflow { needed, n_ctx: 40 }) => assert_eq!(needed, n),
        other => panic!("{n}: {other:?}"),
    }
}

/// Checks that the engine answers as transformers does.
fn assert_works(engine: &mut Engine, on: On) {
    let [chat, _] = prompts();
    let (ids, _) = greedy(engine, &chat.ids, 8).unwrap();
    assert_eq!(ids, chat.greedy_ids[..8], "{on:?}");
}

#[test]
fn a_prompt_beyond_the_context_is_refused() {
    on_both(|on, load| {
        let mut engine = load(40);
        for (n, fits) in [(39, true), (40, false), (41, false), (5000, false)] {
            let result = engine.start_ids(vec![5; n], GREEDY, Some(1), &[]);
            match fits {
                true => result.unwrap(),
                false => assert_overflow(result, n + 1),
            }
        }
        assert_overflow(block_on(engine.logits(&[5; 41])), 41);
        assert_overflow(engine.start(&request(&"!".repeat(99))), 100);
        assert_works(&mut engine, on);
    });
}

#[test]
fn max_tokens_is_exact_and_counted() {
    on_both(|on, load| {
        let mut engine = load(256);
        for prompt in prompts() {
            for n in [1, 2, 3, 17, 64] {
                let found = answer(&mut engine, &prompt.ids, Some(n), &[]);
                assert_eq!(found.ids, prompt.greedy_ids[..n], "{on:?}, {n}");
                assert_eq!(found.text, engine.tokenizer().decode(&found.ids));
                assert_eq!(found.finish, "length");
                assert_eq!(found.usage.completion_tokens, n);
                assert_eq!(found.usage.prompt_tokens, prompt.ids.len());
            }
        }
    });
}

#[test]
fn an_answer_may_fill_the_context() {
    on_both(|on, load| {
        let [chat, _] = prompts();
        for room in [1, 9, 64] {
            let mut engine = load(chat.ids.len() + room);
            for max in [None, Some(1000), Some(room)] {
                let found = answer(&mut engine, &chat.ids, max, &[]);
                assert_eq!(found.ids, chat.greedy_ids[..room], "{on:?}");
                assert_eq!(found.finish, "length");
                assert_eq!(found.usage.total_tokens, engine.info().n_ctx);
            }
        }
    });
}

#[test]
fn senseless_requests_name_their_field() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 10] = [
        ("prompt", |r| r.prompt = Some(String::new())),
        ("messages", |r| r.prompt = None),
        ("messages", |r| r.messages = Some(vec![])),
        ("temperature", |r| r.temperature = Some(-0.1)),
        ("temperature", |r| r.temperature = Some(f32::NAN)),
        ("temperature", |r| r.temperature = Some(f32::INFINITY)),
        ("top_p", |r| r.top_p = Some(1.1)),
        ("top_p", |r| r.top_p = Some(f32::NAN)),
        ("min_p", |r| r.min_p = Some(-1.0)),
        ("max_tokens", |r| r.max_tokens = Some(0)),
    ];
    on_both(|on, load| {
        let mut engine = load(64);
        assert_invalid(block_on(engine.next()), "request");
        let vocab = engine.info().config.vocab_size as u32;
        for id in [vocab, vocab + 1, u32::MAX] {
            assert_invalid(engine.start_ids(vec![1, id], GREEDY, None, &[]), "prompt");
            assert_invalid(block_on(engine.logits(&[id])), "prompt");
        }
        assert_invalid(engine.start_ids(vec![], GREEDY, None, &[]), "prompt");
        assert_invalid(block_on(engine.logits(&[])), "prompt");
        for (field, change) in &changes {
            let mut request = request("Hi");
            change(&mut request);
            assert_invalid(engine.start(&request), field);
        }
        assert_invalid(block_on(engine.next()), "request");
        assert_works(&mut engine, on);
        // A finished request does not continue, either.
        assert_invalid(block_on(engine.next()), "request");
    });
}

#[test]
fn messages_are_rendered_by_the_files_template() {
    on_both(|on, load| {
        let mut engine = load(128);
        let [chat, _] = prompts();
        let mut request = request("");
        (request.messages, request.prompt) = (chat.messages, None);
        (request.temperature, request.max_tokens) = (Some(0.0), Some(20));
        engine.start(&request).unwrap();
        let found = finish(&mut engine).unwrap();
        assert_eq!(found.ids, chat.greedy_ids[..20], "{on:?}");
        assert_eq!(found.usage.prompt_tokens, chat.ids.len());
        // No messages at all: only the answer's beginning.
        request.messages = Some(vec![]);
        engine.start(&request).unwrap();
        let beginning = engine.encode_chat(&[]).unwrap().len();
        let found = finish(&mut engine).unwrap();
        assert!(beginning > 0 && found.usage.prompt_tokens == beginning);
    });
}

/// Returns three characters of `text` at or after character 10, without bytes that are not UTF-8.
fn some_stop(text: &str) -> (usize, &str) {
    let at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let mut windows = at.windows(4).skip(10).map(|w| &text[w[0]..w[3]]);
    let stop = windows.find(|s| !s.contains('\u{fffd}') && text.find(s) > Some(at[10]));
    let stop = stop.unwrap();
    (text.find(stop).unwrap(), stop)
}

#[test]
fn stop_texts_end_the_answer_and_are_not_part_of_it() {
    on_both(|on, load| {
        for prompt in prompts() {
            let mut engine = load(256);
            let whole = answer(&mut engine, &prompt.ids, Some(64), &[]);
            let (at, stop) = some_stop(&whole.text);
            let found = answer(&mut engine, &prompt.ids, Some(64), &[stop]);
            assert_eq!((found.finish, &found.text[..]), ("stop", &whole.text[..at]));
            let n = found.ids.len();
            assert!(n < 64 && found.ids == whole.ids[..n], "{on:?}");
            assert_eq!(found.usage.completion_tokens, n);
            let tokenizer = engine.tokenizer();
            assert!(tokenizer.decode(&whole.ids[..n]).contains(stop));
            assert!(!tokenizer.decode(&whole.ids[..n - 1]).contains(stop));
            // One of several stop texts; the others do not occur, or are empty.
            let several = ["", "never in it", stop, "nor this"];
            let same = answer(&mut engine, &prompt.ids, Some(64), &several);
            assert_eq!(same.text, found.text);
            // A stop text that never occurs holds nothing back at the end.
            let last = whole.text.chars().last().unwrap();
            let never = format!("{last}never in it");
            let found = answer(&mut engine, &prompt.ids, Some(64), &[&never]);
            assert_eq!((found.finish, &found.text), ("length", &whole.text));
            // The engine then continues from where it stopped.
            let (again, _) = greedy(&mut engine, &prompt.ids, 64).unwrap();
            assert_eq!(again, prompt.greedy_ids, "{on:?}");
        }
    });
}

#[test]
fn a_seed_decides_what_is_drawn() {
    on_both(|on, load| {
        let mut engine = load(128);
        let [chat, _] = prompts();
        let draw = |engine: &mut Engine, seed| {
            let mut hot = GREEDY;
            (hot.temperature, hot.seed) = (1.5, seed);
            generate(engine, &chat.ids, 24, hot).unwrap().0
        };
        let first = draw(&mut engine, 1);
        assert_eq!(draw(&mut engine, 1), first, "{on:?}");
        for seed in 2..6 {
            assert_ne!(draw(&mut engine, seed), first, "{on:?}, {seed}");
        }
        assert_eq!(draw(&mut engine, 1), first, "{on:?}, after others");
        assert_eq!(draw(&mut load(128), 1), first, "{on:?}, fresh");
    });
}

#[test]
fn greedy_is_what_remains_when_all_else_is_cut() {
    on_both(|on, load| {
        let mut engine = load(256);
        for prompt in prompts() {
            let changes: [fn(&mut Sampling); 5] = [
                |s| s.temperature = 0.0,
                |s| s.temperature = 1e-4,
                |s| s.top_k = 1,
                |s| s.top_p = 0.0,
                |s| s.min_p = 1.0,
            ];
            for change in changes {
                let mut sampling = GREEDY;
                (sampling.temperature, sampling.seed) = (1.0, 3);
                change(&mut sampling);
                let found = generate(&mut engine, &prompt.ids, 32, sampling.clone());
                assert_eq!(
                    found.unwrap().0,
                    prompt.greedy_ids[..32],
                    "{on:?}, {sampling:?}"
                );
            }
        }
    });
}

/// Starts a request and abandons it after `steps` calls of `next`.
fn begin(engine: &mut Engine, prompt: &[u32], steps: usize) {
    let prompt = prompt.to_vec();
    engine.start_ids(prompt, GREEDY, Some(50), &[]).unwrap();
    let mut next = || block_on(engine.next()).unwrap();
    let _ = (0..steps).find(|_| next().finish_reason.is_some());
}

#[test]
fn a_cancelled_request_leaves_no_trace() {
    on_both(|on, load| {
        let [chat, text] = prompts();
        // More than one prefill chunk on any device.
        let long: Vec<u32> = text.ids.iter().cycle().take(200).copied().collect();
        for steps in 0..8 {
            let mut engine = load(256);
            for prompt in [&text.ids, &long] {
                begin(&mut engine, prompt, steps);
                engine.cancel();
                let (ids, _) = greedy(&mut engine, &chat.ids, 64).unwrap();
                assert_eq!(ids, chat.greedy_ids, "{on:?}, after {steps} steps");
            }
            // Repeats the prompt on the cache that the abandoned request left, without cancel().
            begin(&mut engine, &text.ids, steps);
            let (ids, _) = greedy(&mut engine, &text.ids, 64).unwrap();
            assert_eq!(ids, text.greedy_ids, "{on:?}, after {steps} steps");
        }
    });
}

/// Anything still in flight when a request ends must not affect later requests.
#[test]
fn requests_may_end_with_tokens_in_flight() {
    on_both(|on, load| {
        let [chat, text] = prompts();
        let mut engine = load(256);
        for round in 0..24 {
            let n = 1 + round % 12;
            begin(&mut engine, &text.ids, n);
            if round % 2 == 1 {
                block_on(engine.logits(&chat.ids)).unwrap();
            }
            let (ids, _) = greedy(&mut engine, &chat.ids, n).unwrap();
            assert_eq!(ids, chat.greedy_ids[..n], "{on:?}, round {round}");
        }
    });
}

#[test]
fn a_shared_prefix_is_computed_once() {
    on_both(|on, load| {
        for prompt in prompts() {
            let (ids, n) = (&prompt.ids, prompt.ids.len());
            let mut engine = load(256);
            let mut check = |ids: &[u32], max: usize, cached: usize, expected: &[u32]| {
                let found = answer(&mut engine, ids, Some(max), &[]);
                let found_cached = found.usage.prompt_tokens_details.cached_tokens;
                assert_eq!((found_cached, &found.ids[..]), (cached, expected), "{on:?}");
            };
            let fresh = |ids: &[u32], max| greedy(&mut load(256), ids, max).unwrap().0;
            // A longer prompt.
            let head = &ids[..12];
            check(head, 1, 0, &fresh(head, 1));
            check(ids, 10, 12, &prompt.greedy_ids[..10]);
            // The next turn: the prompt, the answer, and more; the last token was sampled, not computed.
            let turn = [&ids[..], &prompt.greedy_ids[..20]].concat();
            check(&turn, 20, n + 9, &prompt.greedy_ids[20..40]);
            // Regenerate.
            check(&turn, 20, turn.len() - 1, &prompt.greedy_ids[20..40]);
            check(ids, 64, n - 1, &prompt.greedy_ids);
            // An edit in the middle, and back.
            let mut edited = ids.clone();
            edited[9] = if edited[9] == 40 { 41 } else { 40 };
            check(&edited, 1, 9, &fresh(&edited, 1));
            check(ids, 64, 9, &prompt.greedy_ids);
            // A prompt that is a prefix of the cache's contents; one with nothing in common.
            check(head, 1, 11, &fresh(head, 1));
            let other = [ids[0] + 1, 7, 8];
            check(&other, 1, 0, &fresh(&other, 1));
            check(ids, 64, 0, &prompt.greedy_ids);
        }
    });
}

#[test]
fn two_threads_answer_at_once() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = open(on) else { continue };
        std::thread::scope(|scope| {
            for prompt in prompts() {
                let device = device.clone();
                scope.spawn(move || {
                    let mut engine = tiny(device, 256);
                    for _ in 0..5 {
                        let (ids, _) = greedy(&mut engine, &prompt.ids, 64).unwrap();
                        assert_eq!(ids, prompt.greedy_ids, "{on:?}");
                    }
                });
            }
        });
    }
}
