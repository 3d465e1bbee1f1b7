//! CLIP and SigLIP: a square of one size, whatever the detail. `CLIPImageProcessorPil` and `SiglipImageProcessorPil` of transformers.

use hearth_modelfile::Result;
use hearth_modelfile::vision::Processor;

use crate::limits::check_aspect;
use crate::prepared::Cut;
use crate::resample::Filter;
use crate::rgba::Picture;
use crate::{Prepared, bad};

/// Most pixels of a resized picture, of which a square is kept: 64 MiB.
const MAX_RESIZED: u64 = 1 << 24;

/// Prepares CLIP's frame: the shorter side scaled to that of the square, which is cut out of the middle.
///
/// # Errors
/// [`hearth_modelfile::Error::BadPicture`] if one side is too long for the other: it would be scaled to a huge one, of which little is seen.
pub fn crop(mut picture: Picture, processor: &Processor, into: &mut Prepared) -> Result<()> {
    check_aspect(picture.width, picture.height)?;
    let side = processor.side;
    let shorter = picture.width.min(picture.height);
    let scaled = |length: usize| length * side / shorter;
    let (width, height) = (scaled(picture.width), scaled(picture.height));
    if width as u64 * height as u64 > MAX_RESIZED {
        return Err(bad(format!(
            "it has {} x {} pixels, and would be scaled to {width} x {height}, of which the model sees {side} x {side}",
            picture.width, picture.height
        )));
    }
    picture.resize(width, height, Filter::Bicubic);
    let start = [(height - side) / 2, (width - side) / 2];
    into.add(&picture, start, [side, side], cut(processor));
    Ok(())
}

/// Prepares SigLIP's frame: the picture stretched to the square.
pub fn stretch(mut picture: Picture, processor: &Processor, into: &mut Prepared) {
    picture.resize(processor.side, processor.side, Filter::Bicubic);
    into.add_whole(&picture, cut(processor));
}

fn cut(processor: &Processor) -> Cut {
    Cut {
        patch: processor.patch,
        block: 1,
    }
}
