//! Gemma 3 270M in Q4_K_M, the real file (Q4_K, Q5_0, Q6_K and Q8_0 in one), against transformers on the same weights
//! and sentencepiece on the same vocabulary. The third prompt is longer than the window of the model's sliding
//! layers.

use hearth::ops::KvType;
use hearth::{Engine, LoadOptions};
use hearth_tests::real::{Forced, Prompt};
use hearth_tests::{On, exact, golden, greedy, is_full, load_file_with, open, real_model};
use pollster::block_on;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
    forced: Forced,
    tokens: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

fn engine(on: On) -> Option<(Engine, Golden)> {
    let path = real_model("HEARTH_GEMMA270", "Gemma 3 270M as GGUF")?;
    let options = LoadOptions {
        kv_type: Some(KvType::F32),
        ..exact(1024)
    };
    let engine = load_file_with(open(on)?, &path, options);
    Some((engine, golden("real/gemma270.json")))
}

fn check_logits(on: On, engine: &mut Engine, prompts: &[Prompt], tolerance: f32) {
    for prompt in prompts {
        let logits = block_on(engine.logits(&prompt.ids)).unwrap();
        prompt.check(on, &logits, tolerance);
    }
}

#[test]
fn everything_on_the_cpu() {
    let Some((mut engine, golden)) = engine(On::Cpu) else {
        return;
    };
    for prompt in &golden.prompts {
        let text = prompt.text.as_deref().unwrap();
        let ids = engine.tokenizer().encode_whole(text).unwrap();
        assert_eq!(ids, prompt.ids, "{}", prompt.name);
    }
    for Case { text, ids } in &golden.tokens {
        let found = engine.tokenizer().encode(text).unwrap();
        assert_eq!(&found, ids, "{text:?}");
    }
    check_logits(On::Cpu, &mut engine, &golden.prompts, 5e-2);
    for prompt in &golden.prompts {
        let n = if prompt.name == "long" { 16 } else { 64 };
        let (ids, text) = greedy(&mut engine, &prompt.ids, n).unwrap();
        println!("{}: {text:?}", prompt.name);
        assert_eq!(ids, prompt.greedy_ids[..n], "{}", prompt.name);
    }
    let forced = golden.forced;
    // Each position has 262,144 logits. The prompts above go beyond the window.
    let n = if is_full() { forced.top1.len() } else { 64 };
    let (mut agree, mut clear) = (0, 0);
    block_on(engine.each_logits(&forced.ids[..n], |i, logits| {
        let agrees = forced.agrees(i, logits);
        agree += agrees as usize;
        if forced.margins[i] > 0.1 {
            clear += 1;
            assert!(agrees, "position {i}");
        }
    }))
    .unwrap();
    println!("top-1 as the reference at {agree} of {n} positions, {clear} of them clear");
    assert!(agree * 100 >= 95 * n, "{agree} of {n}");
}

#[test]
fn logits_on_the_gpu() {
    let Some((mut engine, golden)) = engine(On::Gpu) else {
        return;
    };
    // Without the long prompt: a software GPU would have time only for its beginning. Products of K-quants' scales
    // are stored in f16.
    check_logits(On::Gpu, &mut engine, &golden.prompts[..2], 3e-2);
}
