//! Conversations that take turns on one engine: each has the caches that it would have on an engine of its own.

use std::path::Path;

use hearth::engine::request::{Request, Sampling};
use hearth::ops::KvType;
use hearth::{Device, Drafts, Engine, LoadOptions};
use hearth_tests::manifest;
use hearth_tests::{Answer, GREEDY, On, borrow, finish, load_file_with, prompts};
use pollster::block_on;

fn load(device: &Device, path: &Path, conversations: usize) -> Engine {
    let options = LoadOptions {
        context_size: Some(256),
        kv_type: Some(KvType::F32),
        drafts: Drafts::Off,
        fingerprint: true,
        conversations: Some(conversations),
        ..Default::default()
    };
    load_file_with(device.clone(), path, options)
}

fn tiny() -> std::path::PathBuf {
    hearth_tests::goldens().join("tiny/tiny_llama.gguf")
}

/// Tokens that two chats have in common at their beginning.
const SYSTEM: u32 = 20;

fn text(seed: u32, n: u32) -> Vec<u32> {
    let own = (0..n).map(|i| 10 + (i * 7 + seed * 13 + i * i % 5) % 230);
    (0..SYSTEM).map(|i| 30 + i).chain(own).collect()
}

/// Greedy, without the tokens that would end an answer early.
fn endless() -> Sampling {
    Sampling {
        logit_bias: (0..10).map(|id| (id, -100.0)).collect(),
        ..GREEDY
    }
}

fn answer(engine: &mut Engine, prompt: &[u32], n: usize) -> Answer {
    (engine.start_ids(prompt.to_vec(), endless(), Some(n), &[])).unwrap();
    finish(engine).unwrap()
}

fn cached(answer: &Answer) -> usize {
    answer.usage.prompt_tokens_details.cached_tokens
}

/// A chat that grows by an answer and a question each turn.
struct Chat {
    seed: u32,
    ids: Vec<u32>,
}

impl Chat {
    fn new(seed: u32) -> Self {
        let ids = text(seed, 40);
        Self { seed, ids }
    }

    /// Answers a turn on both engines; returns the number of tokens that the first had.
    fn turn(&mut self, shared: &mut Engine, own: &mut Engine, what: &str) -> usize {
        let (found, expected) = (answer(shared, &self.ids, 12), answer(own, &self.ids, 12));
        assert_eq!(found.ids, expected.ids, "{what}, chat {}", self.seed);
        let n = cached(&found);
        assert_eq!(found.ids.len(), 12, "{what}");
        self.ids.extend(&found.ids);
        self.ids
            .extend((0..6).map(|i| 100 + (i * 11 + self.seed) % 90));
        n
    }
}

fn take_turns(device: &Device, path: &Path, what: &str) {
    let mut shared = load(device, path, 2);
    let mut own = [load(device, path, 1), load(device, path, 1)];
    let mut chats = [Chat::new(1), Chat::new(2)];
    for round in 0..3 {
        for (chat, own) in chats.iter_mut().zip(&mut own) {
            let before = chat.ids.len();
            let cached = chat.turn(&mut shared, own, what);
            // All but the question, and in models with recurrent layers what is after the last copy of their states.
            match round {
                0 => assert!(cached <= SYSTEM as usize, "{what}: {cached}"),
                _ => assert!(cached + 40 > before, "{what}: {cached} of {before}"),
            }
        }
    }
    // A third takes the place of the first, which was used least recently, and the second stays.
    let third = text(3, 40);
    let expected = answer(&mut own[0], &third, 8).ids;
    let found = answer(&mut shared, &third, 8);
    assert_eq!(found.ids, expected, "{what}");
    let [first, second] = &mut chats;
    let before = second.ids.len();
    assert!(
        second.turn(&mut shared, &mut own[1], what) + 40 > before,
        "{what}"
    );
    assert!(
        first.turn(&mut shared, &mut own[0], what) <= SYSTEM as usize,
        "{what}"
    );
    for engine in own.into_iter().chain([shared]) {
        block_on(engine.close());
    }
}

#[test]
fn conversations_take_turns_on_one_engine() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = borrow(on, |_| ()) else {
            continue;
        };
        take_turns(&device, &tiny(), &format!("llama on {on:?}"));
        for name in ["family_gemma3", "family_qwen35", "family_youtu"] {
            let path = manifest::named(name).model();
            take_turns(&device, &path, &format!("{name} on {on:?}"));
        }
    }
}

/// Memory is that of so many KV caches, and a number beyond reason is refused.
#[test]
fn each_conversation_takes_a_cache() {
    let device = borrow(On::Cpu, |_| ()).unwrap();
    let bytes = |n| load(&device, &tiny(), n).info().kv_bytes;
    assert_eq!(bytes(3), 3 * bytes(1));
    let options = LoadOptions {
        conversations: Some(17),
        ..Default::default()
    };
    let file = std::fs::read(tiny()).unwrap();
    let refused = hearth_tests::load_with(Device::clone(&device), &file, options, 1 << 18);
    let error = refused.err().expect("seventeen");
    assert_eq!(error.code(), "invalid_request", "{error}");
    assert!(error.to_string().contains("conversations"), "{error}");
}

/// The pages of a conversation that is put back take the place of the one that was used least recently.
#[test]
fn a_restored_conversation_spares_the_present_one() {
    let device = borrow(On::Cpu, |_| ()).unwrap();
    let mut engine = load(&device, &tiny(), 2);
    let (a, b) = (text(1, 100), text(2, 100));
    let expected = answer(&mut engine, &a, 8).ids;
    let names: Vec<_> = engine.context_pages().unwrap();
    let mut pages: Vec<_> = (names.iter())
        .map(|page| {
            (
                page.name.clone(),
                block_on(engine.save_page(&page.name)).unwrap().unwrap(),
            )
        })
        .collect();
    pages.sort();
    let mut other = load(&device, &tiny(), 2);
    let of_b = answer(&mut other, &b, 8).ids;
    for (_, page) in &pages {
        other.restore_page(page).unwrap();
    }
    let found = answer(&mut other, &a, 8);
    assert_eq!((found.ids.clone(), cached(&found)), (expected, a.len() - 1));
    let found = answer(&mut other, &b, 8);
    assert_eq!((found.ids.clone(), cached(&found)), (of_b, b.len() - 1));
}

/// Requests of chats are told apart by their tokens, without a key.
#[test]
fn chats_are_told_apart() {
    let device = borrow(On::Cpu, |_| ()).unwrap();
    let mut engine = load(&device, &tiny(), 2);
    let [chat, _] = prompts();
    let chat = Request {
        messages: chat.messages,
        max_tokens: Some(4),
        temperature: Some(0.0),
        ..Request::default()
    };
    let other = Request {
        messages: None,
        prompt: Some("The fire is lit, and the kettle sings.".into()),
        ..chat.clone()
    };
    let ask = |engine: &mut Engine, request: &Request| {
        engine.start(request).unwrap();
        finish(engine).unwrap()
    };
    let first = ask(&mut engine, &chat);
    ask(&mut engine, &other);
    let again = ask(&mut engine, &chat);
    assert_eq!(again.ids, first.ids);
    assert_eq!(cached(&again), first.usage.prompt_tokens - 1);
}
