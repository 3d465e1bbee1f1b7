//! One attempt to write down a window: tokens until the text ends, by the rules of `rules.rs`.

use crate::rules::{entropy, log_prob, no_speech_prob, suppress, timestamps};
use hearth_modelfile::Result;

use super::decoder::{Context, Sound};
use super::model::Whisper;

/// Entropy in nats of the last 32 tokens below which a text goes round in circles: that of three or four tokens in turn. Speech is
/// above 2.4 (whisper.cpp), but a text that is merely dull must not be cut.
const CIRCLES: f64 = 1.2;

/// A text under way.
pub struct Attempt {
    pub temperature: f32,
    /// Tokens that were written, without the end.
    pub tokens: Vec<usize>,
    /// Probability that nothing is said.
    pub no_speech_prob: f64,
    /// Tokens before those that are written.
    prompt: usize,
    context: Context,
    logits: Vec<f32>,
    log_probs: f64,
    timestamps: bool,
    most: usize,
}

impl Attempt {
    /// Computes the prompt, whose token `start` at index `at` tells whether something is said.
    pub fn begin(
        model: &Whisper,
        sound: &Sound,
        prompt: &[usize],
        at: usize,
        temperature: f32,
        timestamps: bool,
        keeps_alignments: bool,
    ) -> Self {
        let mut context = model.decoder.begin(sound, keeps_alignments);
        let states = model.decoder.run(prompt, &mut context);
        let d = model.config.d_model;
        let state = |row: usize| &states[row * d..(row + 1) * d];
        let logits = model.decoder.logits(state(prompt.len() - 1));
        let at_start = model.decoder.logits(state(at));
        Self {
            temperature,
            tokens: Vec::new(),
            no_speech_prob: no_speech_prob(&at_start, &model.specials.ids).unwrap_or(0.0),
            prompt: prompt.len(),
            context,
            logits,
            log_probs: 0.0,
            timestamps,
            most: model.config.text_ctx / 2,
        }
    }

    /// Writes one token; returns whether the text has ended. `random` gives numbers in 0..1.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::Metadata`] if the model's ids do not fit its vocabulary.
    pub fn step(&mut self, model: &Whisper, random: impl FnOnce() -> f64) -> Result<bool> {
        let specials = &model.specials;
        let mut logits = std::mem::take(&mut self.logits);
        suppress(&mut logits, &specials.suppress);
        if self.tokens.is_empty() {
            suppress(&mut logits, &specials.begin_suppress);
        }
        if self.timestamps {
            timestamps(&mut logits, &self.tokens, &specials.ids)?;
        }
        let token = if self.temperature > 0.0 {
            sample(&logits, self.temperature, random())
        } else {
            largest(&logits)
        };
        self.log_probs += log_prob(&logits, token).unwrap_or(f64::NEG_INFINITY);
        if token == specials.ids.eot {
            return Ok(true);
        }
        self.tokens.push(token);
        let is_full = self.tokens.len() >= self.most || model.decoder.room(&self.context) == 0;
        if is_full || entropy(&self.tokens).is_some_and(|entropy| entropy < CIRCLES) {
            return Ok(true);
        }
        let state = model.decoder.run(&[token], &mut self.context);
        self.logits = model.decoder.logits(&state);
        Ok(false)
    }

    /// Returns the mean log-probability of what was written, its end included.
    pub fn avg_logprob(&self) -> f64 {
        self.log_probs / (self.tokens.len() + 1) as f64
    }

    /// Returns the tokens before the text, and the weights of each alignment head for all tokens that were computed.
    pub fn alignments(&self) -> (usize, &[Vec<f32>]) {
        (self.prompt, self.context.alignments())
    }
}

/// Returns the first of the largest logits.
fn largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best
}

/// Draws an id by the probabilities at a temperature.
fn sample(logits: &[f32], temperature: f32, random: f64) -> usize {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: &f32| f64::from((logit - max) / temperature).exp();
    let total: f64 = logits.iter().map(weight).sum();
    let mut left = random * total;
    for (id, logit) in logits.iter().enumerate() {
        left -= weight(logit);
        if left < 0.0 {
            return id;
        }
    }
    largest(logits)
}

/// Returns a number in 0..1 (xorshift64*, Vigna 2016).
pub fn random(state: &mut u64) -> f64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let bits = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
    bits as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_spread() {
        let mut state = 1;
        let mean = (0..1_000).map(|_| random(&mut state)).sum::<f64>() / 1_000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }

    #[test]
    fn ids_are_drawn_by_their_probabilities() {
        let logits = [f32::NEG_INFINITY, 0.0, 2_f32.ln(), f32::NEG_INFINITY];
        assert_eq!(sample(&logits, 1.0, 0.0), 1);
        assert_eq!(sample(&logits, 1.0, 0.333), 1);
        assert_eq!(sample(&logits, 1.0, 0.334), 2);
        assert_eq!(sample(&logits, 1.0, 1.0), 2);
        // 1 to 4 at half the temperature.
        assert_eq!(sample(&logits, 0.5, 0.199), 1);
        assert_eq!(sample(&logits, 0.5, 0.201), 2);
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
    }
}
