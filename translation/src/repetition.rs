//! Endless repetition, into which small models fall on text that they cannot read.

/// Longest run of tokens that is looked for.
const LONGEST: usize = 24;

/// Returns the period of the run that `ids` end with and how often it occurs in sequence, of all periods the one that covers
/// most ids; the count is 1 if nothing is repeated.
fn tail(ids: &[u32]) -> (usize, usize) {
    let mut best = (0, 1);
    for period in 1..=LONGEST.min(ids.len() / 2) {
        let back = ids.iter().rev();
        let same = back.clone().zip(back.skip(period));
        let same = same.take_while(|(a, b)| a == b).count();
        let count = same / period + 1;
        if count > 1 && (best.1 == 1 || count * period > best.0 * best.1) {
            best = (period, count);
        }
    }
    best
}

/// Finds repetitions in answers.
pub struct Guard {
    /// Most repetitions in the input: a text that repeats itself may be answered by one that does.
    allowed: usize,
}

impl Guard {
    /// Makes the guard of answers to `input`.
    pub fn new(input: &[u32]) -> Self {
        let counts = (1..=LONGEST).map(|period| {
            let (mut same, mut most) = (0, 0);
            for (a, b) in input.iter().zip(input.iter().skip(period)) {
                same = if a == b { same + 1 } else { 0 };
                most = most.max(same / period + 1);
            }
            most
        });
        Self {
            allowed: 2 * counts.max().unwrap_or(1),
        }
    }

    /// Returns how many of the last ids are repetitions, if they are endless: one copy is kept.
    pub fn excess(&self, answer: &[u32]) -> Option<usize> {
        let (period, count) = tail(answer);
        // 16 times the same token, four times a sentence.
        let most = (16 / period.max(1)).max(4).max(self.allowed);
        (count > most).then(|| (count - 1) * period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(input: &[u32], answer: &[u32]) -> Option<usize> {
        Guard::new(input).excess(answer)
    }

    #[test]
    fn loops_are_found_and_texts_are_not() {
        let text: Vec<u32> = (0..200).collect();
        assert_eq!(cut(&text, &text), None);
        // One token, a pair, a sentence.
        assert_eq!(cut(&text, &[&[1, 2][..], &[7; 16]].concat()), None);
        assert_eq!(cut(&text, &[&[1, 2][..], &[7; 17]].concat()), Some(16));
        assert_eq!(cut(&text, &[3, 4].repeat(8)), None);
        assert_eq!(cut(&text, &[3, 4].repeat(9)), Some(16));
        let sentence: Vec<u32> = (5..25).collect();
        assert_eq!(cut(&text, &sentence.repeat(4)), None);
        assert_eq!(cut(&text, &sentence.repeat(5)), Some(80));
    }

    #[test]
    fn inputs_that_repeat_may_be_answered_so() {
        let input = [9].repeat(30);
        assert_eq!(cut(&input, &[7; 40]), None);
        assert_eq!(cut(&input, &[7; 61]), Some(60));
    }
}
