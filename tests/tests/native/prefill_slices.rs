//! Prompts interrupted between layers: on a slow GPU, and on the CPU.

use hearth::engine::request::{Sampling, StepPhase};
use hearth_modelfile::config::MAX_CHUNK;
use hearth_modelfile::container::Value;
use hearth_tests::reference::check_engine;
use hearth_tests::{
    GREEDY, On, TinyFile, exact, finish, goldens, greedy, load_file_with, load_with, open,
    open_measured, smollm2,
};
use pollster::block_on;

/// A GPU so slow that the engine waits for each layer of a chunk.
#[test]
fn a_slow_gpu_is_given_a_layer_at_a_time() {
    let Some(slow) = open_measured(|measured| measured.macs_per_ms = 1.0) else {
        return;
    };
    let file = goldens().join("tiny/tiny_llama.gguf");
    let mut engine = load_file_with(slow.clone(), &file, exact(256));
    check_engine("tiny_llama", On::Gpu, &mut engine, 1.3e-4);
    let mut engine = load_file_with(
        slow,
        &goldens().join("families/family_gemma3.gguf"),
        exact(256),
    );
    let before = engine.stats().readbacks;
    let prompt: Vec<u32> = (3..43).collect();
    engine.start_ids(prompt, GREEDY, Some(1), &[]).unwrap();
    finish(&mut engine).unwrap();
    // Five chunks of eight tokens, six layers each; the last slice is not awaited, but its token is.
    assert_eq!(engine.stats().readbacks - before, 5 * 6);
}

/// Wherever a request on the CPU is abandoned, the next one answers as if it had never run.
#[test]
fn a_prompt_on_the_cpu_can_be_given_up_between_layers() {
    let Some(path) = smollm2() else { return };
    let mut engine = load_file_with(open(On::Cpu).unwrap(), &path, exact(512));
    let prompt: Vec<u32> = (0..60).map(|i| 300 + i * 37 % 5000).collect();
    let expected = greedy(&mut engine, &prompt, 4).unwrap();
    let other: Vec<u32> = (0..40).map(|i| 900 + i * 11 % 3000).collect();
    let mut between = 0;
    for steps in [1, 2, 4, 7] {
        // A different prompt first, so that nothing of this one is cached; then this one, abandoned midway.
        engine
            .start_ids(other.clone(), Sampling::GREEDY, Some(1), &[])
            .unwrap();
        block_on(engine.next()).unwrap();
        engine.cancel();
        engine
            .start_ids(prompt.clone(), Sampling::GREEDY, Some(4), &[])
            .unwrap();
        let mut phases = Vec::new();
        for _ in 0..steps {
            phases.push(block_on(engine.next()).unwrap().phase);
        }
        between += phases
            .iter()
            .filter(|phase| **phase == StepPhase::Prefill)
            .count();
        engine.cancel();
        assert_eq!(
            greedy(&mut engine, &prompt, 4).unwrap(),
            expected,
            "{steps}"
        );
    }
    assert!(between > 4, "{between}");
}

/// On a fast GPU a chunk is launched before the previous one has ended; a request may be abandoned meanwhile.
#[test]
fn chunks_in_flight_come_to_the_same() {
    let speeds = [1e9, 1.0].map(|speed| open_measured(|measured| measured.macs_per_ms = speed));
    let [Some(fast), Some(slow)] = speeds else {
        return;
    };
    let file = TinyFile::read().set("llama.context_length", Value::U32(2048));
    let bytes = file.bytes();
    let [mut fast, mut slow] =
        [fast, slow].map(|device| load_with(device, &bytes, exact(1536), 1 << 20).unwrap());
    let prompt: Vec<u32> = (0..1100).map(|i| 5 + i * 37 % 300).collect();
    let expected = greedy(&mut slow, &prompt, 8).unwrap();
    // The fast device takes chunks as long as there are.
    (fast.start_ids(prompt.clone(), GREEDY, Some(8), &[])).unwrap();
    let chunks = (1..).find(|_| block_on(fast.next()).unwrap().phase != StepPhase::Prefill);
    assert_eq!(chunks, Some(prompt.len().div_ceil(MAX_CHUNK)));
    greedy(&mut fast, &[9, 8, 7], 1).unwrap();
    for steps in [1, 2] {
        let before = fast.stats().readbacks;
        fast.start_ids(prompt.clone(), GREEDY, Some(8), &[])
            .unwrap();
        for _ in 0..steps {
            assert_eq!(block_on(fast.next()).unwrap().phase, StepPhase::Prefill);
        }
        assert_eq!(fast.stats().readbacks - before, steps);
        fast.cancel();
        // Part of the abandoned prompt is cached; another prompt evicts it.
        greedy(&mut fast, &[9, 8, 7], 1).unwrap();
        assert_eq!(greedy(&mut fast, &prompt, 8).unwrap(), expected, "{steps}");
        greedy(&mut fast, &[9, 8, 7], 1).unwrap();
    }
}
