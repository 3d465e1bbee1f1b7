//! Context that stays: a conversation's part of the sequence as bytes, page by page, and back into an engine.
//!
//! A page has the rows of the KV caches at some positions, or the states of recurrent layers at one position. Its name
//! says what it holds, down to the tokens before it, so that a page that is saved already need not be saved again. Pages
//! are put back in the order of their names, and the next request keeps as much of them as its tokens have in common.

pub(crate) mod fingerprint;
mod page;

use serde::Serialize;

use crate::engine::Engine;
use crate::engine::draft_policy::Drafts;
use crate::engine::sequence::{Mark, Sequence};
use crate::model::state::{LayerSnapshot, LayerState, RecurrentState};
use crate::ops::buffer::{Piece, read_pieces};
use fingerprint::{Fingerprint, WeightSum};
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::error::{Error, Result};
use page::{Kind, Prefixes, beyond, decode, encode, length};

/// Most positions of a page of rows.
const POSITIONS: usize = 64;
/// Most bytes of a page of rows: it is in memory as a whole.
const PAGE_BYTES: usize = 8 << 20;

/// A part of a conversation that can be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ContextPage {
    /// Name; pages are put back in the order of their names.
    pub name: String,
    /// Bytes of the page.
    pub bytes: usize,
}

/// A page that is yet to be read.
struct Planned {
    kind: Kind,
    from: usize,
    to: usize,
    digest: [u8; 32],
    words: usize,
}

impl Planned {
    fn bytes(&self) -> usize {
        let ids = match self.kind {
            Kind::Rows => self.to - self.from,
            _ => 0,
        };
        length(ids + self.words)
    }

    fn name(&self) -> String {
        let digest: String = (self.digest[..8].iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{:08}-{digest}", self.kind.name(), self.to)
    }
}

impl Engine {
    /// Lets the engine's conversations be saved, given the sum of the bytes that its model was loaded from.
    pub(crate) fn with_fingerprint(self, sum: WeightSum, header: &ModelHeader) -> Self {
        let (device, model) = (&self.stepper.device, &self.stepper.model);
        let fingerprint = Some(sum.fingerprint(device, model, header));
        Self {
            fingerprint,
            ..self
        }
    }

    /// Returns the pages of the conversation so far.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the model was loaded without a fingerprint, or writes no text; [`Error::Busy`] while a
    /// request runs.
    pub fn context_pages(&self) -> Result<Vec<ContextPage>> {
        let planned = self.planned_pages()?;
        let pages = planned.iter().map(|page| ContextPage {
            name: page.name(),
            bytes: page.bytes(),
        });
        Ok(pages.collect())
    }

    /// Returns the bytes of a page; `None` if the conversation no longer has it.
    ///
    /// # Errors
    /// The errors of [`Engine::context_pages`], and those of the device.
    pub async fn save_page(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        self.stepper.settle().await;
        let fingerprint = self.fingerprint()?;
        let planned = self.planned_pages()?;
        let Some(page) = planned.iter().find(|page| page.name() == name) else {
            return Ok(None);
        };
        let n_ctx = self.stepper.model.n_ctx;
        let at = page.from..page.to;
        let (ids, oldest, pieces) = match page.kind {
            Kind::Rows => {
                let caches = self.sequence.layers.iter().filter_map(|layer| layer.kv());
                let pieces = caches.flat_map(|cache| cache.rows(n_ctx, at.clone()));
                (
                    &self.sequence.ids()[at.clone()],
                    Vec::new(),
                    pieces.collect(),
                )
            }
            Kind::Prompt | Kind::Answer => {
                let (oldest, pieces) = state_pieces(&self.sequence, page.kind);
                (&[][..], oldest, pieces)
            }
        };
        let read = self.stepper.device.wait(read_pieces(pieces)).await?;
        self.stepper.device.check()?;
        let words = [oldest, read].concat();
        let span = (page.from, page.to);
        let bytes = encode(page.kind, span, &fingerprint, &page.digest, ids, &words);
        Ok(Some(bytes))
    }

    /// Puts a page back; returns the number of tokens that the conversation has now. The first page replaces the
    /// conversation that was there, or where there is room for several the one that was used least recently.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a page that is damaged, of another engine, or that does not belong after those before it:
    /// nothing has changed then. The errors of [`Engine::context_pages`].
    pub fn restore_page(&mut self, bytes: &[u8]) -> Result<usize> {
        let fingerprint = self.fingerprint()?;
        let page = decode(bytes, &fingerprint)?;
        let n_ctx = self.stepper.model.n_ctx;
        let known = match page.kind {
            Kind::Rows => page.from,
            _ => page.to,
        };
        if known > self.sequence.len() || page.to > n_ctx {
            return Err(beyond(known, self.sequence.len().min(n_ctx)));
        }
        page.check_follows(&fingerprint, &self.sequence.ids()[..known])?;
        if !page.ids.is_empty() {
            self.check_ids("saved context", &page.ids)?;
        }
        self.cancel();
        match page.kind {
            Kind::Rows => {
                let n = page.to - page.from;
                page.check_words(n * self.words_per_position())?;
                if page.from == 0 {
                    self.vacate_conversation();
                }
                // A recording that is made later would run over the rows.
                let drafts = self.policy.drafts != Drafts::Off;
                self.stepper.record(&mut self.sequence, drafts)?;
                if page.from == 0 {
                    self.clear();
                }
                let mut at = 0;
                for layer in &mut self.sequence.layers {
                    if let Some(cache) = layer.kv_mut() {
                        let len = n * cache.words_per_position(n_ctx);
                        cache.write_rows(n_ctx, page.from..page.to, &page.words[at..at + len]);
                        at += len;
                    }
                }
                self.sequence.put_rows(page.from, &page.ids);
            }
            Kind::Prompt | Kind::Answer => {
                page.check_words(state_words(&self.sequence))?;
                let layers = self.states_of(&page.words);
                let mark = match page.kind {
                    Kind::Prompt => Mark::Prompt,
                    _ => Mark::Answer,
                };
                self.sequence.put_snapshot(mark, page.to, layers);
            }
        }
        Ok(self.sequence.len())
    }

    /// Returns the identity of the model with its present adapters.
    fn fingerprint(&self) -> Result<Fingerprint> {
        self.check_generates()?;
        let fingerprint = self.fingerprint.ok_or_else(|| Error::InvalidRequest {
            field: "fingerprint".into(),
            expected: "requested when the model is loaded".into(),
            found: "not requested".into(),
        })?;
        Ok(fingerprint::adapted(fingerprint, &self.adapters_key()))
    }

    fn words_per_position(&self) -> usize {
        let n_ctx = self.stepper.model.n_ctx;
        let caches = self.sequence.layers.iter().filter_map(|layer| layer.kv());
        caches.map(|cache| cache.words_per_position(n_ctx)).sum()
    }

    /// Returns the pages of the conversation, up to its first picture: the rows of one are not known by their numbers.
    fn planned_pages(&self) -> Result<Vec<Planned>> {
        let fingerprint = self.fingerprint()?;
        if self.generation.is_some() {
            return Err(Error::Busy);
        }
        let vocab = self.stepper.model.config.vocab_size as u32;
        let ids = self.sequence.ids();
        let ids = &ids[..ids.iter().take_while(|id| **id < vocab).count()];
        let words = self.words_per_position();
        let mut positions = POSITIONS;
        while positions > 16 && positions * words * 4 > PAGE_BYTES {
            positions /= 2;
        }
        let mut planned = Vec::new();
        let mut prefixes = Prefixes::new(&fingerprint);
        let mut from = 0;
        for ids in ids.chunks(positions) {
            planned.push(Planned {
                kind: Kind::Rows,
                from,
                to: from + ids.len(),
                digest: prefixes.push(ids),
                words: ids.len() * words,
            });
            from += ids.len();
        }
        for (mark, to, _) in self.sequence.kept_snapshots() {
            if to > 0 && to <= ids.len() {
                planned.push(Planned {
                    kind: kind_of(mark),
                    from: 0,
                    to,
                    digest: Prefixes::new(&fingerprint).push(&ids[..to]),
                    words: state_words(&self.sequence),
                });
            }
        }
        // Rows that no state belongs to are of no use.
        if self.sequence.needs_snapshots() {
            let states = planned.iter().filter(|page| page.kind != Kind::Rows);
            let last = states.map(|page| page.to).max().unwrap_or(0);
            planned.retain(|page| page.kind != Kind::Rows || page.from < last);
        }
        Ok(planned)
    }

    /// Returns the states in a page.
    fn states_of(&self, words: &[u32]) -> Vec<Option<LayerSnapshot>> {
        let ops = &self.stepper.model.ops;
        let layers = &self.sequence.layers;
        let n = layers.iter().filter_map(LayerState::recurrent).count();
        let (oldest, mut values) = words.split_at(n);
        let mut oldest = oldest.iter();
        let states = layers.iter().map(|layer| {
            let state = layer.recurrent()?;
            let (own, others) = values.split_at(state.len());
            values = others;
            let oldest = *oldest.next()? as usize;
            let state = state.with_values(ops, oldest, own.to_vec());
            Some(LayerSnapshot::Recurrent(state))
        });
        states.collect()
    }
}

/// Number of words of a page with states.
fn state_words(sequence: &Sequence) -> usize {
    let states = sequence.layers.iter().filter_map(LayerState::recurrent);
    states.map(|state| 1 + state.len()).sum()
}

/// Returns the first positions of the histories of a snapshot, and its values.
fn state_pieces(sequence: &Sequence, kind: Kind) -> (Vec<u32>, Vec<Piece>) {
    let snapshot = (sequence.kept_snapshots()).find(|(mark, ..)| kind_of(*mark) == kind);
    let layers = snapshot.map_or(&[][..], |(.., layers)| layers);
    let states = layers.iter().flatten().filter_map(LayerSnapshot::recurrent);
    let piece = |state: &RecurrentState| Piece::Tensor {
        tensor: state.values.get().clone(),
        at: 0,
        len: state.len(),
    };
    states
        .map(|state| (state.oldest() as u32, piece(state)))
        .unzip()
}

fn kind_of(mark: Mark) -> Kind {
    match mark {
        Mark::Prompt => Kind::Prompt,
        _ => Kind::Answer,
    }
}
