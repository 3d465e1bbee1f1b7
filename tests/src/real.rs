//! What the goldens of real models have in common.

use hearth::chat_template::Message;
use serde::Deserialize;

use crate::On;

/// A prompt, and what the reference makes of it.
#[derive(Deserialize)]
pub struct Prompt {
    pub name: String,
    /// What it was made of: messages or a text.
    pub messages: Option<Vec<Message>>,
    pub text: Option<String>,
    pub ids: Vec<u32>,
    pub greedy_ids: Vec<u32>,
    /// The largest logits behind it.
    pub last_top_ids: Vec<u32>,
    pub last_top_logits: Vec<f32>,
}

impl Prompt {
    /// The largest error of the logits that the golden has, which is below `tolerance`.
    pub fn check(&self, on: On, logits: &[f32], tolerance: f32) {
        let top = self.last_top_ids.iter().zip(&self.last_top_logits);
        let worst = top.fold(0.0f32, |worst, (id, logit)| {
            worst.max((logits[*id as usize] - logit).abs())
        });
        println!("{} on {on:?}: largest logit error {worst}", self.name);
        assert!(worst < tolerance, "{} on {on:?}: {worst}", self.name);
    }
}

/// A text, and for each of its positions the token that the reference finds likeliest and by how much.
#[derive(Deserialize)]
pub struct Forced {
    pub ids: Vec<u32>,
    pub top1: Vec<u32>,
    pub margins: Vec<f32>,
}

impl Forced {
    /// Whether the likeliest token at position `i` is the reference's.
    pub fn agrees(&self, i: usize, logits: &[f32]) -> bool {
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        best == Some(self.top1[i] as usize)
    }
}
