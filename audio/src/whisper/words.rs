//! Times of words: where the alignment heads of the cross attention look while a token is written, made monotonous by dynamic time
//! warping (openai/whisper `timing.py`, transformers' `_extract_token_timestamps`).

use serde::Serialize;

use super::vocabulary::Vocabulary;

/// Seconds of one row of the encoder's output.
const STEP: f64 = 0.02;
/// Width of the median filter over time, in rows.
const MEDIAN: usize = 7;
/// Signs that belong to the word after them, and to the one before them.
const BEFORE: &str = "\"'“¿([{-";
const AFTER: &str = "\"'.。,，!！?？:：”)]}、";

/// A word and when it is said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    pub word: String,
    /// Seconds.
    pub start: f64,
    pub end: f64,
}

/// Returns when each of `tokens` tokens after a prompt begins, and when the last ends: `tokens + 1` seconds from the window's
/// start, or none if nothing was recorded. `heads`: [prompt + tokens, positions] each; `rows`: the positions that hold sound.
pub fn starts(
    heads: &[Vec<f32>],
    positions: usize,
    prompt: usize,
    tokens: usize,
    rows: usize,
) -> Vec<f64> {
    let rows = rows.min(positions);
    // A token is written where the one before it was read.
    let first = prompt.saturating_sub(1);
    let whole = |head: &&Vec<f32>| head.len() >= (first + tokens + 1) * positions;
    let heads: Vec<&Vec<f32>> = heads.iter().filter(whole).collect();
    if heads.is_empty() || rows == 0 {
        return Vec::new();
    }
    let mut cost = vec![vec![0.0; rows]; tokens + 1];
    for head in &heads {
        let mut weights: Vec<Vec<f32>> = head[first * positions..]
            .chunks_exact(positions)
            .take(tokens + 1)
            .map(|row| row[..rows].to_vec())
            .collect();
        normalise(&mut weights, rows);
        for (cost, weights) in cost.iter_mut().zip(&weights) {
            for (cost, weight) in cost.iter_mut().zip(median(weights)) {
                *cost -= weight / heads.len() as f32;
            }
        }
    }
    first_rows(&cost, rows)
        .iter()
        .map(|row| *row as f64 * STEP)
        .collect()
}

/// Subtracts from each position its mean over all tokens, and divides by its deviation.
fn normalise(weights: &mut [Vec<f32>], rows: usize) {
    let n = weights.len() as f32;
    for at in 0..rows {
        let mean = weights.iter().map(|row| row[at]).sum::<f32>() / n;
        let square = |row: &Vec<f32>| (row[at] - mean) * (row[at] - mean);
        let deviation = (weights.iter().map(square).sum::<f32>() / n).sqrt();
        for row in weights.iter_mut() {
            row[at] = if deviation > 0.0 {
                (row[at] - mean) / deviation
            } else {
                0.0
            };
        }
    }
}

/// Returns the medians over time, with mirrored ends.
fn median(row: &[f32]) -> Vec<f32> {
    let half = MEDIAN / 2;
    if row.len() <= half {
        return row.to_vec();
    }
    let last = row.len() - 1;
    let mirrored = |at: isize| {
        let at = at.unsigned_abs();
        row[if at > last { 2 * last - at } else { at }]
    };
    (0..row.len())
        .map(|at| {
            let mut near: [f32; MEDIAN] =
                std::array::from_fn(|i| mirrored(at as isize + i as isize - half as isize));
            near.sort_by(f32::total_cmp);
            near[half]
        })
        .collect()
}

/// Returns the first position of each token on the cheapest path that never goes back.
fn first_rows(cost: &[Vec<f32>], rows: usize) -> Vec<usize> {
    #[derive(Clone, Copy)]
    enum From {
        Both,
        Token,
        Time,
    }
    let mut sums = vec![f32::INFINITY; rows + 1];
    sums[0] = 0.0;
    let mut trace = vec![vec![From::Time; rows]; cost.len()];
    for (cost, trace) in cost.iter().zip(&mut trace) {
        let mut next = vec![f32::INFINITY; rows + 1];
        for at in 0..rows {
            let (both, token, time) = (sums[at], sums[at + 1], next[at]);
            let (least, from) = if both < token && both < time {
                (both, From::Both)
            } else if token < both && token < time {
                (token, From::Token)
            } else {
                (time, From::Time)
            };
            next[at + 1] = cost[at] + least;
            trace[at] = from;
        }
        sums = next;
    }
    let mut firsts = vec![0; cost.len()];
    let (mut token, mut at) = (cost.len() - 1, rows - 1);
    loop {
        firsts[token] = at;
        match (trace[token][at], token, at) {
            (_, 0, 0) => break,
            (From::Time, _, 1..) | (_, 0, _) => at -= 1,
            (From::Token, ..) | (_, _, 0) => token -= 1,
            (From::Both, ..) => (token, at) = (token - 1, at - 1),
        }
    }
    firsts
}

/// Returns the words of some tokens; `starts`: seconds at which each of them begins and the last ends. Tokens from `eot` on are no
/// text. `by_character` for languages that write no spaces.
pub fn of_tokens(
    vocabulary: &Vocabulary,
    tokens: &[usize],
    starts: &[f64],
    eot: usize,
    by_character: bool,
) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut bytes, mut begin) = (Vec::new(), None);
    for (i, token) in tokens.iter().enumerate().filter(|(_, token)| **token < eot) {
        bytes.extend(vocabulary.decode(&[*token]));
        let begun = *begin.get_or_insert(i);
        // A character may be several tokens.
        let Ok(text) = std::str::from_utf8(&bytes) else {
            continue;
        };
        let (text, time) = (text.to_owned(), |i: usize| {
            starts.get(i).copied().unwrap_or(0.0)
        });
        let (start, end) = (time(begun), time(i + 1));
        (bytes, begin) = (Vec::new(), None);
        let is_sign = text.trim().chars().all(|c| c.is_ascii_punctuation());
        let is_new = by_character || text.starts_with(' ') || is_sign;
        match words.last_mut() {
            Some(last) if !is_new => {
                last.word.push_str(&text);
                last.end = end;
            }
            _ => words.push(Word {
                word: text,
                start,
                end,
            }),
        }
    }
    with_signs(words)
}

/// Joins signs with the words that they belong to.
fn with_signs(words: Vec<Word>) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::new();
    let mut open: Option<Word> = None;
    for mut word in words {
        let sign = word.word.trim();
        let is_in = |set: &str| !sign.is_empty() && sign.chars().all(|c| set.contains(c));
        if let Some(before) = open.take() {
            word = Word {
                word: before.word + &word.word,
                start: before.start,
                ..word
            };
        } else if word.word.starts_with(' ') && is_in(BEFORE) {
            open = Some(word);
            continue;
        } else if is_in(AFTER)
            && let Some(last) = joined.last_mut()
        {
            last.word.push_str(&word.word);
            continue;
        }
        joined.push(word);
    }
    joined.extend(open);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_begin_where_their_weights_lie() {
        let (positions, prompt, tokens) = (40, 2, 3);
        let mut head = vec![0.001; (prompt + tokens) * positions];
        // Rows 1 to 4 look at one place after the other.
        for (row, place) in [(1, 0..9), (2, 9..20), (3, 20..31), (4, 31..40)] {
            head[row * positions..][place].fill(1.0);
        }
        let found = starts(&[head], positions, prompt, tokens, positions);
        assert_eq!(found, [0.0, 0.18, 0.4, 0.62]);
        assert!(starts(&[], positions, prompt, tokens, positions).is_empty());
    }

    #[test]
    fn signs_belong_to_words() {
        let tokens = [" I", " said", ",", " \"", "no", "\"", "."];
        let bytes = tokens.iter().map(|t| t.as_bytes().to_vec()).collect();
        let vocabulary = Vocabulary::new(bytes, tokens.len());
        let ids: Vec<usize> = (0..tokens.len()).collect();
        let starts: Vec<f64> = (0..=tokens.len()).map(|i| i as f64).collect();
        let words = of_tokens(&vocabulary, &ids, &starts, tokens.len(), false);
        let words: Vec<_> = words
            .iter()
            .map(|w| (w.word.as_str(), w.start, w.end))
            .collect();
        assert_eq!(
            words,
            [
                (" I", 0.0, 1.0),
                (" said,", 1.0, 2.0),
                (" \"no\".", 3.0, 5.0)
            ]
        );
    }
}
