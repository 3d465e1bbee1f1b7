//! Builds selective scans.

use super::recurrent::{by_tap, decays};
use crate::model::loaded::LoadedTensors;
use crate::model::mixer::MambaMixer;
use crate::ops::recurrent::Scan;
use crate::ops::{Norm, NormSpec, Scaling};
use hearth_modelfile::error::Result;
use hearth_modelfile::families::names::{bias_of, of_layer};
use hearth_modelfile::layer_spec::MambaShape;

/// Builds the selective scan of layer `i`.
pub(super) fn mixer(parts: &LoadedTensors<'_>, i: usize, shape: MambaShape) -> Result<MambaMixer> {
    let (c, ops) = (parts.c, parts.ops);
    let (names, scales) = (c.spec.names, &c.scales.parts);
    let of = |name: &str| of_layer(name, i);
    let heads = shape.heads;
    let mut params = decays(parts, i, heads)?;
    params.extend(parts.values(&of(names.delta_bias), heads)?);
    params.extend(parts.values(&of(names.mamba_skip), heads)?);
    let [of_z, of_x, of_b, of_c, of_step] = scales.mamba;
    params.extend([of_z, of_step]);
    let name = of(names.delta_taps);
    let channels = shape.channels();
    let mut taps = by_tap(parts, &name, channels, shape.taps)?;
    let (inner, wide) = (shape.inner(), shape.groups * shape.state_dim);
    for tap in taps.chunks_exact_mut(channels) {
        let (x, rest) = tap.split_at_mut(inner);
        let (b, c) = rest.split_at_mut(wide);
        for (part, factor) in [(x, of_x), (b, of_b), (c, of_c)] {
            part.iter_mut().for_each(|weight| *weight *= factor);
        }
    }
    match parts.if_there(&bias_of(&name), channels)? {
        Some(bias) => taps.extend(bias),
        None => taps.resize(taps.len() + channels, 0.0),
    }
    let norm = parts.if_there(&of(names.delta_norm), inner)?;
    let norm = norm.map(|weight| Norm {
        weight: ops.upload_row(weight),
        spec: NormSpec {
            groups: shape.groups,
            ..NormSpec::rms(c.eps)
        },
    });
    let output = Scaling::by(c.scales.residual * scales.mamba_output);
    Ok(MambaMixer {
        in_proj: parts.matrix(&of(names.mamba_in_proj))?,
        scan: Scan {
            shape,
            taps: ops.upload_row(&taps),
            params: ops.upload_row(&params),
            norm,
        },
        out_proj: (parts.matrix(&of(names.delta_out_proj))?).scaled(output),
    })
}
