//! Merges of BPE over characters, by their rank.
//!
//! A token can have several derivations, each with a rank of its own, so the pair decides and not its result (Sennrich et
//! al. 2016; `BPE` in Hugging Face's tokenizers). Gemma's half a million pairs take 16 bytes each here.

use std::collections::HashMap;

use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// Largest number of merges: their ranks are kept as f32, exactly.
const MAX_MERGES: usize = 1 << 24;

/// Ranks and results of pairs of tokens.
#[derive(Debug)]
pub(super) struct Merges {
    /// `[left, right, rank, result]`, sorted.
    pairs: Vec<[u32; 4]>,
}

impl Merges {
    /// Reads merges of the form `left right`, the best one first. No token contains a blank, but one can begin with
    /// it in files that spell blanks as they are, so the first character never separates.
    ///
    /// # Errors
    ///
    /// [`Error::Metadata`] if a part or the result of a merge is no token, or there are too many.
    pub(super) fn new(vocab: &Vocab, merges: &[String]) -> Result<Self> {
        let malformed = |expected: &str, found: String| Error::Metadata {
            key: "tokenizer.ggml.merges".to_owned(),
            expected: expected.to_owned(),
            found,
        };
        if merges.len() > MAX_MERGES {
            let found = format!("{} merges", merges.len());
            return Err(malformed("at most 2^24 merges", found));
        }
        // Iterate backwards, so that a text that occurs twice keeps its first token, as in `Vocab::id`.
        let ids: HashMap<&str, u32> = (vocab.ids().rev())
            .filter_map(|id| Some((vocab.text(id)?, id)))
            .collect();
        let mut pairs = Vec::with_capacity(merges.len());
        let mut joined = String::new();
        for (rank, merge) in merges.iter().enumerate() {
            let first = merge.chars().next().map_or(0, char::len_utf8);
            let parts = merge[first..].find(' ').map(|at| {
                let (left, right) = merge.split_at(first + at);
                (left, &right[1..])
            });
            let (left, right) = parts.unwrap_or_default();
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            let [Some(left), Some(right), Some(result)] =
                [left, right, joined.as_str()].map(|part| ids.get(part).copied())
            else {
                return Err(malformed(
                    "two tokens and a blank between them, joined a token too",
                    format!("{merge:?} at index {rank}"),
                ));
            };
            // Text must never become a special token.
            if [left, right, result].map(|id| vocab.kind(id)) == [Some(Kind::Normal); 3] {
                pairs.push([left, right, rank as u32, result]);
            }
        }
        pairs.sort_unstable();
        Ok(Merges { pairs })
    }

    /// Returns the rank and the result of joining two tokens.
    pub(super) fn find(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let at = (self.pairs).partition_point(|pair| (pair[0], pair[1]) < (left, right));
        let [l, r, rank, result] = *self.pairs.get(at)?;
        ((l, r) == (left, right)).then_some((rank, result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocab() -> Vocab {
        let tokens = ["a", "b", "ab", "\n", "\n\n", "<s>", "a<s>"].map(str::to_owned);
        let mut kinds = vec![Kind::Normal; 7];
        kinds[5] = Kind::Control;
        Vocab::new(&tokens, kinds).unwrap()
    }

    fn read(merges: &[&str]) -> Result<Merges> {
        let merges: Vec<String> = merges.iter().map(|&merge| merge.to_owned()).collect();
        Merges::new(&vocab(), &merges)
    }

    #[test]
    fn pairs_have_ranks() {
        let merges = read(&["\n \n", "a b", "a <s>", "a b"]).unwrap();
        assert_eq!(merges.find(3, 3), Some((0, 4)));
        assert_eq!(merges.find(0, 1), Some((1, 2)));
        assert_eq!(merges.find(1, 0), None);
        assert_eq!(merges.find(0, 5), None);
        assert_eq!(merges.find(6, 6), None);
    }

    #[test]
    fn malformed_merges_are_refused() {
        for merge in [
            "", " ", "a", "a ", " a", "ab", "a c", "b a", "é b", "\n  \n",
        ] {
            let refused = read(&["a b", merge]).unwrap_err();
            assert!(
                refused.to_string().contains("index 1"),
                "{merge:?}: {refused}"
            );
        }
    }
}
