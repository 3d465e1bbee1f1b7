//! The kind of each layer's mixer, where a model has several.

use crate::by_layer::{ByLayer, in_range};
use crate::error::{Error, Result};
use crate::families::{ModelSpec, Recurrent};
use crate::layer_spec::{DRAFT_ROWS, DeltaShape, HISTORY, MambaShape, MixerKind};

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
        // (files of models without such layers may have other sizes)
        Recurrent::Mamba if !kv_heads.contains(&0) => Ok(vec![MixerKind::Attention; n_layers]),
        Recurrent::Mamba => {
            let mamba = MixerKind::Mamba(mamba_shape(&key, &size)?);
            let kind = |kv_heads: &usize| match kv_heads {
                0 => mamba,
                _ => MixerKind::Attention,
            };
            Ok(kv_heads.iter().map(kind).collect())
        }
        Recurrent::AttentionAndMamba => {
            let both = MixerKind::AttentionAndMamba(mamba_shape(&key, &size)?);
            Ok(vec![both; n_layers])
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

/// Reads and checks the shape of the selective scans.
fn mamba_shape(
    key: &impl Fn(&str) -> String,
    size: &impl Fn(&str, usize) -> Result<usize>,
) -> Result<MambaShape> {
    let heads = size("ssm.time_step_rank", 1024)?;
    let inner = size("ssm.inner_size", 1 << 16)?;
    let shape = MambaShape {
        heads,
        head_dim: inner / heads,
        groups: size("ssm.group_count", 1024)?,
        state_dim: size("ssm.state_size", 256)?,
        taps: size("ssm.conv_kernel", MAX_TAPS)?,
    };
    if !shape.state_dim.is_multiple_of(16) {
        let key = key("ssm.state_size");
        return Err(wrong(&key, "a multiple of 16", shape.state_dim));
    }
    if !heads.is_multiple_of(shape.groups) || !heads.is_multiple_of(4) {
        let expected = format!("a multiple of 4 and of group_count ({})", shape.groups);
        return Err(wrong(&key("ssm.time_step_rank"), &expected, heads));
    }
    if !inner.is_multiple_of(16 * heads) {
        let expected = format!("a multiple of 16 for each of {heads} heads");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Metadata, Value};
    use crate::families::mamba::{FALCON_H1, GRANITE_HYBRID};

    /// Returns the mixers of a file with these sizes.
    fn read(spec: &ModelSpec, kv_heads: &[usize], sizes: [u32; 5]) -> Result<Vec<MixerKind>> {
        let names = [
            "time_step_rank",
            "inner_size",
            "group_count",
            "state_size",
            "conv_kernel",
        ];
        let keys = names.map(|name| format!("{}.ssm.{name}", spec.name));
        let values = sizes.map(Value::U32);
        let meta = Metadata::from_iter(keys.iter().map(String::as_str).zip(values));
        let by_layer = ByLayer {
            meta: &meta,
            architecture: spec.name,
            n_layers: kv_heads.len(),
            n_blocks: kv_heads.len(),
        };
        mixers(&by_layer, spec, 64, kv_heads)
    }

    #[test]
    fn layers_scan_where_they_do_not_attend_or_everywhere() {
        let shape = MambaShape {
            heads: 8,
            head_dim: 16,
            groups: 2,
            state_dim: 32,
            taps: 4,
        };
        let sizes = [8, 128, 2, 32, 4];
        let (mamba, attention) = (MixerKind::Mamba(shape), MixerKind::Attention);
        assert_eq!(
            read(&GRANITE_HYBRID, &[0, 2, 0], sizes),
            Ok(vec![mamba, attention, mamba])
        );
        let both = MixerKind::AttentionAndMamba(shape);
        assert_eq!(read(&FALCON_H1, &[2, 2], sizes), Ok(vec![both; 2]));
        // (sizes of what is not there do not matter)
        let odd = read(&GRANITE_HYBRID, &[2, 2], [3, 7, 5, 1, 99]);
        assert_eq!(odd, Ok(vec![attention; 2]));
    }

    #[test]
    fn sizes_that_kernels_do_not_have_are_refused_by_their_key() {
        for (sizes, key) in [
            ([6, 96, 2, 32, 4], "time_step_rank"),
            ([8, 128, 3, 32, 4], "time_step_rank"),
            ([8, 100, 2, 32, 4], "inner_size"),
            ([8, 64, 2, 32, 4], "inner_size"),
            ([8, 1 << 17, 2, 32, 4], "inner_size"),
            ([8, 128, 0, 32, 4], "group_count"),
            ([8, 128, 2, 24, 4], "state_size"),
            ([8, 128, 2, 512, 4], "state_size"),
            ([8, 128, 2, 32, 10], "conv_kernel"),
        ] {
            let error = read(&FALCON_H1, &[2], sizes).unwrap_err();
            assert!(error.to_string().contains(key), "{sizes:?}: {error}");
        }
    }
}
