//! One attempt to write down a window: tokens until the text ends, by the rules of `rules.rs`.

use crate::rules::{
    Allowed, Found, entropy, likeliest, log_prob, no_speech_prob, suppress, timestamps,
};
use hearth_modelfile::Result;

use super::decoder::Context;
use super::model::{Parts, Set, Whisper};

/// Entropy in nats of the last 32 tokens below which a text goes round in circles: that of three or four tokens in turn. Speech is
/// above 2.4 (whisper.cpp), but a text that is merely dull must not be cut.
const CIRCLES: f64 = 1.2;

/// Numbers by which the next token is chosen.
pub enum Outlook {
    /// All logits.
    Logits(Vec<f32>),
    /// The text and the times that are allowed, as [`Attempt::search`] asked for them.
    Ranges([Found; 2]),
}

/// Ids that a network elsewhere is to search for the next token: ranges of text and of times, without those of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub allowed: Allowed,
    pub set: Set,
}

/// A text under way.
pub struct Attempt {
    pub temperature: f32,
    /// Tokens that were written, without the end.
    pub tokens: Vec<usize>,
    /// Probability that nothing is said.
    pub no_speech_prob: f64,
    /// Tokens before those that are written.
    prompt: Vec<usize>,
    /// Index in the prompt of the token that tells whether something is said.
    at: usize,
    /// State that later tokens need of those before, if they are computed here.
    context: Option<Context>,
    /// Weights of the alignment heads, if they were computed elsewhere.
    aligned: Vec<Vec<f32>>,
    log_probs: f64,
    timestamps: bool,
    most: usize,
}

impl Attempt {
    /// Begins with a prompt, whose token at index `at` tells whether something is said.
    pub fn new(
        parts: &Parts,
        prompt: Vec<usize>,
        at: usize,
        temperature: f32,
        timestamps: bool,
        context: Option<Context>,
    ) -> Self {
        Self {
            temperature,
            tokens: Vec::new(),
            no_speech_prob: 0.0,
            prompt,
            at,
            context,
            aligned: Vec::new(),
            log_probs: 0.0,
            timestamps,
            most: parts.config.text_ctx / 2,
        }
    }

    /// Computes what has not been, and returns the logits of the next token.
    pub fn compute(&mut self, model: &Whisper) -> Vec<f32> {
        let Some(context) = &mut self.context else {
            return Vec::new();
        };
        if let Some(last) = self.tokens.last() {
            return model.decoder.logits(&model.decoder.run(&[*last], context));
        }
        let states = model.decoder.run(&self.prompt, context);
        let d = model.config.d_model;
        let state = |row: usize| &states[row * d..(row + 1) * d];
        let logits = model.decoder.logits(state(self.prompt.len() - 1));
        let at_start = model.decoder.logits(state(self.at));
        self.no_speech_prob = no_speech_prob(&at_start, &model.specials.ids).unwrap_or(0.0);
        logits
    }

    /// Returns the tokens that are to be computed elsewhere for the next one, and the position of the first of them.
    pub fn wanted(&self) -> (usize, &[usize]) {
        match self.tokens.len() {
            0 => (0, &self.prompt),
            n => (self.prompt.len() + n - 1, &self.tokens[n - 1..]),
        }
    }

    /// Returns the index in the prompt of the token whose logits tell whether something is said, before the first is written.
    pub fn silence_at(&self) -> Option<usize> {
        self.tokens.is_empty().then_some(self.at)
    }

    /// Returns the ids among which the next token is searched, or none if all logits are needed: to draw one of them.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::Metadata`] if the model's ids do not fit its vocabulary.
    pub fn search(&self, parts: &Parts) -> Result<Option<Search>> {
        if self.temperature > 0.0 {
            return Ok(None);
        }
        let n_vocab = parts.config.n_vocab;
        let allowed = match self.timestamps {
            true => Allowed::after(&self.tokens, &parts.specials.ids, n_vocab)?,
            false => Allowed::all(n_vocab),
        };
        let set = match self.tokens.is_empty() {
            true => Set::SuppressedAtBegin,
            false => Set::Suppressed,
        };
        Ok(Some(Search { allowed, set }))
    }

    /// Writes one token; returns whether the text has ended. `random` gives numbers in 0..1.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::Metadata`] if the model's ids do not fit its vocabulary.
    pub fn choose(
        &mut self,
        parts: &Parts,
        outlook: Outlook,
        random: impl FnOnce() -> f64,
    ) -> Result<bool> {
        let specials = &parts.specials;
        let (token, log_prob) = match outlook {
            Outlook::Logits(logits) => self.choose_among(parts, logits, random)?,
            Outlook::Ranges([text, times]) => likeliest(&text, &times),
        };
        self.log_probs += log_prob;
        if token == specials.ids.eot {
            return Ok(true);
        }
        self.tokens.push(token);
        let computed = self.prompt.len() + self.tokens.len() - 1;
        let is_full = self.tokens.len() >= self.most || computed >= parts.config.text_ctx;
        Ok(is_full || entropy(&self.tokens).is_some_and(|entropy| entropy < CIRCLES))
    }

    fn choose_among(
        &self,
        parts: &Parts,
        mut logits: Vec<f32>,
        random: impl FnOnce() -> f64,
    ) -> Result<(usize, f64)> {
        let specials = &parts.specials;
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
        Ok((token, log_prob(&logits, token).unwrap_or(f64::NEG_INFINITY)))
    }

    /// Returns the mean log-probability of what was written, its end included.
    pub fn avg_logprob(&self) -> f64 {
        self.log_probs / (self.tokens.len() + 1) as f64
    }

    /// Returns all tokens so far, as far as `most` of them.
    pub fn whole(&self, most: usize) -> Vec<usize> {
        let all = self.prompt.iter().chain(&self.tokens).take(most);
        all.copied().collect()
    }

    /// Takes the weights of `n` alignment heads for all tokens, [n, tokens, positions].
    pub fn align(&mut self, weights: &[f32], n: usize) {
        let each = (weights.len() / n.max(1)).max(1);
        self.aligned = weights.chunks_exact(each).map(<[f32]>::to_vec).collect();
    }

    /// Returns the number of tokens before the text, and the weights of each alignment head for all tokens that were computed.
    pub fn alignments(&self) -> (usize, &[Vec<f32>]) {
        let heads = match &self.context {
            Some(context) => context.alignments(),
            None => &self.aligned,
        };
        (self.prompt.len(), heads)
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
