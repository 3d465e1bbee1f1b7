//! Faults of sound that a user gives.

/// A fault of the input; its code stays the same between versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    #[error(
        "this is no WAV file: {0}; let the browser decode other containers and pass its samples"
    )]
    NotWav(&'static str),
    #[error("the WAV file ends within its {0}; was it downloaded or recorded to its end?")]
    Truncated(&'static str),
    #[error(
        "the WAV file's format is not supported: {0}; PCM of 8, 16, 24 and 32 bits and 32-bit floats are"
    )]
    UnsupportedFormat(String),
    #[error("the WAV file's header is wrong: {0}")]
    BadHeader(String),
    #[error(
        "the sample rate is {0} Hz; 1,000 to 768,000 Hz in a simple ratio to 16,000 are supported"
    )]
    SampleRate(u32),
    #[error("a sample of the sound is not a finite number")]
    NotFinite,
    #[error("{0} mel bins were asked for; Whisper's models have 80 or 128")]
    MelBins(usize),
    #[error("Whisper's ids do not fit {0} logits")]
    Ids(usize),
}

impl AudioError {
    /// Returns the stable code of the error, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWav(_) => "audio_not_wav",
            Self::Truncated(_) => "audio_truncated",
            Self::UnsupportedFormat(_) => "audio_unsupported_format",
            Self::BadHeader(_) => "audio_bad_header",
            Self::SampleRate(_) => "audio_sample_rate",
            Self::NotFinite => "audio_not_finite",
            Self::MelBins(_) => "audio_mel_bins",
            Self::Ids(_) => "audio_ids",
        }
    }
}
