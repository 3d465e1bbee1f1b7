//! Converts text for a model and back: chat templates, tokenizers.

pub mod template;
pub mod tokenizer;
