//! Log-probabilities of what was sampled, and of what was likeliest instead.

use serde::Serialize;

use hearth_modelfile::text::tokenizer::Tokenizer;

/// The most alternatives that a request may ask for.
pub const MOST_ALTERNATIVES: usize = 20;

/// A token and how likely the model found it, before temperature, filters, penalties and constraints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Logprob {
    pub id: u32,
    /// Its text, with U+FFFD where it is part of a character only.
    pub token: String,
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

/// A sampled token, and the likeliest ones in its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TokenLogprobs {
    #[serde(flatten)]
    pub sampled: Logprob,
    /// The likeliest, the best first.
    pub top: Vec<Logprob>,
}

/// From `logits` [vocab], of which `id` was sampled, with the `count` likeliest.
pub(crate) fn logprobs(
    logits: &[f32],
    id: u32,
    count: usize,
    tokenizer: &Tokenizer,
) -> TokenLogprobs {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - top).exp()).sum();
    let log_sum = sum.ln() as f32;
    let of = |id: u32| {
        let bytes = match tokenizer.token_bytes(id) {
            bytes if bytes.is_empty() => tokenizer
                .token_text(id)
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
            bytes => bytes,
        };
        Logprob {
            id,
            token: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            logprob: logits
                .get(id as usize)
                .map_or(f32::NEG_INFINITY, |v| v - top - log_sum),
        }
    };
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| {
        logits[*b as usize]
            .total_cmp(&logits[*a as usize])
            .then(a.cmp(b))
    };
    let count = count.min(order.len());
    if count > 0 {
        order.select_nth_unstable_by(count - 1, by_logit);
    }
    order.truncate(count);
    order.sort_unstable_by(by_logit);
    TokenLogprobs {
        sampled: of(id),
        top: order.into_iter().map(of).collect(),
    }
}
