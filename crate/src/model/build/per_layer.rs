//! Builds embeddings by layer, and each layer's use of its own.

use crate::model::loaded::LoadedTensors;
use crate::model::transformer::{PerLayer, PerLayerEmbedding};
use crate::ops::Scaling;
use hearth_modelfile::error::Result;
use hearth_modelfile::families::names::of_layer;

/// Builds the embeddings of all layers, if the model has them.
pub(super) fn embedding(parts: &LoadedTensors<'_>) -> Result<Option<PerLayerEmbedding>> {
    let (c, names) = (parts.c, parts.c.spec.names);
    if c.per_layer_dim == 0 {
        return Ok(None);
    }
    let by = |factor: f32| Scaling::by(factor);
    let half = std::f32::consts::FRAC_1_SQRT_2;
    Ok(Some(PerLayerEmbedding {
        table: parts
            .matrix(names.per_layer_embd)?
            .scaled(by((c.per_layer_dim as f32).sqrt())),
        proj: parts
            .matrix(names.per_layer_model_proj)?
            .scaled(by(1.0 / (c.d_model as f32).sqrt())),
        norm: parts.norm_scaled(names.per_layer_proj_norm, c.per_layer_dim, Some(half))?,
    }))
}

/// Builds what layer `i` does with its embedding, if the model has them; `factor` multiplies the layer's output.
pub(super) fn layer(
    parts: &LoadedTensors<'_>,
    i: usize,
    factor: Option<f32>,
) -> Result<Option<PerLayer>> {
    let (c, names) = (parts.c, parts.c.spec.names);
    if c.per_layer_dim == 0 {
        return Ok(None);
    }
    let of = |pattern: &str| of_layer(pattern, i);
    Ok(Some(PerLayer {
        gate: parts.matrix(&of(names.per_layer_gate))?,
        proj: parts.matrix(&of(names.per_layer_proj))?,
        norm: parts.norm_scaled(&of(names.per_layer_post_norm), c.d_model, factor)?,
        index: parts.ops.upload_row(&[i as f32, 0.0, 0.0, 0.0]),
    }))
}
