//! SentencePiece's unigram model: the most probable way to cut the text into pieces.

use tokenizers::Model;
use tokenizers::models::unigram::Unigram;

use super::decode::byte_token;
use super::normal::Normal;
use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// Prefix of tokens that must not match: the text to be matched has no blanks.
const NEVER: char = ' ';

/// A unigram model.
#[derive(Debug)]
pub(super) struct UnigramModel {
    model: Unigram,
    normal: Normal,
    has_bytes: bool,
}

impl UnigramModel {
    /// `scores[id]` is the log-probability of token `id`.
    pub(super) fn new(
        vocab: &Vocab,
        scores: &[f32],
        unknown: Option<u32>,
        normal: Normal,
    ) -> Result<Self> {
        let mut has_bytes = false;
        let pieces = vocab
            .ids()
            .zip(scores)
            .map(|(id, &score)| {
                let text = vocab.text(id).unwrap_or_default();
                let kind = vocab.kind(id);
                has_bytes |= kind == Some(Kind::Byte);
                let text = match kind {
                    Some(Kind::Normal | Kind::Byte) if !text.is_empty() => text.to_owned(),
                    _ => format!("{NEVER}{id}"),
                };
                (text, f64::from(score))
            })
            .collect();
        // The model needs a token for characters that are in no piece.
        let unknown = unknown.ok_or_else(|| Error::Tokenizer {
            message: "a unigram vocabulary needs tokenizer.ggml.unknown_token_id".to_owned(),
        })?;
        let model = Unigram::from(pieces, Some(unknown as usize), has_bytes).map_err(|e| {
            Error::Tokenizer {
                message: e.to_string(),
            }
        })?;
        Ok(UnigramModel {
            model,
            normal,
            has_bytes,
        })
    }

    /// Returns the positions at which to cut `text` so that look-alikes of byte tokens, `<0x0A>`, are read as text:
    /// after the first character of each.
    fn look_alikes<'t>(&self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        let is_byte = |at: &usize| {
            let token = text.get(*at..*at + 6);
            token.is_some_and(|token| byte_token(token).is_some())
        };
        let starts = text.match_indices("<0x").map(|(at, _)| at);
        let has_bytes = self.has_bytes;
        starts
            .filter(move |at| has_bytes && is_byte(at))
            .map(|at| at + 1)
    }

    /// Passes on the ids of `text`, and the text of each.
    pub(super) fn encode(
        &self,
        text: &str,
        prefix: bool,
        out: &mut dyn FnMut(u32, &str),
    ) -> Result<()> {
        let text = self.normal.spell(text, prefix)?;
        let mut done = 0;
        for at in self.look_alikes(&text).chain([text.len()]) {
            if done == at {
                continue;
            }
            let tokens = self.model.tokenize(&text[done..at]);
            let tokens = tokens.map_err(|e| Error::Tokenizer {
                message: e.to_string(),
            })?;
            tokens
                .iter()
                .for_each(|token| out(token.id, token.value.as_str()));
            done = at;
        }
        Ok(())
    }
}
