//! LFM2-VL: the picture at its own shape within bounds of the area; large ones also in tiles, of the grid whose shape is nearest.
//! `Lfm2VlImageProcessor` of transformers for sizes and order; it has no twin on PIL, so that resized values are Pillow's here and
//! PyTorch's there.

use hearth_modelfile::Result;
use hearth_modelfile::vision::Processor;

use crate::limits::check_aspect;
use crate::prepared::Cut;
use crate::qwen::Rounding;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Detail, Prepared};

/// Factor by which an area may exceed the most before the picture is cut.
const TOLERANCE: f64 = 2.0;

/// Prepares tiles, if the picture is large, and the whole of it.
///
/// # Errors
/// [`hearth_modelfile::Error::BadPicture`] if one side is more than 200 times the other; the reference exceeds its own bound then.
pub fn prepare(
    mut picture: Picture,
    processor: &Processor,
    detail: Detail,
    into: &mut Prepared,
) -> Result<()> {
    check_aspect(picture.width, picture.height)?;
    let cut = Cut {
        patch: processor.patch,
        block: 1,
    };
    let rules = Rounding {
        cell: processor.patch * processor.merge,
        least: processor.min_pixels as u64,
        most: match processor.max_pixels {
            0 => u64::MAX,
            most => most as u64,
        },
        fewest: 1,
    };
    let may_cut = detail != Detail::Low && processor.max_tiles > 0;
    if may_cut && is_large(&picture, processor) {
        let side = processor.side;
        let (wide, high) = layout(picture.width, picture.height, processor);
        let large = picture.resized(wide * side, high * side, Filter::Bilinear);
        if wide * high == 1 {
            into.add_whole(&large, cut);
            return Ok(());
        }
        into.add_tiles(&large, side, cut);
    }
    let (width, height) = rules.of(picture.width, picture.height);
    picture.resize(width, height, Filter::Bilinear);
    into.add_whole(&picture, cut);
    Ok(())
}

fn is_large(picture: &Picture, processor: &Processor) -> bool {
    let cell = processor.patch * processor.merge;
    let rounded = |length: usize| {
        let cells = (length as f64 / cell as f64).round_ties_even();
        (cells * cell as f64).max(processor.patch as f64)
    };
    let most = processor.max_pixels as f64 * TOLERANCE;
    processor.max_pixels > 0 && rounded(picture.width) * rounded(picture.height) > most
}

/// Returns columns and rows of the grid whose shape is nearest to the picture's: of several the one with fewer tiles, unless the picture
/// has more than half of a larger one's pixels.
fn layout(width: usize, height: usize, processor: &Processor) -> (usize, usize) {
    let aspect = width as f64 / height as f64;
    let area = width as f64 * height as f64;
    let tile = processor.side as f64 * processor.side as f64;
    let mut best = (1, 1);
    let mut least = f64::INFINITY;
    for tiles in processor.min_tiles..=processor.max_tiles {
        for wide in (1..=tiles).filter(|wide| tiles.is_multiple_of(*wide)) {
            let high = tiles / wide;
            let distance = (aspect - wide as f64 / high as f64).abs();
            if distance < least || (distance == least && area > 0.5 * tile * tiles as f64) {
                best = (wide, high);
            }
            least = least.min(distance);
        }
    }
    best
}
