//! SentencePiece's normal form of a text: its own table, blanks joined, one put in front, all spelled "▁".

use tokenizers::normalizers::Precompiled;
use tokenizers::{NormalizedString, Normalizer};

use super::charsmap;
use crate::error::{Error, Result};

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

/// The steps before SentencePiece's models cut a text.
///
/// SentencePiece stores its own normalisation table in the file: nearly NFKC, of an older Unicode, character by
/// character.
#[derive(Debug)]
pub(super) struct Normal {
    table: Option<Precompiled>,
    blanks: Blanks,
}

impl Normal {
    /// Reads `table`, the bytes of `precompiled_charsmap`.
    pub(super) fn new(table: Option<&[u8]>, blanks: Blanks) -> Result<Self> {
        if let Some(fault) = table.and_then(charsmap::fault) {
            return Err(Error::Tokenizer {
                message: format!("the normalisation table: {fault}"),
            });
        }
        let table = table.map(Precompiled::from).transpose();
        let table = table.map_err(|e| Error::Tokenizer {
            message: format!("the normalisation table: {e}"),
        })?;
        Ok(Self { table, blanks })
    }

    /// Returns the text as it is matched with pieces; with `prefix` it begins with a blank.
    pub(super) fn spell(&self, text: &str, prefix: bool) -> Result<String> {
        let mut text = text.to_owned();
        if let Some(table) = &self.table {
            let mut normalized = NormalizedString::from(text);
            let done = table.normalize(&mut normalized);
            done.map_err(|e| Error::Tokenizer {
                message: e.to_string(),
            })?;
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
            return Ok(text);
        }
        // (the table may have made a blank of what the text begins with)
        let begins = self.blanks != Blanks::Kept && text.starts_with([' ', '▁']);
        if prefix && !begins {
            text.insert(0, ' ');
        }
        Ok(text.replace(' ', "▁"))
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
