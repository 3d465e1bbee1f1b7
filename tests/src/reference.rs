//! A loaded model against what transformers computed with its weights.

use hearth::Engine;
use hearth::chat_template::Message;
use serde::Deserialize;

use crate::{On, golden, golden_f32, greedy};

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

/// Largest difference of a logit from the golden `name`.
fn logit_error(name: &str, engine: &mut Engine) -> f32 {
    let golden_logits = golden_f32(&format!("{name}_logits.bin"));
    let golden: Golden = golden(&format!("{name}.json"));
    let vocab = engine.info().config.vocab_size;
    let mut rows = golden_logits.chunks_exact(vocab);
    let mut worst = 0.0f32;
    for prompt in &golden.prompts {
        for position in &prompt.positions {
            let ids = &prompt.ids[..position + 1];
            let found = pollster::block_on(engine.logits(ids)).unwrap();
            let expected = rows.next().expect("a golden row for every position");
            for (a, b) in found.iter().zip(expected) {
                worst = worst.max((a - b).abs());
            }
        }
    }
    worst
}

/// Logits within `tolerance`, and greedy ids equal.
pub fn check_engine(name: &str, on: On, engine: &mut Engine, tolerance: f32) {
    let worst = logit_error(name, engine);
    println!("{name} on {on:?}: largest logit error {worst}");
    assert!(worst < tolerance, "{name} on {on:?}: {worst}");
    for prompt in &golden::<Golden>(&format!("{name}.json")).prompts {
        let n = prompt.greedy_ids.len();
        let (ids, _) = greedy(engine, &prompt.ids, n).unwrap();
        let end = (prompt.greedy_ids.iter())
            .position(|id| engine.tokenizer().is_eog(*id))
            .unwrap_or(n);
        assert_eq!(ids, prompt.greedy_ids[..end], "{name} on {on:?}");
    }
}

/// The golden's chats become the golden's ids.
pub fn check_prompts(name: &str, engine: &Engine) {
    for prompt in &golden::<Golden>(&format!("{name}.json")).prompts {
        if let Some(messages) = &prompt.messages {
            assert_eq!(engine.encode_chat(messages).unwrap(), prompt.ids, "{name}");
        }
    }
}
