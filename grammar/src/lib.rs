//! What a model may write next: JSON schemas, grammars, regular expressions and choices, by [`llguidance`].
//!
//! A part of its own, apart from the core: most requests ask for nothing of the kind, and then nobody downloads it.
//! [`Vocabulary`] is made once for a model; a [`Grammar`] follows one answer.
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
mod web;

use std::sync::Arc;

use anyhow::{Result, ensure};
use llguidance::api::ParserLimits;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};

pub use format::Format;

/// A model's tokens, arranged for quick search.
pub struct Vocabulary(ParserFactory);

impl Vocabulary {
    /// From the bytes that each token stands for; those of a special token are 0xff and its name, those of an unused
    /// one are none. `eog`: the tokens that end an answer, the usual one first.
    ///
    /// # Errors
    /// Without such a token, or when one is beyond the vocabulary.
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
        // What a page asks for may come from anywhere: errors without the parser's state, and less patience.
        *factory.limits_mut() = ParserLimits {
            verbose_errors: false,
            max_grammar_size: 200_000,
            max_lexer_states: 50_000,
            ..ParserLimits::default()
        };
        Ok(Self(factory))
    }

    /// Begins to follow an answer.
    ///
    /// # Errors
    /// What llguidance says of a format that it cannot follow.
    pub fn grammar(&self, format: &Format) -> Result<Grammar> {
        let parser = self.0.create_parser(format.compile()?)?;
        Ok(Grammar(Matcher::new(Ok(parser))))
    }
}

/// Follows one answer, and knows at each point what may come next.
pub struct Grammar(Matcher);

impl Grammar {
    /// Writes which tokens may come next, a bit each: [ceil(vocab / 32)]. False when the answer is complete and
    /// nothing may follow.
    ///
    /// # Errors
    /// When the search for them takes more than the limits.
    pub fn allow(&mut self, bits: &mut [u32]) -> Result<bool> {
        if self.0.is_stopped() {
            ensure!(self.0.stop_reason().is_ok(), "{}", self.0.stop_reason());
            return Ok(false);
        }
        let mask = self.0.compute_mask()?;
        // The search itself may find the end.
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

    /// The bytes that must come next whatever the model would say; none where it has a choice.
    pub fn forced(&mut self) -> Vec<u8> {
        if self.0.is_stopped() {
            Vec::new()
        } else {
            self.0.compute_ff_bytes()
        }
    }

    /// Goes on by these tokens.
    ///
    /// # Errors
    /// When one of them was not allowed.
    pub fn accept(&mut self, ids: &[u32]) -> Result<()> {
        self.0.consume_tokens(ids)
    }
}
