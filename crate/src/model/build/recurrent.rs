//! Builds the mixers of recurrent layers.

use burn::tensor::Tensor;

use crate::model::loaded::LoadedTensors;
use crate::model::mixer::{GatedDeltaMixer, ShortConvMixer};
use crate::ops::Scaling;
use crate::ops::recurrent::DeltaNet;
use crate::ops::recurrent::conv::ConvSpec;
use hearth_modelfile::error::Result;
use hearth_modelfile::families::names::of_layer;
use hearth_modelfile::layer_spec::DeltaShape;

/// Builds the short convolution of layer `i`.
pub(super) fn short_conv(
    parts: &LoadedTensors<'_>,
    i: usize,
    channels: usize,
    taps: usize,
) -> Result<ShortConvMixer> {
    let names = parts.c.spec.names;
    let residual = Scaling::by(parts.c.scales.residual);
    Ok(ShortConvMixer {
        in_proj: parts.matrix(&of_layer(names.conv_in_proj, i))?,
        weight: kernel(parts, &of_layer(names.conv_taps, i), channels, taps)?,
        spec: ConvSpec {
            channels,
            taps,
            stride: 3 * channels,
            first: 0,
            gated: true,
            bias: false,
        },
        out_proj: (parts.matrix(&of_layer(names.conv_out_proj, i))?).scaled(residual),
    })
}

/// Builds the gated delta net of layer `i`.
pub(super) fn gated_delta(
    parts: &LoadedTensors<'_>,
    i: usize,
    shape: DeltaShape,
) -> Result<GatedDeltaMixer> {
    let (c, ops) = (parts.c, parts.ops);
    let names = c.spec.names;
    let of = |name: &str| of_layer(name, i);
    let heads = shape.value_heads;
    let mut params = decays(parts, i, heads)?;
    params.extend(parts.values(&of(names.delta_bias), heads)?);
    let residual = Scaling::by(c.scales.residual);
    let norm = parts.values(&of(names.delta_norm), shape.head_dim)?;
    params.extend(norm);
    Ok(GatedDeltaMixer {
        in_proj: parts.matrix(&of(names.delta_in_proj[0]))?,
        net: DeltaNet {
            shape,
            taps: kernel(parts, &of(names.delta_taps), shape.channels(), shape.taps)?,
            params: ops.upload_row(&params),
            norm: ops.upload_row(norm),
            eps: c.eps,
        },
        out_proj: (parts.matrix(&of(names.delta_out_proj))?).scaled(residual),
    })
}

/// Returns a convolution's kernel on the device: [taps, channels].
fn kernel(
    parts: &LoadedTensors<'_>,
    name: &str,
    channels: usize,
    taps: usize,
) -> Result<Tensor<2>> {
    by_tap(parts, name, channels, taps).map(|kernel| parts.ops.upload_row(&kernel))
}

/// Returns a convolution's kernel, which the file has by channels, by taps: [taps, channels].
pub(super) fn by_tap(
    parts: &LoadedTensors<'_>,
    name: &str,
    channels: usize,
    taps: usize,
) -> Result<Vec<f32>> {
    let by_channel = parts.values(name, channels * taps)?;
    Ok((0..taps)
        .flat_map(|tap| by_channel.iter().skip(tap).step_by(taps))
        .copied()
        .collect())
}

/// Returns the decay of each of `heads` heads, of which the file may have the logarithm of its negative.
pub(super) fn decays(parts: &LoadedTensors<'_>, i: usize, heads: usize) -> Result<Vec<f32>> {
    let names = parts.c.spec.names;
    let of = |name: &str| of_layer(name, i);
    Ok(match parts.if_there(&of(names.delta_log_decay), heads)? {
        Some(logs) => logs.iter().map(|log| -log.exp()).collect(),
        None => parts.values(&of(names.delta_decay), heads)?.to_vec(),
    })
}
