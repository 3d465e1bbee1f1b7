//! SmolLM2-135M-Instruct, the real file, against transformers on the same weights.

use std::path::Path;

use hearth::chat_template::Message;
use hearth::ops::KvType;
use hearth::{Engine, LoadOptions};
use hearth_tests::real::{Forced, Prompt};
use hearth_tests::{On, exact, golden, golden_f32, greedy, load_file_with, open, smollm2};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
    forced: Forced,
}

fn engine(on: On, kv: KvType, path: &Path) -> Option<Engine> {
    let options = LoadOptions {
        kv_type: Some(kv),
        ..exact(512)
    };
    Some(load_file_with(open(on)?, path, options))
}

fn check(on: On, kv: KvType, tolerance: f32, answers: bool) {
    let Some(path) = smollm2() else { return };
    let Some(mut engine) = engine(on, kv, &path) else {
        return;
    };
    let golden: Golden = golden("smollm2.json");
    let full = golden_f32("smollm2_logits.bin");
    for (i, prompt) in golden.prompts.iter().enumerate() {
        if let Some(messages) = &prompt.messages {
            assert_eq!(engine.encode_chat(messages).unwrap(), prompt.ids);
        }
        let logits = block_on(engine.logits(&prompt.ids)).unwrap();
        prompt.check(on, &logits, tolerance);
        if i == 0 {
            assert_eq!(logits.len(), full.len());
            let errors = logits.iter().zip(&full).map(|(a, b)| (a - b).abs());
            let worst = errors.fold(0.0, f32::max);
            println!("{} on {on:?}: of all logits {worst}", prompt.name);
            assert!(worst < tolerance, "{} on {on:?}: {worst}", prompt.name);
        }
        if !answers {
            continue;
        }
        let n = prompt.greedy_ids.len();
        let start = std::time::Instant::now();
        let (ids, text) = greedy(&mut engine, &prompt.ids, n).unwrap();
        let end = (prompt.greedy_ids.iter())
            .position(|id| engine.tokenizer().is_eog(*id))
            .unwrap_or(n);
        println!("{:?}: {} ids, {text:?}", start.elapsed(), ids.len());
        assert_eq!(ids, prompt.greedy_ids[..end], "{} on {on:?}", prompt.name);
    }
}

#[test]
fn logits_and_greedy_ids_on_the_cpu() {
    check(On::Cpu, KvType::F32, 2e-2, true);
}

#[test]
fn logits_on_the_gpu() {
    check(On::Gpu, KvType::F32, 1e-3, false);
}

/// The default there. Logits are up to 20.
#[test]
fn logits_and_greedy_ids_on_the_gpu_with_an_f16_cache() {
    check(On::Gpu, KvType::F16, 2e-2, true);
}

/// Top-1 agreement over a teacher-forced text; positions where the reference itself is nearly tied are
/// counted only if its margin exceeds what rounding may do. All of it as a prompt, its beginning also token by token.
fn forced_top1(on: On, kv: KvType) {
    const STEPS: usize = 32;
    let Some(path) = smollm2() else { return };
    let Some(mut engine) = engine(on, kv, &path) else {
        return;
    };
    let Golden { forced, .. } = golden("smollm2.json");
    let mut clear = 0;
    let mut check = |i: usize, logits: &[f32]| {
        if forced.margins[i] > 0.02 {
            clear += 1;
            assert!(forced.agrees(i, logits), "position {i}");
        }
    };
    for i in 0..STEPS {
        let logits = block_on(engine.logits(&forced.ids[..=i])).unwrap();
        check(i, &logits);
    }
    let n = positions(on, 256).min(forced.top1.len());
    block_on(engine.each_logits(&forced.ids[..n], check)).unwrap();
    println!("{clear} of {} positions compared", n + STEPS);
    assert!(clear * 100 > 95 * (n + STEPS));
}

/// All of a text, or what a GPU made of software has time for.
fn positions(on: On, few: usize) -> usize {
    match on {
        On::Cpu => usize::MAX,
        _ => few,
    }
}

#[test]
fn forced_top1_on_the_cpu() {
    forced_top1(On::Cpu, KvType::F32);
}

#[test]
fn forced_top1_on_the_gpu_with_an_f16_cache() {
    forced_top1(On::Gpu, KvType::F16);
}

/// Bytes in the cache: what they cost, on a text of 512 tokens (64 on the GPU). The CPU rounds to what a GPU keeps.
#[test]
fn what_a_q8_cache_costs() {
    let Some(path) = smollm2() else { return };
    let Golden { forced, .. } = golden("smollm2.json");
    for on in [On::Cpu, On::Gpu] {
        let n = positions(on, 64).min(forced.top1.len());
        let (Some(mut plain), Some(mut bytes)) = (
            engine(on, KvType::F32, &path),
            engine(on, KvType::Q8, &path),
        ) else {
            continue;
        };
        let vocab = bytes.info().config.vocab_size;
        let mut found = vec![0.0; n * vocab];
        let mut agree = 0;
        block_on(bytes.each_logits(&forced.ids[..n], |i, logits| {
            agree += forced.agrees(i, logits) as usize;
            found[i * vocab..][..vocab].copy_from_slice(logits);
        }))
        .unwrap();
        let mut error = 0.0f32;
        block_on(plain.each_logits(&forced.ids[..n], |i, expected| {
            let pairs = expected.iter().zip(&found[i * vocab..]);
            error = pairs.fold(error, |error, (a, b)| error.max((a - b).abs()));
        }))
        .unwrap();
        println!("{on:?}: top-1 as the reference at {agree} of {n}, logits within {error}");
        assert!(agree * 100 >= 95 * n, "{on:?}: {agree} of {n}");
        assert!(bytes.info().kv_bytes * 3 < plain.info().kv_bytes);
    }
}

#[derive(Deserialize)]
struct Conversation {
    max_tokens: usize,
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    user: String,
    assistant: String,
}

/// The conversation that the browsers hold, natively: each answer goes into the next prompt.
#[test]
fn three_turns_on_the_gpu() {
    let Some(path) = smollm2() else { return };
    let Some(mut engine) = engine(On::Gpu, KvType::F16, &path) else {
        return;
    };
    let golden: Conversation = golden("smollm2_conversation.json");
    let mut messages = Vec::new();
    for turn in &golden.turns {
        messages.push(Message::new("user", turn.user.as_str()));
        let ids = engine.encode_chat(&messages).unwrap();
        let (_, answer) = greedy(&mut engine, &ids, golden.max_tokens).unwrap();
        assert_eq!(answer, turn.assistant);
        messages.push(Message::new("assistant", answer));
    }
}
