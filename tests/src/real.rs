//! Helpers shared by the goldens of real models.

use hearth_modelfile::text::template::Message;
use serde::Deserialize;

use crate::On;
use crate::compare::assert_near;

/// A prompt, and the reference's results for it.
#[derive(Deserialize)]
pub struct Prompt {
    pub name: String,
    /// The input it was built from: messages or a text.
    pub messages: Option<Vec<Message>>,
    pub text: Option<String>,
    pub ids: Vec<u32>,
    pub greedy_ids: Vec<u32>,
    /// Ids of the largest logits after the prompt.
    pub last_top_ids: Vec<u32>,
    pub last_top_logits: Vec<f32>,
}

impl Prompt {
    /// Checks that the logits in the golden are within `tolerance`.
    pub fn check(&self, on: On, logits: &[f32], tolerance: f32) {
        let found: Vec<f32> = (self.last_top_ids.iter())
            .map(|id| logits[*id as usize])
            .collect();
        let what = format!("{} on {on:?}", self.name);
        assert_near(&what, &found, &self.last_top_logits, tolerance);
        assert!(logits.iter().all(|v| v.is_finite()), "{what}");
    }
}

/// A text with, for each position, the reference's likeliest token and its margin.
#[derive(Deserialize)]
pub struct Forced {
    pub ids: Vec<u32>,
    pub top1: Vec<u32>,
    pub margins: Vec<f32>,
}

impl Forced {
    /// Whether the likeliest token at position `i` is the reference's.
    pub fn agrees(&self, i: usize, logits: &[f32]) -> bool {
        assert!(logits.iter().all(|v| v.is_finite()), "position {i}");
        let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        best == Some(self.top1[i] as usize)
    }
}
