//! SentencePiece's normalisation table in `tokenizer.json`: the bytes of `precompiled_charsmap` in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};

/// Returns the table's bytes.
///
/// # Errors
/// [`Error::Tokenizer`] for another text than base64.
pub(super) fn decode(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|wrong| Error::Tokenizer {
        message: format!("tokenizer.json: precompiled_charsmap: {wrong}"),
    })
}
