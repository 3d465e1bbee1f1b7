//! SentencePiece's unigram model: the most probable way to cut the text into pieces.

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::NFKC;
use tokenizers::{Model, NormalizedString, Normalizer};

use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// Stands before the text of tokens that must not match; a noncharacter, so it is in no sensible text.
const NEVER: char = '\u{10ffff}';

/// A unigram model.
///
/// SentencePiece stores its own normalisation table in the file; what is applied here instead is NFKC and the
/// merging of white space, from which the standard table (`nmt_nfkc`) is derived.
#[derive(Debug)]
pub(super) struct UnigramModel {
    model: Unigram,
    normalize: bool,
    merge_blanks: bool,
}

impl UnigramModel {
    /// `scores[id]` is the log-probability of token `id`.
    pub(super) fn new(
        vocab: &Vocab,
        scores: &[f32],
        unknown: Option<u32>,
        normalize: bool,
        merge_blanks: bool,
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
            normalize,
            merge_blanks,
        })
    }

    /// Appends the ids of `text`.
    pub(super) fn encode(&self, text: &str, prefix: bool, out: &mut Vec<u32>) -> Result<()> {
        let failed = |e: tokenizers::Error| Error::Tokenizer {
            message: e.to_string(),
        };
        let mut text = text.replace(NEVER, "\u{fffd}");
        if self.normalize {
            let mut normalized = NormalizedString::from(text);
            NFKC.normalize(&mut normalized).map_err(failed)?;
            text = normalized.get().replace(char::is_whitespace, " ");
        }
        if self.merge_blanks {
            text = text
                .split(' ')
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
        }
        if text.is_empty() {
            return Ok(());
        }
        if prefix {
            text.insert(0, ' ');
        }
        let text = text.replace(' ', "▁");
        out.extend(
            self.model
                .tokenize(&text)
                .map_err(failed)?
                .iter()
                .map(|token| token.id),
        );
        Ok(())
    }
}
