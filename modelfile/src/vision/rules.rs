//! The rules by which pictures are prepared, from the keys of a tower's file.

use super::processor::{Processor, ProcessorKind};
use super::projector::{PatchPositions, Projector};
use super::tower::wrong;
use crate::config::ModelConfig;
use crate::container::Metadata;
use crate::error::Result;

/// Largest side of a picture in pixels that a file may ask for.
const MAX_SIDE: usize = 1 << 14;

/// Key, without `clip`, of whether pictures are resized by a bilinear filter where a bicubic one is usual.
pub(crate) const BILINEAR: &str = "vision.hearth_bilinear";

/// Mean and deviation of the channels of the pictures that CLIP was trained on, which some towers took over.
const CLIP: [[f32; 3]; 2] = [
    [0.481_454_66, 0.457_827_5, 0.408_210_73],
    [0.268_629_54, 0.261_302_6, 0.275_777_1],
];

/// Reads the rules by which pictures are prepared.
pub(super) fn processor(
    meta: &Metadata,
    projector: Projector,
    layers: &ModelConfig,
) -> Result<Processor> {
    let size = |name: &str, default: Option<u32>| -> Result<usize> {
        let key = format!("clip.vision.{name}");
        let found = match (meta.opt_u32(&key)?, default) {
            (Some(found), _) | (None, Some(found)) => found as usize,
            (None, None) => meta.u32(&key)? as usize,
        };
        match found <= MAX_SIDE {
            true => Ok(found),
            false => Err(wrong(
                &key,
                &format!("at most {MAX_SIDE}"),
                &found.to_string(),
            )),
        }
    };
    let defaults = match projector.positions() {
        PatchPositions::Rotated | PatchPositions::RotatedApart => &CLIP,
        _ if projector == Projector::Clip => &CLIP,
        _ if projector == Projector::Gemma4 => &[[0.0; 3], [1.0; 3]],
        _ => &[[0.5; 3]; 2],
    };
    let stated = |name: &str| -> Result<[f32; 3]> {
        let key = format!("clip.vision.{name}");
        let default = &defaults[usize::from(name == "image_std")];
        let found = meta.opt_f32s(&key)?.unwrap_or(default);
        let is_good = |v: &f32| v.is_finite() && (name != "image_std" || *v > 0.0);
        <[f32; 3]>::try_from(found)
            .ok()
            .filter(|all| all.iter().all(is_good))
            .ok_or_else(|| wrong(&key, "three numbers", &format!("{found:?}")))
    };
    let (mean, std) = match projector {
        // (the tower takes twice what it is given, less 1)
        Projector::Gemma4 => {
            let (mean, std) = (stated("image_mean")?, stated("image_std")?);
            let of = |channel: usize| mean[channel] + 0.5 * std[channel];
            (std::array::from_fn(of), std.map(|std| 0.5 * std))
        }
        _ => (stated("image_mean")?, stated("image_std")?),
    };
    let bilinear = format!("clip.{BILINEAR}");
    let (kind, merge) = match projector {
        Projector::Idefics3 => (ProcessorKind::Idefics3, 2),
        Projector::Gemma3 => (ProcessorKind::Gemma3, 4),
        Projector::Qwen2Vl | Projector::Qwen25Vl | Projector::Qwen3Vl => (ProcessorKind::Qwen, 2),
        Projector::Lfm2 => (ProcessorKind::Lfm2, 2),
        Projector::Pixtral | Projector::PixtralUnmerged => (ProcessorKind::Pixtral, 1),
        Projector::Clip => (ProcessorKind::Clip, 1),
        Projector::Gemma4 => (ProcessorKind::Gemma4, 3),
        // (the same as Gemma 3's)
        Projector::Siglip if meta.opt_bool(&bilinear)?.unwrap_or(false) => {
            (ProcessorKind::Gemma3, 1)
        }
        Projector::Siglip => (ProcessorKind::Siglip, 1),
    };
    let patch = size("patch_size", None)?.max(1);
    if projector.sees_any_size() {
        let merge = match projector {
            Projector::Lfm2 | Projector::Gemma4 => size("projector.scale_factor", Some(merge))?,
            _ => size("spatial_merge_size", Some(merge))?,
        };
        let merge = merge.max(1);
        let area = |name: &str, default: usize| -> Result<usize> {
            let found = meta.opt_u32(&format!("clip.vision.{name}"))?;
            Ok(found.map_or(default, |pixels| pixels as usize))
        };
        let square = (patch * merge) * (patch * merge);
        let most = layers.n_ctx_train * patch * patch;
        // (LFM2's own: 64 to 256 rows, 2 to 10 tiles of 512)
        let (least, default, side, tiles) = match projector {
            Projector::Lfm2 => (64 * square, 256 * square, 512, [2, 10]),
            Projector::Gemma4 => (0, 280 * square, 0, [0, 0]),
            _ => (4 * square, most, 0, [0, 0]),
        };
        let longest_edge = match kind {
            ProcessorKind::Pixtral => {
                let longest = match meta.opt_u32("clip.vision.preproc_image_size")? {
                    Some(_) => size("preproc_image_size", None)?,
                    None => size("image_size", None)?,
                };
                // (a square of the most patches)
                longest.min(layers.n_ctx_train.isqrt() / merge * merge * patch)
            }
            _ => 0,
        };
        return Ok(Processor {
            kind,
            patch,
            merge,
            side: size("hearth_tile_size", Some(side))?,
            longest_edge,
            min_pixels: area("image_min_pixels", least)?,
            max_pixels: area("image_max_pixels", default)?.min(most),
            min_tiles: size("preproc_min_tiles", Some(tiles[0]))?,
            max_tiles: size("preproc_max_tiles", Some(tiles[1]))?,
            mean,
            std,
        });
    }
    let side = size("image_size", None)?;
    let merge = size("projector.scale_factor", Some(merge))?.max(1);
    let per_side = side / patch;
    // (what does not fill a patch is not seen: SmolVLM2 2.2B has patches of 14 in 384)
    let rows = per_side * per_side + projector.rows_before();
    if !per_side.is_multiple_of(merge) || per_side == 0 || rows != layers.n_ctx_train {
        return Err(wrong(
            "clip.vision.image_size",
            &format!(
                "squares of {merge} x {merge} patches, {} patches in all",
                layers.n_ctx_train - projector.rows_before().min(layers.n_ctx_train)
            ),
            &format!("{side} with patches of {patch}"),
        ));
    }
    Ok(Processor {
        kind,
        patch,
        merge,
        side,
        longest_edge: match kind {
            ProcessorKind::Idefics3 => size("preproc_image_size", Some(side as u32))?,
            _ => 0,
        },
        min_pixels: 0,
        max_pixels: 0,
        min_tiles: 0,
        max_tiles: 0,
        mean,
        std,
    })
}
