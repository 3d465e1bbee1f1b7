//! Constrained output: which tokens a model may write next under a JSON schema, grammar, regular expression or
//! choice, via [`llguidance`].
//!
//! This module is separate from the core, because most requests need no constraints and then never download it. A
//! [`Vocabulary`] is created once per model; a [`Grammar`] follows one answer.
//!
//! ```
//! use hearth_grammar::{Format, Vocabulary};
//! let bytes: Vec<Vec<u8>> = (0..=255).map(|b| vec![b]).chain([b"\xff<end>".to_vec()]).collect();
//! let vocabulary = Vocabulary::new(&bytes, &[256])?;
//! let mut grammar = vocabulary.grammar(&Format::Choice(vec!["yes".into(), "no".into()]))?;
//! let mut allowed = [0; 257_usize.div_ceil(32)];
//! assert!(grammar.allow(&mut allowed)?);
//! assert_eq!(allowed[3], 1 << (b'n' - 96) | 1 << (b'y' - 96));
//! grammar.accept(&[u32::from(b'y')])?;
//! assert_eq!(grammar.forced(), b"es");
//! # Ok::<(), anyhow::Error>(())
//! ```

mod format;
mod names;
mod web;

use std::sync::Arc;

use anyhow::{Result, ensure};
use llguidance::api::ParserLimits;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};

pub use format::Format;

/// A model's tokens, indexed for fast search.
pub struct Vocabulary(ParserFactory);

impl Vocabulary {
    /// Creates the vocabulary from the bytes of each token; a special token is 0xff and its name, an unused one is
    /// empty. `eog`: the tokens that end an answer, the usual one first.
    ///
    /// # Errors
    /// If `eog` is empty, or an id in it is beyond the vocabulary.
    pub fn new(tokens: &[Vec<u8>], eog: &[u32]) -> Result<Self> {
        let n_vocab = u32::try_from(tokens.len())?;
        ensure!(
            !eog.is_empty(),
            "the model has no token that ends an answer"
        );
        ensure!(
            eog.iter().all(|id| *id < n_vocab),
            "a token that ends an answer is beyond the vocabulary"
        );
        let longest = tokens.iter().map(Vec::len).max();
        ensure!(longest < Some(0xffff), "a token of {longest:?} bytes");
        let trie = TokTrie::from(&TokRxInfo::new(n_vocab, eog[0]), tokens).with_eos_tokens(eog);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let slices = SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), &slices)?;
        factory.quiet();
        // A page's formats may come from untrusted sources: errors omit the parser's state, and limits are lower.
        *factory.limits_mut() = ParserLimits {
            verbose_errors: false,
            max_grammar_size: 200_000,
            max_lexer_states: 50_000,
            ..ParserLimits::default()
        };
        Ok(Self(factory))
    }

    /// Starts to follow an answer.
    ///
    /// # Errors
    /// llguidance's error for a format that it does not support.
    pub fn grammar(&self, format: &Format) -> Result<Grammar> {
        let trie = self.0.tok_env().tok_trie();
        let is_text = |text: &str| !text.is_empty() && trie.token_id(text.as_bytes()).is_some();
        // Names that are not in angle brackets have been given them.
        let inner =
            |name| -> Option<&str> { str::strip_suffix(str::strip_prefix(name, "<|")?, "|>") };
        let text = |name| match trie.get_special_token(name) {
            Some(_) => None,
            None if is_text(name) => Some(name),
            None => inner(name).filter(|inner| is_text(inner)),
        };
        let parser = self.0.create_parser(format.compile(text)?)?;
        Ok(Grammar(Matcher::new(Ok(parser))))
    }
}

/// A parser that follows one answer and computes the tokens allowed next.
pub struct Grammar(Matcher);

impl Grammar {
    /// Writes the tokens allowed next, one bit each: [ceil(vocab / 32)]. Returns false if the answer is complete and
    /// nothing may follow.
    ///
    /// # Errors
    /// If computing them exceeds the limits.
    pub fn allow(&mut self, bits: &mut [u32]) -> Result<bool> {
        if self.0.is_stopped() {
            ensure!(self.0.stop_reason().is_ok(), "{}", self.0.stop_reason());
            return Ok(false);
        }
        let mask = self.0.compute_mask()?;
        // Computing the mask may itself reach the end.
        if self.0.is_stopped() && self.0.stop_reason().is_ok() {
            return Ok(false);
        }
        let words = mask.as_slice();
        ensure!(
            words.len() >= bits.len(),
            "a mask of {} words for {}",
            words.len(),
            bits.len()
        );
        bits.copy_from_slice(&words[..bits.len()]);
        Ok(true)
    }

    /// Returns the bytes that must come next whatever the model would predict; none if it has a choice.
    pub fn forced(&mut self) -> Vec<u8> {
        if self.0.is_stopped() {
            Vec::new()
        } else {
            self.0.compute_ff_bytes()
        }
    }

    /// Advances by these tokens.
    ///
    /// # Errors
    /// If one of them was not allowed.
    pub fn accept(&mut self, ids: &[u32]) -> Result<()> {
        self.0.consume_tokens(ids)
    }
}
