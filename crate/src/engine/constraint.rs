//! The seam to a module that knows schemas and grammars, which the core does not: it decides what an answer may contain.

use crate::engine::Engine;
use crate::ops::state::MASKED;
use hearth_modelfile::error::{Error, Result};

/// Follows an answer token by token, and knows what may come next.
pub trait Constraint {
    /// Writes which tokens may come next, a bit each: [ceil(vocab / 32)]. False when the answer is complete and nothing
    /// may follow.
    ///
    /// # Errors
    /// [`Error::Grammar`] when that cannot be told.
    fn allow(&mut self, bits: &mut [u32]) -> Result<bool>;

    /// Bytes that must come next whatever the model would say; none where it has a choice.
    ///
    /// # Errors
    /// As [`Constraint::allow`].
    fn forced(&mut self) -> Result<Vec<u8>>;

    /// Goes on by these tokens.
    ///
    /// # Errors
    /// [`Error::Grammar`] when one of them was not allowed.
    fn accept(&mut self, ids: &[u32]) -> Result<()>;
}

impl Engine {
    /// Lets the answer to the request that was just started consist of what `constraint` allows. Its tokens are then
    /// computed one by one, or several at once where there is no choice.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] when no request is running, or it has brought tokens already; [`Error::Grammar`] where the
    /// answer that it goes on with is not allowed.
    pub fn constrain(&mut self, mut constraint: Box<dyn Constraint>) -> Result<()> {
        let Some(generation) = self.generation.as_mut().filter(|g| g.launched == 0) else {
            return Err(Error::InvalidRequest {
                field: "request".into(),
                expected: "just started".into(),
                found: "none, or one that runs".into(),
            });
        };
        let resumed = &generation.prompt[generation.prompt.len() - generation.resumed..];
        if !resumed.is_empty() {
            constraint.accept(resumed)?;
        }
        // The format covers the whole answer, which has no thoughts.
        generation.budget = None;
        generation.lockstep().constraint = Some(constraint);
        let bits = generation.adjust | MASKED;
        (self.sequence.step).set_adjust(&self.stepper.model.ops, bits);
        Ok(())
    }

    /// The bytes of every token that the model can give, as a constraint needs them: those of a special token are 0xff
    /// and its name in angle brackets, `<|…|>` where it has none, those of an unused one are none. [vocab]
    pub fn vocabulary(&self) -> Vec<Vec<u8>> {
        let mut tokens: Vec<Vec<u8>> = (0..self.stepper.model.config.vocab_size as u32)
            .map(|id| self.tokenizer.token_bytes(id))
            .collect();
        for (id, text) in self.tokenizer.special_tokens() {
            if let Some(token) = tokens.get_mut(id as usize).filter(|bytes| bytes.is_empty()) {
                let is_bracketed = text.starts_with('<') && text.ends_with('>');
                let name = match is_bracketed {
                    true => text.to_owned(),
                    false => format!("<|{text}|>"),
                };
                token.push(0xff);
                token.extend_from_slice(name.as_bytes());
            }
        }
        tokens
    }
}
