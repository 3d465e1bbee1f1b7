//! Compares a loaded model with the results that transformers computed from its weights.

use hearth::Engine;
use hearth_modelfile::text::template::Message;
use pollster::block_on;
use serde::Deserialize;

use crate::compare::{assert_within, worst_error};
use crate::{On, greedy, manifest};

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    messages: Option<Vec<Message>>,
    ids: Vec<u32>,
    greedy_ids: Vec<u32>,
    positions: Vec<usize>,
}

/// Returns the largest difference of a logit from the golden `name`: with each prompt in chunks as long as the
/// device's, and token by token after the cached ones, in the steps given by the golden's positions.
fn logit_error(name: &str, engine: &mut Engine) -> f32 {
    let golden_logits = manifest::named(name).floats("logits");
    let golden: Golden = manifest::named(name).expected();
    let vocab = engine.info().config.vocab_size;
    let positions: usize = golden.prompts.iter().map(|p| p.positions.len()).sum();
    assert!(positions > 0, "{name}: no positions");
    assert_eq!(golden_logits.len(), positions * vocab, "{name}: rows");
    let mut rows = golden_logits.chunks_exact(vocab);
    let mut worst = 0.0f32;
    for prompt in &golden.prompts {
        let expected: Vec<&[f32]> = rows.by_ref().take(prompt.positions.len()).collect();
        let row = |position: usize| prompt.positions.iter().position(|p| *p == position);
        let last = prompt.positions.iter().max().expect("checked above");
        let mut compared = 0;
        block_on(engine.each_logits(&prompt.ids[..=*last], |i, found| {
            if let Some(row) = row(i) {
                compared += 1;
                worst = worst.max(worst_error(name, found, expected[row]));
            }
        }))
        .unwrap();
        assert_eq!(compared, prompt.positions.len(), "{name}");
        // (one token of another prompt, so that nothing is cached)
        block_on(engine.logits(&[prompt.ids[0] ^ 1])).unwrap();
        for (position, expected) in prompt.positions.iter().zip(&expected) {
            let found = block_on(engine.logits(&prompt.ids[..=*position])).unwrap();
            worst = worst.max(worst_error(name, &found, expected));
        }
    }
    worst
}

/// Checks that logits are within `tolerance`.
pub fn check_logits(name: &str, on: On, engine: &mut Engine, tolerance: f32) {
    let worst = logit_error(name, engine);
    assert_within(&format!("{name} on {on:?}"), worst, tolerance);
}

/// Checks that logits are within `tolerance` and greedy ids are equal.
pub fn check_engine(name: &str, on: On, engine: &mut Engine, tolerance: f32) {
    check_logits(name, on, engine, tolerance);
    let golden = manifest::named(name);
    let ids = 0..engine.tokenizer().vocab_size() as u32;
    let ends: Vec<u32> = ids.filter(|id| engine.tokenizer().is_eog(*id)).collect();
    assert_eq!(ends, golden.ends, "{name}: ids that end an answer");
    for prompt in &golden.expected::<Golden>().prompts {
        let n = prompt.greedy_ids.len();
        let (ids, _) = greedy(engine, &prompt.ids, n).unwrap();
        let end = (prompt.greedy_ids.iter())
            .position(|id| engine.tokenizer().is_eog(*id))
            .unwrap_or(n);
        assert_eq!(ids, prompt.greedy_ids[..end], "{name} on {on:?}");
    }
}

/// Checks that the golden's chats encode to the golden's ids.
pub fn check_prompts(name: &str, engine: &Engine) {
    for prompt in &manifest::named(name).expected::<Golden>().prompts {
        if let Some(messages) = &prompt.messages {
            assert_eq!(engine.encode_chat(messages).unwrap(), prompt.ids, "{name}");
        }
    }
}
