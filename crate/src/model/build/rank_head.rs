//! Builds the head of a model that ranks documents.

use crate::model::loaded::LoadedTensors;
use crate::model::transformer::{RankDense, RankHead};
use hearth_modelfile::error::Result;
use hearth_modelfile::families::Ranking;
use hearth_modelfile::families::names::bias_of;

/// Builds the head, if the model has one.
pub(super) fn build(parts: &LoadedTensors<'_>) -> Result<Option<RankHead>> {
    let (c, names) = (parts.c, parts.c.spec.names);
    if c.rank_outputs == 0 || c.rank_answers.is_some() {
        return Ok(None);
    }
    let bias = |name: &str, len: usize| -> Result<Vec<f32>> {
        let found = parts.if_there(&bias_of(name), len)?;
        Ok(found.map_or_else(|| vec![0.0; len], <[f32]>::to_vec))
    };
    let output = parts.values(names.cls_output, c.rank_outputs * c.d_model)?;
    Ok(Some(RankHead {
        dense: match c.spec.ranking {
            Ranking::Cls | Ranking::PredictionHead => Some(RankDense {
                weight: parts.matrix(names.cls)?,
                bias: parts.ops.upload_row(&bias(names.cls, c.d_model)?),
                norm: match c.spec.ranking {
                    Ranking::PredictionHead => Some(parts.norm(names.cls_norm)?),
                    _ => None,
                },
            }),
            Ranking::None | Ranking::YesOrNo => None,
        },
        output: output.to_vec(),
        output_bias: bias(names.cls_output, c.rank_outputs)?,
    }))
}
