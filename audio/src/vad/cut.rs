//! Sound without what is no speech, and the way back to the times of the whole.

use super::Span;
use crate::SAMPLE_RATE;

/// Samples of silence between spans that were apart, so that a word does not run into the next one.
const BETWEEN: usize = 1_600;

struct Piece {
    /// First sample in what is left, and in the whole.
    at: usize,
    from: usize,
    len: usize,
}

/// Places of the pieces that are left of a recording.
pub struct Cut(Vec<Piece>);

impl Cut {
    /// Returns the spans of `samples` one after another, with 0.1 s of silence between them.
    #[must_use]
    pub fn new(samples: &[f32], spans: &[Span]) -> (Vec<f32>, Self) {
        let mut left = Vec::new();
        let mut pieces = Vec::new();
        for span in spans {
            let Some(piece) = samples.get(span.from..span.to) else {
                continue;
            };
            if !left.is_empty() {
                left.resize(left.len() + BETWEEN, 0.0);
            }
            pieces.push(Piece {
                at: left.len(),
                from: span.from,
                len: piece.len(),
            });
            left.extend_from_slice(piece);
        }
        (left, Self(pieces))
    }

    /// Returns where in the whole a moment of what is left is, in seconds. The moment between two pieces is the beginning of the
    /// second.
    #[must_use]
    pub fn start(&self, seconds: f64) -> f64 {
        let after = self.0.partition_point(|piece| place(piece.at) <= seconds);
        match (self.0.get(after.saturating_sub(1)), self.0.get(after)) {
            (Some(piece), Some(next)) if seconds >= place(piece.at + piece.len) => place(next.from),
            (Some(piece), _) => inside(piece, seconds),
            (None, _) => seconds,
        }
    }

    /// Returns where an end is, as [`Cut::start`] does, but that the moment between two pieces is the end of the first.
    #[must_use]
    pub fn end(&self, seconds: f64) -> f64 {
        let after = self.0.partition_point(|piece| place(piece.at) < seconds);
        let before = self.0.get(after.saturating_sub(1));
        before.map_or(seconds, |piece| inside(piece, seconds))
    }
}

fn inside(piece: &Piece, seconds: f64) -> f64 {
    let within = (seconds - place(piece.at)).clamp(0.0, place(piece.len));
    place(piece.from) + within
}

fn place(sample: usize) -> f64 {
    sample as f64 / f64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_whole() {
        let second = SAMPLE_RATE as usize;
        let samples: Vec<f32> = (0..10 * second).map(|i| i as f32).collect();
        let span = |from, to| Span {
            from: from * second,
            to: to * second,
        };
        let (left, cut) = Cut::new(&samples, &[span(2, 4), span(7, 8), span(9, 99)]);
        assert_eq!(left.len(), 3 * second + BETWEEN);
        assert_eq!(left[2 * second + BETWEEN], 7.0 * second as f32);
        assert!(
            left[2 * second..2 * second + BETWEEN]
                .iter()
                .all(|v| *v == 0.0)
        );
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        for (left, start, end) in [
            (0.0, 2.0, 2.0),
            (1.5, 3.5, 3.5),
            (2.0, 7.0, 4.0),
            (2.05, 7.0, 4.0),
            (2.1, 7.0, 4.0),
            (2.6, 7.5, 7.5),
            (3.1, 8.0, 8.0),
            (9.0, 8.0, 8.0),
        ] {
            near(cut.start(left), start);
            near(cut.end(left), end);
        }
        let (left, cut) = Cut::new(&samples, &[]);
        assert!(left.is_empty());
        near(cut.start(1.0), 1.0);
    }
}
