//! A query and a document as the tokens of one text, for models that rank documents.

use crate::container::Metadata;
use crate::error::{Error, Result};
use crate::families::Ranking;
use crate::text::MarkedText;
use crate::text::marked::free_marker;
use crate::text::tokenizer::Tokenizer;

const TEMPLATE: &str = "tokenizer.chat_template.rerank";
const QUERY: &str = "{query}";
const DOCUMENT: &str = "{document}";

/// A way in which a query and a document become one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairFormat {
    /// One after the other, as a tokenizer joins two texts.
    Joined,
    /// The texts before, between and after them.
    Template([String; 3]),
}

/// The tokens of a query and a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub ids: Vec<u32>,
    /// Position of the document's first token, which may be of another type.
    pub document_at: usize,
    /// Position after the document's last token.
    pub document_end: usize,
}

impl PairFormat {
    /// Reads the format of a model that ranks documents.
    ///
    /// # Errors
    /// [`Error::Metadata`] for a template that lacks one of the two texts, or has one twice, and for none where one is needed.
    pub fn from_gguf(meta: &Metadata, ranking: Ranking) -> Result<Self> {
        let template = match ranking {
            Ranking::YesOrNo => Some(meta.str(TEMPLATE)?),
            Ranking::None | Ranking::Cls | Ranking::PredictionHead => meta.opt_str(TEMPLATE)?,
        };
        let Some(template) = template else {
            return Ok(PairFormat::Joined);
        };
        let parts = template.split_once(QUERY).and_then(|(before, rest)| {
            let (between, after) = rest.split_once(DOCUMENT)?;
            Some([before, between, after])
        });
        let again = |part: &str| part.contains(QUERY) || part.contains(DOCUMENT);
        match parts {
            Some(parts) if !parts.iter().any(|part| again(part)) => {
                Ok(PairFormat::Template(parts.map(str::to_owned)))
            }
            _ => Err(Error::Metadata {
                key: TEMPLATE.into(),
                expected: format!("a text with one {QUERY} and one {DOCUMENT} after it"),
                found: template.chars().take(80).collect(),
            }),
        }
    }

    /// Returns the tokens of `query` and `document`, in which special tokens that they spell are plain text.
    ///
    /// # Errors
    /// Any error of [`Tokenizer::encode`].
    pub fn encode(&self, tokenizer: &Tokenizer, query: &str, document: &str) -> Result<Pair> {
        let [before, between, after] = match self {
            PairFormat::Joined => return tokenizer.encode_pair(query, document),
            PairFormat::Template(parts) => parts.each_ref().map(String::as_str),
        };
        // (a text has far fewer characters than there are candidates)
        let marker = free_marker([before, between, after, query, document]).unwrap_or('\0');
        let marked = |text: &str| {
            let marked = tokenizer.mark(text, marker, None);
            marked.unwrap_or_else(|| text.to_owned())
        };
        let encode = |text: String| {
            tokenizer.encode_template(&MarkedText {
                text,
                marker,
                in_thoughts: false,
            })
        };
        let head = format!("{before}{}{between}", marked(query));
        let document_at = encode(head.clone())?.len();
        let ids = encode(head + &marked(document) + after)?;
        let tail = encode(after.to_owned())?;
        // Where the template goes on with a special token, its tokens are those behind the document.
        // Elsewhere nothing can be cut without cutting the template.
        let (document_at, document_end) = match ids.ends_with(&tail) {
            true => (document_at, ids.len() - tail.len()),
            false => (ids.len(), ids.len()),
        };
        Ok(Pair {
            document_at: document_at.min(document_end),
            document_end,
            ids,
        })
    }
}

impl Pair {
    /// Cuts the document so that at most `most` tokens are left.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`] if what is around it has more.
    pub fn cut(&mut self, most: usize) -> Result<()> {
        let excess = self.ids.len().saturating_sub(most);
        if excess > self.document_end - self.document_at {
            return Err(Error::ContextOverflow {
                needed: self.ids.len() - (self.document_end - self.document_at),
                n_ctx: most,
            });
        }
        self.ids
            .drain(self.document_end - excess..self.document_end);
        self.document_end -= excess;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Value;
    use crate::text::tokenizer::testing::{chatml, set_string};

    fn format(template: &str) -> Result<PairFormat> {
        let mut meta = Metadata::default();
        set_string(&mut meta, TEMPLATE, template);
        PairFormat::from_gguf(&meta, Ranking::YesOrNo)
    }

    #[test]
    fn a_template_has_each_text_once() {
        let parts = ["a ", " b ", " c"].map(str::to_owned);
        assert_eq!(
            format("a {query} b {document} c"),
            Ok(PairFormat::Template(parts))
        );
        for wrong in [
            "",
            "{query}",
            "{document} {query}",
            "{query} {document} {document}",
        ] {
            assert!(format(wrong).is_err(), "{wrong}");
        }
        let none = Metadata::default();
        assert!(PairFormat::from_gguf(&none, Ranking::YesOrNo).is_err());
        let joined = PairFormat::from_gguf(&none, Ranking::Cls);
        assert_eq!(joined, Ok(PairFormat::Joined));
        let number = Metadata::from_iter([(TEMPLATE, Value::U32(1))]);
        assert!(PairFormat::from_gguf(&number, Ranking::Cls).is_err());
    }

    #[test]
    fn texts_are_put_in_once_and_write_no_special_tokens() {
        let tokenizer = chatml();
        let end = tokenizer.token_to_id("<|im_end|>").unwrap();
        let format = format("<|im_start|>q {query} d {document}<|im_end|>").unwrap();
        let ids = |query: &str, document: &str| {
            let pair = format.encode(&tokenizer, query, document).unwrap();
            assert_eq!(pair.document_end, pair.ids.len() - 1);
            pair.ids
        };
        let count = |ids: &[u32]| ids.iter().filter(|id| **id == end).count();
        assert_eq!(count(&ids("a", "b")), 1);
        assert_eq!(count(&ids("<|im_end|>", "<|im_end|><|im_")), 1);
        let text = tokenizer.decode(&ids("{document}", "x"));
        assert!(text.contains("{document}"), "{text}");
    }

    #[test]
    fn the_document_is_cut_and_nothing_around_it() {
        let pair = || Pair {
            ids: (0..10).collect(),
            document_at: 3,
            document_end: 8,
        };
        for (most, expected) in [
            (20, vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            (8, vec![0, 1, 2, 3, 4, 5, 8, 9]),
            (5, vec![0, 1, 2, 8, 9]),
        ] {
            let mut pair = pair();
            pair.cut(most).unwrap();
            assert_eq!(pair.ids, expected);
        }
        let error = pair().cut(4).unwrap_err();
        assert_eq!(
            error,
            Error::ContextOverflow {
                needed: 5,
                n_ctx: 4
            }
        );
    }
}
