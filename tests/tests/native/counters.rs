//! The exact cost of a token: launches, read-backs, memory.

use hearth::{Device, Engine};
use hearth_tests::synthetic::{SHAPES, Shape};
use hearth_tests::{
    GREEDY, On, exact, finish, goldens, greedy, load_file, open, open_measured, prompts,
};
use pollster::block_on;

fn tiny(device: Device, context: usize) -> Engine {
    load_file(device, &goldens().join("tiny/tiny_llama.gguf"), context)
}

/// Checks the launches of a step: five per layer, and a sixth that merges attention's spans on a GPU whose cores
/// share a context, plus embedding, lm_head and the two of sampling; one for each further packing among matrices that are
/// multiplied together; and one for each activation whose gate and up have different packings.
fn check_counters(on: On, file: &str, further: u64, activations: u64) {
    let Some(device) = open(on) else {
        return;
    };
    let a_layer = 5 + (on == On::LargeGpu) as u64;
    let mut engine = load_file(device, &goldens().join(file), 128);
    assert_eq!(engine.stats().dispatches_per_token, 0, "captured already");
    block_on(engine.warm_up()).unwrap();
    let n_layers = engine.info().config.n_layers as u64;
    let per_token = a_layer * n_layers + 4 + further + activations;
    // With several tokens at once, norms and activations are separate launches.
    let prefill = 9 * n_layers + 4 + further;
    let before = engine.stats();
    assert_eq!(before.dispatches_per_token, per_token);
    assert_eq!(
        (before.replays, before.readbacks, before.bytes_read),
        (0, 0, 0)
    );
    const N: u64 = 40;
    // One prefill chunk on any device.
    let prompt: Vec<u32> = (10..20).collect();
    (engine.start_ids(prompt, GREEDY, Some(N as usize), &[])).unwrap();
    let found = finish(&mut engine).unwrap();
    assert_eq!(found.finish, "length", "choose another prompt");
    let after = engine.stats();
    // One for each token after the first.
    assert_eq!(after.replays, N - 1);
    assert_eq!(
        after.dispatches - before.dispatches,
        prefill + (N - 1) * per_token
    );
    assert_eq!(after.bytes_read, 4 * N);
    assert!(after.readbacks <= N, "{}", after.readbacks);
}

#[test]
fn a_token_costs_the_launches_that_it_should() {
    for on in [On::Gpu, On::LargeGpu] {
        check_counters(on, "tiny/tiny_llama_tied_f16.gguf", 0, 0);
    }
    // q, k, v: q4 q8 f16 and f16 q4s q4; gate, up: q4 q4s and f32 q8.
    check_counters(On::Gpu, "tiny/tiny_llama.gguf", 2 + 2 + 1 + 1, 2);
}

#[test]
fn the_cpu_replays_nothing() {
    let mut engine = tiny(open(On::Cpu).unwrap(), 64);
    block_on(engine.warm_up()).unwrap();
    let [chat, _] = prompts();
    greedy(&mut engine, &chat.ids, 8).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.replays, stats.dispatches_per_token), (0, 0));
    assert_eq!((stats.bytes_read, stats.readbacks), (4 * 8, 8));
}

/// All device memory that an engine held is free again for the next engine.
#[test]
fn two_hundred_engines_take_the_memory_of_one() {
    let Some(device) = open(On::Gpu) else {
        return;
    };
    let watching = tiny(device.clone(), 64);
    let [chat, _] = prompts();
    let mut after_some = 0;
    for i in 0..200 {
        let mut engine = tiny(device.clone(), 256);
        if i % 20 == 0 {
            let (ids, _) = greedy(&mut engine, &chat.ids, 4).unwrap();
            assert_eq!(ids, chat.greedy_ids[..4]);
        }
        drop(engine);
        if i == 20 {
            after_some = watching.stats().gpu_bytes;
        }
    }
    assert!(after_some > 0);
    let now = watching.stats().gpu_bytes;
    assert!(
        now <= after_some,
        "{after_some} bytes after 20, {now} after 200"
    );
}

/// A fast GPU's chunks are the longest, and two of them are in flight: their working memory is bounded as well.
#[test]
fn the_longest_chunks_keep_to_their_memory() {
    const MIB: u64 = 1 << 20;
    let Some(device) = open_measured(|measured| measured.macs_per_ms = 1e9) else {
        return;
    };
    // As wide as Llama 3.2 1B.
    let shape = SHAPES.iter().find(|shape| shape.name == "llama-3.2-1b");
    let shape = Shape {
        n_layers: 1,
        vocab: 2048,
        ..*shape.unwrap()
    };
    let mut engine = shape.load(device, exact(512)).unwrap();
    let info = engine.info();
    let bound = info.weight_bytes + info.weight_bytes / 20 + info.kv_bytes + 64 * MIB;
    let chunk = info.config.longest_chunk() as u32;
    assert!((128..=512).contains(&chunk), "{chunk}");
    let prompt: Vec<u32> = (0..chunk + 100).map(|i| 5 + i % 1000).collect();
    (engine.start_ids(prompt, GREEDY, Some(1), &[])).unwrap();
    finish(&mut engine).unwrap();
    let bytes = engine.stats().gpu_bytes;
    println!("chunks of {chunk}: {} of {} MiB", bytes / MIB, bound / MIB);
    assert!(bytes <= bound, "{bytes} of {bound}");
}
