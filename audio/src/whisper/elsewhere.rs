//! Work of a network that is computed elsewhere, by the core on a GPU: what it is asked, and how its answers are read.

use crate::rules::Found;
use hearth_modelfile::{Error, Result};

use super::model::{Parts, Set};
use super::window::{Attempt, Outlook};

/// Numbers of a range in an answer.
const FOUND: usize = 4;

/// Tokens to compute, and what is wanted of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Position of the first of them.
    pub from: usize,
    pub ids: Vec<usize>,
    /// For each thing that is wanted: the index of a token, the number of ranges of ids to search, or 0 for all logits, and the first
    /// id, the one behind the last, and the set of banned ids of each range.
    pub picks: Vec<usize>,
}

impl Work {
    /// Asks for the logits after one token that begins a window.
    pub fn logits_after(id: usize) -> Self {
        Self {
            from: 0,
            ids: vec![id],
            picks: vec![0, 0],
        }
    }

    /// Asks for what the next token of an attempt is chosen by.
    ///
    /// # Errors
    /// As [`Attempt::search`].
    pub fn of(attempt: &Attempt, parts: &Parts) -> Result<Self> {
        let (from, ids) = attempt.wanted();
        let mut picks = Vec::new();
        if let Some(at) = attempt.silence_at() {
            let silence = parts.specials.ids.no_timestamps.saturating_sub(1);
            picks.extend([at, 2]);
            picks.extend([0, parts.config.n_vocab, Set::Nothing as usize]);
            picks.extend([silence, silence + 1, Set::Nothing as usize]);
        }
        picks.push(ids.len() - 1);
        match attempt.search(parts)? {
            None => picks.push(0),
            Some(search) => {
                let (allowed, set) = (search.allowed, search.set as usize);
                picks.push(2);
                picks.extend([allowed.text.start, allowed.text.end, set]);
                picks.extend([allowed.times.start, allowed.times.end, set]);
            }
        }
        Ok(Self {
            from,
            ids: ids.to_vec(),
            picks,
        })
    }
}

/// Reads an answer to [`Work::of`]: notes whether something is said, and returns what the next token is chosen by.
///
/// # Errors
/// [`Error::Internal`] for another number of values than was asked for.
pub fn read(attempt: &mut Attempt, parts: &Parts, mut numbers: &[f32]) -> Result<Outlook> {
    if attempt.silence_at().is_some() {
        let ([all, silence], rest) = pair(numbers)?;
        numbers = rest;
        attempt.no_speech_prob = (f64::from(silence.largest) - all.log_sum_exp()).exp();
    }
    if attempt.search(parts)?.is_none() {
        return match numbers.len() == parts.config.n_vocab {
            true => Ok(Outlook::Logits(numbers.to_vec())),
            false => Err(another_length(numbers)),
        };
    }
    match pair(numbers)? {
        (found, []) => Ok(Outlook::Ranges(found)),
        (_, rest) => Err(another_length(rest)),
    }
}

/// Reads what was found in two ranges.
fn pair(numbers: &[f32]) -> Result<([Found; 2], &[f32])> {
    match numbers.as_chunks::<FOUND>() {
        ([first, second, ..], _) => {
            let found = [Found::read(first), Found::read(second)];
            Ok((found, &numbers[2 * FOUND..]))
        }
        _ => Err(another_length(numbers)),
    }
}

fn another_length(numbers: &[f32]) -> Error {
    internal(format!("{} numbers in an answer", numbers.len()))
}

pub(super) fn internal(message: String) -> Error {
    Error::Internal {
        what: "speech".into(),
        message,
    }
}
