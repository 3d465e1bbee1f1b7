//! Text in which special tokens that a template wrote are told from look-alikes that a user wrote.

use std::collections::BTreeSet;

use crate::error::{Error, Result};

/// A rendered prompt. A marker character breaks look-alikes of special tokens that came from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedText {
    pub(crate) text: String,
    /// Occurs nowhere in the input, only where it was inserted.
    pub(crate) marker: char,
    /// The answer begins inside the model's thoughts (`<think>`).
    pub(crate) in_thoughts: bool,
}

impl MarkedText {
    /// Wraps a prompt that the program wrote, not a user: every special token in it counts.
    pub fn trusted(text: impl Into<String>) -> Self {
        let text = text.into();
        // Some private-use character is always free: there are more of them than a short search needs, and
        // U+0000 would only be dropped if all were taken.
        let marker = free_marker([text.as_str()]).unwrap_or('\0');
        MarkedText {
            text,
            marker,
            in_thoughts: false,
        }
    }

    /// Returns the number of times that the template wrote `token`.
    pub(crate) fn count(&self, token: &str) -> usize {
        self.text.matches(token).count()
    }

    /// Returns the prompt with the occurrences of `token` that the template wrote replaced by `texts`, in turn.
    ///
    /// # Errors
    /// [`Error::Template`] if there are more or fewer of them.
    pub(crate) fn with_each(&self, token: &str, texts: &[String]) -> Result<Self> {
        let found = self.count(token);
        if found != texts.len() {
            return Err(Error::Template {
                message: format!(
                    "it wrote {found} places for pictures ({token}), there are {}",
                    texts.len()
                ),
            });
        }
        let mut pieces = self.text.split(token);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for (piece, replacement) in pieces.zip(texts) {
            text += replacement;
            text += piece;
        }
        Ok(Self {
            text,
            marker: self.marker,
            in_thoughts: self.in_thoughts,
        })
    }

    /// Returns the prompt's length in bytes, markers included.
    pub fn byte_len(&self) -> usize {
        self.text.len()
    }

    /// Returns whether the answer begins inside the model's thoughts.
    pub fn is_in_thoughts(&self) -> bool {
        self.in_thoughts
    }

    /// Returns the prompt as the model's authors would see it, without markers.
    pub fn plain(&self) -> String {
        self.text.replace(self.marker, "")
    }
}

/// Returns a private-use character that occurs in none of the texts.
pub(crate) fn free_marker<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<char> {
    let candidates = || ('\u{e000}'..='\u{f8ff}').chain('\u{f0000}'..='\u{ffffd}');
    let is_candidate = |c: &char| matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}');
    let used: BTreeSet<char> = texts
        .into_iter()
        .filter(|text| !text.is_ascii())
        .flat_map(str::chars)
        .filter(is_candidate)
        .collect();
    candidates().find(|c| !used.contains(c))
}
