//! Builds the bounds of projections in a tower.

use crate::model::bounds::ProjectionBounds;
use crate::model::loaded::LoadedTensors;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::vision::bounds;

/// Returns the bounds of queries, keys and values, and those of the output, if layer `i` has some.
pub(super) fn of_attention(
    parts: &LoadedTensors<'_>,
    i: usize,
) -> Result<Option<Box<[ProjectionBounds; 2]>>> {
    let (c, layer) = (parts.c, &parts.c.layers[i]);
    let (q, kv) = (layer.q_dim(), layer.kv_dim());
    let inputs = [("attn_q", q), ("attn_k", kv), ("attn_v", kv)];
    both(
        parts,
        i,
        (&inputs, c.d_model),
        (&[("attn_out", c.d_model)], q),
    )
}

/// Returns the bounds of gate and up, and those of down, if layer `i` has some.
pub(super) fn of_feed_forward(
    parts: &LoadedTensors<'_>,
    i: usize,
) -> Result<Option<Box<[ProjectionBounds; 2]>>> {
    let (c, d_ff) = (parts.c, parts.c.layers[i].d_ff);
    let inputs = [("ffn_gate", d_ff), ("ffn_up", d_ff)];
    both(
        parts,
        i,
        (&inputs, c.d_model),
        (&[("ffn_down", c.d_model)], d_ff),
    )
}

/// Projections side by side with their rows, and their columns.
type Linears<'a> = (&'a [(&'a str, usize)], usize);

fn both(
    parts: &LoadedTensors<'_>,
    i: usize,
    first: Linears<'_>,
    second: Linears<'_>,
) -> Result<Option<Box<[ProjectionBounds; 2]>>> {
    let has_some = first.0.iter().chain(second.0).any(|(linear, _)| {
        let mut all = bounds::ENDS.iter().map(|end| bounds::name(i, linear, end));
        all.any(|name| parts.plan.vector(&name).is_ok())
    });
    match parts.c.spec.sees && has_some {
        true => Ok(Some(Box::new([
            of(parts, i, first)?,
            of(parts, i, second)?,
        ]))),
        false => Ok(None),
    }
}

/// Returns the bounds of projections side by side. What they take is the same, and so must be its bounds.
fn of(
    parts: &LoadedTensors<'_>,
    i: usize,
    (linears, cols): Linears<'_>,
) -> Result<ProjectionBounds> {
    let bound = |linear: &str, end: &str, open: f32| -> Result<f32> {
        let name = bounds::name(i, linear, end);
        let found = parts.if_there(&name, 1)?.map_or(open, |values| values[0]);
        match found.is_nan() {
            false => Ok(found.clamp(f32::MIN, f32::MAX)),
            true => Err(wrong(name, "a number".into(), found)),
        }
    };
    let range = |linear: &str, kind: &str| -> Result<[f32; 2]> {
        let least = bound(linear, &format!("{kind}_min"), f32::MIN)?;
        let most = bound(linear, &format!("{kind}_max"), f32::MAX)?;
        Ok([least, most])
    };
    let taken = linears
        .first()
        .map_or(Ok([f32::MIN, f32::MAX]), |(name, _)| range(name, "input"))?;
    let mut made = [Vec::new(), Vec::new()];
    for (linear, rows) in linears {
        for (own, (expected, end)) in range(linear, "input")?
            .into_iter()
            .zip(taken.into_iter().zip(["min", "max"]))
        {
            if own != expected {
                let name = bounds::name(i, linear, &format!("input_{end}"));
                return Err(wrong(
                    name,
                    format!("{expected}, that of {}", linears[0].0),
                    own,
                ));
            }
        }
        for (all, bound) in made.iter_mut().zip(range(linear, "output")?) {
            all.extend(std::iter::repeat_n(bound, *rows));
        }
    }
    let taken = taken.map(|bound| vec![bound; cols]);
    let upload = |[least, most]: &[Vec<f32>; 2]| {
        let n = least.len();
        let plain = [vec![1.0; n], vec![0.0; n]].concat();
        parts
            .ops
            .upload_f32(&[plain, least.clone(), most.clone()].concat(), [4, n])
    };
    Ok(ProjectionBounds {
        taken: upload(&taken),
        made: upload(&made),
    })
}

fn wrong(key: String, expected: String, found: f32) -> Error {
    Error::Metadata {
        key,
        expected,
        found: found.to_string(),
    }
}
