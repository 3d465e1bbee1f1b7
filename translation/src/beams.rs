//! Beam search: several answers are written side by side, and the likeliest whole one counts.
//!
//! Source: `_beam_search` of transformers' `generation/utils.py`, for one text and without sampling.

use hearth_modelfile::{Error, Result};

/// Numbers of beams that may be asked for.
pub const BEAMS: std::ops::RangeInclusive<usize> = 1..=16;

/// When a search ends before the longest answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stopping {
    /// When no open answer is likely to become better than the whole ones, by their present lengths.
    #[default]
    Heuristic,
    /// As soon as there are as many whole answers as beams.
    Early,
    /// When no open answer can become better than the whole ones.
    Never,
}

/// Parts of a search that a model's files choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Number of beams that the files advise.
    pub advised: usize,
    /// Exponent of the length by which sums of log-probabilities are divided.
    pub length_penalty: f64,
    pub stopping: Stopping,
    /// Whether probabilities are those among the tokens that may be written.
    pub is_renormalised: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            advised: 1,
            length_penalty: 1.0,
            stopping: Stopping::default(),
            is_renormalised: false,
        }
    }
}

/// An answer, whole or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub ids: Vec<u32>,
    /// Sum of the log-probabilities; of a whole answer divided by the power of its length.
    score: f64,
    /// Whether the model ended it.
    pub is_ended: bool,
}

/// A search under way.
pub struct Search {
    rules: Rules,
    width: usize,
    /// Tokens that each answer may have, and those before its ids.
    most: usize,
    forced: usize,
    /// Open answers, the likeliest first.
    open: Vec<Answer>,
    /// Whole answers, the best first.
    whole: Vec<Answer>,
}

/// A way to go on with an open answer.
struct Step {
    from: usize,
    id: u32,
    score: f64,
}

impl Search {
    /// Begins with `width` beams. `most`: ids of the longest answer; `forced`: tokens of the answer that were given before.
    pub fn new(rules: Rules, width: usize, most: usize, forced: usize) -> Self {
        let first = Answer {
            ids: Vec::new(),
            score: 0.0,
            is_ended: false,
        };
        Self {
            rules,
            width,
            most,
            forced,
            open: vec![first],
            whole: Vec::new(),
        }
    }

    /// Returns the open answers, the likeliest first.
    pub fn open(&self) -> &[Answer] {
        &self.open
    }

    /// Returns the best whole answer, or else the likeliest open one.
    pub fn best(&self) -> Option<&Answer> {
        self.whole.first().or(self.open.first())
    }

    /// Returns the ids that all answers begin with, so that whichever is chosen has them.
    pub fn common(&self) -> &[u32] {
        let mut all = self.open.iter().chain(&self.whole);
        let Some(first) = all.next() else { return &[] };
        let same = |len: usize, other: &Answer| {
            let pairs = first.ids[..len].iter().zip(&other.ids);
            pairs.take_while(|(a, b)| a == b).count()
        };
        &first.ids[..all.fold(first.ids.len(), same)]
    }

    /// Takes the logits behind each open answer, one row after another, and returns from which of them each one that is open now
    /// goes on; `None` after the end.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for logits that are no numbers.
    pub fn advance(
        &mut self,
        logits: &[f32],
        suppressed: &[u32],
        ends: &[u32],
    ) -> Result<Option<Vec<usize>>> {
        // So many that as many as there are beams go on, even if each beam's likeliest token ends it.
        let keep = (1 + ends.len()).max(2) * self.width;
        let steps = self.likeliest(logits, suppressed, keep)?;
        let length = self.open.first().map_or(0, |open| open.ids.len()) + 1;
        let is_last = length >= self.most;
        let divisor = self.divisor(length);
        let (mut open, mut parents) = (Vec::new(), Vec::new());
        for (rank, step) in steps.iter().enumerate() {
            let is_ended = ends.contains(&step.id);
            let mut ids = self.open[step.from].ids.clone();
            if !is_ended {
                ids.push(step.id);
            }
            if is_ended || is_last {
                // (the others are only there to go on)
                if rank < self.width {
                    let score = step.score / divisor;
                    self.keep(Answer {
                        ids,
                        score,
                        is_ended,
                    });
                }
            } else if open.len() < self.width {
                parents.push(step.from);
                open.push(Answer {
                    ids,
                    score: step.score,
                    is_ended,
                });
            }
        }
        self.open = open;
        Ok((!self.is_over(length)).then_some(parents))
    }

    /// Returns the likeliest steps, the best first.
    fn likeliest(&self, logits: &[f32], suppressed: &[u32], keep: usize) -> Result<Vec<Step>> {
        let n_vocab = logits.len() / self.open.len().max(1);
        let mut best: Vec<Step> = Vec::with_capacity(keep + 1);
        for (from, row) in logits.chunks_exact(n_vocab.max(1)).enumerate() {
            if !row.iter().all(|logit| logit.is_finite()) {
                return Err(Error::NotFinite);
            }
            let total = self.log_sum_exp(row, suppressed);
            for (id, logit) in (0..).zip(row) {
                let score = self.open[from].score + f64::from(*logit) - total;
                let is_full = best.len() == keep;
                if is_full && best.last().is_some_and(|last| score <= last.score) {
                    continue;
                }
                if suppressed.contains(&id) {
                    continue;
                }
                if is_full {
                    best.pop();
                }
                let at = best.partition_point(|step| step.score >= score);
                best.insert(at, Step { from, id, score });
            }
        }
        match best.is_empty() {
            true => Err(Error::NotFinite),
            false => Ok(best),
        }
    }

    /// Returns the logarithm that makes logits log-probabilities.
    fn log_sum_exp(&self, row: &[f32], suppressed: &[u32]) -> f64 {
        let counts = |id: u32| !self.rules.is_renormalised || !suppressed.contains(&id);
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let of = |(id, logit): (u32, &f32)| match counts(id) {
            true => f64::from(*logit - most).exp(),
            false => 0.0,
        };
        f64::from(most) + (0..).zip(row).map(of).sum::<f64>().ln()
    }

    /// Returns the number by which the score of an answer of so many ids, or of its end as well, is divided.
    fn divisor(&self, length: usize) -> f64 {
        ((length + self.forced) as f64).powf(self.rules.length_penalty)
    }

    /// Keeps a whole answer if it is among the best.
    fn keep(&mut self, answer: Answer) {
        let at = (self.whole).partition_point(|other| other.score >= answer.score);
        self.whole.insert(at, answer);
        self.whole.truncate(self.width);
    }

    /// Tells whether the search is over after answers of `length` ids.
    fn is_over(&self, length: usize) -> bool {
        let Some(open) = self.open.first() else {
            return true;
        };
        if self.whole.len() < self.width {
            return false;
        }
        let length = match self.rules.stopping {
            Stopping::Early => return true,
            Stopping::Never if self.rules.length_penalty > 0.0 => self.most,
            _ => length,
        };
        let possible = open.score / self.divisor(length);
        self.whole
            .last()
            .is_some_and(|worst| possible <= worst.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes with logits that depend on the ids so far.
    fn search(rules: Rules, width: usize, most: usize, of: impl Fn(&[u32]) -> Vec<f32>) -> Search {
        let mut search = Search::new(rules, width, most, 0);
        loop {
            let open: Vec<f32> = search.open().iter().flat_map(|a| of(&a.ids)).collect();
            let next = search.advance(&open, &[3], &[0]).unwrap();
            if next.is_none() {
                return search;
            }
        }
    }

    fn logs(probabilities: [f32; 4]) -> Vec<f32> {
        probabilities.map(f32::ln).to_vec()
    }

    /// The likeliest first token leads to unlikely ones.
    fn trap(ids: &[u32]) -> Vec<f32> {
        match ids {
            [] => logs([0.01, 0.5, 0.4, 0.09]),
            [1] => logs([0.4, 0.3, 0.2, 0.1]),
            [2] => logs([0.9, 0.04, 0.03, 0.03]),
            _ => logs([0.97, 0.01, 0.01, 0.01]),
        }
    }

    #[test]
    fn two_beams_find_what_one_does_not() {
        let one = search(Rules::default(), 1, 9, trap);
        assert_eq!(one.best().unwrap().ids, [1]);
        let two = search(Rules::default(), 2, 9, trap);
        let best = two.best().unwrap();
        assert_eq!((&best.ids[..], best.is_ended), (&[2][..], true));
        assert!((best.score - (0.36_f64).ln() / 2.0).abs() < 1e-6);
    }

    #[test]
    fn what_may_not_be_written_is_not() {
        let loud = |_: &[u32]| logs([0.02, 0.04, 0.04, 0.9]);
        for is_renormalised in [false, true] {
            let rules = Rules {
                is_renormalised,
                ..Rules::default()
            };
            let found = search(rules, 2, 3, loud);
            assert!(found.best().unwrap().ids.iter().all(|id| *id != 3));
            let mut first = Search::new(rules, 2, 3, 0);
            first.advance(&loud(&[]), &[3], &[0]).unwrap();
            let expected: f64 = if is_renormalised { 0.4 } else { 0.04 };
            assert!((first.open()[0].score - expected.ln()).abs() < 1e-5);
        }
    }

    #[test]
    fn the_longest_answer_ends_a_search() {
        let found = search(Rules::default(), 3, 4, |_| logs([1e-9, 0.6, 0.3, 0.1]));
        let best = found.best().unwrap();
        assert_eq!((&best.ids[..], best.is_ended), (&[1, 1, 1, 1][..], false));
    }

    #[test]
    fn the_length_counts_by_its_penalty() {
        // A short answer of probability 0.3, or a long one of 0.7 * 0.6 * 0.6.
        let of = |ids: &[u32]| match ids {
            [] => logs([0.3, 0.6999, 0.0001, 1e-9]),
            [1] | [1, 1] => logs([0.0001, 0.6, 0.3999, 1e-9]),
            _ => logs([0.9999, 1e-5, 1e-5, 1e-9]),
        };
        let by = |length_penalty: f64| {
            let rules = Rules {
                length_penalty,
                stopping: Stopping::Never,
                ..Rules::default()
            };
            search(rules, 2, 6, of).best().unwrap().ids.clone()
        };
        assert_eq!(by(0.0), [] as [u32; 0]);
        assert_eq!(by(1.0), [1, 1, 1]);
    }

    #[test]
    fn a_search_may_end_with_the_first_answers() {
        let of = |ids: &[u32]| match ids.len() {
            0 => logs([0.35, 0.34, 0.3, 0.01]),
            1 => logs([0.5, 0.3, 0.1, 0.1]),
            _ => logs([0.99, 0.004, 0.003, 0.003]),
        };
        let ids = |stopping: Stopping| {
            let rules = Rules {
                stopping,
                length_penalty: 3.0,
                ..Rules::default()
            };
            search(rules, 2, 9, of).best().unwrap().ids.len()
        };
        assert_eq!(ids(Stopping::Early), 1);
        assert!(ids(Stopping::Never) > 2);
    }

    #[test]
    fn answers_have_in_common_what_all_begin_with() {
        let mut search = Search::new(Rules::default(), 2, 9, 0);
        assert_eq!(search.common(), [] as [u32; 0]);
        search
            .advance(&logs([1e-9, 0.9, 0.05, 0.05]), &[], &[0])
            .unwrap();
        assert_eq!(search.common(), [] as [u32; 0]);
        // Both go on from the first.
        let rows = [logs([1e-9, 0.5, 0.5, 1e-9]), logs([0.25; 4])].concat();
        let parents = search.advance(&rows, &[], &[0]).unwrap();
        assert_eq!(parents, Some(vec![0, 0]));
        assert_eq!(search.common(), [1]);
        let error = search.advance(&[f32::NAN; 8], &[], &[0]);
        assert_eq!(error.err(), Some(Error::NotFinite));
    }
}
