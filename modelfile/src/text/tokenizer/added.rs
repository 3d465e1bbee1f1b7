//! Matching rules of added tokens against the text around them, from `tokenizer.json` (Hugging Face's `AddedToken`).
//! GGUF has no keys for them; the keys here are those that [`crate::container`] writes when it reads a model folder.

use std::collections::HashMap;

use crate::container::Metadata;
use crate::error::Result;

/// Matching rules of one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rule {
    /// Absorbs the white space before it.
    lstrip: bool,
    /// Absorbs the white space after it.
    rstrip: bool,
    /// Does not match within a word.
    single_word: bool,
}

/// The rules of all tokens that have any.
#[derive(Debug, Default)]
pub(super) struct AddedRules {
    of: HashMap<u32, Rule>,
}

impl AddedRules {
    /// Reads `tokenizer.ggml.hearth.{lstrip,rstrip,single_word}`, lists of ids.
    pub(super) fn read(meta: &Metadata) -> Result<Self> {
        let mut rules = Self::default();
        let mut read = |name: &str, set: fn(&mut Rule)| -> Result<()> {
            let ids = meta.opt_i32s(&format!("tokenizer.ggml.hearth.{name}"))?;
            for id in ids.unwrap_or_default().iter() {
                if let Ok(id) = u32::try_from(*id) {
                    set(rules.of.entry(id).or_default());
                }
            }
            Ok(())
        };
        read("lstrip", |rule| rule.lstrip = true)?;
        read("rstrip", |rule| rule.rstrip = true)?;
        read("single_word", |rule| rule.single_word = true)?;
        Ok(rules)
    }

    /// Returns whether token `id` matches at these bytes of `text`.
    pub(super) fn admit(&self, id: u32, text: &str, start: usize, end: usize) -> bool {
        let is_single = self.of.get(&id).is_some_and(|rule| rule.single_word);
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !is_single
            || !(text[..start].chars().next_back().is_some_and(is_word)
                || text[end..].chars().next().is_some_and(is_word))
    }

    /// Returns the part of the text before token `id` that the token does not absorb.
    pub(super) fn before<'t>(&self, id: u32, text: &'t str) -> &'t str {
        match self.of.get(&id) {
            Some(rule) if rule.lstrip => text.trim_end(),
            _ => text,
        }
    }

    /// Returns the bytes of the text after token `id` that the token absorbs.
    pub(super) fn taken_after(&self, id: u32, text: &str) -> usize {
        match self.of.get(&id) {
            Some(rule) if rule.rstrip => text.len() - text.trim_start().len(),
            _ => 0,
        }
    }
}
