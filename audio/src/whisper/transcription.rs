//! A recording of any length to segments: windows of 30 s, each begun where the last one's text ended (openai/whisper
//! `transcribe.py`).

use std::rc::Rc;

use hearth_modelfile::Result;

use super::decoder::Sound;
use super::encoder::Encoding;
use super::event::{Event, SegmentText};
use super::filter::Filter;
use super::model::Whisper;
use super::options::{Options, Task};
use super::window::{Attempt, random};
use super::words::{self, Word};
use crate::mel::{HOP, LogMel, WINDOW_FRAMES};
use crate::rules::{Quality, Thresholds, compression_ratio, language, no_speech_prob};
use crate::segments::retrieve;
use crate::vad::Cut;
use crate::{SAMPLE_RATE, silence};

/// Tokens that are written in one call, so that a caller can stop in between.
const TOKENS_AT_ONCE: usize = 8;
/// Languages that write no spaces between words.
const NO_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];
/// Frames of a second.
const FRAMES_PER_SECOND: f64 = 100.0;
/// Temperature from which a text is no example for the next window.
const HOT: f32 = 0.5;

enum Phase {
    /// Searches for speech, if all else is to be cut out.
    Filter(Box<Filter>),
    /// Searches for the loudest value, which all windows are relative to.
    Measure,
    Window,
    Encoding(Encoding),
    Detect(Sound),
    Decoding {
        sound: Sound,
        attempt: Box<Attempt>,
        round: Round,
    },
    Over,
}

/// Attempts of a window so far.
#[derive(Default)]
struct Round {
    /// Index of the window's language.
    of_window: Option<usize>,
    /// Temperatures that were tried before this one.
    tries: usize,
    /// Texts that were drawn at this one, and the likeliest of them.
    drawn: usize,
    best: Option<Box<Attempt>>,
}

/// A transcription under way; [`Transcription::next`] does some of its work.
pub struct Transcription {
    model: Rc<Whisper>,
    options: Options,
    samples: Vec<f32>,
    mel: LogMel,
    /// Places of what was left of the recording, if something was cut out.
    cut: Option<Cut>,
    /// Seconds of the whole recording.
    duration: f64,
    /// Largest logarithm of all frames so far.
    loudest: f32,
    measured: usize,
    /// Frames of 10 ms in all.
    frames: usize,
    seek: usize,
    phase: Phase,
    /// Index of the language, once it is known.
    language: Option<usize>,
    /// Ids of the request's prompt, and of the text so far where it is to be heeded.
    previous: Vec<usize>,
    segments: usize,
    random: u64,
}

impl Transcription {
    /// Begins with `samples` at 16 kHz.
    ///
    /// # Errors
    /// As [`Options::check`]; [`hearth_modelfile::Error::BadAudio`] for samples that are no numbers.
    pub fn new(model: Rc<Whisper>, samples: Vec<f32>, options: Options) -> Result<Self> {
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(crate::not_finite());
        }
        let language = options.check(&model.specials)?;
        let prompt = options.prompt.as_deref().map(str::trim).unwrap_or_default();
        let previous = match prompt {
            "" => Vec::new(),
            prompt => model.vocabulary.encode(&format!(" {prompt}")),
        };
        Ok(Self {
            mel: LogMel::new(model.config.n_mels)?,
            cut: None,
            duration: samples.len() as f64 / f64::from(SAMPLE_RATE),
            phase: match options.vad_filter {
                true => Phase::Filter(Box::new(Filter::new()?)),
                false => Phase::Measure,
            },
            frames: samples.len().div_ceil(HOP),
            random: options.seed ^ 0x9E37_79B9_7F4A_7C15,
            model,
            options,
            samples,
            loudest: f32::NEG_INFINITY,
            measured: 0,
            seek: 0,
            language,
            previous,
            segments: 0,
        })
    }

    /// Does some work, at most a layer of the encoder or a few tokens; returns what it came to, or `None` after the end.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::Metadata`] if the model's ids do not fit its vocabulary; then nothing follows.
    #[allow(clippy::should_implement_trait)] // a Result comes of it
    pub fn next(&mut self) -> Result<Option<Event>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => Ok(None),
            Phase::Filter(mut filter) => {
                self.phase = match filter.step(&self.samples) {
                    true => Phase::Filter(filter),
                    false => {
                        let (left, cut) = filter.cut(&self.samples);
                        self.frames = left.len().div_ceil(HOP);
                        (self.samples, self.cut) = (left, Some(cut));
                        Phase::Measure
                    }
                };
                Ok(Some(self.progress()))
            }
            Phase::Measure => {
                let to = (self.measured + WINDOW_FRAMES).min(self.frames);
                let loudest = self.mel.loudest(&self.samples, self.measured..to);
                (self.loudest, self.measured) = (self.loudest.max(loudest), to);
                self.phase = match to < self.frames {
                    true => Phase::Measure,
                    false => Phase::Window,
                };
                Ok(Some(self.progress()))
            }
            Phase::Window => Ok(Some(self.window())),
            Phase::Encoding(mut encoding) => {
                self.phase = match self.model.encoder.step(&mut encoding) {
                    None => Phase::Encoding(encoding),
                    Some(encoded) => Phase::Detect(self.model.decoder.sound(&encoded)),
                };
                Ok(Some(self.progress()))
            }
            Phase::Detect(sound) => Ok(Some(self.detect(sound))),
            Phase::Decoding {
                sound,
                mut attempt,
                round,
            } => {
                for _ in 0..TOKENS_AT_ONCE {
                    let random = || random(&mut self.random);
                    if attempt.step(&self.model, random)? {
                        return Ok(Some(self.judge(sound, attempt, round)));
                    }
                }
                self.phase = Phase::Decoding {
                    sound,
                    attempt,
                    round,
                };
                Ok(Some(self.progress()))
            }
        }
    }

    fn progress(&self) -> Event {
        let seconds = self.seek as f64 * HOP as f64 / f64::from(SAMPLE_RATE);
        Event::Progress {
            seconds: self.start(seconds).min(self.duration),
            duration: self.duration,
        }
    }

    /// Returns a moment of what is written down in seconds of the recording.
    fn start(&self, seconds: f64) -> f64 {
        self.cut.as_ref().map_or(seconds, |cut| cut.start(seconds))
    }

    fn end(&self, seconds: f64) -> f64 {
        self.cut.as_ref().map_or(seconds, |cut| cut.end(seconds))
    }

    /// Begins the next window, unless the sound has ended, or has nothing in it that could be heard.
    fn window(&mut self) -> Event {
        if self.seek >= self.frames {
            return Event::Done {
                duration: self.duration,
            };
        }
        let from = (self.seek * HOP).min(self.samples.len());
        let to = (from + WINDOW_FRAMES * HOP).min(self.samples.len());
        if silence::is_silent(&self.samples[from..to]) {
            self.seek += WINDOW_FRAMES.min(self.frames - self.seek);
            self.phase = Phase::Window;
            return self.progress();
        }
        let mel = self.mel.window(&self.samples, self.seek, self.loudest);
        self.phase = Phase::Encoding(self.model.encoder.begin(&mel));
        self.progress()
    }

    /// Finds the language if it is not known, and begins the first attempt. A window in which nothing seems to be said decides for
    /// itself alone.
    fn detect(&mut self, sound: Sound) -> Event {
        let specials = &self.model.specials;
        let ids: Vec<usize> = specials.languages.iter().map(|(_, id)| *id).collect();
        let mut event = self.progress();
        let mut of_window = self.language;
        if of_window.is_none() && !ids.is_empty() {
            let decoder = &self.model.decoder;
            let mut context = decoder.begin(&sound, false);
            let logits = decoder.logits(&decoder.run(&[specials.start], &mut context));
            let is_silent = no_speech_prob(&logits, &specials.ids)
                .is_some_and(|p| p > self.options.no_speech_threshold);
            if let Some((found, probability)) = language(&logits, &ids) {
                of_window = Some(found);
                if !is_silent {
                    self.language = of_window;
                    event = Event::Language {
                        language: specials.languages[found].0.clone(),
                        probability,
                    };
                }
            }
        }
        let round = Round {
            of_window,
            ..Round::default()
        };
        self.begin(sound, round);
        event
    }

    /// Begins the next attempt of a window.
    fn begin(&mut self, sound: Sound, round: Round) {
        let specials = &self.model.specials;
        let mut prompt = Vec::new();
        // Half of the context, less the token that begins it.
        let room = self.model.config.text_ctx / 2 - 1;
        if !self.previous.is_empty() {
            prompt.push(specials.previous);
            prompt.extend_from_slice(&self.previous[self.previous.len().saturating_sub(room)..]);
        }
        let at = prompt.len();
        prompt.push(specials.start);
        if let Some((_, id)) = round.of_window.and_then(|i| specials.languages.get(i)) {
            prompt.extend([
                *id,
                match self.options.task {
                    Task::Transcribe => specials.transcribe,
                    Task::Translate => specials.translate,
                },
            ]);
        }
        let timestamps = self.has_timestamps();
        if !timestamps {
            prompt.push(specials.ids.no_timestamps);
        }
        let temperature = self.options.temperatures[round.tries];
        let attempt = Attempt::begin(
            &self.model,
            &sound,
            &prompt,
            at,
            temperature,
            timestamps,
            self.options.words,
        );
        self.phase = Phase::Decoding {
            sound,
            attempt: Box::new(attempt),
            round,
        };
    }

    /// Tells whether times are written: they also say where the next window begins.
    fn has_timestamps(&self) -> bool {
        self.options.timestamps || self.options.words || self.frames > WINDOW_FRAMES
    }

    /// Accepts an attempt, or begins the next.
    fn judge(&mut self, sound: Sound, attempt: Box<Attempt>, mut round: Round) -> Event {
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
        let text = self.model.vocabulary.text(&self.text_of(&attempt.tokens));
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
        let event = self.accept(&attempt, &quality, frames);
        self.keep(&attempt);
        event
    }

    /// Returns the segments of an attempt, and moves on to where the next window begins.
    fn accept(&mut self, attempt: &Attempt, quality: &Quality, frames: usize) -> Event {
        let seek = self.seek;
        let ids = &self.model.specials.ids;
        let (found, advance) = retrieve(&attempt.tokens, seek, frames, ids);
        self.seek += advance.min(frames);
        let starts = (self.options.words).then(|| self.starts(attempt, seek, frames));
        let mut segments = Vec::new();
        let mut at = 0;
        for segment in found {
            let text = self.model.vocabulary.text(&self.text_of(&segment.tokens));
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
        let (positions, tokens) = (self.model.config.audio_ctx, attempt.tokens.len());
        let offset = (seek * HOP) as f64 / f64::from(SAMPLE_RATE);
        words::starts(heads, positions, prompt, tokens, frames / 2)
            .iter()
            .map(|seconds| seconds + offset)
            .collect()
    }

    fn words(&self, tokens: &[usize], starts: &[f64]) -> Vec<Word> {
        let specials = &self.model.specials;
        let code = self.language.map(|i| specials.languages[i].0.as_str());
        let by_character = code.is_some_and(|code| NO_SPACES.contains(&code));
        let vocabulary = &self.model.vocabulary;
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
        let eot = self.model.specials.ids.eot;
        tokens.iter().copied().filter(|id| *id < eot).collect()
    }
}
