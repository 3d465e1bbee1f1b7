//! The end of an attempt: it is accepted and becomes segments, or the next one begins.

use super::{FRAMES_PER_SECOND, HOT, NO_SPACES, Phase, Round, Transcription};
use crate::SAMPLE_RATE;
use crate::mel::{HOP, WINDOW_FRAMES};
use crate::rules::{Quality, Thresholds, compression_ratio};
use crate::segments::retrieve;
use crate::whisper::decoder::Sound;
use crate::whisper::event::{Event, SegmentText};
use crate::whisper::window::Attempt;
use crate::whisper::words::{self, Word};

impl Transcription {
    /// Accepts an attempt, or begins the next.
    pub(super) fn judge(
        &mut self,
        sound: Option<Sound>,
        attempt: Box<Attempt>,
        mut round: Round,
    ) -> Event {
        let attempt = match round.best.take() {
            Some(best) if best.avg_logprob() >= attempt.avg_logprob() => best,
            _ => attempt,
        };
        round.drawn += 1;
        if attempt.temperature > 0.0 && round.drawn < self.options.best_of {
            round.best = Some(attempt);
            self.begin(sound, round);
            return self.progress();
        }
        let text = self.parts.vocabulary.text(&self.text_of(&attempt.tokens));
        let quality = Quality {
            avg_logprob: attempt.avg_logprob(),
            compression_ratio: compression_ratio(text.trim()),
            no_speech_prob: attempt.no_speech_prob,
        };
        let options = &self.options;
        let thresholds = Thresholds {
            no_speech_prob: options.no_speech_threshold,
            avg_logprob: options.logprob_threshold,
            compression_ratio: options.compression_ratio_threshold,
        };
        if quality.must_retry(&thresholds) && round.tries + 1 < options.temperatures.len() {
            let next = Round {
                of_window: round.of_window,
                tries: round.tries + 1,
                ..Round::default()
            };
            self.begin(sound, next);
            return self.progress();
        }
        let frames = WINDOW_FRAMES.min(self.frames - self.seek);
        self.phase = Phase::Window;
        if quality.is_silent(&thresholds) {
            self.seek += frames;
            return self.progress();
        }
        if self.options.words && self.network.is_none() {
            self.phase = Phase::Align {
                attempt,
                quality,
                frames,
            };
            return self.progress();
        }
        self.accept(&attempt, &quality, frames)
    }

    /// Returns the segments of an attempt, and moves on to where the next window begins.
    pub(super) fn accept(&mut self, attempt: &Attempt, quality: &Quality, frames: usize) -> Event {
        self.phase = Phase::Window;
        self.keep(attempt);
        let seek = self.seek;
        let ids = &self.parts.specials.ids;
        let (found, advance) = retrieve(&attempt.tokens, seek, frames, ids);
        self.seek += advance.min(frames);
        let starts = (self.options.words).then(|| self.starts(attempt, seek, frames));
        let mut segments = Vec::new();
        let mut at = 0;
        for segment in found {
            let text = self.parts.vocabulary.text(&self.text_of(&segment.tokens));
            let words = starts.as_ref().map(|starts| {
                let starts = starts.get(at..).unwrap_or_default();
                self.words(&segment.tokens, starts)
            });
            at += segment.tokens.len();
            if text.trim().is_empty() {
                continue;
            }
            let start = self.start(segment.start);
            segments.push(SegmentText {
                id: self.segments,
                seek: (self.start(seek as f64 / FRAMES_PER_SECOND) * FRAMES_PER_SECOND).round()
                    as usize,
                start,
                end: self
                    .end(segment.end)
                    .max(start)
                    .min(self.duration.max(start)),
                text,
                tokens: segment.tokens,
                temperature: attempt.temperature,
                avg_logprob: quality.avg_logprob,
                compression_ratio: quality.compression_ratio,
                no_speech_prob: quality.no_speech_prob,
                words,
            });
            self.segments += 1;
        }
        match segments.is_empty() {
            true => self.progress(),
            false => Event::Segments { segments },
        }
    }

    /// Returns when each token of an attempt begins, in seconds of the recording.
    fn starts(&self, attempt: &Attempt, seek: usize, frames: usize) -> Vec<f64> {
        let (prompt, heads) = attempt.alignments();
        let (positions, tokens) = (self.parts.config.audio_ctx, attempt.tokens.len());
        let offset = (seek * HOP) as f64 / f64::from(SAMPLE_RATE);
        words::starts(heads, positions, prompt, tokens, frames / 2)
            .iter()
            .map(|seconds| seconds + offset)
            .collect()
    }

    fn words(&self, tokens: &[usize], starts: &[f64]) -> Vec<Word> {
        let specials = &self.parts.specials;
        let code = self.language.map(|i| specials.languages[i].0.as_str());
        let by_character = code.is_some_and(|code| NO_SPACES.contains(&code));
        let vocabulary = &self.parts.vocabulary;
        let eot = specials.ids.eot;
        let mut found = words::of_tokens(vocabulary, tokens, starts, eot, by_character);
        for word in &mut found {
            word.start = self.start(word.start);
            word.end = self.end(word.end).max(word.start);
        }
        found
    }

    /// Keeps the text for the next window, if that is asked for and it was not written at random. A prompt is for the first window
    /// alone otherwise.
    fn keep(&mut self, attempt: &Attempt) {
        if !self.options.condition_on_previous_text || attempt.temperature > HOT {
            self.previous.clear();
        } else {
            self.previous.extend_from_slice(&attempt.tokens);
        }
    }

    fn text_of(&self, tokens: &[usize]) -> Vec<usize> {
        let eot = self.parts.specials.ids.eot;
        tokens.iter().copied().filter(|id| *id < eot).collect()
    }
}
