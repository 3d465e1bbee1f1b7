//! `mmproj-*.gguf`: a tower and its projector in a GGUF file of their own.
//!
//! Source: llama.cpp `convert_hf_to_gguf.py`, `tools/mtmd/clip-impl.h`, `tools/mtmd/clip.cpp`.

use super::projector::Projector;
use crate::container::{ModelHeader, TensorInfo, Value};
use crate::error::{Error, Result};
use crate::families::names::bias_of;
use crate::families::siglip::TOWER_NAMES;

/// Most patches of a picture in towers that see any size: 1024 rows of squares of 2 by 2.
const MOST_PATCHES: u32 = 4096;

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
    let projector = Projector::of(&header.metadata)?;
    for tensor in &mut header.tensors {
        tensor.offset = tensor.offset.saturating_add(start);
        if projector == Projector::Gemma3 && tensor.name == projector.weights()[0] {
            by_columns(tensor);
        }
    }
    // (without tensors of another tower in the file)
    header.tensors.retain(|tensor| {
        let name = tensor.name.as_str();
        !name.starts_with("a.") && !name.starts_with("mm.a.")
    });
    let width = header.metadata.u32("clip.vision.embedding_length")?;
    name_by_shape(&mut header.tensors, width.into());
    complete(&mut header, projector)?;
    Ok(header)
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
    let positions = positions.ok_or_else(|| Error::MissingTensor {
        name: TOWER_NAMES.position_embd.into(),
    })?;
    let rows = match projector.sees_any_size() {
        true => MOST_PATCHES,
        false => u32::try_from(positions.n_rows()).unwrap_or(u32::MAX),
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
