//! The kind of each layer's mixer, where a model has several.

use crate::by_layer::{ByLayer, in_range};
use crate::error::{Error, Result};
use crate::families::{ModelSpec, Recurrent};
use crate::layer_spec::{DRAFT_ROWS, DeltaShape, HISTORY, MixerKind};

/// Most taps of a convolution: with the drafts of a step they fit the rows that it keeps.
const MAX_TAPS: usize = HISTORY - DRAFT_ROWS + 1;

/// Reads the mixer of every layer.
///
/// # Errors
/// [`Error::Metadata`] naming the key.
pub(crate) fn mixers(
    by_layer: &ByLayer<'_>,
    spec: &ModelSpec,
    d_model: usize,
    kv_heads: &[usize],
) -> Result<Vec<MixerKind>> {
    let (meta, n_layers) = (by_layer.meta, by_layer.n_layers);
    let key = |name: &str| format!("{}.{name}", spec.name);
    let size = |name: &str, max: usize| in_range(&key(name), meta.u32(&key(name))? as usize, max);
    match spec.recurrent {
        Recurrent::None => Ok(vec![MixerKind::Attention; n_layers]),
        Recurrent::ShortConv => {
            let conv = MixerKind::ShortConv {
                channels: d_model,
                taps: size("shortconv.l_cache", MAX_TAPS)?,
            };
            if !d_model.is_multiple_of(4) {
                return Err(wrong(&key("embedding_length"), "a multiple of 4", d_model));
            }
            let kind = |kv_heads: &usize| match kv_heads {
                0 => conv,
                _ => MixerKind::Attention,
            };
            Ok(kv_heads.iter().map(kind).collect())
        }
        Recurrent::GatedDelta => {
            let delta = MixerKind::GatedDelta(delta_shape(meta, &key, &size)?);
            let recurrent = match by_layer.flags("attention.recurrent_layers")? {
                Some(listed) => listed,
                None => {
                    let key = key("full_attention_interval");
                    let interval = meta.opt_u32(&key)?.unwrap_or(4) as usize;
                    let interval = in_range(&key, interval, 1024)?;
                    (1..=n_layers)
                        .map(|n| !n.is_multiple_of(interval))
                        .collect()
                }
            };
            let kind = |recurrent: bool| match recurrent {
                true => delta,
                false => MixerKind::Attention,
            };
            Ok(recurrent.into_iter().map(kind).collect())
        }
    }
}

/// Reads and checks the shape of the gated delta nets.
fn delta_shape(
    meta: &crate::container::Metadata,
    key: &impl Fn(&str) -> String,
    size: &impl Fn(&str, usize) -> Result<usize>,
) -> Result<DeltaShape> {
    let shape = DeltaShape {
        key_heads: size("ssm.group_count", 1024)?,
        value_heads: size("ssm.time_step_rank", 1024)?,
        head_dim: size("ssm.state_size", 256)?,
        taps: size("ssm.conv_kernel", MAX_TAPS)?,
        grouped: meta.opt_bool("hearth.ssm.grouped")?.unwrap_or(false),
    };
    if !shape.head_dim.is_multiple_of(16) {
        let key = key("ssm.state_size");
        return Err(wrong(&key, "a multiple of 16", shape.head_dim));
    }
    let heads = shape.value_heads;
    if !heads.is_multiple_of(shape.key_heads) || !heads.is_multiple_of(4) {
        let expected = format!("a multiple of 4 and of group_count ({})", shape.key_heads);
        let key = key("ssm.time_step_rank");
        return Err(wrong(&key, &expected, shape.value_heads));
    }
    let inner = size("ssm.inner_size", 1 << 20)?;
    if inner != shape.value_dim() {
        let expected = format!("time_step_rank * state_size ({})", shape.value_dim());
        return Err(wrong(&key("ssm.inner_size"), &expected, inner));
    }
    Ok(shape)
}

fn wrong(key: &str, expected: &str, found: usize) -> Error {
    Error::Metadata {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
    }
}
