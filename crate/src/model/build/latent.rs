//! Builds mixers that attend over latents.

use std::rc::Rc;

use super::attention::{Ropes, spec};
use crate::model::loaded::LoadedTensors;
use crate::model::mixer::LatentMixer;
use crate::ops::attention::latent::{HeadRoutes, JoinSpec};
use crate::ops::{Attention, AttentionSpec, KvSource, KvType, Norm, NormSpec, Scaling, Weight};
use hearth_modelfile::error::Result;
use hearth_modelfile::families::names::{of_layer, of_part};
use hearth_modelfile::layer_spec::LatentShape;

/// Epsilon of the norms within attention: transformers', in all models of the family.
const EPS: f32 = 1e-6;

/// Builds the mixer of layer `i`.
pub(super) fn mixer(
    parts: &LoadedTensors<'_>,
    i: usize,
    shape: LatentShape,
    ropes: &Ropes,
    routes: &Rc<HeadRoutes>,
    (n_ctx, kv): (usize, KvType),
) -> Result<LatentMixer> {
    let (c, ops, names) = (parts.c, parts.ops, parts.c.spec.names);
    let of = |pattern: &str| of_layer(pattern, i);
    let gains =
        |name: &str, len: usize| -> Result<_> { Ok(ops.upload_row(&parts.gains(&of(name), len)?)) };
    let of_heads = |name: &str| -> Result<Weight> {
        let name = of(name);
        let together = parts.matrix(&name);
        together.or_else(|_| parts.matrix(&of_part(&name, 0)))
    };
    let q_down = match shape.query_rank {
        0 => None,
        rank => {
            let norm = Norm {
                weight: gains(names.q_down_norm, rank)?,
                spec: NormSpec::rms(EPS),
            };
            Some((parts.matrix(&of(names.q_down))?, norm))
        }
    };
    Ok(LatentMixer {
        q_up: parts.matrix(&of(match &q_down {
            Some(_) => names.q_up,
            None => names.qkv_proj[0],
        }))?,
        q_down,
        latent_proj: parts.matrix(&of(names.latent_proj))?,
        latent_norm: gains(names.latent_norm, shape.rank)?,
        to_latent: of_heads(names.to_latent)?,
        from_latent: of_heads(names.from_latent)?,
        join: JoinSpec {
            heads: c.layers[i].heads,
            shape,
            eps: EPS,
        },
        attention: Attention {
            spec: AttentionSpec {
                kv_source: KvSource::KeysAlone,
                ..spec(c, i, n_ctx, kv, false)
            },
            rope: ropes.of(c.layers[i].rope),
            attn_params: ops.upload_row(&[0.0]),
        },
        routes: routes.clone(),
        o_proj: (parts.matrix(&of(names.o_proj))?).scaled(Scaling::by(c.scales.residual)),
    })
}
