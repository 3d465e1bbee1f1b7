//! `mmproj-*.gguf`: a tower and its projector in a GGUF file of their own.
//!
//! Source: llama.cpp `convert_hf_to_gguf.py`, `tools/mtmd/clip-impl.h`, `tools/mtmd/clip.cpp`.

use super::projector::Projector;
use crate::container::{Array, Metadata, ModelHeader, TensorInfo, Value, not_in_gguf};
use crate::error::{Error, Result};
use crate::families::names::bias_of;
use crate::families::siglip::TOWER_NAMES;

/// Most patches of a picture in towers that see any size: 1024 rows of squares of 2 by 2.
const MOST_PATCHES: u32 = 4096;

/// Likewise for Gemma 4: 560 rows of squares of 3 by 3, one of the numbers of rows that its models were trained for.
const MOST_PATCHES_GEMMA4: u32 = 5040;

/// Side of a window in pixels where a file does not say it.
pub(crate) const WINDOW: u32 = 112;

/// Most layers that a list is made for; more are refused elsewhere.
pub(crate) const MAX_LAYERS: u32 = 1024;

/// Returns the header of a tower in the form that [`super::Vision::from_header`] reads, with tensors moved by `start` bytes.
///
/// # Errors
/// [`Error::Metadata`] if the file has no tower for pictures.
pub(crate) fn tower(mut header: ModelHeader, start: u64) -> Result<ModelHeader> {
    const SEES: &str = "clip.has_vision_encoder";
    if header.metadata.opt_bool(SEES)? == Some(false) {
        return Err(Error::Metadata {
            key: SEES.into(),
            expected: "true: a tower for pictures".into(),
            found: "false".into(),
        });
    }
    if header.is_clip() {
        return Err(not_in_gguf("a whole CLIP"));
    }
    let projector = Projector::of(&header)?;
    if projector.embeds() {
        return Err(not_in_gguf(projector.name()));
    }
    for tensor in &mut header.tensors {
        tensor.offset = tensor.offset.saturating_add(start);
        if projector == Projector::Gemma3 && tensor.name == projector.weights()[0] {
            by_columns(tensor);
        }
    }
    let width = u64::from(header.metadata.u32("clip.vision.embedding_length")?);
    header.tensors.retain(|tensor| {
        let name = tensor.name.as_str();
        // (of another tower in the file; a row of the text model, which has it; positions in old files of towers that learn none)
        let is_other = name.starts_with("a.") || name.starts_with("mm.a.");
        let is_row = projector.is_pixtral() && name == "v.token_embd.img_break";
        let is_empty = !projector.learns_positions()
            && name == TOWER_NAMES.position_embd
            && tensor.n_cols() != width;
        !is_other && !is_row && !is_empty
    });
    name_by_shape(&mut header.tensors, width);
    // Converters of Qwen 2 VL write another number.
    if let Some(up) = header.tensor("v.blk.0.ffn_up.weight") {
        let rows = Value::U32(u32::try_from(up.n_rows()).unwrap_or(u32::MAX));
        (header.metadata).insert("clip.vision.feed_forward_length", rows);
    }
    windows(&mut header.metadata, projector)?;
    complete(&mut header, projector)?;
    Ok(header)
}

/// Says which layers see windows as [`ModelConfig`](crate::config::ModelConfig) reads it.
///
/// # Errors
/// [`Error::Metadata`] for windows in a tower that has none.
fn windows(meta: &mut Metadata, projector: Projector) -> Result<()> {
    const PERIOD: &str = "clip.vision.n_wa_pattern";
    const LAYERS: &str = "clip.vision.wa_layer_indexes";
    let has_windows = projector == Projector::Qwen25Vl;
    let period = match has_windows {
        true => meta.u32(PERIOD)?,
        false => meta.opt_u32(PERIOD)?.unwrap_or(0),
    };
    let has_list = meta.get(LAYERS).is_some();
    if has_list || (!has_windows && period > 0) {
        return Err(Error::Metadata {
            key: if has_list { LAYERS } else { PERIOD }.into(),
            expected: "nothing: towers of this kind are computed without it".into(),
            found: "layers that see windows".into(),
        });
    }
    let layers = meta.u32("clip.vision.block_count")?.min(MAX_LAYERS);
    // (every so many layers, the last one of them sees all)
    let full = |layer: u32| period == 0 || (layer + 1).is_multiple_of(period);
    if has_windows {
        let side = meta.opt_u32("clip.vision.window_size")?.unwrap_or(WINDOW);
        insert_windows(meta, side, (0..layers).map(|layer| !full(layer)).collect());
    }
    Ok(())
}

/// Writes the side of windows in pixels, and whether each layer has them. (A side of 0 would mean none, and is refused as too small.)
pub(crate) fn insert_windows(meta: &mut Metadata, side: u32, has: Vec<bool>) {
    let has = Value::Array(Array::Bool(has));
    meta.insert(
        "clip.vision.attention.sliding_window",
        Value::U32(side.max(1)),
    );
    meta.insert("clip.vision.attention.sliding_window_pattern", has);
}

/// Marks a matrix as stored column by column.
pub(crate) fn by_columns(tensor: &mut TensorInfo) {
    tensor.shape.reverse();
    tensor.arrangement.by_columns = true;
}

/// Flattens the weight of the patches to [d_model, values of a patch], and writes the number of positions where
/// [`ModelConfig`](crate::config::ModelConfig) looks for it.
///
/// # Errors
/// [`Error::MissingTensor`].
pub(crate) fn complete(header: &mut ModelHeader, projector: Projector) -> Result<()> {
    for tensor in &mut header.tensors {
        if tensor.name.starts_with(TOWER_NAMES.token_embd) && tensor.shape.len() > 2 {
            let (values, rows) = tensor.shape.split_at(tensor.shape.len() - 1);
            let values = values.iter().fold(1u64, |n, dim| n.saturating_mul(*dim));
            tensor.shape = vec![values, rows[0]];
        }
    }
    let positions = header.tensor(TOWER_NAMES.position_embd);
    if projector.learns_positions() && positions.is_none() {
        return Err(Error::MissingTensor {
            name: TOWER_NAMES.position_embd.into(),
        });
    }
    let rows = match (projector.sees_any_size(), positions) {
        (false, Some(positions)) => u32::try_from(positions.n_rows()).unwrap_or(u32::MAX),
        _ if projector == Projector::Gemma4 => MOST_PATCHES_GEMMA4,
        _ => MOST_PATCHES,
    };
    (header.metadata).insert("clip.vision.context_length", Value::U32(rows));
    Ok(())
}

/// Exchanges the names of the feed-forward block's matrices where the file has them the wrong way round, as many converted in
/// 2024 and 2025 do: `ffn_down` then takes rows of the tower's width.
fn name_by_shape(tensors: &mut [TensorInfo], width: u64) {
    let is_reversed = |tensor: &TensorInfo| {
        let is_down = tensor.name.ends_with(".ffn_down.weight");
        is_down && tensor.n_cols() == width && tensor.n_rows() != width
    };
    let reversed: Vec<String> = (tensors.iter())
        .filter(|tensor| is_reversed(tensor))
        .filter_map(|tensor| tensor.name.strip_suffix("ffn_down.weight"))
        .map(str::to_owned)
        .collect();
    for layer in reversed {
        let (up, down) = (
            format!("{layer}ffn_up.weight"),
            format!("{layer}ffn_down.weight"),
        );
        let pairs = [(up.clone(), down.clone()), (bias_of(&up), bias_of(&down))];
        for tensor in tensors.iter_mut() {
            for (up, down) in &pairs {
                if tensor.name == *up {
                    tensor.name.clone_from(down);
                } else if tensor.name == *down {
                    tensor.name.clone_from(up);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(more: Option<(&str, Value)>) -> Metadata {
        let layers = ("clip.vision.block_count", Value::U32(5));
        Metadata::from_iter([layers].into_iter().chain(more))
    }

    #[test]
    fn windows_are_in_all_layers_but_each_last_of_a_period() {
        let mut meta = with(Some(("clip.vision.n_wa_pattern", Value::U32(2))));
        windows(&mut meta, Projector::Qwen25Vl).unwrap();
        let key = "clip.vision.attention.sliding_window";
        assert_eq!(meta.u32(key), Ok(112));
        let has = meta.bools(&format!("{key}_pattern")).unwrap();
        assert_eq!(has, [true, false, true, false, true]);
    }

    #[test]
    fn windows_of_a_tower_that_has_none_are_refused_by_name() {
        let list = || Value::Array(Array::U32(vec![1]));
        for (projector, key, value) in [
            (
                Projector::Qwen2Vl,
                "clip.vision.n_wa_pattern",
                Value::U32(2),
            ),
            (Projector::Pixtral, "clip.vision.wa_layer_indexes", list()),
            (Projector::Qwen25Vl, "clip.vision.wa_layer_indexes", list()),
            // (it does not go without saying)
            (Projector::Qwen25Vl, "clip.vision.n_wa_pattern", list()),
        ] {
            let mut meta = with(Some((key, value)));
            if projector == Projector::Qwen25Vl && key.ends_with("indexes") {
                meta.insert("clip.vision.n_wa_pattern", Value::U32(2));
            }
            let error = windows(&mut meta, projector).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        let missing = windows(&mut with(None), Projector::Qwen25Vl).unwrap_err();
        assert!(missing.to_string().contains("n_wa_pattern"), "{missing}");
        assert_eq!(windows(&mut with(None), Projector::Qwen2Vl), Ok(()));
    }
}
