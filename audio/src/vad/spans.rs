//! Spans of speech from probabilities: what begins one is surer than what goes on with it.

use super::FRAME;

/// Probability that begins speech, and the one below which it may end.
const ON: f32 = 0.5;
const OFF: f32 = 0.35;
/// Frames of the shortest speech: 250 ms. Less is a click or a cough.
const SHORTEST: usize = 8;
/// Samples before and after speech that belong to it, for words begin and end softly.
const PAD: usize = 3_200;

/// Samples of speech: from the first one to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: usize,
    pub to: usize,
}

/// Finds spans as probabilities come.
pub struct Spans {
    /// Frames without speech that end a span.
    pause: usize,
    frame: usize,
    /// First frame of the span that is open, and the one after its last that had speech.
    open: Option<(usize, usize)>,
    found: Vec<Span>,
}

impl Spans {
    /// Begins. `pause`: seconds without speech that end a span.
    #[must_use]
    pub fn new(pause: f64) -> Self {
        let frames = pause * f64::from(crate::SAMPLE_RATE) / FRAME as f64;
        Self {
            pause: frames.round() as usize,
            frame: 0,
            open: None,
            found: Vec::new(),
        }
    }

    /// Takes the next probabilities.
    pub fn push(&mut self, probabilities: &[f32]) {
        for &probability in probabilities {
            self.frame += 1;
            match &mut self.open {
                None if probability >= ON => self.open = Some((self.frame - 1, self.frame)),
                None => {}
                Some((_, spoken)) if probability >= OFF => *spoken = self.frame,
                Some((_, spoken)) if self.frame - *spoken >= self.pause => self.close(),
                Some(_) => {}
            }
        }
    }

    fn close(&mut self) {
        let Some((from, to)) = self.open.take() else {
            return;
        };
        if to - from < SHORTEST {
            return;
        }
        let from = (from * FRAME).saturating_sub(PAD);
        let to = to * FRAME + PAD;
        match self.found.last_mut() {
            Some(last) if last.to >= from => last.to = to,
            _ => self.found.push(Span { from, to }),
        }
    }

    /// Ends the sound of `samples`; returns all spans, in order and apart from each other.
    #[must_use]
    pub fn finish(mut self, samples: usize) -> Vec<Span> {
        self.close();
        let inside = |span: Span| Span {
            to: span.to.min(samples),
            ..span
        };
        let spans = self.found.into_iter().map(inside);
        spans.filter(|span| span.from < span.to).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the spans of (probability, frames), in frames without the padding.
    fn spans(parts: &[(f32, usize)]) -> Vec<(usize, usize)> {
        let all: Vec<f32> = parts
            .iter()
            .flat_map(|(p, n)| std::iter::repeat_n(*p, *n))
            .collect();
        let mut spans = Spans::new(1.0);
        for some in all.chunks(7) {
            spans.push(some);
        }
        let found = spans.finish(1 << 30);
        let frames = |span: &Span| ((span.from + PAD) / FRAME, (span.to - PAD) / FRAME);
        found.iter().map(frames).collect()
    }

    #[test]
    fn speech_begins_surely_and_ends_after_a_pause() {
        assert_eq!(spans(&[(0.1, 20), (0.9, 20), (0.1, 40)]), [(20, 40)]);
        // 0.4 goes on with speech and begins none.
        assert_eq!(
            spans(&[(0.4, 20), (0.9, 10), (0.4, 10), (0.1, 40)]),
            [(20, 40)]
        );
        // 31 frames are 1 s.
        assert_eq!(
            spans(&[(0.0, 9), (0.9, 10), (0.1, 30), (0.9, 10)]),
            [(9, 59)]
        );
        let apart = [(0.0, 9), (0.9, 10), (0.1, 31), (0.9, 10)];
        assert_eq!(spans(&apart), [(9, 19), (50, 60)]);
    }

    #[test]
    fn short_sounds_are_no_speech() {
        assert!(spans(&[(0.0, 20), (0.9, 7), (0.0, 40)]).is_empty());
        assert_eq!(spans(&[(0.0, 20), (0.9, 8), (0.0, 40)]), [(20, 28)]);
        assert!(spans(&[]).is_empty());
    }

    #[test]
    fn spans_stay_inside_the_sound() {
        let mut spans = Spans::new(1.0);
        spans.push(&[0.9; 10]);
        let to = 10 * FRAME - 100;
        assert_eq!(spans.finish(to), [Span { from: 0, to }]);
    }
}
