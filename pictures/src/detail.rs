//! Detail in which a model looks.

use std::str::FromStr;

use hearth_modelfile::Error;

/// Detail of a picture as OpenAI's requests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// As the model's own processor does it, within bounds that a browser can bear.
    #[default]
    Auto,
    /// As many tokens as the model's file allows, within wider bounds.
    High,
    /// The whole picture in few tokens, never in tiles.
    Low,
}

impl FromStr for Detail {
    type Err = Error;

    /// Reads `auto`, `high` or `low`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "high" => Ok(Self::High),
            "low" => Ok(Self::Low),
            other => Err(Error::InvalidRequest {
                field: "detail".into(),
                expected: "auto, high or low".into(),
                found: format!("{other:?}"),
            }),
        }
    }
}
