//! Drafts without a second model: the continuation of the longest earlier match of the context's end, the latest if
//! several.
//!
//! Answers that quote, edit or continue a pattern repeat the context; there, a step that checks several drafted
//! tokens at once yields several. The sampler ([`crate::ops::sampling`]) keeps a draft only where it equals the token
//! that would have been sampled anyway, and drafts the next one itself, so nothing waits for the host. This is the
//! twin of its `draft.wgsl`, and lets the host estimate the benefit of drafts while none are checked.
//!
//! Source: Saxena 2023, "Prompt Lookup Decoding"; Leviathan et al. 2023, arXiv:2211.17192.

pub use hearth_modelfile::config::DRAFT_ROWS as ROWS;
/// Minimum number of equal tokens for a match.
pub const MIN_MATCH: usize = 2;
/// Maximum number of tokens that are compared.
pub const MAX_MATCH: usize = 4;

/// Returns at most `most` tokens that may follow `context`.
pub fn draft(context: &[u32], most: usize) -> Vec<u32> {
    let Some(last) = context.len().checked_sub(1) else {
        return Vec::new();
    };
    let equal = |j: usize| {
        let ends = context[..=j].iter().rev().zip(context.iter().rev());
        ends.take(MAX_MATCH).take_while(|(a, b)| a == b).count()
    };
    let matches = (0..last).map(|j| (equal(j), j));
    match matches.max() {
        Some((length, j)) if length >= MIN_MATCH => {
            // Past the end the draft wraps around: a repetition is expected to repeat.
            let follows = context[j + 1..].iter().copied().cycle();
            follows.take(most).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_wins_and_then_the_latest() {
        // "1 2 3" came twice, followed by 4 and by 5; "9 2 3" is shorter.
        let context = [1, 2, 3, 4, 1, 2, 3, 5, 9, 2, 3, 6, 1, 2, 3];
        assert_eq!(draft(&context, 3), [5, 9, 2]);
    }

    #[test]
    fn a_repetition_is_expected_to_repeat() {
        assert_eq!(draft(&[7, 1, 2, 1, 2], 5), [1, 2, 1, 2, 1]);
        assert_eq!(draft(&[7, 7, 7], 4), [7, 7, 7, 7]);
    }

    #[test]
    fn without_a_match_there_is_no_draft() {
        let none: [u32; 0] = [];
        assert_eq!(draft(&[], 7), none);
        assert_eq!(draft(&[1], 7), none);
        assert_eq!(draft(&[1, 2, 3, 2], 7), none, "one token is no match");
        assert_eq!(draft(&[1, 2, 1, 2], 0), none);
    }
}
