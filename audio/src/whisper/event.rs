//! News of a transcription.

use serde::Serialize;

use super::elsewhere::Work;
use super::words::Word;

/// Reports of a transcription.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// Seconds that are settled, of how many.
    Progress { seconds: f64, duration: f64 },
    /// The language that was detected, and its probability. A language that was given is not reported.
    Language { language: String, probability: f64 },
    /// Segments of one window; they do not change any more.
    Segments { segments: Vec<SegmentText> },
    /// A network elsewhere is to hear [`super::Transcription::mel`]; then [`super::Transcription::answer`] is called without numbers.
    Encode,
    /// It is to compute tokens, see [`super::elsewhere::Work`], and the answer has the numbers.
    Decode {
        from: usize,
        ids: Vec<usize>,
        picks: Vec<usize>,
    },
    /// It is to compute a text again; the answer has the weights [heads, ids, positions] of these heads, each a layer's number and its own.
    Align {
        ids: Vec<usize>,
        heads: Vec<(usize, usize)>,
    },
    /// The end.
    Done { duration: f64 },
}

impl From<Work> for Event {
    fn from(Work { from, ids, picks }: Work) -> Self {
        Event::Decode { from, ids, picks }
    }
}

/// A segment in the shape of OpenAI's `verbose_json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentText {
    pub id: usize,
    /// Frame, of 10 ms, at which its window began.
    pub seek: usize,
    /// Seconds.
    pub start: f64,
    pub end: f64,
    pub text: String,
    pub tokens: Vec<usize>,
    pub temperature: f32,
    pub avg_logprob: f64,
    pub compression_ratio: f64,
    pub no_speech_prob: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<Word>>,
}
