//! Rules by which a model wants a picture prepared before its tower sees it.

use serde::{Deserialize, Serialize};

/// Rules by which a picture becomes patches. Sizes are in pixels unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "PictureProcessor"))]
pub struct Processor {
    pub kind: ProcessorKind,
    /// Side of a patch.
    pub patch: usize,
    /// Patches per side that are merged into one row of the text model.
    pub merge: usize,
    /// Side of the square that the tower sees; 0 where any size is seen.
    pub side: usize,
    /// Length that the longer side is scaled to before tiles are cut; 0 where none are cut.
    pub longest_edge: usize,
    /// Bounds of a picture's area in squared pixels; 0 where it has none.
    pub min_pixels: usize,
    pub max_pixels: usize,
    /// Fewest and most tiles, where a large picture is cut; 0 where the kind has no such rule.
    pub min_tiles: usize,
    pub max_tiles: usize,
    /// Mean and deviation of each channel, of values from 0 to 1.
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// Families of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ProcessorKind {
    /// SmolVLM: scaled to `longest_edge` by Lanczos, cut into tiles of `side`, the whole picture as the last.
    Idefics3,
    /// Gemma 3: stretched to a square of `side`, bilinear.
    Gemma3,
    /// Qwen 2 VL to Qwen 3 VL: sides rounded to multiples of `patch * merge` within the bounds of the area, bicubic.
    Qwen,
    /// LFM2-VL: sides rounded within the bounds, bilinear; tiles of `side` with a thumbnail for large pictures.
    Lfm2,
    /// Pixtral, Mistral 3: the longer side at most `longest_edge`, sides rounded up to multiples of `patch * merge`, bicubic.
    Pixtral,
    /// CLIP: the shorter side scaled to `side`, bicubic, and the square in the middle.
    Clip,
    /// SigLIP: stretched to a square of `side`, bicubic.
    Siglip,
    /// Gemma 4: the largest size of the same shape within `max_pixels`, sides rounded down to multiples of `patch * merge`, bicubic.
    Gemma4,
}
