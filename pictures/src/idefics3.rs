//! SmolVLM and Idefics 3: the picture scaled until tiles fill it, and the whole of it once more. `Idefics3ImageProcessorPil` and
//! `SmolVLMImageProcessorPil` of transformers, which differ in nothing.
//!
//! Small pictures are enlarged first, so that an icon has as many tiles as a photo; `low` avoids that.

use hearth_modelfile::vision::Processor;

use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Detail, Prepared};

/// Longest side that any picture is scaled to, whatever a file says.
const MAX_LENGTH: usize = 4_096;

/// Prepares tiles and the whole picture, or with [`Detail::Low`] the whole picture alone.
pub fn prepare(mut picture: Picture, processor: &Processor, detail: Detail, into: &mut Prepared) {
    let side = processor.side;
    let cut = Cut {
        patch: processor.patch,
        block: 1,
    };
    if processor.longest_edge > 0 {
        // (the whole picture alone comes from the scaled one in the reference, too)
        let (width, height) = scaled(picture.width, picture.height, processor.longest_edge);
        picture.resize(width, height, Filter::Lanczos);
        if detail != Detail::Low {
            let (width, height) = filled(width, height, side);
            picture.resize(width, height, Filter::Lanczos);
            if width > side || height > side {
                into.add_tiles(&picture, side, cut);
            }
        }
    }
    picture.resize(side, side, Filter::Lanczos);
    into.add_whole(&picture, cut);
}

/// Returns width and height with the longer side at `longest`; the other one is cut to an integer and then made even.
fn scaled(width: usize, height: usize, longest: usize) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    let even = |length: f64| (length as usize).next_multiple_of(2).max(1);
    let (width, height) = match width >= height {
        true => (longest, even(longest as f64 / aspect)),
        false => (even(longest as f64 * aspect), longest),
    };
    let aspect = width as f64 / height as f64;
    let (width, height) = match width >= height {
        true if width > MAX_LENGTH => (MAX_LENGTH, (MAX_LENGTH as f64 / aspect) as usize),
        false if height > MAX_LENGTH => ((MAX_LENGTH as f64 * aspect) as usize, MAX_LENGTH),
        _ => (width, height),
    };
    (width.max(1), height.max(1))
}

/// Returns the multiples of `side` that a size is stretched to.
fn filled(width: usize, height: usize, side: usize) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    let multiple = |length: usize| length.div_ceil(side).max(1) * side;
    if width >= height {
        let width = multiple(width);
        (width, multiple((width as f64 / aspect) as usize))
    } else {
        let height = multiple(height);
        (multiple((height as f64 * aspect) as usize), height)
    }
}
