//! Context that stays: pages of a conversation, put into another engine, stand for its prefill, and nothing but a page
//! of the same model passes for one.

use std::path::Path;

use hearth::engine::ContextPage;
use hearth::engine::request::Sampling;
use hearth::ops::KvType;
use hearth::{Device, Drafts, Engine, Error, LoadOptions};
use hearth_tests::manifest;
use hearth_tests::pool::Double;
use hearth_tests::{
    Answer, Borrowed, GREEDY, On, borrow, finish, is_full, load_file, load_file_with, prompts,
    smollm2,
};
use pollster::block_on;

fn options(context: usize, kv: KvType) -> LoadOptions {
    LoadOptions {
        context_size: Some(context),
        kv_type: Some(kv),
        drafts: Drafts::Off,
        fingerprint: true,
        ..Default::default()
    }
}

fn device(on: On) -> Option<Borrowed> {
    borrow(on, |_| ())
}

fn tiny() -> std::path::PathBuf {
    hearth_tests::goldens().join("tiny/tiny_llama.gguf")
}

fn load(device: &Device, path: &Path, context: usize, kv: KvType) -> Engine {
    load_file_with(device.clone(), path, options(context, kv))
}

fn prompt(seed: u32, n: u32) -> Vec<u32> {
    (0..n)
        .map(|i| 10 + (i * 7 + seed * 13 + i * i % 5) % 230)
        .collect()
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

/// Returns the pages of what an engine holds.
fn save(engine: &mut Engine) -> Vec<Vec<u8>> {
    let mut sorted = engine.context_pages().unwrap();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut page = |name: &str| block_on(engine.save_page(name)).unwrap().unwrap();
    let read = |planned: &ContextPage| {
        let bytes = page(&planned.name);
        assert_eq!(bytes.len(), planned.bytes);
        bytes
    };
    sorted.iter().map(read).collect()
}

fn restore(engine: &mut Engine, pages: &[Vec<u8>]) -> usize {
    let restored = pages.iter().map(|page| engine.restore_page(page).unwrap());
    restored.last().unwrap()
}

/// Saves a conversation, puts it into a new engine, and continues it there and where it was.
fn continues(device: &Device, path: &Path, kv: KvType, what: &str) {
    let mut first = load(device, path, 256, kv);
    let text = prompt(1, 150);
    let begun = answer(&mut first, &text, 40);
    let pages = save(&mut first);
    let mut chat = [&text[..], &begun.ids].concat();
    chat.extend(prompt(2, 20));
    let expected = answer(&mut first, &chat, 24);
    block_on(first.close());

    let mut second = load(device, path, 256, kv);
    // Whatever was there before is replaced.
    answer(&mut second, &prompt(7, 30), 3);
    let n = restore(&mut second, &pages);
    assert!(n >= 150, "{what}: {n}");
    let found = answer(&mut second, &chat, 24);
    assert_eq!(found.ids, expected.ids, "{what}");
    assert_eq!(found.ids.len(), 24, "{what}");
    assert!(cached(&found) >= 150, "{what}: {} of {n}", cached(&found));
    // It goes on like any other conversation, and another beginning is no part of it.
    let other = [&text[..75], &prompt(3, 20)].concat();
    let shared = answer(&mut second, &other, 8);
    assert_eq!(shared.ids.len(), 8, "{what}");
    block_on(second.close());
    // Rounded rows of a prompt may differ from those of the answer that it repeats.
    if kv == KvType::F32 {
        let mut plain = load(device, path, 256, kv);
        let computed = answer(&mut plain, &chat, 24);
        assert_eq!(cached(&computed), 0, "{what}");
        assert_eq!(found.ids, computed.ids, "{what}");
        answer(&mut plain, &[300, 299], 1);
        assert_eq!(answer(&mut plain, &other, 8).ids, shared.ids, "{what}");
        block_on(plain.close());
    }
}

#[test]
fn a_conversation_goes_on_in_another_engine() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = device(on) else { continue };
        for name in ["family_gemma3", "family_qwen35"] {
            let path = manifest::named(name).model();
            continues(&device, &path, KvType::F32, &format!("{name} on {on:?}"));
        }
        for kv in [KvType::F32, KvType::F16, KvType::Q8] {
            continues(&device, &tiny(), kv, &format!("{kv:?} on {on:?}"));
            let latents = manifest::named("family_youtu").model();
            continues(
                &device,
                &latents,
                kv,
                &format!("latents in {kv:?} on {on:?}"),
            );
        }
    }
}

/// Has keys and values in the memory of a pool's threads, on a thread of its own, with which the pool stays.
#[test]
fn a_conversation_goes_on_in_the_memory_of_threads() {
    let pooled = std::thread::spawn(|| {
        let double = Double::install(1 << 24);
        let device = device(On::Cpu).expect("the CPU always opens");
        for kv in [KvType::F32, KvType::F16] {
            continues(&device, &tiny(), kv, &format!("{kv:?} on threads"));
        }
        assert!(double.freed.get() > 0, "no cache was there");
    });
    pooled.join().unwrap();
}

#[test]
fn every_kind_of_recurrent_layer_is_restored() {
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = device(on) else { continue };
        for name in ["family_lfm2", "family_granite_hybrid", "family_falcon_h1"] {
            let path = manifest::named(name).model();
            continues(&device, &path, KvType::F32, &format!("{name} on {on:?}"));
        }
    }
}

#[test]
fn no_damaged_page_is_taken() {
    let device = device(On::Cpu).unwrap();
    let path = tiny();
    let mut engine = load(&device, &path, 256, KvType::F32);
    answer(&mut engine, &prompt(1, 20), 4);
    let pages = save(&mut engine);
    assert_eq!(pages.len(), 1);
    let page = &pages[0];
    let held = engine.restore_page(page).unwrap();
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    let mut damaged = page.clone();
    for flip in 0..10_000 {
        let flips: Vec<_> = (0..1 + flip % 3).map(|_| next(8 * page.len())).collect();
        for bit in &flips {
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        if damaged != *page {
            let refused = engine.restore_page(&damaged);
            assert!(
                matches!(refused, Err(Error::BadFile { .. })),
                "{flips:?}: {refused:?}"
            );
        }
        damaged.copy_from_slice(page);
    }
    for len in (0..page.len()).step_by(7) {
        assert!(engine.restore_page(&page[..len]).is_err(), "{len}");
    }
    // None of them changed anything.
    assert_eq!(engine.restore_page(page).unwrap(), held);
}

#[test]
fn pages_of_other_models_and_conversations_are_refused() {
    let device = device(On::Cpu).unwrap();
    let path = tiny();
    let mut engine = load(&device, &path, 256, KvType::F32);
    answer(&mut engine, &prompt(1, 200), 4);
    let pages = save(&mut engine);
    assert!(pages.len() >= 2, "{}", pages.len());
    let refused = |engine: &mut Engine, page: &[u8]| match engine.restore_page(page) {
        Err(Error::BadFile { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let mut another = load(&device, &path, 256, KvType::F32);
    assert_eq!(refused(&mut another, &pages[1]), "first position");
    answer(&mut another, &prompt(2, 200), 4);
    assert_eq!(refused(&mut another, &pages[1]), "tokens before");
    // The conversation is still there.
    let again = answer(&mut another, &prompt(2, 200), 4);
    assert_eq!(cached(&again), 199);
    for (context, kv) in [(128, KvType::F32), (256, KvType::Q8)] {
        let mut another = load(&device, &path, context, kv);
        assert_eq!(refused(&mut another, &pages[0]), "fingerprint");
    }
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let mut another = hearth_tests::load_with(
        Device::clone(&device),
        &bytes,
        options(256, KvType::F32),
        1 << 18,
    )
    .unwrap();
    assert_eq!(refused(&mut another, &pages[0]), "fingerprint");
    let nameless = load_file(Device::clone(&device), &path, 256);
    assert!(matches!(
        nameless.context_pages(),
        Err(Error::InvalidRequest { field, .. }) if field == "fingerprint"
    ));
}

/// Pages that are saved already keep their names, so that only new ones are written.
#[test]
fn a_longer_conversation_has_the_pages_of_the_shorter() {
    let device = device(On::Cpu).unwrap();
    let mut engine = load(&device, &tiny(), 256, KvType::F32);
    let text = prompt(1, 150);
    let begun = answer(&mut engine, &text, 4);
    let before = engine.context_pages().unwrap();
    let chat = [&text[..], &begun.ids, &prompt(5, 60)].concat();
    answer(&mut engine, &chat, 4);
    let after = engine.context_pages().unwrap();
    let whole = before.len() - 1;
    assert_eq!(before[..whole], after[..whole]);
    assert_ne!(before[whole], after[whole]);
    // Pages of the shorter one, where they are still there, are in the way of none.
    let shorter = {
        answer(&mut engine, &text, 4);
        save(&mut engine)
    };
    answer(&mut engine, &chat, 4);
    let mut all = [shorter, save(&mut engine)].concat();
    all.sort_by_key(|page| u32::from_le_bytes(page[16..20].try_into().unwrap()));
    let n = restore(&mut engine, &all);
    assert_eq!(n, chat.len() + 3);
    let expected = &prompts()[0].greedy_ids;
    assert_eq!(answer(&mut engine, &prompts()[0].ids, 4).ids, expected[..4]);
}

#[test]
fn a_running_request_is_not_saved() {
    let device = device(On::Cpu).unwrap();
    let mut engine = load(&device, &tiny(), 256, KvType::F32);
    (engine.start_ids(prompt(1, 40), endless(), Some(9), &[])).unwrap();
    while block_on(engine.next()).unwrap().ids.is_empty() {}
    assert!(matches!(engine.context_pages(), Err(Error::Busy)));
    engine.cancel();
    assert!(!engine.context_pages().unwrap().is_empty());
    assert!(
        block_on(engine.save_page("rows-00000001-0"))
            .unwrap()
            .is_none()
    );
}

/// Reads a long conversation on the CPU, and once more from its pages.
#[test]
fn a_long_conversation_answers_at_once() {
    let Some(path) = smollm2() else { return };
    let device = device(On::Cpu).unwrap();
    let mut engine = load(&device, &path, 2048, KvType::F32);
    let n: usize = if is_full() { 1909 } else { 600 };
    let text = prompt(1, n as u32);
    let time = |engine: &mut Engine, text: &[u32]| {
        let start = std::time::Instant::now();
        engine
            .start_ids(text.to_vec(), endless(), Some(24), &[])
            .unwrap();
        let mut ids = Vec::new();
        while ids.is_empty() {
            ids = block_on(engine.next()).unwrap().ids;
        }
        let first = start.elapsed();
        let answer = finish(engine).unwrap();
        (first, [ids, answer.ids.clone()].concat(), cached(&answer))
    };
    let (before, expected, _) = time(&mut engine, &text);
    let pages = save(&mut engine);
    let bytes: usize = pages.iter().map(Vec::len).sum();
    drop(engine);
    let two = LoadOptions {
        conversations: Some(2),
        ..options(2048, KvType::F32)
    };
    let mut engine = load_file_with(Device::clone(&device), &path, two);
    let start = std::time::Instant::now();
    restore(&mut engine, &pages);
    let restored = start.elapsed();
    let (after, found, cached) = time(&mut engine, &text);
    println!(
        "{before:?} before; {after:?} and {restored:?} for {} pages of {bytes} bytes",
        pages.len()
    );
    assert_eq!(found, expected);
    assert_eq!(cached, n - 1);
    // Another conversation leaves it where it is, in an engine that has room for both.
    time(&mut engine, &prompt(2, 64));
    let (switched, found, cached) = time(&mut engine, &text);
    println!("{switched:?} after another conversation");
    assert_eq!(found, expected);
    assert_eq!(cached, n - 1);
    assert!(switched * 10 < before, "{switched:?} {before:?}");
    // One position takes the same bytes everywhere: 30 layers, 3 heads of 64, K and V, f32.
    let rows = (n + 23) * 30 * 2 * 3 * 64 * 4;
    assert!(bytes > rows && bytes < rows + rows / 50, "{bytes} {rows}");
    assert!(
        (restored + after) * 10 < before,
        "{restored:?} {after:?} {before:?}"
    );
}
