//! A loaded model: what languages it has, and translations of segments.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hearth_modelfile::{Error, Result};

use crate::beams::BEAMS;
use crate::config::{Family, Task};
use crate::languages::{Language, Languages};
use crate::loader::Loader;
use crate::model::Model;
use crate::run::{Event, Finish, Run};
use crate::vocabulary::Vocabulary;

/// Tokens of T5's inputs, whose positions have no end, above which memory would not suffice.
const MOST_INPUT: usize = 8_192;
/// Tokens that an answer may have beyond twice those of its text.
const MORE_OUTPUT: usize = 10;

/// A model's files as a whole, for [`Translator::open`].
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// JSON files and the like, by name.
    pub texts: BTreeMap<String, String>,
    /// SentencePiece's files, by name.
    pub binaries: BTreeMap<String, Vec<u8>>,
    /// One GGUF file, or the safetensors files one after another.
    pub weights: Vec<u8>,
}

/// Limits of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Most tokens of the answer; by default twice those of the text and ten.
    pub max_tokens: Option<usize>,
    /// Whether endless repetition goes on to the limit.
    pub keeps_repetitions: bool,
    /// Answers that are written side by side, of which the likeliest counts; by default one.
    pub beams: Option<usize>,
}

/// A translated segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub input_tokens: usize,
    /// Ids that were written, without that of the end and of the language.
    pub ids: Vec<u32>,
    pub finish: Finish,
}

/// A model with its vocabulary and its languages.
pub struct Translator {
    pub model: Model,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) languages: Languages,
    pub(crate) name: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) parameters: u64,
    pub(crate) bytes: u64,
}

/// A segment's tokens, and what its answer begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub ids: Vec<u32>,
    /// The answer's first token, where it says the language.
    pub forced: Option<u32>,
    /// Whether it is a translation, and not a text that asks for anything.
    pub is_translation: bool,
}

impl Translator {
    /// Loads a model from its files.
    ///
    /// # Errors
    /// As [`Loader::push`] and [`Loader::finish`].
    pub fn open(files: Files) -> Result<Self> {
        let mut loader = Loader::default();
        for (name, text) in &files.texts {
            loader.text(name, text);
        }
        for (name, bytes) in files.binaries {
            loader.file(&name, bytes);
        }
        loader.push(&files.weights)?;
        loader.finish()
    }

    /// Returns the languages that the model has.
    pub fn languages(&self) -> &Languages {
        &self.languages
    }

    /// Returns the licence that the files name, if they do.
    pub fn licence(&self) -> Option<&str> {
        self.licence.as_deref()
    }

    /// Returns the name that the files have for the model, if they do.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the number of values in all tensors, and the bytes that they take.
    pub fn size(&self) -> (u64, u64) {
        (self.parameters, self.bytes)
    }

    /// Returns the tokens of a segment.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a pair of languages that the model has not, with those that it has, and for a text without
    /// a word.
    pub fn input(&self, text: &str, source: Option<&str>, target: Option<&str>) -> Result<Input> {
        if text.trim().is_empty() {
            return Err(Error::InvalidRequest {
                field: "input".into(),
                expected: "a text with a word at least".into(),
                found: "none".into(),
            });
        }
        let config = &self.model.config;
        let source = self.languages.source(source)?;
        let target = self.languages.target(target)?;
        let is_translation = target.is_some() || !self.languages.plain;
        let own = |language: Option<&Language>| language.and_then(|language| language.id);
        let (mut ids, forced) = match config.family {
            Family::T5 => (self.prefixed(text, source, target)?, None),
            Family::Marian => (self.marked(own(target), text)?, None),
            Family::M2m100 | Family::Nllb => (self.marked(own(source), text)?, own(target)),
        };
        ids.extend(config.ends.first());
        Ok(Input {
            ids,
            forced,
            is_translation,
        })
    }

    /// Returns the number of tokens of a segment, with those around it.
    ///
    /// # Errors
    /// As [`Translator::input`].
    pub fn count(&self, text: &str, source: Option<&str>, target: Option<&str>) -> Result<usize> {
        Ok(self.input(text, source, target)?.ids.len())
    }

    /// Returns the ids of a text behind a token.
    fn marked(&self, mark: Option<u32>, text: &str) -> Result<Vec<u32>> {
        let mut ids: Vec<u32> = mark.into_iter().collect();
        ids.extend(self.vocabulary.encode(text)?);
        Ok(ids)
    }

    /// Returns the ids of a text behind that which asks T5 for a translation, if one is asked for.
    fn prefixed(
        &self,
        text: &str,
        source: Option<&Language>,
        target: Option<&Language>,
    ) -> Result<Vec<u32>> {
        let Some(target) = target else {
            return self.vocabulary.encode(text);
        };
        if let Some(id) = target.id {
            // A mark that the vocabulary has as text is read as text, with the blanks around it.
            let mark = format!("<2{}>", target.native);
            return match self.vocabulary.encode(&mark)?.contains(&id) {
                true => self.vocabulary.encode(&format!("{mark} {text}")),
                false => self.marked(Some(id), text),
            };
        }
        let fits = |task: &&Task| {
            task.target == target.native && source.is_none_or(|source| source.native == task.source)
        };
        let tasks = &self.model.config.tasks;
        let task = tasks.iter().find(fits).ok_or_else(|| {
            let pairs = tasks
                .iter()
                .map(|task| format!("{} to {}", task.source, task.target));
            Error::InvalidRequest {
                field: "target".into(),
                expected: format!("one of {}", pairs.collect::<Vec<_>>().join(", ")),
                found: format!("{:?}", target.code),
            }
        })?;
        self.vocabulary.encode(&format!("{}{text}", task.prefix))
    }

    /// Begins a translation. See [`Run::step`].
    ///
    /// # Errors
    /// As [`Translator::input`], also for a number of beams out of range; [`Error::ContextOverflow`] for a segment that is too long.
    pub fn begin(
        &self,
        text: &str,
        source: Option<&str>,
        target: Option<&str>,
        limits: Limits,
    ) -> Result<Run> {
        let beams = limits.beams.unwrap_or(1);
        if !BEAMS.contains(&beams) {
            return Err(Error::InvalidRequest {
                field: "beams".into(),
                expected: format!("a number from {} to {}", BEAMS.start(), BEAMS.end()),
                found: beams.to_string(),
            });
        }
        let input = self.input(text, source, target)?;
        let longest = self.model.config.max_input.unwrap_or(MOST_INPUT);
        if input.ids.len() > longest {
            return Err(Error::ContextOverflow {
                needed: input.ids.len(),
                n_ctx: longest,
            });
        }
        let most = self.model.config.max_output;
        // (the start and the language take positions as well)
        let room = most.saturating_sub(1 + usize::from(input.forced.is_some()));
        let usual = match input.is_translation {
            true => 2 * input.ids.len() + MORE_OUTPUT,
            false => room,
        };
        let limit = limits.max_tokens.unwrap_or(usual).min(room);
        let keeps = limits.keeps_repetitions;
        Ok(Run::new(self, input, limit, keeps, beams))
    }

    /// Translates a segment. `on_token` gets the text that each token completes, and may stop.
    ///
    /// # Errors
    /// As [`Translator::begin`], [`Error::NotFinite`], and [`Error::Cancelled`] if `on_token` stopped.
    pub fn translate(
        &self,
        text: &str,
        source: Option<&str>,
        target: Option<&str>,
        limits: Limits,
        mut on_token: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer> {
        let mut run = self.begin(text, source, target, limits)?;
        loop {
            match run.step(self)? {
                Some(Event::Encoding { .. }) => {}
                Some(Event::Token { text, .. }) => {
                    if on_token(&text).is_break() {
                        return Err(Error::Cancelled);
                    }
                }
                Some(Event::Done {
                    text,
                    input_tokens,
                    finish,
                    ..
                }) => {
                    return Ok(Answer {
                        text,
                        input_tokens,
                        ids: run.ids().to_vec(),
                        finish,
                    });
                }
                None => {
                    return Err(Error::Internal {
                        what: "a translation".into(),
                        message: "it ended twice".into(),
                    });
                }
            }
        }
    }
}
