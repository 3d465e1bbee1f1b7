//! Converts text for a model and back: chat templates, tokenizers.

pub(crate) mod marked;
pub mod pair;
pub mod template;
pub mod tokenizer;

pub use marked::MarkedText;
