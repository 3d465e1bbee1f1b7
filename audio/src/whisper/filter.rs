//! Cuts out of a recording what is no speech, before it is written down.

use hearth_modelfile::Result;

use crate::vad::{Cut, FRAME, Spans, Vad, Voice};

/// Seconds without speech that are cut out: shorter ones help to tell sentences apart.
const PAUSE: f64 = 2.0;
/// Frames that are heard in one step: 8 s.
const STEP: usize = 250;

/// A search for speech under way.
pub struct Filter {
    vad: Vad,
    voice: Voice,
    spans: Spans,
    heard: usize,
}

impl Filter {
    /// Begins.
    ///
    /// # Errors
    /// As [`Vad::new`].
    pub fn new() -> Result<Self> {
        Ok(Self {
            vad: Vad::new()?,
            voice: Voice::default(),
            spans: Spans::new(PAUSE),
            heard: 0,
        })
    }

    /// Hears some more of the samples; returns whether there are more.
    pub fn step(&mut self, samples: &[f32]) -> bool {
        let to = (self.heard + STEP * FRAME).min(samples.len());
        let mut piece = samples.get(self.heard..to).unwrap_or_default().to_vec();
        piece.resize(piece.len().next_multiple_of(FRAME), 0.0);
        self.spans.push(&self.vad.hear(&mut self.voice, &piece));
        self.heard = to;
        to < samples.len()
    }

    /// Returns what is left of the samples, and where it was.
    pub fn cut(self, samples: &[f32]) -> (Vec<f32>, Cut) {
        Cut::new(samples, &self.spans.finish(samples.len()))
    }
}
