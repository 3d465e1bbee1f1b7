//! Finds user-defined tokens that are ordinary text.
//!
//! Vocabularies hold texts as whole tokens that no merge produces: runs of blanks and line breaks, HTML tags (Gemma),
//! indentation (GPT-NeoX, Phi-2). Hugging Face's tokenizers, SentencePiece and llama.cpp all cut them out of a text
//! before merging, longest first, and the model was trained that way. Those that the chat template writes (`<think>`,
//! `<tool_call>`) are structure instead: see [`super::special`].

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, MatchKind};

use super::added::AddedRules;
use super::pre::PreTokenizer;
use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// The tokens, indexed so that a search takes time independent of their number.
#[derive(Debug, Default)]
pub(super) struct Literals {
    ids: Vec<u32>,
    finder: Option<AhoCorasick>,
}

/// A token at `start..end` (bytes) of a text.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) id: u32,
}

impl Literals {
    /// Collects the user-defined tokens of `vocab` that `template` does not spell and that are not among `named`, as
    /// normalised by `pre`.
    pub(super) fn new(
        vocab: &Vocab,
        template: &str,
        named: &[u32],
        pre: Option<&PreTokenizer>,
    ) -> Result<Self> {
        let (mut texts, mut ids) = (Vec::new(), Vec::new());
        let user_defined = vocab
            .ids()
            .filter(|id| vocab.kind(*id) == Some(Kind::UserDefined) && !named.contains(id));
        for id in user_defined {
            // Older converters left SentencePiece's "▁" in, newer ones write the blank itself.
            let text = vocab.text(id).unwrap_or_default().replace('▁', " ");
            let is_blank = text.bytes().all(|b| b" \t\r\n".contains(&b));
            if !text.is_empty() && (is_blank || !template.contains(&text)) {
                let text = match pre {
                    Some(pre) => pre.normalize(&text)?.into_owned(),
                    None => text,
                };
                texts.push(text);
                ids.push(id);
            }
        }
        let finder = match texts.is_empty() {
            true => None,
            false => Some(
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(&texts)
                    .map_err(|e| Error::Tokenizer {
                        message: format!("user-defined tokens: {e}"),
                    })?,
            ),
        };
        Ok(Self { ids, finder })
    }

    /// Returns the ids.
    pub(super) fn ids(&self) -> HashSet<u32> {
        self.ids.iter().copied().collect()
    }

    /// Finds the first such token in `text` at or after byte `from`, the longest of those that begin there.
    pub(super) fn find(&self, text: &str, from: usize, rules: &AddedRules) -> Option<Found> {
        let finder = self.finder.as_ref()?;
        finder.find_iter(&text[from..]).find_map(|found| {
            let found = Found {
                start: from + found.start(),
                end: from + found.end(),
                id: *self.ids.get(found.pattern().as_usize())?,
            };
            let is_token = rules.admit(found.id, text, found.start, found.end);
            is_token.then_some(found)
        })
    }
}
