//! Pipelines are created while the weights arrive. A module of its own, because the counter is the process's.

use hearth::ops::buffer::read_words;
use hearth::ops::kernel::pipelines;
use hearth::{Device, Drafts, LoadOptions, Loader};
use hearth_tests::{GREEDY, On, exact, finish, manifest, open_new};
use pollster::block_on;

/// Tokens of a prompt that is longer than any tile, and of a short one.
const PROMPTS: [u32; 3] = [70, 2, 9];

/// Checks that pushing the file creates all pipelines that the load and the answers after it use, but for `later`: a
/// copy of a state is no part of a step, and is created when the first one is made.
fn check(name: &str, device: Device, later: u64) {
    let bytes = std::fs::read(manifest::named(name).model()).unwrap();
    let options = LoadOptions {
        drafts: Drafts::Always,
        compile_ahead: Some(true),
        total_bytes: Some(bytes.len() as u64),
        ..exact(256)
    };
    let mut loader = Loader::new(device.clone(), options);
    let before = pipelines();
    block_on(loader.push(&bytes)).unwrap();
    // The runtime creates them on a thread of its own.
    block_on(read_words(&device.handle, 0, 4)).unwrap();
    let pushed = pipelines();
    assert!(pushed > before + 10, "{name}: {before} and {pushed}");
    let mut engine = block_on(loader.finish()).unwrap();
    block_on(engine.warm_up()).unwrap();
    assert_eq!(pipelines(), pushed + later, "{name}: after the last byte");
    for n in PROMPTS {
        let prompt = (0..n).map(|i| 10 + (i + n) % 9).collect();
        engine.start_ids(prompt, GREEDY, Some(20), &[]).unwrap();
        finish(&mut engine).unwrap();
    }
    assert_eq!(pipelines(), pushed + later, "{name}: in the answers");
    block_on(engine.close());
}

#[test]
fn none_is_created_after_the_last_byte() {
    for (name, on, later) in [
        ("tiny_llama", On::Gpu, 0),
        ("family_qwen35", On::LargeGpu, 1),
    ] {
        let Some(device) = open_new(on) else { return };
        check(name, device, later);
    }
}
