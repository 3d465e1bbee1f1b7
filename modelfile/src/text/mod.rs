//! Text on its way to a model and back: chat templates, tokenizers.

pub mod template;
pub mod tokenizer;
