//! Pre-tokenisers, which cut text into words before byte-level BPE.

use std::borrow::Cow;

use fancy_regex::Regex;
use tokenizers::normalizers::NFC;
use tokenizers::{NormalizedString, Normalizer};

use super::pre_families::FAMILIES;
use crate::error::{Error, Result};

/// A compiled pre-tokeniser.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    splits: Vec<Regex>,
    mapped_splits: Vec<Regex>,
    nfc: bool,
    /// Pieces of white space alone are dropped.
    drops_blanks: bool,
    /// See [`Family::ignore_merges`].
    pub(super) ignore_merges: bool,
    /// See [`Family::add_bos`].
    pub(super) add_bos: bool,
}

impl PreTokenizer {
    /// Returns the pre-tokeniser for a `tokenizer.ggml.pre`; an unknown name is an [`Error::Tokenizer`] that lists
    /// the known ones, because a wrong pre-tokeniser would degrade the model's answers without any visible sign.
    pub(super) fn new(name: &str) -> Result<Self> {
        let family = FAMILIES
            .iter()
            .find(|f| f.names.contains(&name))
            .ok_or_else(|| {
                let known: Vec<&str> = FAMILIES.iter().flat_map(|f| f.names).copied().collect();
                Error::Tokenizer {
                    message: format!(
                        "unknown pre-tokenizer {name:?}; known: {}",
                        known.join(", ")
                    ),
                }
            })?;
        let compile = |pattern: &&str| {
            Regex::new(pattern).map_err(|e| Error::Internal {
                what: format!("pre-tokenizer {name:?}"),
                message: e.to_string(),
            })
        };
        Ok(PreTokenizer {
            splits: family.splits.iter().map(compile).collect::<Result<_>>()?,
            mapped_splits: family
                .mapped_splits
                .iter()
                .map(compile)
                .collect::<Result<_>>()?,
            nfc: family.nfc,
            drops_blanks: false,
            ignore_merges: family.ignore_merges,
            add_bos: family.add_bos,
        })
    }

    /// Compiles custom patterns, as a `tokenizer.json` has them.
    pub(super) fn of(
        splits: &[String],
        mapped_splits: &[String],
        nfc: bool,
        ignore_merges: bool,
        drops_blanks: bool,
    ) -> Result<Self> {
        let compile = |pattern: &String| {
            Regex::new(pattern).map_err(|e| Error::Tokenizer {
                message: format!("the pattern {pattern:?}: {e}"),
            })
        };
        Ok(PreTokenizer {
            splits: splits.iter().map(compile).collect::<Result<_>>()?,
            mapped_splits: mapped_splits.iter().map(compile).collect::<Result<_>>()?,
            nfc,
            drops_blanks,
            ignore_merges,
            add_bos: false,
        })
    }

    /// Returns the text in the normal form that the model's authors used in training.
    pub(super) fn normalize<'t>(&self, text: &'t str) -> Result<Cow<'t, str>> {
        // ASCII is in normal form already, and by far the most common case.
        if !self.nfc || text.is_ascii() {
            return Ok(Cow::Borrowed(text));
        }
        let mut normalized = NormalizedString::from(text);
        NFC.normalize(&mut normalized)
            .map_err(|e| Error::Tokenizer {
                message: e.to_string(),
            })?;
        Ok(Cow::Owned(normalized.get().to_owned()))
    }

    /// Cuts `text` into words, whose concatenation is `text`, unless white space is dropped.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if a pattern takes too many steps.
    pub(super) fn split<'t>(&self, text: &'t str) -> Result<Vec<&'t str>> {
        let mut words = cut(text, &self.splits)?;
        words.retain(|word| !self.drops_blanks || !word.trim().is_empty());
        Ok(words)
    }

    /// Cuts a word whose bytes are spelled as characters; in most families it stays whole.
    ///
    /// # Errors
    /// Any error of [`PreTokenizer::split`].
    pub(super) fn split_mapped<'t>(&self, word: &'t str) -> Result<Vec<&'t str>> {
        cut(word, &self.mapped_splits)
    }
}

fn cut<'t>(text: &'t str, splits: &[Regex]) -> Result<Vec<&'t str>> {
    let mut pieces = vec![text];
    pieces.retain(|piece| !piece.is_empty());
    for regex in splits {
        let mut finer = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let mut done = 0;
            for found in regex.find_iter(piece) {
                // The library's own iterator takes an error for the end of the text, which would yield one long word
                // and other ids.
                let found = found.map_err(|e| Error::Tokenizer {
                    message: format!("the pattern {:?}: {e}", regex.as_str()),
                })?;
                finer.extend([
                    &piece[done..found.start()],
                    &piece[found.start()..found.end()],
                ]);
                done = found.end();
            }
            finer.push(&piece[done..]);
        }
        finer.retain(|piece| !piece.is_empty());
        pieces = finer;
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_compiles_and_loses_nothing() {
        let text = "Hello, it's 12345 o'Clock\n\n  x = foo(a[1]);\t\r\n日本語テキスト e\u{301} 👩\u{200d}👧 ½ \u{a0}end  ";
        for family in FAMILIES {
            for name in family.names {
                let pre = PreTokenizer::new(name).unwrap();
                assert_eq!(pre.split(text).unwrap().concat(), text, "{name}");
                assert!(pre.split("").unwrap().is_empty());
            }
        }
    }

    /// Compares with the pieces that Hugging Face's tokenizers cuts with each family's own steps.
    #[test]
    fn words_are_those_of_the_golden() {
        #[derive(serde::Deserialize)]
        struct Golden {
            texts: Vec<String>,
            nfc: std::collections::BTreeMap<String, String>,
            families: Vec<GoldenFamily>,
        }
        #[derive(serde::Deserialize)]
        struct GoldenFamily {
            names: Vec<String>,
            also: Vec<String>,
            normalizer: Option<String>,
            lengths: Vec<Vec<usize>>,
        }
        let path = concat!(
            env!("HEARTH_ROOT"),
            "tests/goldens/data/tokenizers/tokenizer_pre.json"
        );
        let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut known = 0;
        for family in &golden.families {
            for name in family.names.iter().chain(&family.also) {
                // Its first step attaches each match to the piece before.
                if name == "laguna" {
                    continue;
                }
                let pre = PreTokenizer::new(name).unwrap();
                known += 1;
                for (i, (text, expected)) in golden.texts.iter().zip(&family.lengths).enumerate() {
                    let nfc = golden.nfc.get(&i.to_string());
                    let text = match (&family.normalizer, nfc) {
                        (Some(_), Some(nfc)) => nfc,
                        _ => text,
                    };
                    let found: Vec<usize> = (pre.split(text).unwrap().into_iter())
                        .flat_map(|piece| {
                            let spelled: String = piece
                                .bytes()
                                .map(super::super::decode::byte_to_char)
                                .collect();
                            let words = pre.split_mapped(&spelled).unwrap();
                            words
                                .into_iter()
                                .map(|word| word.chars().count())
                                .collect::<Vec<_>>()
                        })
                        .collect();
                    assert_eq!(&found, expected, "{name}: {text:?}");
                }
            }
        }
        assert!(known > 60, "{known}");
    }

    #[test]
    fn a_pattern_that_gives_up_is_an_error() {
        let pattern = r"(a+)+(?=b)\1c".to_owned();
        let pre = PreTokenizer::of(&[pattern], &[], false, false, false).unwrap();
        assert_eq!(pre.split("x y").unwrap(), ["x y"]);
        let long = "a".repeat(40);
        let result = pre.split(&long);
        assert!(matches!(result, Err(Error::Tokenizer { .. })), "{result:?}");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = FAMILIES.iter().flat_map(|f| f.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn words() {
        let split = |name, text| PreTokenizer::new(name).unwrap().split(text).unwrap();
        assert_eq!(
            split("gpt-2", "it's  2024 ok\n"),
            ["it", "'s", " ", " 2024", " ok", "\n"]
        );
        assert_eq!(split("smollm", "a 2024"), ["a", " ", "2", "0", "2", "4"]);
        assert_eq!(
            split("llama-bpe", "IT'S 1234567!\n\nx"),
            ["IT", "'S", " ", "123", "456", "7", "!\n\n", "x"]
        );
        assert_eq!(split("qwen2", "x 12\n"), ["x", " ", "1", "2", "\n"]);
        assert_eq!(
            split("tekken", "HelloWorld foo/\n"),
            ["Hello", "World", " foo", "/\n"]
        );
        assert_eq!(split("gpt-4o", "HelloWorld's"), ["Hello", "World's"]);
        assert_eq!(split("deepseek-coder", "a1\n"), ["a", "1", "\n"]);
    }

    #[test]
    fn normal_form_c_where_the_model_uses_it() {
        let normalize = |name, text| {
            PreTokenizer::new(name)
                .unwrap()
                .normalize(text)
                .unwrap()
                .into_owned()
        };
        assert_eq!(normalize("qwen2", "e\u{301}"), "é");
        assert_eq!(normalize("gpt-2", "e\u{301}"), "e\u{301}");
    }

    #[test]
    fn unknown_names_list_the_known() {
        let error = PreTokenizer::new("no-such").unwrap_err();
        assert_eq!(error.code(), "tokenizer_error");
        assert!(
            error.to_string().contains("\"no-such\"") && error.to_string().contains("smollm"),
            "{error}"
        );
    }
}
