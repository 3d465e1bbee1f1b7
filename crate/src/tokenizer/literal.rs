//! User-defined tokens that are ordinary text.
//!
//! Vocabularies hold texts as whole tokens that no merge makes: runs of blanks and line breaks, HTML's tags (Gemma), indentation
//! (GPT-NeoX, Phi-2). Hugging Face's tokenizers, SentencePiece and llama.cpp all cut them out of a text before merging, longest
//! first, and the model was trained so. Those that the chat template writes (`<think>`, `<tool_call>`) are structure
//! instead: see [`super::special`].

use std::collections::{BTreeMap, HashSet};

use super::vocab::{Kind, Vocab};

/// The tokens by their first byte, longest first.
#[derive(Debug, Default)]
pub(super) struct Literals {
    of_byte: BTreeMap<u8, Vec<(String, u32)>>,
}

impl Literals {
    /// The user-defined tokens of `vocab` that `template` does not spell and that are not among `named`.
    pub(super) fn new(vocab: &Vocab, template: &str, named: &[u32]) -> Self {
        let mut of_byte: BTreeMap<u8, Vec<(String, u32)>> = BTreeMap::new();
        let user_defined = vocab
            .ids()
            .filter(|id| vocab.kind(*id) == Some(Kind::UserDefined) && !named.contains(id));
        for id in user_defined {
            // Older converters left SentencePiece's "▁" in, newer ones write the blank itself.
            let text = vocab.text(id).unwrap_or_default().replace('▁', " ");
            let is_blank = text.bytes().all(|b| b" \t\r\n".contains(&b));
            if let Some(first) = text.bytes().next()
                && (is_blank || !template.contains(&text))
            {
                of_byte.entry(first).or_default().push((text, id));
            }
        }
        for literals in of_byte.values_mut() {
            literals.sort_unstable_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.cmp(b)));
        }
        Self { of_byte }
    }

    /// The ids.
    pub(super) fn ids(&self) -> HashSet<u32> {
        self.of_byte.values().flatten().map(|(_, id)| *id).collect()
    }

    /// The first such token in `text`: start and end in bytes, and its id.
    pub(super) fn find(&self, text: &str) -> Option<(usize, usize, u32)> {
        if self.of_byte.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        bytes.iter().enumerate().find_map(|(at, byte)| {
            let mut literals = self.of_byte.get(byte)?.iter();
            let (literal, id) =
                literals.find(|(text, _)| bytes[at..].starts_with(text.as_bytes()))?;
            Some((at, at + literal.len(), *id))
        })
    }
}
