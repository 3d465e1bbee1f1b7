//! Whisper's rules on logits and on what came out (transformers' `WhisperTimeStampLogitsProcessor`, openai/whisper `decoding.py`).

use std::ops::Range;

use hearth_modelfile::{Error, Result};
use miniz_oxide::deflate::compress_to_vec_zlib;

/// Ids that the rules need, from `generation_config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// End of the text; ids below it are text.
    pub eot: usize,
    /// `<|notimestamps|>`; the id after it is 0.00 s.
    pub no_timestamps: usize,
    /// Steps of 0.02 s by which the first timestamp may follow the window's start.
    pub max_initial_timestamp: Option<usize>,
}

impl Ids {
    /// Returns the id of the first timestamp, 0.00 s.
    #[must_use]
    pub fn timestamp_begin(&self) -> usize {
        self.no_timestamps + 1
    }
}

/// zlib's level whose sizes the threshold of the compression ratio was chosen for.
const ZLIB_LEVEL: u8 = 6;

/// Temperatures to try, in order, while [`Quality::must_retry`] says so.
pub const TEMPERATURES: [f32; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

/// Takes `ids` out of the `logits`; ids that the vocabulary lacks are none of it.
pub fn suppress(logits: &mut [f32], ids: &[usize]) {
    for &id in ids {
        if let Some(logit) = logits.get_mut(id) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// Ids that may follow a text by the rules on what stands in it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Text, and what else stands before the times.
    pub text: Range<usize>,
    pub times: Range<usize>,
}

impl Allowed {
    /// Returns all of `n_vocab` ids, where no times are written.
    #[must_use]
    pub fn all(n_vocab: usize) -> Self {
        Self {
            text: 0..n_vocab,
            times: n_vocab..n_vocab,
        }
    }

    /// Applies the rules of timestamps to the step after `sequence`, the ids since the prompt.
    ///
    /// # Errors
    /// [`Error::Metadata`] if the vocabulary has no timestamps, or the text's end is none of its ids.
    pub fn after(sequence: &[usize], ids: &Ids, n_vocab: usize) -> Result<Self> {
        let begin = ids.timestamp_begin();
        if begin >= n_vocab || ids.eot >= begin {
            return Err(Error::Metadata {
                key: "no_timestamps_token_id".into(),
                expected: format!("an id before timestamps among {n_vocab} logits"),
                found: ids.no_timestamps.to_string(),
            });
        }
        // (`<|notimestamps|>`, the last id before the times, is never written)
        let (mut text, mut times) = (0..ids.no_timestamps, begin..n_vocab);
        let is_time = |id: &usize| *id >= begin;
        let last = sequence.last().is_some_and(is_time);
        let before = sequence.len() < 2 || sequence.get(sequence.len() - 2).is_some_and(is_time);
        if let Some(&time) = sequence.iter().rev().find(|id| is_time(id)) {
            // A segment that stands open may end where the last one did; one that begins must not have a length of 0.
            let open = last && !before;
            times.start = if open { time } else { time.saturating_add(1) };
        }
        if last && before {
            times.start = n_vocab;
        } else if last {
            text.start = ids.eot;
        }
        if sequence.is_empty() {
            text.start = text.end;
            if let Some(most) = ids.max_initial_timestamp {
                times.end = begin.saturating_add(most).saturating_add(1).min(n_vocab);
            }
        }
        times.start = times.start.min(times.end);
        text.start = text.start.min(text.end);
        Ok(Self { text, times })
    }
}

/// Applies the rules of timestamps to the `logits` `[n_vocab]` of the step after `sequence`, the ids since the prompt.
///
/// # Errors
/// As [`Allowed::after`].
pub fn timestamps(logits: &mut [f32], sequence: &[usize], ids: &Ids) -> Result<()> {
    let Allowed { text, times } = Allowed::after(sequence, ids, logits.len())?;
    for banned in [
        0..text.start,
        text.end..times.start,
        times.end..logits.len(),
    ] {
        logits[banned].fill(f32::NEG_INFINITY);
    }
    let (before, after) = logits.split_at_mut(ids.timestamp_begin());
    let best_text = before.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if log_sum_exp(after) > f64::from(best_text) {
        before.fill(f32::NEG_INFINITY);
    }
    Ok(())
}

/// Maximum and sum of the logits of a range of ids, without those that are suppressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub largest: f32,
    /// The lowest id that has it.
    pub id: usize,
    /// Sum of the exponentials of what the logits are more than the largest; 0 for a range without ids.
    pub sum: f64,
}

impl Found {
    /// Reads the four numbers of the core's search.
    #[must_use]
    pub fn read(numbers: &[f32; 4]) -> Self {
        let [largest, id, sum, _] = *numbers;
        Self {
            largest,
            id: id as usize,
            sum: f64::from(sum),
        }
    }

    /// Returns the logarithm of the sum of the exponentials of the logits.
    #[must_use]
    pub fn log_sum_exp(&self) -> f64 {
        match self.sum > 0.0 {
            true => f64::from(self.largest) + self.sum.ln(),
            false => f64::NEG_INFINITY,
        }
    }

    fn best(&self) -> f64 {
        match self.sum > 0.0 {
            true => f64::from(self.largest),
            false => f64::NEG_INFINITY,
        }
    }
}

/// Returns the likeliest id of text and times that are allowed, and its log-probability among them: all text is banned where the times
/// together are likelier than the likeliest of it.
#[must_use]
pub fn likeliest(text: &Found, times: &Found) -> (usize, f64) {
    let of_times = times.log_sum_exp();
    if of_times > text.best() {
        return (times.id, times.best() - of_times);
    }
    // (of equal logits the lowest id, and there is text)
    let best = match times.best() > text.best() {
        true => times,
        false => text,
    };
    let of_text = text.log_sum_exp();
    let both = of_text + (of_times - of_text).exp().ln_1p();
    (best.id, best.best() - both)
}

/// Returns the logarithm of the sum of the exponentials of `values`; minus infinity for none.
fn log_sum_exp(values: &[f32]) -> f64 {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    let sum: f64 = values
        .iter()
        .map(|value| (f64::from(*value) - f64::from(max)).exp())
        .sum();
    f64::from(max) + sum.ln()
}

/// Returns the log-probability of `id` under raw `logits`, or `None` if it is no id of them.
#[must_use]
pub fn log_prob(logits: &[f32], id: usize) -> Option<f64> {
    logits
        .get(id)
        .map(|logit| f64::from(*logit) - log_sum_exp(logits))
}

/// Returns the probability of silence: that of the id before `<|notimestamps|>` in the raw logits after
/// `<|startoftranscript|>`.
#[must_use]
pub fn no_speech_prob(logits: &[f32], ids: &Ids) -> Option<f64> {
    log_prob(logits, ids.no_timestamps.checked_sub(1)?).map(f64::exp)
}

/// Returns the index in `languages` of the likeliest language after `<|startoftranscript|>`, and its probability among them.
#[must_use]
pub fn language(logits: &[f32], languages: &[usize]) -> Option<(usize, f64)> {
    let of_languages: Option<Vec<f32>> = languages
        .iter()
        .map(|id| logits.get(*id).copied())
        .collect();
    let of_languages = of_languages?;
    let best =
        (0..of_languages.len()).max_by(|a, b| of_languages[*a].total_cmp(&of_languages[*b]))?;
    Some((best, log_prob(&of_languages, best)?.exp()))
}

/// Measures of one decoded window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Sum of the log-probabilities, the end's included, divided by the number of ids and 1.
    pub avg_logprob: f64,
    /// Bytes of the text divided by those of its zlib stream: high for repetitions.
    pub compression_ratio: f64,
    /// Probability of silence.
    pub no_speech_prob: f64,
}

/// Bounds by which a window is judged; the defaults are those of openai/whisper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Probability of silence above which a window without confidence has no text.
    pub no_speech_prob: f64,
    /// Mean log-probability below which there is no confidence.
    pub avg_logprob: f64,
    /// Ratio above which a text repeats itself.
    pub compression_ratio: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            no_speech_prob: 0.6,
            avg_logprob: -1.0,
            compression_ratio: 2.4,
        }
    }
}

impl Quality {
    /// Tells whether the window is taken for silent, and its text dropped.
    #[must_use]
    pub fn is_silent(&self, than: &Thresholds) -> bool {
        self.no_speech_prob > than.no_speech_prob && self.avg_logprob < than.avg_logprob
    }

    /// Tells whether to decode again at the next of [`TEMPERATURES`].
    #[must_use]
    pub fn must_retry(&self, than: &Thresholds) -> bool {
        let is_bad =
            self.compression_ratio > than.compression_ratio || self.avg_logprob < than.avg_logprob;
        is_bad && !self.is_silent(than)
    }
}

/// Returns the bytes of a text divided by those of its zlib stream; 0 for none.
#[must_use]
pub fn compression_ratio(text: &str) -> f64 {
    match text.len() {
        0 => 0.0,
        len => len as f64 / compress_to_vec_zlib(text.as_bytes(), ZLIB_LEVEL).len() as f64,
    }
}

/// Returns the entropy in nats of the last 32 ids, or `None` if there are fewer: below 2.4 the answer goes round in circles
/// (whisper.cpp).
#[must_use]
pub fn entropy(sequence: &[usize]) -> Option<f64> {
    const LAST: usize = 32;
    let mut ids = sequence.get(sequence.len().checked_sub(LAST)?..)?.to_vec();
    ids.sort_unstable();
    let shares = ids
        .chunk_by(|a, b| a == b)
        .map(|same| same.len() as f64 / LAST as f64);
    Some(shares.map(|share| -share * share.ln()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_have_little_entropy() {
        assert_eq!(entropy(&[1; 31]), None);
        assert_eq!(entropy(&[1; 40]), Some(0.0));
        let all: Vec<usize> = (0..32).collect();
        assert!((entropy(&all).unwrap() - 32_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn repetitions_compress_well() {
        assert_eq!(compression_ratio(""), 0.0);
        assert!(compression_ratio("one sentence like any other") < 1.1);
        assert!(compression_ratio(&"again ".repeat(60)) > 10.0);
    }

    #[test]
    fn silence_is_not_tried_again() {
        let usual = Thresholds::default();
        let quality = |no_speech_prob, avg_logprob, compression_ratio| Quality {
            avg_logprob,
            compression_ratio,
            no_speech_prob,
        };
        assert!(
            quality(0.7, -1.1, 3.0).is_silent(&usual)
                && !quality(0.7, -1.1, 3.0).must_retry(&usual)
        );
        assert!(
            !quality(0.7, -0.9, 1.0).is_silent(&usual)
                && !quality(0.7, -0.9, 1.0).must_retry(&usual)
        );
        assert!(
            quality(0.1, -1.1, 1.0).must_retry(&usual)
                && quality(0.9, -0.1, 2.5).must_retry(&usual)
        );
    }

    #[test]
    fn probabilities_are_those_of_softmax() {
        let logits = [0.0, 2_f32.ln(), 5_f32.ln(), f32::NEG_INFINITY];
        assert!((log_prob(&logits, 2).unwrap().exp() - 0.625).abs() < 1e-6);
        assert_eq!(log_prob(&logits, 4), None);
        let (best, probability) = language(&logits, &[0, 1]).unwrap();
        assert!(best == 1 && (probability - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(language(&logits, &[]), None);
        let ids = Ids {
            eot: 0,
            no_timestamps: 2,
            max_initial_timestamp: None,
        };
        assert!((no_speech_prob(&logits, &ids).unwrap() - 0.25).abs() < 1e-6);
        let refused = timestamps(&mut [0.0; 3], &[], &ids).unwrap_err();
        assert_eq!(refused.code(), "bad_metadata");
    }
}
