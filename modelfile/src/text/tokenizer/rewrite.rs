//! Steps on a text before its tokenizer's own: CLIP and SigLIP write in small letters, and SigLIP without punctuation.
//! GGUF has no keys for them; they are the normalizers of a `tokenizer.json`, in order.

use std::borrow::Cow;

use fancy_regex::Regex;
use tokenizers::normalizers::NFC;
use tokenizers::{NormalizedString, Normalizer};

use crate::error::{Error, Result};

/// A step.
#[derive(Debug)]
enum Rewrite {
    Nfc,
    /// Small letters, character by character.
    Lowercase,
    /// No white space at the ends.
    Strip,
    Replace(Box<Regex>, String),
}

/// Steps in order.
#[derive(Debug, Default)]
pub(super) struct Rewrites {
    steps: Vec<Rewrite>,
}

impl Rewrites {
    /// Reads their list: each step's name, followed by the pattern and the text of a replacement.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] for another step, or a pattern that is none.
    pub(super) fn read(list: &[String]) -> Result<Self> {
        let mut steps = Vec::new();
        let mut words = list.iter();
        while let Some(word) = words.next() {
            steps.push(match word.as_str() {
                "nfc" => Rewrite::Nfc,
                "lowercase" => Rewrite::Lowercase,
                "strip" => Rewrite::Strip,
                "replace" => {
                    let [pattern, content] =
                        [words.next(), words.next()].map(|word| word.cloned().unwrap_or_default());
                    let regex = Regex::new(&pattern)
                        .map_err(|e| failed(format!("the pattern {pattern:?}: {e}")))?;
                    Rewrite::Replace(Box::new(regex), content)
                }
                other => return Err(failed(format!("unknown step {other:?}"))),
            });
        }
        Ok(Self { steps })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the text after all steps.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] if a pattern takes too many steps.
    pub(super) fn apply<'t>(&self, text: &'t str) -> Result<Cow<'t, str>> {
        let mut text = Cow::Borrowed(text);
        for step in &self.steps {
            text = Cow::Owned(match step {
                Rewrite::Nfc => {
                    let mut normalized = NormalizedString::from(text.as_ref());
                    let done = NFC.normalize(&mut normalized);
                    done.map_err(|e| failed(e.to_string()))?;
                    normalized.get().to_owned()
                }
                Rewrite::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
                Rewrite::Strip => text.trim().to_owned(),
                Rewrite::Replace(regex, content) => {
                    let mut out = String::with_capacity(text.len());
                    let mut done = 0;
                    for found in regex.find_iter(&text) {
                        let found = found.map_err(|e| failed(e.to_string()))?;
                        out.push_str(&text[done..found.start()]);
                        out.push_str(content);
                        done = found.end();
                    }
                    out.push_str(&text[done..]);
                    out
                }
            });
        }
        Ok(text)
    }
}

fn failed(message: String) -> Error {
    Error::Tokenizer { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(list: &[&str], text: &str) -> Result<String> {
        let list: Vec<String> = list.iter().map(|word| (*word).to_owned()).collect();
        let rewrites = Rewrites::read(&list)?;
        rewrites.apply(text).map(Cow::into_owned)
    }

    #[test]
    fn steps_are_applied_in_order() {
        let siglip = [
            "lowercase",
            "replace",
            r"[!,.]",
            "",
            "replace",
            r"\s+",
            " ",
            "strip",
        ];
        let found = rewritten(&siglip, "  A\tcat, and\n DOGS! ");
        assert_eq!(found.as_deref(), Ok("a cat and dogs"));
        assert_eq!(
            rewritten(&["nfc", "lowercase"], "E\u{301}").as_deref(),
            Ok("é")
        );
        assert_eq!(rewritten(&["lowercase"], "ΟΔΟΣ").as_deref(), Ok("οδοσ"));
        assert_eq!(rewritten(&[], "A").as_deref(), Ok("A"));
    }

    #[test]
    fn steps_that_are_none_are_refused() {
        assert!(rewritten(&["upper"], "").is_err());
        assert!(rewritten(&["replace", "(", ""], "").is_err());
    }
}
