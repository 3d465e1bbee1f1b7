//! Bounds of what is prepared: pictures, and rules that come from a model's file.

use hearth_modelfile::vision::{Processor, ProcessorKind};
use hearth_modelfile::{Error, Result};

use crate::bad;

/// Most pixels of a picture: 400 MB of RGBA, a tenth of what a module's memory can hold.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Longest side of a picture: that of JPEG, and more than browsers decode.
pub const MAX_SIDE: usize = 65_535;

/// Longest side that a picture is resized to.
const MAX_RESIZED_SIDE: usize = 8_192;
/// Longest side of a patch together with those that are merged with it.
const MAX_CELL: usize = 128;
/// Most tiles where a file says how many; published models have 10.
const MAX_TILES: usize = 64;
/// Most tiles along a side where the sides say how many; published models have 5.
const MAX_TILES_A_SIDE: usize = 16;
/// Greatest ratio of the sides, for kinds that keep shape and area: beyond it one patch's height alone exceeds the area.
const MAX_ASPECT: usize = 200;

/// Checks the size of a picture.
///
/// # Errors
/// [`Error::BadPicture`] for a side of 0 or above [`MAX_SIDE`], or more than [`MAX_PIXELS`].
pub fn check_size(width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(bad(format!("it has {width} x {height} pixels")));
    }
    let pixels = width as u64 * height as u64;
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(bad(format!(
            "it has {width} x {height} pixels, at most {} million and {MAX_SIDE} a side are taken",
            MAX_PIXELS / 1_000_000
        )));
    }
    Ok(())
}

/// Checks that no side is much longer than the other one.
///
/// # Errors
/// [`Error::BadPicture`] if one is more than 200 times the other, the bound of Qwen's own processor.
pub fn check_aspect(width: usize, height: usize) -> Result<()> {
    if width.max(height) > MAX_ASPECT * width.min(height) {
        return Err(bad(format!(
            "it has {width} x {height} pixels, and the model takes no side that is more than {MAX_ASPECT} times the other"
        )));
    }
    Ok(())
}

/// Checks rules before anything is allocated by them.
///
/// # Errors
/// [`Error::InvalidRequest`] that names the field.
pub fn check_processor(processor: &Processor) -> Result<()> {
    let Processor {
        kind,
        patch,
        merge,
        side,
        longest_edge,
        min_tiles,
        max_tiles,
        ..
    } = *processor;
    within("patch", patch, 1, MAX_CELL)?;
    within("merge", merge, 1, MAX_CELL / patch)?;
    match kind {
        ProcessorKind::Idefics3 => {
            within("longest_edge", longest_edge, 0, MAX_RESIZED_SIDE / 2)?;
            let least = patch.max(longest_edge.div_ceil(MAX_TILES_A_SIDE));
            within("side", side, least, MAX_RESIZED_SIDE / 2)
        }
        ProcessorKind::Gemma3 | ProcessorKind::Siglip => {
            within("side", side, patch, MAX_RESIZED_SIDE / 2)
        }
        ProcessorKind::Clip => within("side", side, patch, MAX_RESIZED_SIDE / 8),
        ProcessorKind::Qwen => within_area("min_pixels", processor.min_pixels),
        ProcessorKind::Lfm2 => {
            within("max_tiles", max_tiles, 0, MAX_TILES)?;
            if max_tiles > 0 {
                within("min_tiles", min_tiles, 1, max_tiles)?;
                within("side", side, patch, MAX_RESIZED_SIDE / max_tiles.max(8))?;
            }
            within_area("min_pixels", processor.min_pixels)?;
            within_area("max_pixels", processor.max_pixels)
        }
        ProcessorKind::Gemma4 => {
            let cell = patch * merge;
            within(
                "max_pixels",
                processor.max_pixels,
                cell * cell,
                MAX_RESIZED_SIDE * MAX_RESIZED_SIDE / 4,
            )
        }
        ProcessorKind::Pixtral => within("longest_edge", longest_edge, 1, MAX_RESIZED_SIDE / 2),
    }
}

fn within_area(field: &str, pixels: usize) -> Result<()> {
    within(field, pixels, 0, MAX_RESIZED_SIDE * MAX_RESIZED_SIDE / 4)
}

fn within(field: &str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::InvalidRequest {
        field: format!("processor.{field}"),
        expected: format!("between {least} and {most}"),
        found: value.to_string(),
    })
}
