//! Qwen 2 VL to Qwen 3 VL: both sides rounded to whole cells of merged patches, within bounds of the area. `Qwen2VLImageProcessorPil`
//! of transformers, whose second copy of each patch along the time is not made: the core adds the weights of both instead.

use hearth_modelfile::Result;
use hearth_modelfile::vision::Processor;

use crate::limits::check_aspect;
use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Detail, Prepared};

/// Most tokens of a picture. Files allow 16,384, for which nothing in a browser has the time.
fn most_tokens(detail: Detail) -> u64 {
    match detail {
        Detail::Low => 64,
        Detail::Auto => 1_024,
        Detail::High => 4_096,
    }
}

/// Prepares the one frame, its patches in blocks of `merge` by `merge`.
///
/// # Errors
/// [`hearth_modelfile::Error::BadPicture`] if one side is more than 200 times the other.
pub fn prepare(
    mut picture: Picture,
    processor: &Processor,
    detail: Detail,
    into: &mut Prepared,
) -> Result<()> {
    let (width, height) = (picture.width, picture.height);
    check_aspect(width, height)?;
    let cell = processor.patch * processor.merge;
    let least = processor.min_pixels as u64;
    let mut most = most_tokens(detail) * (cell * cell) as u64;
    if processor.max_pixels > 0 {
        most = most.min(processor.max_pixels as u64);
    }
    let rules = Rounding {
        cell,
        least,
        most: most.max(least),
        fewest: 0,
    };
    let (width, height) = rules.of(width, height);
    picture.resize(width, height, Filter::Bicubic);
    let cut = Cut {
        patch: processor.patch,
        block: processor.merge,
    };
    into.add_whole(&picture, cut);
    Ok(())
}

/// Rules by which a size becomes whole cells.
pub struct Rounding {
    /// Side of a cell in pixels.
    pub cell: usize,
    /// Bounds of the area in squared pixels.
    pub least: u64,
    pub most: u64,
    /// Fewest cells of a side where its area is compared with the bounds.
    pub fewest: u64,
}

impl Rounding {
    /// Returns width and height in multiples of the cell, at least one each: the nearest ones, or, if their area is out of bounds, those
    /// just within for a picture of the same shape.
    pub fn of(&self, width: usize, height: usize) -> (usize, usize) {
        let unit = self.cell as f64;
        let area = width as f64 * height as f64;
        let each = |cells: &dyn Fn(f64) -> f64| {
            let side = |length: usize| cells(length as f64).max(1.0) as usize * self.cell;
            (side(width), side(height))
        };
        // (halves go to the even neighbour)
        let nearest = |length: f64| (length / unit).round_ties_even();
        let cells = |length: usize| (nearest(length as f64) as u64).max(self.fewest);
        let rounded = cells(width) * cells(height) * (self.cell * self.cell) as u64;
        if rounded > self.most {
            let factor = (area / self.most as f64).sqrt();
            each(&|length| (length / factor / unit).floor())
        } else if rounded < self.least {
            let factor = (self.least as f64 / area).sqrt();
            each(&|length| (length * factor / unit).ceil())
        } else {
            each(&nearest)
        }
    }
}
