//! The CPU path on a pool: weights, keys and values in the pool's memory, products and attention computed there, the results of the
//! plain path. The pool is a double; the real one runs in the browser tests.

use hearth::Error;
use hearth::engine::embed::EmbedInput;
use hearth_cpu::rows::MAX_TOKENS;
use hearth_tests::compare::assert_near;
use hearth_tests::pool::Double;
use hearth_tests::reference::check_engine;
use hearth_tests::{GREEDY, On, exact, goldens, greedy, load_file_with, manifest, open, open_new};
use pollster::block_on;

#[test]
fn threads_that_are_lost_end_the_answer() {
    let double = Double::install(1 << 24);
    let device = open(On::Cpu).expect("the CPU always opens");
    let path = goldens().join("tiny/tiny_llama.gguf");
    let mut engine = load_file_with(device, &path, exact(256));
    let prompt: Vec<u32> = (10..30).collect();
    let before = greedy(&mut engine, &prompt, 8).unwrap();
    // In the prompt, and in the answer.
    for steps in [0, 3] {
        (engine.start_ids(prompt.clone(), GREEDY, Some(8), &[])).unwrap();
        for _ in 0..steps {
            block_on(engine.next()).unwrap();
        }
        double.is_lost.set(true);
        let found = (0..8).find_map(|_| block_on(engine.next()).err());
        assert!(matches!(found, Some(Error::DeviceLost { .. })), "{found:?}");
        double.is_lost.set(false);
        // Nothing computed in the meantime is taken for cached.
        assert_eq!(greedy(&mut engine, &prompt, 8).unwrap(), before);
    }
}

#[test]
fn a_pool_gives_the_same_ids() {
    let double = Double::install(1 << 24);
    // (one that knows this pool)
    let device = open_new(On::Cpu).expect("the CPU always opens");
    assert_eq!(device.info().threads, 2);
    // Experts are pieces of a weight that the pool holds as a whole.
    let models = [
        ("tiny_llama", 2e-2),
        ("family_qwen3moe", 3e-2),
        ("family_gpt_oss", 2e-2),
        // Every packing of blocks; the first has rounded scales, see `families.rs`.
        ("family_llama_kquants", 2e-1),
        ("family_llama_small_quants", 4e-2),
        ("family_qwen3_few_bits", 2e-2),
        ("family_qwen3_one_bit", 2e-2),
        ("family_qwen3moe_nvfp4", 7e-2),
    ];
    for (name, tolerance) in models {
        let path = manifest::named(name).model();
        let mut engine = load_file_with(device.clone(), &path, exact(256));
        check_engine(name, On::Cpu, &mut engine, tolerance);
        let before = double.freed.get();
        drop(engine);
        // (keys and values of attention with sinks stay with the core)
        let is_pooled = double.freed.get() > before;
        assert_eq!(is_pooled, name != "family_gpt_oss", "the cache of {name}");
    }
    assert!(double.jobs.get() > 0, "nothing was multiplied there");
    assert!(double.gated.get() > 0, "nothing was gated there");
    assert!(double.stages.get() > 0, "no layer ended in one job");
}

/// An encoder takes a text in one step, with more tokens than threads are given at once.
#[test]
fn a_long_text_goes_to_the_pool_in_pieces() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let path = goldens().join("embeddings/embed_nomic.gguf");
    let text = "the fire is lit and the night is long ".repeat(60);
    let embedding = || {
        let mut engine = load_file_with(device.clone(), &path, exact(256));
        let input = EmbedInput {
            truncate: true,
            ..EmbedInput::text(&text)
        };
        block_on(engine.embed(&input)).unwrap()
    };
    let alone = embedding();
    assert!(alone.tokens > MAX_TOKENS, "{}", alone.tokens);
    let double = Double::install(1 << 24);
    let together = embedding();
    assert!(double.jobs.get() > 0);
    assert_near("in pieces", &together.values, &alone.values, 1e-6);
}

/// A text longer than attention takes in one phase, and one after it: the tokens of a plain core.
#[test]
fn threads_share_attention() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let prompt: Vec<u32> = (0..150).map(|i| 10 + (i * 7 + i * i % 5) % 230).collect();
    // Windows, gates of heads, sinks, keys of earlier layers, recurrent layers beside attention.
    let models = [
        "family_gemma3",
        "family_qwen35",
        "family_gpt_oss",
        "family_gemma4_small",
        "family_falcon_h1",
    ];
    let paths = models.map(|name| manifest::named(name).model());
    let tiny = goldens().join("tiny/tiny_llama.gguf");
    for path in paths.into_iter().chain([tiny]) {
        let answers = |device: &hearth::Device| {
            let mut engine = load_file_with(device.clone(), &path, exact(256));
            let first = greedy(&mut engine, &prompt, 12).unwrap();
            [first, greedy(&mut engine, &prompt[..140], 12).unwrap()]
        };
        let alone = std::thread::scope(|scope| {
            let alone = scope.spawn(|| answers(&open(On::Cpu).expect("the CPU always opens")));
            alone.join().unwrap()
        });
        Double::install(1 << 24);
        assert_eq!(answers(&device), alone, "{}", path.display());
    }
}

/// Keys and values stay with the core where the pool has no room for them.
#[test]
fn a_pool_may_have_room_for_weights_alone() {
    let device = open(On::Cpu).expect("the CPU always opens");
    let path = goldens().join("tiny/tiny_llama.gguf");
    let prompt: Vec<u32> = (10..30).collect();
    let answer = |room| {
        let double = Double::install(room);
        let mut engine = load_file_with(device.clone(), &path, exact(256));
        let answer = greedy(&mut engine, &prompt, 8).unwrap();
        drop(engine);
        assert!(double.jobs.get() > 0);
        (answer, double.used(), double.freed.get())
    };
    let (roomy, used, freed) = answer(1 << 24);
    assert!(freed > 0);
    let (tight, weights, freed) = answer(used - freed);
    assert_eq!(freed, 0, "{weights} of {used} words");
    assert_eq!(tight, roomy);
}

#[test]
fn a_pool_without_room_is_an_error() {
    Double::install(1000);
    let device = open(On::Cpu).expect("the CPU always opens");
    let bytes = std::fs::read(goldens().join("tiny/tiny_llama.gguf")).unwrap();
    let error = hearth_tests::load(device, &bytes, 64, 4096)
        .err()
        .expect("it cannot fit");
    assert_eq!(error.code(), "out_of_memory");
}
