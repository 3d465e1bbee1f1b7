//! Names of tensors in transformers' checkpoints, and their GGUF equivalents.

use super::fp8::{self, Scheme};
use crate::container::{Arrangement, GgmlType, TensorInfo};
use crate::error::Result;
use crate::families::Checkpoint;

/// Names in an expert: the part after `experts.N.`
const OF_EXPERT: [(&str, &str); 6] = [
    ("gate_proj", "ffn_gate"),
    ("up_proj", "ffn_up"),
    ("down_proj", "ffn_down"),
    ("w1", "ffn_gate"),
    ("w3", "ffn_up"),
    ("w2", "ffn_down"),
];

/// Returns the tensors that a model consists of, under GGUF's names.
///
/// # Errors
/// Any error of the family's own renaming, and of [`fp8::pair`].
pub(super) fn rename(
    tensors: Vec<TensorInfo>,
    checkpoint: &Checkpoint,
    fp8: Option<Scheme>,
    tied: bool,
) -> Result<Vec<TensorInfo>> {
    // (a family that divides tensors would leave their scales whole: these are then missed)
    let tensors = fp8::pair((checkpoint.rename)(tensors)?, fp8)?;
    let renamed = tensors.into_iter().filter_map(|tensor| {
        let name = gguf_name(&tensor.name, checkpoint)?;
        let by_columns = checkpoint.by_columns && name.starts_with("blk.");
        let tensor = match by_columns && tensor.shape.len() == 2 {
            true => by_rows(tensor),
            false => tensor,
        };
        let tensor = match name.as_str() {
            "position_embd.weight" => without_rows(tensor, checkpoint.unused_positions.into()),
            _ => tensor,
        };
        (!(tied && name == "output.weight")).then_some(TensorInfo { name, ..tensor })
    });
    Ok(renamed.collect())
}

/// Returns GGUF's name of a module's weight with this shape, [columns, rows], if that weight is a tensor of its own in both
/// formats, its rows in the same order.
pub(crate) fn weight_of(module: &str, shape: [u64; 2], checkpoint: &Checkpoint) -> Option<String> {
    let by_columns = checkpoint.by_columns;
    let mut stored = shape.to_vec();
    if by_columns {
        stored.reverse();
    }
    let weight = TensorInfo {
        name: format!("{module}.weight"),
        shape: stored,
        dtype: GgmlType::F32,
        offset: 0,
        size: shape[0].checked_mul(shape[1])?.checked_mul(4)?,
        arrangement: Arrangement::default(),
    };
    let renamed = rename(vec![weight], checkpoint, None, false).ok()?;
    let [renamed] = <[TensorInfo; 1]>::try_from(renamed).ok()?;
    let kept = Arrangement {
        by_columns,
        ..Arrangement::default()
    };
    let same = renamed.shape == shape && renamed.arrangement == kept;
    (same && renamed.name.starts_with("blk.")).then_some(renamed.name)
}

/// Returns a tensor stored by columns in the shape that the others have.
fn by_rows(mut tensor: TensorInfo) -> TensorInfo {
    tensor.shape.reverse();
    tensor.arrangement.by_columns = true;
    tensor
}

/// Returns a tensor without its first rows.
fn without_rows(mut tensor: TensorInfo, rows: u64) -> TensorInfo {
    let all = tensor.n_rows();
    if rows > 0 && rows < all && tensor.shape.len() == 2 {
        let bytes = tensor.size / all * rows;
        tensor.shape[1] -= rows;
        tensor.offset += bytes;
        tensor.size -= bytes;
    }
    tensor
}

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let entry = table.iter().find(|(from, _)| *from == name);
    entry.map(|(_, to)| *to)
}

/// Returns GGUF's name, or `None` for tensors that no model needs, such as buffers of frequencies.
fn gguf_name(name: &str, checkpoint: &Checkpoint) -> Option<String> {
    let names = checkpoint.names;
    if name.starts_with("blk.") {
        return Some(name.to_owned());
    }
    // The prefix of a vision model's language part, on the hub and as transformers 5 writes it.
    let of_text = |name| {
        let rest = (["language_model.", "text_model."].iter())
            .find_map(|prefix| str::strip_prefix(name, prefix));
        rest.unwrap_or(name)
    };
    let name = of_text(name);
    let name = of_text(name.strip_prefix(names.prefix).unwrap_or(name));
    if let Some((layer, part)) = name
        .strip_prefix(names.layers)
        .and_then(|name| name.split_once('.'))
        && let Some(name) = find(checkpoint.parameters, part)
    {
        return Some(format!("blk.{layer}.{name}"));
    }
    let (name, kind) = name.rsplit_once('.')?;
    if let Some(name) = find(names.around, name) {
        return Some(format!("{name}.{kind}"));
    }
    let (layer, part) = name.strip_prefix(names.layers)?.split_once('.')?;
    let part = match part.split_once(".experts.") {
        Some((_, expert)) => {
            let (expert, part) = expert.split_once('.')?;
            format!("{}.{expert}", find(&OF_EXPERT, part)?)
        }
        None => match find(names.of_layer, part)? {
            "" => checkpoint.post_attention_layernorm.to_owned(),
            part => part.to_owned(),
        },
    };
    Some(format!("blk.{layer}.{part}.{kind}"))
}
