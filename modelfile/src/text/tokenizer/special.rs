//! Finds special tokens in text.

use std::collections::HashSet;

use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// The tokens that a chat template may write and a user may not: control, unknown and user-defined ones.
///
/// Excluded are ordinary text (see [`super::literal`]), texts of white space only, and texts of a
/// single character (no marker fits inside them, so they could not be distinguished from a user's).
#[derive(Debug)]
pub(super) struct Specials {
    /// Sorted by text.
    ids: Vec<u32>,
    /// Byte lengths that occur, longest first.
    lengths: Vec<usize>,
    /// Whether some special token begins with this byte.
    first: [bool; 256],
}

/// A special token at `start..end` (bytes) of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) id: u32,
}

/// Length of the longest special token in bytes: each position of a text is compared with every length that occurs.
const LONGEST: usize = 512;

impl Specials {
    /// # Errors
    /// [`Error::Tokenizer`] for a special token of more than 512 bytes.
    pub(super) fn new(vocab: &Vocab, literals: &HashSet<u32>) -> Result<Self> {
        let text = |id: u32| vocab.text(id).unwrap_or_default();
        let is_special = |&id: &u32| {
            matches!(
                vocab.kind(id),
                Some(Kind::Control | Kind::Unknown | Kind::UserDefined)
            ) && !literals.contains(&id)
                && text(id).chars().nth(1).is_some()
                && text(id).chars().any(|c| !c.is_whitespace() && c != '▁')
        };
        let mut ids: Vec<u32> = vocab.ids().filter(is_special).collect();
        ids.sort_unstable_by_key(|&id| (text(id), id));
        let mut lengths: Vec<usize> = ids.iter().map(|&id| text(id).len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        if let Some(length) = lengths.first().filter(|length| **length > LONGEST) {
            return Err(Error::Tokenizer {
                message: format!("a special token has {length} bytes; the limit is {LONGEST}"),
            });
        }
        let mut first = [false; 256];
        for &id in &ids {
            if let Some(&byte) = text(id).as_bytes().first() {
                first[usize::from(byte)] = true;
            }
        }
        Ok(Specials {
            ids,
            lengths,
            first,
        })
    }

    /// Returns the ids, sorted by text.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Finds the first special token at or after byte `from` that `accept` accepts; the longest of those that begin
    /// there.
    pub(super) fn find(
        &self,
        vocab: &Vocab,
        text: &str,
        from: usize,
        accept: impl Fn(&Match) -> bool,
    ) -> Option<Match> {
        let bytes = text.as_bytes();
        let candidates = (from..bytes.len()).filter(|&at| self.first[usize::from(bytes[at])]);
        for start in candidates {
            for &length in &self.lengths {
                let Some(slice) = bytes.get(start..start + length) else {
                    continue;
                };
                let found = self.exact(vocab, slice).map(|id| Match {
                    start,
                    end: start + length,
                    id,
                });
                if let Some(found) = found.filter(&accept) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn exact(&self, vocab: &Vocab, slice: &[u8]) -> Option<u32> {
        let bytes = |id: u32| vocab.text(id).unwrap_or_default().as_bytes();
        let at = self.ids.partition_point(|&id| bytes(id) < slice);
        self.ids.get(at).copied().filter(|&id| bytes(id) == slice)
    }

    /// Returns whether `text` ends with the beginning of an accepted special token, so that more text could
    /// complete it.
    ///
    /// Only beginnings that start with a symbol count: one that starts with a letter would match ordinary words.
    pub(super) fn may_continue(
        &self,
        vocab: &Vocab,
        text: &str,
        accept: impl Fn(u32) -> bool,
    ) -> bool {
        let longest = self.lengths.first().copied().unwrap_or(0);
        let completes = |tail: &str| {
            // Texts that begin with `tail` are adjacent in the sorted order, from its insertion point on.
            let place = self
                .ids
                .partition_point(|&id| vocab.text(id).unwrap_or_default() < tail);
            self.ids[place..]
                .iter()
                .map_while(|&id| Some((id, vocab.text(id).filter(|text| text.starts_with(tail))?)))
                .any(|(id, text)| text.len() > tail.len() && accept(id))
        };
        text.char_indices()
            .rev()
            .take_while(|(at, _)| text.len() - at < longest)
            .any(|(at, c)| !c.is_alphanumeric() && completes(&text[at..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vocab, Specials) {
        let tokens = [
            ("<|a|>", Kind::Control),
            ("<|a|>b", Kind::UserDefined),
            ("  ", Kind::UserDefined),
            ("x", Kind::Control),
            ("word", Kind::Normal),
            ("<unk>", Kind::Unknown),
            ("éé", Kind::Control),
        ];
        let texts: Vec<String> = tokens.iter().map(|t| t.0.to_owned()).collect();
        let vocab = Vocab::new(&texts, tokens.iter().map(|t| t.1).collect()).unwrap();
        let specials = Specials::new(&vocab, &HashSet::new()).unwrap();
        (vocab, specials)
    }

    #[test]
    fn longest_match_first() {
        let (vocab, specials) = sample();
        let find = |text, from| specials.find(&vocab, text, from, |_| true);
        assert_eq!(specials.ids().len(), 4);
        assert_eq!(
            find("<<|a|>bc", 0),
            Some(Match {
                start: 1,
                end: 7,
                id: 1
            })
        );
        assert_eq!(
            find("<|a|>c", 0),
            Some(Match {
                start: 0,
                end: 5,
                id: 0
            })
        );
        assert_eq!(find("<|a|>c", 1), None);
        assert_eq!(
            find("x  word éxéé", 0),
            Some(Match {
                start: 11,
                end: 15,
                id: 6
            })
        );
        let control = specials.find(&vocab, "<|a|>b", 0, |found| found.id == 0);
        assert_eq!(
            control,
            Some(Match {
                start: 0,
                end: 5,
                id: 0
            })
        );
        assert_eq!(find("", 0), None);
    }

    #[test]
    fn beginnings_at_the_end() {
        let (vocab, specials) = sample();
        for text in ["hello <", "<|a|", "<|", "<u", "a<|a|>"] {
            assert!(specials.may_continue(&vocab, text, |_| true), "{text}");
        }
        for text in ["", "hello", "<b", "|", ">", "x", "<|a|>b", "<unk>"] {
            assert!(!specials.may_continue(&vocab, text, |_| true), "{text}");
        }
        assert!(!specials.may_continue(&vocab, "a<|a|>", |id| id == 0));
    }

    #[test]
    fn the_longest_special_token_is_bounded() {
        for (length, is_taken) in [(512, true), (513, false)] {
            let texts = ["<".repeat(length)];
            let vocab = Vocab::new(&texts, vec![Kind::Control]).unwrap();
            assert_eq!(Specials::new(&vocab, &HashSet::new()).is_ok(), is_taken);
        }
    }
}
