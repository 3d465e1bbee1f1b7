//! Pictures of a prompt: the tower looks at each frame before the chunk that shows its rows.

use std::collections::HashSet;
use std::ops::Range;

use super::{Generation, Resources};
use crate::engine::stepper::chunk::Chunk;
use crate::ops::inject::Place;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::vision::Span;

impl Generation {
    /// Returns how many of the next `n` tokens may be in one chunk: rows that see each other both ways are a chunk of their own.
    pub(super) fn within_pictures(&self, with: &Resources<'_>, n: usize) -> usize {
        if !sees_both_ways(with) {
            return n;
        }
        let at = self.prefilled;
        match self.spans.iter().find(|span| span.start + span.rows > at) {
            Some(span) if span.start <= at => span.start + span.rows - at,
            Some(span) => n.min(span.start - at),
            None => n,
        }
    }

    /// Returns whether `n` tokens from `at` on are rows that see each other both ways.
    pub(super) fn is_block(&self, with: &Resources<'_>, at: usize, n: usize) -> bool {
        let is_it = |span: &Span| (span.start..span.start + span.rows).contains(&at);
        n > 1 && sees_both_ways(with) && self.spans.iter().any(is_it)
    }

    /// Does a piece of the tower's work on a frame that is shown in `range` of the prompt; false if nothing is left to do.
    pub(super) async fn look(
        &mut self,
        with: &mut Resources<'_>,
        range: Range<usize>,
    ) -> Result<bool> {
        let (number, mut look) = match self.look.take() {
            Some(look) => look,
            None => {
                let Some((number, span)) = self.unseen(with, &range)? else {
                    return Ok(false);
                };
                let Some(tower) = with.tower else {
                    return Err(lost());
                };
                let picture = with.pictures.get(&self.keys[span.picture]);
                let picture = picture.ok_or_else(lost)?;
                let grid = picture.frames.grids[span.frame];
                let look = with
                    .stepper
                    .begin_look(tower, picture.pixels(span.frame), grid);
                (number, look)
            }
        };
        let Some(tower) = with.tower else {
            return Err(lost());
        };
        if self.looked[1] == 0 {
            self.looked[1] = self.frames_to_see(with, range.start)? * tower.vision.layers.n_layers;
        }
        let left = tower.left(&look);
        with.stepper
            .run_look(with.sequence, tower, &mut look)
            .await?;
        self.looked[0] += left - tower.left(&look);
        if tower.left(&look) > 0 {
            self.look = Some((number, look));
            return Ok(true);
        }
        let rows = tower.project(&with.stepper.model.ops, look);
        let span = self.spans[number];
        let picture = with.pictures.get(&self.keys[span.picture]);
        picture.ok_or_else(lost)?.set_rows(span.frame, rows);
        Ok(self.unseen(with, &range)?.is_some())
    }

    /// Returns the first frame in `range` that the tower has not seen, and its number.
    fn unseen(
        &self,
        with: &mut Resources<'_>,
        range: &Range<usize>,
    ) -> Result<Option<(usize, Span)>> {
        for (number, span) in self.spans.iter().enumerate() {
            if shown(span, range).is_empty() {
                continue;
            }
            let picture = with.pictures.get(&self.keys[span.picture]);
            if picture.ok_or_else(lost)?.rows(span.frame).is_none() {
                return Ok(Some((number, *span)));
            }
        }
        Ok(None)
    }

    /// Returns the number of different frames from `at` on that the tower has not seen.
    fn frames_to_see(&self, with: &mut Resources<'_>, at: usize) -> Result<usize> {
        let mut frames = HashSet::new();
        let ahead = (self.spans.iter()).filter(|span| span.start + span.rows > at);
        for span in ahead {
            let key = &self.keys[span.picture];
            let picture = with.pictures.get(key).ok_or_else(lost)?;
            if picture.rows(span.frame).is_none() {
                frames.insert((key, span.frame));
            }
        }
        Ok(frames.len())
    }

    /// Writes the rows of pictures in `range` of the prompt, of which `chunk` is.
    pub(super) fn show(&self, with: &mut Resources<'_>, chunk: &mut Chunk, range: Range<usize>) {
        for span in &self.spans {
            let shown = shown(span, &range);
            let picture = with.pictures.get(&self.keys[span.picture]);
            let rows = picture.and_then(|picture| picture.rows(span.frame));
            if let Some(rows) = rows.filter(|_| !shown.is_empty()) {
                let place = Place {
                    from: span.first + shown.start - span.start,
                    to: shown.start - range.start,
                    n: shown.len(),
                };
                let step = &with.sequence.step;
                with.stepper.inject(step, chunk, rows, place);
            }
        }
    }
}

/// Returns the positions of a frame's rows that are in `range`.
fn shown(span: &Span, range: &Range<usize>) -> Range<usize> {
    let (start, end) = (span.start, span.start + span.rows);
    start.max(range.start)..end.min(range.end)
}

fn sees_both_ways(with: &Resources<'_>) -> bool {
    with.tower
        .is_some_and(|tower| tower.vision.projector.sees_both_ways())
}

fn lost() -> Error {
    Error::Internal {
        what: "pictures".into(),
        message: "a picture of the running request is gone".into(),
    }
}
