//! WordPiece, BERT's method to cut words. A word is cut greedily from the left into the longest known pieces; if that
//! fails anywhere, the whole word is unknown.
//!
//! GGUF puts "▁" in front of a piece that begins a word and leaves one that continues it bare; BERT itself leaves the
//! former bare and puts "##" in front of the latter. GGUF's spelling is converted back, so that a "▁" in a text is
//! not read as that mark.
//!
//! Source: Devlin et al. 2018, arXiv:1810.04805; `BertNormalizer` and `BertPreTokenizer` of the `tokenizers` crate.

use tokenizers::models::bpe::Vocab as Pieces;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer,
};

use super::vocab::{Kind, Vocab};
use crate::error::{Error, Result};

/// BERT's vocabulary with its normaliser.
#[derive(Debug)]
pub(super) struct WordPieceModel {
    model: WordPiece,
    normalizer: BertNormalizer,
}

fn failed(e: tokenizers::Error) -> Error {
    Error::Tokenizer {
        message: e.to_string(),
    }
}

impl WordPieceModel {
    /// `strip_accents`: by default, if upper case is removed.
    pub(super) fn new(
        vocab: &Vocab,
        unknown: u32,
        lowercase: bool,
        strip_accents: Option<bool>,
    ) -> Result<Self> {
        let normal = |id: &u32| vocab.kind(*id) == Some(Kind::Normal) || *id == unknown;
        // Iterate backwards, so that a text that occurs twice keeps its first token.
        let mut pieces = Pieces::default();
        for id in vocab.ids().rev().filter(normal) {
            let text = vocab.text(id).unwrap_or_default();
            let spelled = match text.strip_prefix('▁') {
                _ if id == unknown => text.to_owned(),
                Some(word) => word.to_owned(),
                None => format!("##{text}"),
            };
            pieces.insert(spelled, id);
        }
        let unknown = vocab.text(unknown).unwrap_or_default().to_owned();
        let model = WordPiece::builder()
            .vocab(pieces)
            .unk_token(unknown)
            .build()
            .map_err(failed)?;
        Ok(Self {
            model,
            normalizer: BertNormalizer::new(true, true, strip_accents, lowercase),
        })
    }

    /// Appends the ids of `text`.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<u32>) -> Result<()> {
        let mut normalized = NormalizedString::from(text);
        self.normalizer.normalize(&mut normalized).map_err(failed)?;
        let mut words = PreTokenizedString::from(normalized);
        BertPreTokenizer.pre_tokenize(&mut words).map_err(failed)?;
        for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            let tokens = self.model.tokenize(word).map_err(failed)?;
            out.extend(tokens.iter().map(|token| token.id));
        }
        Ok(())
    }
}
