//! Segments of one window, and where the next window begins (transformers' `_retrieve_segment`).

use crate::rules::Ids;

/// Seconds of one timestamp step, two frames of the spectrogram.
const STEP: f64 = 0.02;
/// Frames of one timestamp step.
const FRAMES: usize = 2;
/// Frames of one second.
const FRAMES_PER_SECOND: f64 = 100.0;

/// Piece of a window between two timestamps.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Seconds from the start of the file.
    pub start: f64,
    /// Seconds from the start of the file, never before `start`.
    pub end: f64,
    /// Ids, timestamps included.
    pub tokens: Vec<usize>,
}

/// Splits what was decoded of the window of `frames` frames at frame `seek`.
///
/// Returns its segments and the frames by which to advance: to the last pair of timestamps, or over the whole window. These
/// are never 0, so that a file ends whatever the model writes.
#[must_use]
pub fn retrieve(
    sequence: &[usize],
    seek: usize,
    frames: usize,
    ids: &Ids,
) -> (Vec<Segment>, usize) {
    let begin = ids.timestamp_begin();
    let is_time = |id: &usize| *id >= begin;
    let offset = seek as f64 / FRAMES_PER_SECOND;
    let steps = |id: Option<&usize>| id.map_or(0, |id| id.saturating_sub(begin));
    let segment = |from: usize, to: usize, tokens: &[usize]| {
        let (start, end) = (offset + from as f64 * STEP, offset + to as f64 * STEP);
        Segment {
            start,
            end: end.max(start),
            tokens: tokens.to_vec(),
        }
    };
    let single_ending = matches!(sequence, [.., before, last] if !is_time(before) && is_time(last));
    let cuts: Vec<usize> = (1..sequence.len())
        .filter(|i| sequence[i - 1..=*i].iter().all(is_time))
        .collect();
    let Some(&last_cut) = cuts.last() else {
        // Without a pair, the last timestamp ends the only segment, unless it is 0.00 s.
        let last = sequence
            .iter()
            .rev()
            .find(|id| is_time(id))
            .filter(|id| **id != begin);
        let end = last.map_or(frames / FRAMES, |id| steps(Some(id)));
        return (vec![segment(0, end, sequence)], frames.max(1));
    };
    let mut segments = Vec::with_capacity(cuts.len() + 1);
    let mut from = 0;
    for &cut in &cuts {
        // Unless one timestamp ends the window, the last segment keeps the one that begins the next.
        let end = if cut == last_cut && !single_ending {
            cut + 1
        } else {
            cut
        };
        segments.push(segment(
            steps(sequence.get(from)),
            steps(sequence.get(cut - 1)),
            &sequence[from..end],
        ));
        from = cut;
    }
    if single_ending {
        segments.push(segment(
            steps(sequence.get(from)),
            steps(sequence.last()),
            &sequence[from..],
        ));
        return (segments, frames.max(1));
    }
    match steps(sequence.get(last_cut - 1)) * FRAMES {
        0 => (segments, frames.max(1)),
        advance => (segments, advance),
    }
}
