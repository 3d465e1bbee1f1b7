//! The vocabulary: token texts and kinds, stored once.

use std::ops::Range;

use crate::error::{Error, Result};

/// Purpose of a token, from `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of ordinary text.
    Normal,
    /// Represents text that the vocabulary cannot express.
    Unknown,
    /// Structure such as `<|im_end|>`; never part of text.
    Control,
    /// Added by the model's authors, e.g. `<think>`; visible in text.
    UserDefined,
    /// A placeholder.
    Unused,
    /// `<0xXX>`: one raw byte.
    Byte,
}

impl Kind {
    /// Converts GGUF's number (ggml's `llama_token_type`); unknown numbers count as unused.
    pub(super) fn from_gguf(number: i32) -> Self {
        match number {
            1 => Kind::Normal,
            2 => Kind::Unknown,
            3 => Kind::Control,
            4 => Kind::UserDefined,
            6 => Kind::Byte,
            _ => Kind::Unused,
        }
    }
}

/// All token texts in one allocation, with lookups in both directions.
///
/// The index from text to id is a permutation sorted by text: four bytes per token, where a hash map of owned
/// strings would need about sixty.
#[derive(Debug)]
pub(super) struct Vocab {
    text: String,
    ends: Vec<u32>,
    kinds: Vec<Kind>,
    sorted: Vec<u32>,
}

impl Vocab {
    /// `tokens[id]` is the text of token `id`.
    pub(super) fn new(tokens: &[String], kinds: Vec<Kind>) -> Result<Self> {
        if tokens.is_empty() || tokens.len() != kinds.len() {
            return Err(Error::Metadata {
                key: "tokenizer.ggml.token_type".to_owned(),
                expected: format!(
                    "one type for each of the {} tokens (at least one)",
                    tokens.len()
                ),
                found: format!("{} types", kinds.len()),
            });
        }
        let mut text = String::with_capacity(tokens.iter().map(String::len).sum());
        let mut ends = Vec::with_capacity(tokens.len());
        for token in tokens {
            text.push_str(token);
            ends.push(u32::try_from(text.len()).map_err(|_| too_large())?);
        }
        let count = u32::try_from(tokens.len()).map_err(|_| too_large())?;
        let mut vocab = Vocab {
            text,
            ends,
            kinds,
            sorted: Vec::new(),
        };
        let mut sorted: Vec<u32> = (0..count).collect();
        // Ties are broken by id, so that a text that occurs twice resolves to its first token.
        sorted.sort_unstable_by(|&a, &b| vocab.bytes(a).cmp(vocab.bytes(b)).then(a.cmp(&b)));
        vocab.sorted = sorted;
        Ok(vocab)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the length of the longest text in bytes.
    pub(super) fn longest(&self) -> usize {
        self.ids().map(|id| self.bytes(id).len()).max().unwrap_or(0)
    }

    /// Returns all ids.
    pub(super) fn ids(&self) -> Range<u32> {
        0..self.ends.len() as u32
    }

    pub(super) fn text(&self, id: u32) -> Option<&str> {
        let id = id as usize;
        let end = *self.ends.get(id)? as usize;
        let start = match id {
            0 => 0,
            _ => self.ends[id - 1] as usize,
        };
        self.text.get(start..end)
    }

    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(id as usize).copied()
    }

    /// Returns the token whose text is `text`.
    pub(super) fn id(&self, text: &[u8]) -> Option<u32> {
        let at = self.sorted.partition_point(|&id| self.bytes(id) < text);
        self.sorted
            .get(at)
            .copied()
            .filter(|&id| self.bytes(id) == text)
    }

    fn bytes(&self, id: u32) -> &[u8] {
        self.text(id).unwrap_or_default().as_bytes()
    }
}

fn too_large() -> Error {
    Error::Tokenizer {
        message: "the vocabulary holds more than 4 GiB of text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_up_both_ways() {
        let tokens: Vec<String> = ["b", "", "a", "b", "é"].map(str::to_owned).to_vec();
        let vocab = Vocab::new(&tokens, vec![Kind::Normal; 5]).unwrap();
        for id in vocab.ids() {
            assert_eq!(vocab.text(id), Some(tokens[id as usize].as_str()));
        }
        assert_eq!(vocab.id(b"b"), Some(0));
        assert_eq!(vocab.id("é".as_bytes()), Some(4));
        assert_eq!(vocab.id(b"c"), None);
        assert_eq!(vocab.text(5), None);
        assert_eq!(vocab.kind(5), None);
    }

    #[test]
    fn needs_one_kind_per_token() {
        assert!(Vocab::new(&["a".to_owned()], vec![]).is_err());
        assert!(Vocab::new(&[], vec![]).is_err());
    }
}
