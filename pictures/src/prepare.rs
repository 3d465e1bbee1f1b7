//! Entry: checks, and the choice of rules by kind.

use hearth_modelfile::Result;
use hearth_modelfile::vision::{Processor, ProcessorKind};

use crate::limits::check_processor;
use crate::rgba::Picture;
use crate::{Detail, Prepared, clip, gemma3, gemma4, idefics3, lfm2, pixtral, qwen};

/// Prepares a picture of straight RGBA, `width * height * 4` bytes, for a model's tower.
///
/// # Errors
/// [`hearth_modelfile::Error::BadPicture`] for pictures without pixels, larger than [`crate::MAX_PIXELS`] or [`crate::MAX_SIDE`], too long for the
/// model, or with another number of bytes; [`hearth_modelfile::Error::InvalidRequest`] for rules out of bounds.
pub fn prepare(
    rgba: Vec<u8>,
    width: usize,
    height: usize,
    processor: &Processor,
    detail: Detail,
) -> Result<Prepared> {
    check_processor(processor)?;
    let picture = Picture::from_rgba(rgba, width, height)?;
    let mut prepared = Prepared {
        width,
        height,
        ..Prepared::default()
    };
    let into = &mut prepared;
    match processor.kind {
        ProcessorKind::Idefics3 => idefics3::prepare(picture, processor, detail, into),
        ProcessorKind::Gemma3 => gemma3::prepare(picture, processor, into),
        ProcessorKind::Qwen => qwen::prepare(picture, processor, detail, into)?,
        ProcessorKind::Lfm2 => lfm2::prepare(picture, processor, detail, into)?,
        ProcessorKind::Pixtral => pixtral::prepare(picture, processor, detail, into),
        ProcessorKind::Gemma4 => gemma4::prepare(picture, processor, detail, into),
        ProcessorKind::Clip => clip::crop(picture, processor, into)?,
        ProcessorKind::Siglip => clip::stretch(picture, processor, into),
    }
    Ok(prepared)
}
