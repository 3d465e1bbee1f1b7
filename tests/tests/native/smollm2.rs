//! SmolLM2-135M-Instruct, the real file, against transformers on the same weights. Each test loads it once for all
//! checks of one device with one kind of cache.

use std::path::Path;

use hearth::ops::KvType;
use hearth::{Engine, LoadOptions};
use hearth_tests::compare::{assert_near, assert_within, worst_error};
use hearth_tests::real::{Forced, Prompt};
use hearth_tests::{On, exact, golden, golden_f32, greedy, is_full, load_file_with, open, smollm2};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
    forced: Forced,
}

/// All prompts of the golden.
const ALL: usize = usize::MAX;

fn engine(on: On, kv: KvType, path: &Path) -> Option<Engine> {
    let options = LoadOptions {
        kv_type: Some(kv),
        ..exact(512)
    };
    Some(load_file_with(open(on)?, path, options))
}

/// Checks the logits after each of the first `n` prompts.
fn check_logits(on: On, engine: &mut Engine, n: usize, tolerance: f32) {
    let golden: Golden = golden("real/smollm2.json");
    let full = golden_f32("real/smollm2_logits.bin");
    for (i, prompt) in golden.prompts.iter().enumerate().take(n) {
        if let Some(messages) = &prompt.messages {
            assert_eq!(engine.encode_chat(messages).unwrap(), prompt.ids);
        }
        let logits = block_on(engine.logits(&prompt.ids)).unwrap();
        prompt.check(on, &logits, tolerance);
        if i == 0 {
            let what = format!("{} on {on:?}, all logits", prompt.name);
            assert_near(&what, &logits, &full, tolerance);
        }
    }
}

/// Checks the first `n` tokens of the answer to each of the first `prompts`.
fn check_answers(on: On, engine: &mut Engine, prompts: usize, n: usize) {
    let golden: Golden = golden("real/smollm2.json");
    for prompt in golden.prompts.iter().take(prompts) {
        let n = n.min(prompt.greedy_ids.len());
        let (ids, text) = greedy(engine, &prompt.ids, n).unwrap();
        let end = (prompt.greedy_ids[..n].iter())
            .position(|id| engine.tokenizer().is_eog(*id))
            .unwrap_or(n);
        println!("{} ids, {text:?}", ids.len());
        assert_eq!(ids, prompt.greedy_ids[..end], "{} on {on:?}", prompt.name);
    }
}

/// Checks top-1 agreement over the first `n` tokens of a teacher-forced text; positions where the reference itself is
/// nearly tied count only if its margin exceeds the possible rounding error. The whole text runs as a prompt, its
/// first `steps` tokens also one by one.
fn check_forced(engine: &mut Engine, n: usize, steps: usize) {
    let Golden { forced, .. } = golden("real/smollm2.json");
    assert_eq!(forced.ids.len(), forced.margins.len());
    assert_eq!(forced.ids.len(), forced.top1.len());
    let n = n.min(forced.top1.len());
    let mut clear = 0;
    let mut check = |i: usize, logits: &[f32]| {
        if forced.margins[i] > 0.02 {
            clear += 1;
            assert!(forced.agrees(i, logits), "position {i}");
        }
    };
    for i in 0..steps {
        let logits = block_on(engine.logits(&forced.ids[..=i])).unwrap();
        check(i, &logits);
    }
    block_on(engine.each_logits(&forced.ids[..n], check)).unwrap();
    println!("{clear} of {} positions compared", n + steps);
    assert!(clear * 100 > 95 * (n + steps));
}

/// The effect of bytes in the cache on the first `n` tokens of the text; `plain` has an f32 cache. The CPU rounds to
/// the values that a GPU keeps.
fn check_bytes(on: On, plain: &mut Engine, path: &Path, n: usize, tolerance: f32) {
    let Golden { forced, .. } = golden("real/smollm2.json");
    let n = n.min(forced.top1.len());
    let mut bytes = engine(on, KvType::Q8, path).expect("it has been opened before");
    let vocab = bytes.info().config.vocab_size;
    let mut found = vec![0.0; n * vocab];
    let mut agree = 0;
    block_on(bytes.each_logits(&forced.ids[..n], |i, logits| {
        agree += forced.agrees(i, logits) as usize;
        found[i * vocab..][..vocab].copy_from_slice(logits);
    }))
    .unwrap();
    let mut worst = 0.0f32;
    block_on(plain.each_logits(&forced.ids[..n], |i, expected| {
        let found = &found[i * vocab..][..vocab];
        worst = worst.max(worst_error("a cache of bytes", found, expected));
    }))
    .unwrap();
    println!("{on:?}: top-1 as the reference at {agree} of {n}");
    assert_within(&format!("a cache of bytes on {on:?}"), worst, tolerance);
    assert!(agree * 100 >= 95 * n, "{on:?}: {agree} of {n}");
    assert!(bytes.info().kv_bytes * 3 < plain.info().kv_bytes);
}

#[test]
fn logits_answers_and_a_text_on_the_cpu() {
    let Some(path) = smollm2() else { return };
    let mut engine = engine(On::Cpu, KvType::F32, &path).expect("the CPU always opens");
    check_logits(On::Cpu, &mut engine, ALL, 3e-2);
    check_answers(On::Cpu, &mut engine, ALL, usize::MAX);
    check_forced(&mut engine, if is_full() { usize::MAX } else { 256 }, 32);
}

#[test]
fn what_a_q8_cache_costs_on_the_cpu() {
    let Some(path) = smollm2() else { return };
    let mut engine = engine(On::Cpu, KvType::F32, &path).expect("the CPU always opens");
    let n = if is_full() { 256 } else { 128 };
    check_bytes(On::Cpu, &mut engine, &path, n, 2.7);
}

/// A software GPU has time for the beginning of the text.
#[test]
fn logits_and_what_a_q8_cache_costs_on_the_gpu() {
    let Some(path) = smollm2() else { return };
    let Some(mut engine) = engine(On::Gpu, KvType::F32, &path) else {
        return;
    };
    check_logits(On::Gpu, &mut engine, if is_full() { ALL } else { 2 }, 1e-4);
    check_bytes(On::Gpu, &mut engine, &path, 32, 1.9);
}

/// The default on a GPU. Logits are up to 20.
#[test]
fn logits_answers_and_a_text_on_the_gpu_with_an_f16_cache() {
    let Some(path) = smollm2() else { return };
    let Some(mut engine) = engine(On::Gpu, KvType::F16, &path) else {
        return;
    };
    check_logits(On::Gpu, &mut engine, ALL, 2e-2);
    // (what a longer text would show of f16 is in the CPU's test of bytes, whose error is larger)
    let (prompts, answer, text, steps) = if is_full() {
        (ALL, 64, 256, 32)
    } else {
        (2, 16, 32, 4)
    };
    check_answers(On::Gpu, &mut engine, prompts, answer);
    check_forced(&mut engine, text, steps);
}
