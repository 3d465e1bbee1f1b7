//! Pixtral and Mistral 3: a longer side of at most `longest_edge`, both rounded up to whole cells of merged patches.
//! `PixtralImageProcessorPil` of transformers.

use hearth_modelfile::vision::Processor;

use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Detail, Prepared};

/// Cells along the longer side with [`Detail::Low`]: 64 tokens for a square.
const LOW_CELLS: usize = 8;

/// Prepares the one frame.
pub fn prepare(mut picture: Picture, processor: &Processor, detail: Detail, into: &mut Prepared) {
    let cell = processor.patch * processor.merge;
    let longest = match detail {
        Detail::Low => processor.longest_edge.min(LOW_CELLS * cell),
        Detail::Auto | Detail::High => processor.longest_edge,
    };
    let ratio = picture.width.max(picture.height) as f64 / longest as f64;
    // (the reference fails where a side becomes 0)
    let multiple = |length: usize| {
        let length = match ratio > 1.0 {
            true => (length as f64 / ratio).floor() as usize,
            false => length,
        };
        length.div_ceil(cell).max(1) * cell
    };
    let (width, height) = (multiple(picture.width), multiple(picture.height));
    picture.resize(width, height, Filter::Bicubic);
    let cut = Cut {
        patch: processor.patch,
        block: 1,
    };
    into.add_whole(&picture, cut);
}
