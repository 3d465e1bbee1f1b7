//! Gemma 4: the largest size of the picture's shape within a number of tokens. `Gemma4ImageProcessorPil` of transformers.

use hearth_modelfile::vision::Processor;

use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Detail, Prepared};

/// Tokens of a picture with [`Detail::Low`], the fewest that the models were trained for.
const LOW_TOKENS: usize = 70;
/// Patches of a picture with [`Detail::High`]: 560 tokens of 3 by 3 of them.
const HIGH_PATCHES: usize = 5_040;

/// Prepares the one frame, its patches row by row.
pub fn prepare(mut picture: Picture, processor: &Processor, detail: Detail, into: &mut Prepared) {
    let cell = processor.patch * processor.merge;
    let own = processor.max_pixels / (cell * cell);
    let tokens = match detail {
        Detail::Low => own.min(LOW_TOKENS),
        Detail::Auto => own,
        Detail::High => own.max(HIGH_PATCHES / (processor.merge * processor.merge)),
    };
    let (width, height) = size(picture.width, picture.height, cell, tokens);
    picture.resize(width, height, Filter::Bicubic);
    let cut = Cut {
        patch: processor.patch,
        block: 1,
    };
    into.add_whole(&picture, cut);
}

/// Returns width and height in whole cells, rounded down, of at most `tokens` cells; a picture that is much longer than high, or much
/// higher than long, has one row or column of cells, as many as one side is longer than the other.
fn size(width: usize, height: usize, cell: usize, tokens: usize) -> (usize, usize) {
    let area = (tokens * cell * cell) as f64;
    let factor = (area / (width as f64 * height as f64)).sqrt();
    let cells = |length: usize| (factor * length as f64 / cell as f64).floor() as usize;
    let long = |longer: usize, other: usize| (longer / other).clamp(1, tokens.max(1));
    let (wide, high) = match (cells(width), cells(height)) {
        (_, 0) => (long(width, height), 1),
        (0, _) => (1, long(height, width)),
        both => both,
    };
    (wide * cell, high * cell)
}
