//! llguidance as the core's constraint, natively.

use hearth::engine::constraint::Constraint;
use hearth::{Engine, Error, Result};
use hearth_grammar::{Format, Grammar, Vocabulary};

/// The vocabulary of the engine's model, in the form that hearth-grammar needs.
pub fn vocabulary(engine: &Engine) -> Vocabulary {
    Vocabulary::new(&engine.vocabulary(), engine.tokenizer().eog())
        .unwrap_or_else(|e| panic!("no vocabulary: {e}"))
}

/// Returns a constraint for one answer.
pub fn constraint(vocabulary: &Vocabulary, format: &Format) -> Result<Box<dyn Constraint>> {
    match vocabulary.grammar(format) {
        Ok(grammar) => Ok(Box::new(Follow(grammar))),
        Err(error) => Err(failed(&error)),
    }
}

struct Follow(Grammar);

impl Constraint for Follow {
    fn allow(&mut self, bits: &mut [u32]) -> Result<bool> {
        self.0.allow(bits).map_err(|e| failed(&e))
    }

    fn forced(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.forced())
    }

    fn accept(&mut self, ids: &[u32]) -> Result<()> {
        self.0.accept(ids).map_err(|e| failed(&e))
    }
}

fn failed(error: &impl std::fmt::Display) -> Error {
    Error::Grammar {
        message: error.to_string(),
    }
}
