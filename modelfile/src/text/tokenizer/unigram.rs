//! SentencePiece's unigram model: the most probable way to cut the text into pieces.

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::{Model, NormalizedString, Normalizer};

use super::charsmap;
use super::decode::byte_token;
use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// Prefix of tokens that must not match: the text to be matched has no blanks.
const NEVER: char = ' ';

/// Treatment of blanks in sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    Kept,
    /// One between words, none around them.
    Merged,
    /// One instead of several, also around the words; at the end none, if `strips_end`.
    Collapsed {
        strips_end: bool,
    },
}

/// A unigram model.
///
/// SentencePiece stores its own normalisation table in the file: nearly NFKC, of an older Unicode, character by
/// character.
#[derive(Debug)]
pub(super) struct UnigramModel {
    model: Unigram,
    table: Option<Precompiled>,
    has_bytes: bool,
    blanks: Blanks,
}

impl UnigramModel {
    /// `scores[id]` is the log-probability of token `id`; `table` the bytes of `precompiled_charsmap`.
    pub(super) fn new(
        vocab: &Vocab,
        scores: &[f32],
        unknown: Option<u32>,
        table: Option<&[u8]>,
        blanks: Blanks,
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
        if let Some(fault) = table.and_then(charsmap::fault) {
            return Err(Error::Tokenizer {
                message: format!("the normalisation table: {fault}"),
            });
        }
        let table = table.map(Precompiled::from).transpose();
        let table = table.map_err(|e| Error::Tokenizer {
            message: format!("the normalisation table: {e}"),
        })?;
        Ok(UnigramModel {
            model,
            table,
            has_bytes,
            blanks,
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

    /// Appends the ids of `text`.
    pub(super) fn encode(&self, text: &str, prefix: bool, out: &mut Vec<u32>) -> Result<()> {
        let failed = |e: tokenizers::Error| Error::Tokenizer {
            message: e.to_string(),
        };
        let mut text = text.to_owned();
        if let Some(table) = &self.table {
            let mut normalized = NormalizedString::from(text);
            table.normalize(&mut normalized).map_err(failed)?;
            text = normalized.get().to_owned();
        }
        text = match self.blanks {
            Blanks::Kept => text,
            // The mark of blanks counts as a blank.
            Blanks::Merged => {
                let text = text.replace('▁', " ");
                let words = text.split(' ').filter(|word| !word.is_empty());
                words.collect::<Vec<_>>().join(" ")
            }
            Blanks::Collapsed { strips_end } => {
                let text = match strips_end {
                    true => text.trim_end(),
                    false => text.as_str(),
                };
                collapsed(text)
            }
        };
        if text.is_empty() {
            return Ok(());
        }
        // (the table may have made a blank of what the text begins with)
        let begins = self.blanks != Blanks::Kept && text.starts_with([' ', '▁']);
        if prefix && !begins {
            text.insert(0, ' ');
        }
        let text = text.replace(' ', "▁");
        let mut done = 0;
        for at in self.look_alikes(&text).chain([text.len()]) {
            let tokens = self.model.tokenize(&text[done..at]).map_err(failed)?;
            out.extend(tokens.iter().map(|token| token.id));
            done = at;
        }
        Ok(())
    }
}

/// Returns the text with one blank instead of several.
fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}
