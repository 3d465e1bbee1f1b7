//! Sessions: limits, usage, stop texts, sampling, cancelling, reuse of the KV cache, threads and counters.

use hearth::chat_template::Message;
use hearth::engine::Stats;
use hearth::request::{Request, Sampling, Usage};
use hearth::{Device, Engine, Error, Result};
use hearth_tests::{GREEDY, On, generate, golden, goldens, greedy, load_file, open};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    messages: Option<Vec<Message>>,
    ids: Vec<u32>,
    /// None of them ends an answer, and all are clear of the second best.
    greedy_ids: Vec<u32>,
}

/// The golden's two prompts: a chat of 23 tokens and a text of more than 64.
fn prompts() -> [Prompt; 2] {
    let golden: Golden = golden("tiny_llama.json");
    golden.prompts.try_into().ok().expect("two prompts")
}

fn tiny(device: Device, context: usize) -> Engine {
    load_file(device, &goldens().join("tiny_llama.gguf"), context)
}

/// Runs `test` on the CPU and on the GPU.
fn on_both(test: impl Fn(On, &dyn Fn(usize) -> Engine)) {
    for on in [On::Cpu, On::Gpu] {
        if let Some(device) = open(on) {
            test(on, &|context| tiny(device.clone(), context));
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Answer {
    ids: Vec<u32>,
    text: String,
    finish: &'static str,
    usage: Usage,
}

/// Runs what was started to its end.
fn finish(engine: &mut Engine) -> Result<Answer> {
    let (mut ids, mut text) = (Vec::new(), String::new());
    loop {
        let step = block_on(engine.next())?;
        ids.extend(step.ids);
        text += &step.text;
        let (prompt, completion) = (step.usage.prompt_tokens, step.usage.completion_tokens);
        assert_eq!(step.usage.total_tokens, prompt + completion);
        if let Some(finish) = step.finish_reason {
            let usage = step.usage;
            return Ok(Answer {
                ids,
                text,
                finish,
                usage,
            });
        }
    }
}

fn answer(engine: &mut Engine, prompt: &[u32], max: Option<usize>, stop: &[&str]) -> Answer {
    let stop: Vec<String> = stop.iter().map(|s| s.to_string()).collect();
    engine
        .start_ids(prompt.to_vec(), GREEDY, max, &stop)
        .unwrap();
    finish(engine).unwrap()
}

fn assert_invalid(result: Result<()>, name: &str) {
    match result {
        Err(Error::InvalidRequest { field, .. }) => assert_eq!(field, name),
        other => panic!("{name}: {other:?}"),
    }
}

/// The engine answers as transformers does.
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
            if fits {
                result.unwrap();
            } else {
                let needed = n + 1;
                assert_eq!(
                    result,
                    Err(Error::ContextOverflow { needed, n_ctx: 40 }),
                    "{on:?}"
                );
            }
        }
        let result = block_on(engine.logits(&[5; 41]));
        assert_eq!(
            result,
            Err(Error::ContextOverflow {
                needed: 41,
                n_ctx: 40
            })
        );
        let request = Request {
            prompt: Some("Hi ".repeat(99)),
            ..Default::default()
        };
        let result = engine.start(&request);
        assert!(
            matches!(result, Err(Error::ContextOverflow { n_ctx: 40, .. })),
            "{result:?}"
        );
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
                let usage = found.usage;
                assert_eq!(
                    (found.finish, usage.completion_tokens),
                    ("length", n),
                    "{on:?}"
                );
                assert_eq!(usage.prompt_tokens, prompt.ids.len());
            }
        }
    });
}

#[test]
fn an_answer_may_fill_the_context() {
    on_both(|on, load| {
        let [chat, _] = prompts();
        let prompt = chat.ids.len();
        for room in [1, 9, 64] {
            let mut engine = load(prompt + room);
            // Twice: the second time from the cache.
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
    on_both(|on, load| {
        let mut engine = load(64);
        assert!(
            matches!(block_on(engine.next()), Err(Error::InvalidRequest { .. })),
            "{on:?}"
        );
        let vocab = engine.info().config.vocab_size as u32;
        for id in [vocab, vocab + 1, u32::MAX] {
            assert_invalid(engine.start_ids(vec![1, id], GREEDY, None, &[]), "prompt");
            assert_invalid(block_on(engine.logits(&[id])).map(drop), "prompt");
        }
        assert_invalid(engine.start_ids(vec![], GREEDY, None, &[]), "prompt");
        assert_invalid(block_on(engine.logits(&[])).map(drop), "prompt");
        assert_invalid(
            engine.start_ids(vec![1], GREEDY, Some(0), &[]),
            "max_tokens",
        );
        let prompt = Request {
            prompt: Some("Hi".into()),
            ..Default::default()
        };
        let messages = Some(vec![Message::new("user", "Hi")]);
        let mut check = |request: Request, field| assert_invalid(engine.start(&request), field);
        check(
            Request {
                prompt: Some(String::new()),
                ..Default::default()
            },
            "prompt",
        );
        check(Request::default(), "messages");
        check(
            Request {
                messages: messages.clone(),
                ..prompt.clone()
            },
            "messages",
        );
        check(
            Request {
                temperature: Some(-0.1),
                ..prompt.clone()
            },
            "temperature",
        );
        check(
            Request {
                temperature: Some(f32::NAN),
                ..prompt.clone()
            },
            "temperature",
        );
        check(
            Request {
                temperature: Some(f32::INFINITY),
                ..prompt.clone()
            },
            "temperature",
        );
        check(
            Request {
                top_p: Some(1.1),
                ..prompt.clone()
            },
            "top_p",
        );
        check(
            Request {
                min_p: Some(-1.0),
                ..prompt.clone()
            },
            "min_p",
        );
        check(
            Request {
                max_tokens: Some(0),
                ..prompt.clone()
            },
            "max_tokens",
        );
        // Nothing was started by any of them.
        assert!(
            matches!(block_on(engine.next()), Err(Error::InvalidRequest { .. })),
            "{on:?}"
        );
        assert_works(&mut engine, on);
        // Nor does a finished request go on.
        assert!(
            matches!(block_on(engine.next()), Err(Error::InvalidRequest { .. })),
            "{on:?}"
        );
    });
}

#[test]
fn messages_are_rendered_by_the_files_template() {
    on_both(|on, load| {
        let mut engine = load(128);
        let [chat, _] = prompts();
        let request = Request {
            messages: chat.messages,
            max_tokens: Some(20),
            temperature: Some(0.0),
            ..Default::default()
        };
        engine.start(&request).unwrap();
        let found = finish(&mut engine).unwrap();
        assert_eq!(found.ids, chat.greedy_ids[..20], "{on:?}");
        assert_eq!(found.usage.prompt_tokens, chat.ids.len());
        // Nobody has said anything: only the answer's beginning.
        let empty = Request {
            messages: Some(vec![]),
            max_tokens: Some(1),
            ..Default::default()
        };
        engine.start(&empty).unwrap();
        assert!(finish(&mut engine).unwrap().usage.prompt_tokens > 0);
    });
}

/// Three characters of `text` at or after character 10, without bytes that are not UTF-8.
fn some_stop(text: &str) -> (usize, &str) {
    let at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let windows = at.windows(4).skip(10).map(|w| &text[w[0]..w[3]]);
    let stop = windows
        .filter(|s| !s.contains('\u{fffd}'))
        .find(|s| text.find(s) > Some(at[10]));
    let stop = stop.expect("three whole characters");
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
            assert_eq!(
                (found.finish, found.text.as_str()),
                ("stop", &whole.text[..at]),
                "{on:?}"
            );
            // Generation ended with the token that completed the stop text.
            let n = found.ids.len();
            assert!(n < 64 && found.ids == whole.ids[..n], "{on:?}");
            assert_eq!(found.usage.completion_tokens, n);
            let tokenizer = engine.tokenizer();
            assert!(tokenizer.decode(&whole.ids[..n]).contains(stop));
            assert!(!tokenizer.decode(&whole.ids[..n - 1]).contains(stop));
            // One of several; the others do not occur, or are empty.
            let several = ["", "never in it", stop, "nor this"];
            assert_eq!(
                answer(&mut engine, &prompt.ids, Some(64), &several).text,
                found.text
            );
            // A stop text that does not come holds nothing back in the end.
            let last = whole.text.chars().last().unwrap();
            let never = format!("{last}never in it");
            let found = answer(&mut engine, &prompt.ids, Some(64), &[&never]);
            assert_eq!(
                (found.finish, &found.text),
                ("length", &whole.text),
                "{on:?}"
            );
            // And the engine goes on from where it stopped.
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
        let hot = |seed| Sampling {
            temperature: 1.5,
            seed,
            ..GREEDY
        };
        let mut draw = |seed| generate(&mut engine, &chat.ids, 24, hot(seed)).unwrap();
        let first = draw(1);
        assert_eq!(draw(1), first, "{on:?}");
        let others: Vec<_> = (2..6).map(&mut draw).collect();
        assert!(others.iter().all(|other| *other != first), "{on:?}");
        assert_eq!(draw(1), first, "{on:?}, after others");
        assert_eq!(
            generate(&mut load(128), &chat.ids, 24, hot(1)).unwrap(),
            first,
            "{on:?}"
        );
    });
}

#[test]
fn greedy_is_what_remains_when_all_else_is_cut() {
    on_both(|on, load| {
        let mut engine = load(256);
        for prompt in prompts() {
            let warm = Sampling {
                temperature: 1.0,
                seed: 3,
                ..GREEDY
            };
            for sampling in [
                GREEDY,
                Sampling { top_k: 1, ..warm },
                Sampling { top_p: 0.0, ..warm },
                Sampling { min_p: 1.0, ..warm },
                Sampling {
                    temperature: 1e-4,
                    ..warm
                },
            ] {
                let (ids, _) = generate(&mut engine, &prompt.ids, 32, sampling).unwrap();
                assert_eq!(ids, prompt.greedy_ids[..32], "{on:?}, {sampling:?}");
            }
        }
    });
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
                engine
                    .start_ids(prompt.clone(), GREEDY, Some(50), &[])
                    .unwrap();
                for _ in 0..steps {
                    block_on(engine.next()).unwrap();
                }
                engine.cancel();
                let (ids, _) = greedy(&mut engine, &chat.ids, 64).unwrap();
                assert_eq!(ids, chat.greedy_ids, "{on:?}, after {steps} steps");
            }
            // The same prompt again, from what the cancelled one left, without cancel().
            engine
                .start_ids(text.ids.clone(), GREEDY, Some(50), &[])
                .unwrap();
            for _ in 0..steps {
                block_on(engine.next()).unwrap();
            }
            let (ids, _) = greedy(&mut engine, &text.ids, 64).unwrap();
            assert_eq!(ids, text.greedy_ids, "{on:?}, after {steps} steps");
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
            // A prompt that is a prefix of what is there; nothing in common.
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

/// Launches of a step: nine a layer, embedding, norm, lm_head and sampling, and one for each further packing
/// within a fused weight.
fn check_counters(file: &str, further: u64) {
    let Some(device) = open(On::Gpu) else { return };
    let mut engine = load_file(device, &goldens().join(file), 128);
    assert_eq!(
        engine.stats().dispatches_per_token,
        0,
        "nothing is captured yet"
    );
    block_on(engine.warm_up()).unwrap();
    let per_token = 9 * engine.info().config.n_layers as u64 + 4 + further;
    let before = engine.stats();
    assert_eq!(
        before,
        Stats {
            dispatches: before.dispatches,
            dispatches_per_token: per_token,
            ..Stats::default()
        }
    );
    const N: u64 = 40;
    // One prefill chunk on any device.
    let prompt: Vec<u32> = (10..20).collect();
    let found = answer(&mut engine, &prompt, Some(N as usize), &[]);
    assert_eq!(
        found.ids.len() as u64,
        N,
        "the answer ended early: choose another prompt"
    );
    let after = engine.stats();
    assert_eq!(after.dispatches_per_token, per_token);
    assert_eq!(
        after.replays,
        N - 1,
        "one replay for each token after the first"
    );
    assert_eq!(after.dispatches - before.dispatches, N * per_token);
    assert_eq!(after.bytes_read, 4 * N);
    assert!(after.readbacks <= N, "{}", after.readbacks);
}

#[test]
fn a_token_costs_the_launches_that_it_should() {
    check_counters("tiny_llama_tied_f16.gguf", 0);
    // q, k, v: q4 q8 f16 and f16 q4; gate, up: q4 and f32 q8.
    check_counters("tiny_llama.gguf", 2 + 1 + 1);
}

#[test]
fn the_cpu_replays_nothing() {
    let mut engine = tiny(open(On::Cpu).unwrap(), 64);
    block_on(engine.warm_up()).unwrap();
    assert_works(&mut engine, On::Cpu);
    let stats = engine.stats();
    assert_eq!((stats.replays, stats.dispatches_per_token), (0, 0));
    assert_eq!((stats.bytes_read, stats.readbacks), (4 * 8, 8));
}
