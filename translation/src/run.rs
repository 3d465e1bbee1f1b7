//! A translation under way: some work at a time, so that a worker can stop it between two steps.

use hearth_modelfile::{Error, Result};
use serde::Serialize;

use crate::beams::Search;
use crate::model::{Context, Encoding};
use crate::repetition::Guard;
use crate::translator::{Input, Translator};
use crate::vocabulary::Spelling;

/// Reason for which an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// It has as many tokens as it may.
    Length,
    /// It repeated itself without end; one copy is kept.
    Repetition,
}

/// Progress of a translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// A layer of the encoder is done.
    Encoding { layer: usize, layers: usize },
    /// A token was written; `text`: the characters that it completes, of several beams those that all have.
    Token { text: String, tokens: usize },
    /// The end, with the whole text.
    Done {
        text: String,
        input_tokens: usize,
        tokens: usize,
        finish: Finish,
    },
}

enum Stage {
    Encoding(Encoding),
    Decoding(Box<Context>),
    /// Contexts of the open answers, in their order.
    Searching(Box<Search>, Vec<Context>),
    Done,
}

/// A translation under way, see [`Translator::begin`].
pub struct Run {
    stage: Stage,
    /// Tokens that the decoder has not seen yet.
    next: Vec<u32>,
    input_tokens: usize,
    ids: Vec<u32>,
    limit: usize,
    guard: Option<Guard>,
    spelling: Spelling,
    text: String,
    beams: usize,
}

impl Run {
    pub(crate) fn new(
        translator: &Translator,
        input: Input,
        limit: usize,
        keeps_repetitions: bool,
        beams: usize,
    ) -> Self {
        let model = &translator.model;
        let encoding = model.encoder.begin(&model.embedding, &input.ids);
        let mut next = vec![model.config.start];
        next.extend(input.forced);
        Self {
            stage: Stage::Encoding(encoding),
            next,
            input_tokens: input.ids.len(),
            ids: Vec::new(),
            limit,
            guard: (!keeps_repetitions).then(|| Guard::new(&input.ids)),
            spelling: translator.vocabulary.spell(),
            text: String::new(),
            beams,
        }
    }

    /// Returns the ids that were written.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Does some work, with the translator that began it; returns `None` after the end.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if the model computed no numbers.
    pub fn step(&mut self, translator: &Translator) -> Result<Option<Event>> {
        let model = &translator.model;
        match &mut self.stage {
            Stage::Encoding(encoding) => {
                let encoded = model.encoder.step(encoding);
                let event = Event::Encoding {
                    layer: encoding.done(),
                    layers: model.encoder.layers(),
                };
                if let Some(encoded) = encoded {
                    let context = model.decoder.begin(model.decoder.see(&encoded));
                    self.stage = match self.beams {
                        ..=1 => Stage::Decoding(Box::new(context)),
                        beams => {
                            let (rules, forced) =
                                (model.config.rules, self.next.len().saturating_sub(1));
                            let search = Search::new(rules, beams, self.limit, forced);
                            Stage::Searching(Box::new(search), vec![context])
                        }
                    };
                }
                Ok(Some(event))
            }
            Stage::Decoding(_) | Stage::Searching(..) if self.ids.len() >= self.limit => {
                Ok(Some(self.end(translator, Finish::Length)))
            }
            Stage::Searching(search, contexts) => {
                let tokens: Vec<&[u32]> = match search.open() {
                    [first] if first.ids.is_empty() => vec![&self.next[..]],
                    open => (open.iter())
                        .map(|answer| &answer.ids[answer.ids.len() - 1..])
                        .collect(),
                };
                let (decoder, config) = (&model.decoder, &model.config);
                let logits = decoder.run_all(model.target(), &tokens, contexts);
                let parents = search.advance(&logits, &config.suppressed, &config.ends)?;
                if let Some(parents) = &parents {
                    *contexts = parents.iter().map(|i| contexts[*i].clone()).collect();
                }
                let length = search.open().first().map_or(self.limit, |a| a.ids.len());
                let excess = search.open().first().and_then(|likeliest| {
                    let excess = self.guard.as_ref()?.excess(&likeliest.ids)?;
                    Some((likeliest.ids.len() - excess, likeliest.ids.clone()))
                });
                if parents.is_none() || excess.is_some() {
                    let best = search.best().filter(|answer| answer.is_ended);
                    let (ids, finish) = match (best, excess, search.best()) {
                        (Some(best), ..) => (best.ids.clone(), Finish::Stop),
                        (None, Some((keep, mut ids)), _) => {
                            ids.truncate(keep);
                            (ids, Finish::Repetition)
                        }
                        (None, None, best) => {
                            let ids = best.map(|best| best.ids.clone());
                            (ids.unwrap_or_default(), Finish::Length)
                        }
                    };
                    self.ids = ids;
                    return Ok(Some(self.end(translator, finish)));
                }
                let settled = &search.common()[self.ids.len().min(search.common().len())..];
                let pieces = settled
                    .iter()
                    .map(|id| translator.vocabulary.push(&mut self.spelling, *id));
                let text: String = pieces.collect();
                self.text.push_str(&text);
                self.ids.extend(settled);
                Ok(Some(Event::Token {
                    text,
                    tokens: length,
                }))
            }
            Stage::Decoding(context) => {
                let logits = model.decoder.run(model.target(), &self.next, context);
                let id = best(&logits, &model.config.suppressed)?;
                if model.config.ends.contains(&id) {
                    return Ok(Some(self.end(translator, Finish::Stop)));
                }
                self.ids.push(id);
                self.next = vec![id];
                if let Some(excess) = self
                    .guard
                    .as_ref()
                    .and_then(|guard| guard.excess(&self.ids))
                {
                    self.ids.truncate(self.ids.len() - excess);
                    return Ok(Some(self.end(translator, Finish::Repetition)));
                }
                let text = translator.vocabulary.push(&mut self.spelling, id);
                self.text.push_str(&text);
                Ok(Some(Event::Token {
                    text,
                    tokens: self.ids.len(),
                }))
            }
            Stage::Done => Ok(None),
        }
    }

    fn end(&mut self, translator: &Translator, finish: Finish) -> Event {
        self.stage = Stage::Done;
        let vocabulary = &translator.vocabulary;
        // The text so far may be incomplete, or too long.
        if finish == Finish::Repetition || self.beams > 1 {
            self.spelling = vocabulary.spell();
            let pieces = self
                .ids
                .iter()
                .map(|id| vocabulary.push(&mut self.spelling, *id));
            self.text = pieces.collect();
        }
        self.text.push_str(&self.spelling.finish());
        Event::Done {
            text: self.text.trim().to_owned(),
            input_tokens: self.input_tokens,
            tokens: self.ids.len(),
            finish,
        }
    }
}

/// Returns the id of the largest logit, of those that may be written.
fn best(logits: &[f32], suppressed: &[u32]) -> Result<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (id, logit) in (0..).zip(logits) {
        if !logit.is_finite() {
            return Err(Error::NotFinite);
        }
        let is_better = best.is_none_or(|(_, most)| *logit > most);
        if is_better && !suppressed.contains(&id) {
            best = Some((id, *logit));
        }
    }
    best.map(|(id, _)| id).ok_or(Error::NotFinite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_choose_the_first_best_that_may_be() {
        assert_eq!(best(&[1.0, 3.0, 3.0], &[]).unwrap(), 1);
        assert_eq!(best(&[1.0, 3.0, 2.0], &[1]).unwrap(), 2);
        for wrong in [&[1.0, f32::NAN][..], &[f32::INFINITY], &[]] {
            assert_eq!(best(wrong, &[]).err(), Some(Error::NotFinite));
        }
    }
}
