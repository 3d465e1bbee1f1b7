//! User-defined tokens made of white space.
//!
//! Some vocabularies hold runs of blanks and line breaks as user-defined tokens (Gemma: `"\n\n"`; GPT-NeoX,
//! Phi-2: indentation). They carry no structure, and Hugging Face's tokenizers, SentencePiece and llama.cpp all
//! cut them out of ordinary text before merging, longest first. So they apply to a user's text too.

use super::vocab::{Kind, Vocab};

/// The white-space tokens, longest first.
#[derive(Debug, Default)]
pub(super) struct Blanks(Vec<(String, u32)>);

impl Blanks {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut blanks: Vec<(String, u32)> = vocab
            .ids()
            .filter(|&id| vocab.kind(id) == Some(Kind::UserDefined))
            // Older converters left SentencePiece's "▁" in, newer ones write the blank itself.
            .map(|id| (vocab.text(id).unwrap_or_default().replace('▁', " "), id))
            .filter(|(text, _)| !text.is_empty() && text.bytes().all(|b| b" \t\r\n".contains(&b)))
            .collect();
        blanks.sort_unstable_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.cmp(b)));
        Blanks(blanks)
    }

    /// The first white-space token in `text`: start and end in bytes, and its id.
    pub(super) fn find(&self, text: &str) -> Option<(usize, usize, u32)> {
        if self.0.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        (0..bytes.len())
            .filter(|&at| b" \t\r\n".contains(&bytes[at]))
            .find_map(|at| {
                let (blank, id) = self
                    .0
                    .iter()
                    .find(|(blank, _)| bytes[at..].starts_with(blank.as_bytes()))?;
                Some((at, at + blank.len(), *id))
            })
    }
}
