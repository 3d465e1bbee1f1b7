//! Converts text to token ids and back, as a GGUF file's metadata describes.
//!
//! Two rules that other implementations often lack:
//!
//! * Text never becomes a special token. [`Tokenizer::encode`] reads `<|im_end|>` as six harmless pieces, and
//!   [`Tokenizer::encode_template`] recognises special tokens only where the chat template wrote them. Special tokens
//!   are control tokens and those user-defined ones that the template spells; the others are text, as in training.
//! * A streamed token costs the same at any length of the text: see [`Stream`].

mod added;
mod charsmap;
mod decode;
mod gguf;
mod literal;
mod merges;
mod normal;
mod pre;
mod pre_families;
mod rewrite;
mod special;
mod spm;
mod unigram;
mod vocab;
mod wordpiece;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use tokenizers::Model as _;
use tokenizers::models::bpe::BPE;

pub use decode::Stream;

use crate::error::{Error, Result};
use crate::text::MarkedText;
use crate::text::pair::Pair;
use added::AddedRules;
use decode::{Table, byte_to_char};
use literal::Literals;
use normal::Normal;
use pre::PreTokenizer;
use rewrite::Rewrites;
use special::{Match, Specials};
use spm::SentencePiece;
use unigram::UnigramModel;
use vocab::Kind;
use wordpiece::WordPieceModel;

#[derive(Debug)]
enum Model {
    ByteLevel {
        bpe: Box<BPE>,
        pre: PreTokenizer,
    },
    SentencePiece {
        model: Box<SentencePiece>,
        /// The text's normal form, where the file describes one.
        normal: Option<Normal>,
    },
    Unigram(Box<UnigramModel>),
    WordPiece(Box<WordPieceModel>),
}

/// Places at which SentencePiece's models put a blank before a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Never,
    /// Before each stretch between special tokens, even if it begins with a blank.
    Always,
    /// Only if there is no blank yet, as in Hugging Face's Metaspace; with `first_only` only at the beginning of the
    /// whole text.
    Missing {
        first_only: bool,
    },
}

/// A model's tokenizer; created by [`Tokenizer::from_gguf`].
#[derive(Debug)]
pub struct Tokenizer {
    model: Model,
    table: Arc<Table>,
    specials: Specials,
    literals: Literals,
    bos: Option<u32>,
    eos: Option<u32>,
    unknown: Option<u32>,
    pad: Option<u32>,
    pads_left: bool,
    rewrites: Rewrites,
    add_bos: bool,
    add_eos: bool,
    /// The token between two texts, in addition to the end of the first.
    separator: Option<u32>,
    prefix: Prefix,
    added: AddedRules,
    strip_after_special: bool,
    eog: Vec<u32>,
    suppressed: Vec<u32>,
    /// Length of the longest token in bytes.
    longest: usize,
}

impl Tokenizer {
    /// Encodes plain text: no special token is recognised, none is added (for a raw prompt, put
    /// [`Tokenizer::bos`] in front if [`Tokenizer::add_bos`] is true).
    ///
    /// # Errors
    ///
    /// [`Error::Tokenizer`] if the tokenizer library fails, which is not expected for any text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.encode_plain(text, true, &mut |id, _| ids.push(id))?;
        Ok(ids)
    }

    /// Encodes plain text as [`Tokenizer::encode`] does, with the text that each token of SentencePiece's models stands for: of
    /// an unknown one it is what the vocabulary lacks. Bytes and the tokens of other models have none.
    ///
    /// # Errors
    ///
    /// Any error of [`Tokenizer::encode`].
    pub fn encode_spelled(&self, text: &str) -> Result<Vec<(u32, String)>> {
        let mut pieces = Vec::with_capacity(text.len() / 3);
        self.encode_plain(text, true, &mut |id, text| {
            pieces.push((id, text.to_owned()))
        })?;
        Ok(pieces)
    }

    /// Counts the tokens in plain text.
    ///
    /// # Errors
    ///
    /// Any error of [`Tokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    /// Encodes a text to be embedded, with the tokens that began and ended a text in training.
    ///
    /// # Errors
    ///
    /// Any error of [`Tokenizer::encode`].
    pub fn encode_whole(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids: Vec<u32> = self.bos.filter(|_| self.add_bos).into_iter().collect();
        self.encode_plain(text, true, &mut |id, _| ids.push(id))?;
        ids.extend(self.eos.filter(|_| self.add_eos));
        Ok(ids)
    }

    /// Encodes two texts to be compared, with the tokens that began, separated and ended them in training.
    ///
    /// # Errors
    ///
    /// Any error of [`Tokenizer::encode`].
    pub(crate) fn encode_pair(&self, first: &str, second: &str) -> Result<Pair> {
        let mut ids = self.encode_whole(first)?;
        ids.extend(self.separator);
        let document_at = ids.len();
        self.encode_plain(second, true, &mut |id, _| ids.push(id))?;
        let document_end = ids.len();
        ids.extend(self.eos.filter(|_| self.add_eos));
        Ok(Pair {
            ids,
            document_at,
            document_end,
        })
    }

    /// Encodes a rendered chat. Special tokens that the template wrote become their ids, the text between
    /// two of them is encoded as a whole. The beginning-of-sequence token comes first if [`Tokenizer::add_bos`]
    /// is true, never twice.
    ///
    /// # Errors
    ///
    /// Any error of [`Tokenizer::encode`].
    pub fn encode_template(&self, rendered: &MarkedText) -> Result<Vec<u32>> {
        let text = rendered.text.as_str();
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut done = 0;
        let (vocab, added) = (&self.table.vocab, &self.added);
        let admit = |found: &Match| added.admit(found.id, text, found.start, found.end);
        while let Some(found) = self.specials.find(vocab, text, done, admit) {
            let before = added.before(found.id, &text[done..found.start]);
            self.encode_segment(before, done == 0, rendered.marker, &mut ids)?;
            ids.push(found.id);
            done = found.end + added.taken_after(found.id, &text[found.end..]);
        }
        self.encode_segment(&text[done..], done == 0, rendered.marker, &mut ids)?;
        if let Some(bos) = self.bos.filter(|_| self.add_bos)
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// Returns the fewest tokens that a text of `bytes` can become; 0 if the model may drop text (blanks, unknown
    /// characters).
    pub fn least_tokens(&self, bytes: usize) -> usize {
        match self.model {
            _ if !self.rewrites.is_empty() => 0,
            Model::ByteLevel { .. } | Model::SentencePiece { normal: None, .. } => {
                bytes / self.longest.max(1)
            }
            Model::SentencePiece { .. } | Model::Unigram(_) | Model::WordPiece(_) => 0,
        }
    }

    /// Decodes `ids`. Special tokens yield nothing, bytes that are not UTF-8 yield U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            self.table.append(id, &mut bytes);
        }
        let blank = self.table.strip_blank && bytes.first() == Some(&b' ');
        String::from_utf8_lossy(&bytes[usize::from(blank)..]).into_owned()
    }

    /// Begins decoding token by token.
    pub fn stream(&self) -> Stream {
        Stream::new(Arc::clone(&self.table))
    }

    /// Returns the number of tokens; ids are below it.
    pub fn vocab_size(&self) -> usize {
        self.table.vocab.len()
    }

    /// Returns the beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Returns the end-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Returns the token for text that the vocabulary cannot express.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Returns the padding token.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// Returns whether padding comes before a text.
    pub fn pads_left(&self) -> bool {
        self.pads_left
    }

    /// Returns whether a prompt begins with [`Tokenizer::bos`].
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Returns whether texts in training ended with [`Tokenizer::eos`]. A prompt must not: the model would begin a
    /// new text.
    pub fn add_eos(&self) -> bool {
        self.add_eos
    }

    /// Returns whether `id` ends an answer.
    pub fn is_eog(&self, id: u32) -> bool {
        self.eog.binary_search(&id).is_ok()
    }

    /// Returns the ids that end an answer ("end of generation"), ascending.
    pub fn eog(&self) -> &[u32] {
        &self.eog
    }

    /// Returns the ids that are never generated, such as those that stand for pictures in a prompt.
    pub fn suppressed(&self) -> &[u32] {
        &self.suppressed
    }

    /// Returns the token as the file spells it (byte-level or with "▁"), not as readable text.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.table.vocab.text(id)
    }

    /// Returns the token that the file spells `text`.
    pub fn token_to_id(&self, text: &str) -> Option<u32> {
        self.table.vocab.id(text.as_bytes())
    }

    /// Returns the bytes that a token represents, possibly part of a character; none for special tokens.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.table.append(id, &mut bytes);
        bytes
    }

    /// Returns ids and texts of the tokens that a chat template may write and a user may not, sorted by text: control
    /// and unknown ones, and user-defined ones that the template spells or that end an answer.
    pub fn special_tokens(&self) -> impl Iterator<Item = (u32, &str)> {
        self.specials
            .ids()
            .iter()
            .filter_map(|&id| Some((id, self.token_text(id)?)))
    }

    /// Returns `text` with `marker` in every look-alike of a special token, and at the end if more text could
    /// complete one; `None` if there is nothing to mark.
    ///
    /// With `own` the text was written by the model: user-defined tokens, and the `own` tokens of other kinds, are
    /// then left whole, because templates look for them (`<think>`) and the model did write them as tokens.
    pub(crate) fn mark(&self, text: &str, marker: char, own: Option<&[u32]>) -> Option<String> {
        let vocab = &self.table.vocab;
        let accept = |id: u32| match own {
            Some(own) => vocab.kind(id) != Some(Kind::UserDefined) && !own.contains(&id),
            None => true,
        };
        let mut marked = String::new();
        let mut done = 0;
        while let Some(found) = (self.specials).find(vocab, text, done, |found| accept(found.id)) {
            // Resume the search right after the marker: look-alikes may overlap.
            let first = text[found.start..].chars().next().map_or(1, char::len_utf8);
            marked.push_str(&text[done..found.start + first]);
            marked.push(marker);
            done = found.start + first;
        }
        let open = self.specials.may_continue(vocab, &text[done..], accept);
        if done == 0 && !open {
            return None;
        }
        marked.push_str(&text[done..]);
        marked.extend(open.then_some(marker));
        Some(marked)
    }

    /// Encodes the stretch between two special tokens (or the ends) of a rendered chat; `is_first`: the text begins
    /// with it.
    fn encode_segment(
        &self,
        segment: &str,
        is_first: bool,
        marker: char,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        let mut text = match segment.contains(marker) {
            true => Cow::Owned(segment.replace(marker, "")),
            false => Cow::Borrowed(segment),
        };
        let after_special = ids.last().is_some_and(|&id| Some(id) != self.bos);
        if self.strip_after_special && after_special {
            text = Cow::Owned(text.trim_start().to_owned());
        }
        self.encode_plain(&text, is_first, &mut |id, _| ids.push(id))
    }

    fn encode_plain(
        &self,
        text: &str,
        is_first: bool,
        out: &mut dyn FnMut(u32, &str),
    ) -> Result<()> {
        let text = match &self.model {
            // SentencePiece treats its mark of a blank as a blank.
            Model::SentencePiece { normal: None, .. } if text.contains('▁') => {
                Cow::Owned(text.replace('▁', " "))
            }
            // User-defined tokens are matched in normal form.
            Model::ByteLevel { pre, .. } => pre.normalize(text)?,
            _ => Cow::Borrowed(text),
        };
        let mut done = 0;
        while let Some(found) = self.literals.find(&text, done, &self.added) {
            let before = self.added.before(found.id, &text[done..found.start]);
            self.encode_words(before, done == 0, is_first, out)?;
            out(found.id, &text[found.start..found.end]);
            done = found.end + self.added.taken_after(found.id, &text[found.end..]);
        }
        self.encode_words(&text[done..], done == 0, is_first, out)
    }

    /// Encodes text without literals. `begins`: no token precedes it in its segment; `is_first`: nor does a segment.
    fn encode_words(
        &self,
        text: &str,
        begins: bool,
        is_first: bool,
        out: &mut dyn FnMut(u32, &str),
    ) -> Result<()> {
        let text = self.rewrites.apply(text)?;
        let text = text.as_ref();
        if text.is_empty() {
            return Ok(());
        }
        let prefix = match self.prefix {
            Prefix::Never => false,
            Prefix::Always => begins,
            Prefix::Missing { first_only } => {
                begins && (is_first || !first_only) && !text.starts_with([' ', '▁'])
            }
        };
        match &self.model {
            Model::ByteLevel { bpe, pre } => {
                let mut word = String::new();
                for piece in pre.split(text)? {
                    word.clear();
                    word.extend(piece.bytes().map(byte_to_char));
                    for part in pre.split_mapped(&word)? {
                        let tokens = bpe.tokenize(part).map_err(|e| Error::Tokenizer {
                            message: e.to_string(),
                        })?;
                        tokens.iter().for_each(|token| out(token.id, ""));
                    }
                }
            }
            Model::SentencePiece {
                model,
                normal: Some(normal),
            } => {
                let spelled = normal.spell(text, prefix)?;
                model.encode(&self.table.vocab, &spelled, out);
            }
            Model::SentencePiece {
                model,
                normal: None,
            } => {
                let mut spelled = String::with_capacity(text.len() + 3);
                if prefix {
                    spelled.push('▁');
                }
                spelled.extend(text.chars().map(|c| if c == ' ' { '▁' } else { c }));
                model.encode(&self.table.vocab, &spelled, out);
            }
            Model::Unigram(model) => model.encode(text, prefix, out)?,
            Model::WordPiece(model) => {
                let mut ids = Vec::new();
                model.encode(text, &mut ids)?;
                ids.into_iter().for_each(|id| out(id, ""));
            }
        }
        Ok(())
    }
}
