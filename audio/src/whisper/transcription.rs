//! A recording of any length to segments: windows of 30 s, each begun where the last one's text ended (openai/whisper
//! `transcribe.py`).

mod accept;

use std::rc::Rc;

use hearth_modelfile::Result;

use super::decoder::Sound;
use super::elsewhere::{self, Work};
use super::encoder::Encoding;
use super::event::Event;
use super::filter::Filter;
use super::model::{Parts, Whisper};
use super::options::{Options, Task};
use super::window::{Attempt, Outlook, random};
use crate::mel::{HOP, LogMel, WINDOW_FRAMES};
use crate::rules::{Quality, language, no_speech_prob};
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
    /// A network elsewhere is to hear this window.
    Encode(Vec<f32>),
    Detect(Option<Sound>),
    Decoding {
        /// None of a network elsewhere, which keeps it.
        sound: Option<Sound>,
        attempt: Box<Attempt>,
        round: Round,
    },
    /// A network elsewhere is to say where an attempt's words are.
    Align {
        attempt: Box<Attempt>,
        quality: Quality,
        frames: usize,
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
    parts: Rc<Parts>,
    /// The network, if it is computed here.
    network: Option<Rc<Whisper>>,
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
        Self::begun(Rc::clone(&model.parts), Some(model), samples, options)
    }

    /// Begins like [`Transcription::new`], with a network elsewhere: [`Event::Encode`], [`Event::Decode`] and [`Event::Align`] ask for its
    /// work.
    ///
    /// # Errors
    /// As [`Transcription::new`].
    pub fn elsewhere(parts: Rc<Parts>, samples: Vec<f32>, options: Options) -> Result<Self> {
        Self::begun(parts, None, samples, options)
    }

    fn begun(
        parts: Rc<Parts>,
        network: Option<Rc<Whisper>>,
        samples: Vec<f32>,
        options: Options,
    ) -> Result<Self> {
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(crate::not_finite());
        }
        let language = options.check(&parts.specials)?;
        let prompt = options.prompt.as_deref().map(str::trim).unwrap_or_default();
        let previous = match prompt {
            "" => Vec::new(),
            prompt => parts.vocabulary.encode(&format!(" {prompt}")),
        };
        Ok(Self {
            mel: LogMel::new(parts.config.n_mels)?,
            cut: None,
            duration: samples.len() as f64 / f64::from(SAMPLE_RATE),
            phase: match options.vad_filter {
                true => Phase::Filter(Box::new(Filter::new()?)),
                false => Phase::Measure,
            },
            frames: samples.len().div_ceil(HOP),
            random: options.seed ^ 0x9E37_79B9_7F4A_7C15,
            parts,
            network,
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
                if let Some(network) = &self.network {
                    self.phase = match network.encoder.step(&mut encoding) {
                        None => Phase::Encoding(encoding),
                        Some(encoded) => Phase::Detect(Some(network.decoder.sound(&encoded))),
                    };
                }
                Ok(Some(self.progress()))
            }
            Phase::Encode(mel) => {
                self.phase = Phase::Encode(mel);
                Ok(Some(Event::Encode))
            }
            Phase::Detect(sound) => Ok(Some(self.detect(sound))),
            Phase::Align {
                attempt,
                quality,
                frames,
            } => {
                let event = Event::Align {
                    ids: attempt.whole(self.parts.config.text_ctx),
                    heads: self.parts.alignment_heads(),
                };
                self.phase = Phase::Align {
                    attempt,
                    quality,
                    frames,
                };
                Ok(Some(event))
            }
            Phase::Decoding {
                sound,
                mut attempt,
                round,
            } => {
                let Some(network) = self.network.clone() else {
                    let work = Work::of(&attempt, &self.parts)?;
                    self.phase = Phase::Decoding {
                        sound,
                        attempt,
                        round,
                    };
                    return Ok(Some(work.into()));
                };
                for _ in 0..TOKENS_AT_ONCE {
                    let logits = Outlook::Logits(attempt.compute(&network));
                    let random = || random(&mut self.random);
                    if attempt.choose(&self.parts, logits, random)? {
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

    /// Returns the window, [n_mels, frames], that a network elsewhere is to hear; nothing at other times.
    pub fn mel(&self) -> &[f32] {
        match &self.phase {
            Phase::Encode(mel) => mel,
            _ => &[],
        }
    }

    /// Takes the numbers of a network elsewhere that the last event asked for; returns what they came to.
    ///
    /// # Errors
    /// [`hearth_modelfile::Error::Internal`] if nothing was asked, or something else.
    pub fn answer(&mut self, numbers: &[f32]) -> Result<Event> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Encode(_) => {
                self.phase = Phase::Detect(None);
                Ok(self.progress())
            }
            Phase::Detect(None) if numbers.len() == self.parts.config.n_vocab => {
                Ok(self.detected(None, numbers))
            }
            Phase::Decoding {
                sound: None,
                mut attempt,
                round,
            } => {
                let outlook = elsewhere::read(&mut attempt, &self.parts, numbers)?;
                let random = || random(&mut self.random);
                if attempt.choose(&self.parts, outlook, random)? {
                    return Ok(self.judge(None, attempt, round));
                }
                self.phase = Phase::Decoding {
                    sound: None,
                    attempt,
                    round,
                };
                Ok(self.progress())
            }
            Phase::Align {
                mut attempt,
                quality,
                frames,
            } => {
                attempt.align(numbers, self.parts.alignment_heads().len());
                Ok(self.accept(&attempt, &quality, frames))
            }
            _ => Err(elsewhere::internal("an answer to nothing".into())),
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
        self.phase = match &self.network {
            Some(network) => Phase::Encoding(network.encoder.begin(&mel)),
            None => Phase::Encode(mel),
        };
        self.progress()
    }

    /// Finds the language if it is not known, and begins the first attempt.
    fn detect(&mut self, sound: Option<Sound>) -> Event {
        let specials = &self.parts.specials;
        if self.language.is_some() || specials.languages.is_empty() {
            let round = Round {
                of_window: self.language,
                ..Round::default()
            };
            self.begin(sound, round);
            return self.progress();
        }
        let (Some(network), Some(of_window)) = (&self.network, &sound) else {
            let work = Work::logits_after(specials.start);
            self.phase = Phase::Detect(None);
            return work.into();
        };
        let decoder = &network.decoder;
        let mut context = decoder.begin(of_window, false);
        let logits = decoder.logits(&decoder.run(&[specials.start], &mut context));
        self.detected(sound, &logits)
    }

    /// Begins the first attempt in the language that the logits at the text's start say. A window in which nothing seems to be said
    /// decides for itself alone.
    fn detected(&mut self, sound: Option<Sound>, logits: &[f32]) -> Event {
        let specials = &self.parts.specials;
        let ids: Vec<usize> = specials.languages.iter().map(|(_, id)| *id).collect();
        let mut event = self.progress();
        let is_silent = no_speech_prob(logits, &specials.ids)
            .is_some_and(|p| p > self.options.no_speech_threshold);
        let found = language(logits, &ids);
        if let Some((found, probability)) = found.filter(|_| !is_silent) {
            self.language = Some(found);
            event = Event::Language {
                language: specials.languages[found].0.clone(),
                probability,
            };
        }
        let round = Round {
            of_window: found.map(|(found, _)| found),
            ..Round::default()
        };
        self.begin(sound, round);
        event
    }

    /// Begins the next attempt of a window.
    fn begin(&mut self, sound: Option<Sound>, round: Round) {
        let specials = &self.parts.specials;
        let mut prompt = Vec::new();
        // Half of the context, less the token that begins it.
        let room = self.parts.config.text_ctx / 2 - 1;
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
        let context = self.network.as_ref().zip(sound.as_ref());
        let context =
            context.map(|(network, sound)| network.decoder.begin(sound, self.options.words));
        let attempt = Attempt::new(&self.parts, prompt, at, temperature, timestamps, context);
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
}
