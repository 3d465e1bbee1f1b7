//! Engines of models with recurrent layers, and with caches of latents: however a sequence comes to a state, its answers are those
//! of an engine that computed everything in one go.

use hearth::engine::request::Sampling;
use hearth::ops::KvType;
use hearth::{Device, Drafts, Engine, LoadOptions};
use hearth_tests::manifest;
use hearth_tests::{Answer, Borrowed, GREEDY, On, borrow, exact, finish, load_file_with};
use pollster::block_on;

/// Models whose history, and whose matrix state, must be right, alone or beside a KV cache; and those of latents, in caches
/// that round.
const MODELS: [(&str, KvType); 7] = [
    ("family_lfm2", KvType::F32),
    ("family_qwen35", KvType::F32),
    ("family_granite_hybrid", KvType::F32),
    ("family_falcon_h1", KvType::F32),
    ("family_nemotron_h", KvType::F32),
    ("family_deepseek_v2", KvType::F16),
    ("family_youtu", KvType::Q8),
];

/// Returns a device; a GPU is assumed to gain from drafts.
fn device(on: On) -> Option<Borrowed> {
    borrow(on, |measured| {
        if on == On::Gpu {
            measured.decode_threads_per_tile = 16;
        }
    })
}

fn load((name, kv): (&str, KvType), device: &Device, drafts: Drafts) -> Engine {
    let options = LoadOptions {
        drafts,
        kv_type: Some(kv),
        ..exact(256)
    };
    let path = manifest::named(name).model();
    load_file_with(device.clone(), &path, options)
}

fn answer_as(engine: &mut Engine, prompt: &[u32], n: usize, sampling: &Sampling) -> Answer {
    (engine.start_ids(prompt.to_vec(), sampling.clone(), Some(n), &[])).unwrap();
    finish(engine).unwrap()
}

/// Greedy, without the tokens that would end an answer early.
fn endless() -> Sampling {
    Sampling {
        logit_bias: [0, 2].map(|id| (id, -100.0)).into(),
        ..GREEDY
    }
}

fn answer(engine: &mut Engine, prompt: &[u32], n: usize) -> Answer {
    answer_as(engine, prompt, n, &endless())
}

/// Answers after everything was forgotten.
fn fresh(engine: &mut Engine, prompt: &[u32], n: usize) -> Vec<u32> {
    // A prompt that begins otherwise leaves nothing to go back to.
    answer(engine, &[300, 299], 1);
    let answer = answer(engine, prompt, n);
    assert_eq!(answer.usage.prompt_tokens_details.cached_tokens, 0);
    answer.ids
}

fn prompt(seed: u32, n: u32) -> Vec<u32> {
    (0..n)
        .map(|i| 10 + (i * 7 + seed * 13 + i * i % 5) % 280)
        .collect()
}

/// Runs a test on each model and backend with an engine and one to compare with.
fn on_all(drafts: Drafts, test: impl Fn(&mut Engine, &mut Engine, &str)) {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = device(on) else { continue };
        for model in MODELS {
            let mut engine = load(model, &device, drafts);
            let mut other = load(model, &device, Drafts::Off);
            test(&mut engine, &mut other, &format!("{model:?} on {on:?}"));
            block_on(engine.close());
            block_on(other.close());
        }
    }
}

/// Biases that make a model with random weights repeat itself.
fn repeating() -> Sampling {
    Sampling {
        logit_bias: [40, 41].map(|id| (id, 40.0)).into(),
        temperature: 1.5,
        seed: 11,
        ..Sampling::GREEDY
    }
}

#[test]
fn drafts_change_no_answer() {
    on_all(Drafts::Always, |engine, plain, what| {
        let again: Vec<u32> = (0..6).flat_map(|_| prompt(1, 12)).collect();
        for sampling in [GREEDY, repeating()] {
            for n in [1, 3, 60] {
                let mut expected = answer_as(plain, &again, n, &sampling);
                let found = answer_as(engine, &again, n, &sampling);
                expected.usage.completion_tokens_details = found.usage.completion_tokens_details;
                assert_eq!(found.ids, expected.ids, "{what} {n}");
            }
        }
        let stats = engine.stats();
        assert!(stats.draft_steps > 10, "{what}: {stats:?}");
        assert!(
            stats.accepted > 20 && stats.accepted < stats.drafted,
            "{what}: {stats:?}"
        );
    });
}

/// Each turn of a chat begins at most 64 tokens before what is new.
#[test]
fn a_turn_computes_little_but_what_is_new() {
    for drafts in [Drafts::Off, Drafts::Always] {
        on_all(drafts, |engine, other, what| {
            let mut chat = prompt(1, 50);
            let mut known = 0;
            for (turn, n) in [30, 50, 7].into_iter().enumerate() {
                let found = answer(engine, &chat, n);
                let cached = found.usage.prompt_tokens_details.cached_tokens;
                assert!(
                    cached + 64 >= known && cached <= known,
                    "{what}: {cached} of {known}"
                );
                assert!(turn == 0 || cached > 0, "{what}");
                assert_eq!(found.ids, fresh(other, &chat, n), "{what}, turn {turn}");
                chat.extend(&found.ids);
                known = chat.len();
                chat.extend(prompt(2 + turn as u32, 20));
            }
        });
    }
}

/// The template renders the beginning of an answer otherwise once the answer is there: without its thoughts.
#[test]
fn thoughts_may_be_dropped_from_the_history() {
    on_all(Drafts::Off, |engine, other, what| {
        let first = [prompt(1, 60), vec![5, 6, 7]].concat();
        answer(engine, &first, 70);
        let next = [&first[..61], &prompt(3, 25)].concat();
        let found = answer(engine, &next, 8);
        let cached = found.usage.prompt_tokens_details.cached_tokens;
        assert!((40..=61).contains(&cached), "{what}: {cached}");
        assert_eq!(found.ids, fresh(other, &next, 8), "{what}");
    });
}

/// A chat after another one with the same system prompt computes that prompt once more, and a third one does not.
#[test]
fn a_system_prompt_is_kept_for_the_next_chats() {
    on_all(Drafts::Off, |engine, other, what| {
        let system = prompt(9, 90);
        let mut cached = Vec::new();
        for (i, seed) in [1, 2, 3, 4].into_iter().enumerate() {
            let chat = [&system[..], &prompt(seed, 40)].concat();
            let found = answer(engine, &chat, 40);
            assert_eq!(found.ids, fresh(other, &chat, 40), "{what}, chat {i}");
            cached.push(found.usage.prompt_tokens_details.cached_tokens);
        }
        assert!(cached[2] >= 64 && cached[3] >= 64, "{what}: {cached:?}");
    });
}

#[test]
fn a_request_given_up_leaves_no_trace() {
    on_all(Drafts::Off, |engine, other, what| {
        for steps in [1, 3, 8] {
            let given_up = prompt(steps, 70);
            (engine.start_ids(given_up.clone(), endless(), Some(60), &[])).unwrap();
            for _ in 0..steps {
                block_on(engine.next()).unwrap();
            }
            engine.cancel();
            for at in [70, 69, 60, 3] {
                let next = [&given_up[..at], &prompt(100 + steps, 6)].concat();
                let found = answer(engine, &next, 5).ids;
                assert_eq!(found, fresh(other, &next, 5), "{what} {steps} {at}");
            }
        }
    });
}

/// As after a lost device, which took the states with it.
#[test]
fn an_answer_goes_on_from_its_tokens() {
    on_all(Drafts::Always, |engine, other, what| {
        let text = prompt(1, 33);
        let whole = answer(engine, &text, 40).ids;
        for n in [1, 2, 9, 33] {
            let so_far = [&text[..], &whole[..n]].concat();
            let rest = fresh(other, &so_far, whole.len() - n);
            assert_eq!(rest, whole[n..], "{what} {n}");
        }
    });
}

/// Five launches for a recurrent layer, six for attention, whose spans a launch of their own merges on this device, and three more
/// where a layer scans beside it, embedding, lm_head and two of sampling; one more for each further packing among matrices that are
/// multiplied together, and for an activation between two packings.
#[test]
fn a_token_costs_the_launches_that_it_should() {
    for (name, layers, further, gates) in [
        ("family_lfm2", 5 * 2 + 6, 2 + 3, 3),
        ("family_qwen35", 5 * 3 + 6, 11 + 4, 4),
        ("family_granite_hybrid", 5 * 2 + 6, 2 + 3, 3),
        ("family_falcon_h1", 2 * (6 + 3), 4 + 2, 2),
    ] {
        let Some(device) = device(On::Gpu) else {
            continue;
        };
        let mut engine = load((name, KvType::F32), &device, Drafts::Off);
        answer(&mut engine, &prompt(1, 5), 3);
        let expected = 4 + layers + further + gates;
        assert_eq!(engine.stats().dispatches_per_token, expected, "{name}");
        block_on(engine.close());
    }
}
