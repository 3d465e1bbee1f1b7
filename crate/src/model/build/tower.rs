//! Builds a tower from its tensors.

use burn::tensor::Tensor;

use crate::model::loaded::LoadedTensors;
use crate::model::mixer::{AttentionMixer, Mixer};
use crate::model::tower::{Head, Positions, Projections, Tower};
use crate::model::transformer::Layer;
use crate::ops::{Activation, Attention, AttentionSpec, KvType, Norm, NormSpec, Ops, Weight};
use crate::weights::builder::WeightBuilder;
use crate::weights::plan::LoadPlan;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::names::bias_of;
use hearth_modelfile::vision::{
    CLASS, HEAD_OUT, HEAD_QKV, HEAD_QUERY, PatchPositions, Projector, SECOND_PATCHES, Vision,
    deep_names, deep_norm,
};

/// Epsilon of the LayerNorm before LFM2's projections: PyTorch's default.
const LAYER_NORM_EPS: f32 = 1e-5;

/// Builds the tower, once every tensor of the plan has been read.
///
/// # Errors
/// [`Error::MissingTensor`] or [`Error::TensorShape`].
pub fn tower(plan: &LoadPlan, vision: Vision, ops: &Ops) -> Result<Tower> {
    let c = &vision.layers;
    let parts = LoadedTensors { plan, c, ops };
    let names = c.spec.names;
    let (rows, cols) = (c.d_model, vision.patch_values);
    let patches = patches(&parts, rows, cols, vision.channels_last)?;
    let bytes = plan.matrices.iter().map(WeightBuilder::bytes).sum::<u64>();
    let deep = vision.deep.iter().map(|layer| {
        let merged = rows * vision.processor.merge * vision.processor.merge;
        let name = deep_norm(*layer);
        let gains = parts.values(&name, merged)?;
        let offsets = parts.values(&bias_of(&name), merged)?;
        let norm = Norm {
            weight: ops.upload_row(&[gains, offsets].concat()),
            spec: NormSpec {
                centred: true,
                ..NormSpec::rms(c.eps)
            },
        };
        Ok((
            *layer,
            projections(&parts, &vision, Some(norm), &deep_names(*layer))?,
        ))
    });
    let layers = super::layers(&parts, vision.most_patches(), KvType::F32)?;
    Ok(Tower {
        bytes: bytes + 4 * patches.len() as u64,
        patches: ops.upload_weight(&patches, rows, cols),
        patch_bias: parts.optional(names.token_types, rows)?,
        positions: match vision.position_side {
            0 if !vision.projector.learns_positions() => Positions::None,
            0 if vision.projector == Projector::Clip => {
                Positions::OfPatches(positions_of_clip(&parts, vision.most_patches())?)
            }
            0 => Positions::OfPatches(parts.matrix(names.position_embd)?),
            side if vision.projector.positions() == PatchPositions::OfAxes => {
                let table = parts.values(names.position_embd, 2 * side * rows)?;
                Positions::OfAxes(first_of_axes(table, side, kept_places(&vision), rows))
            }
            side => Positions::Square(
                parts
                    .values(names.position_embd, side * side * rows)?
                    .to_vec(),
            ),
        },
        norm: match plan.vector(names.embd_norm) {
            Ok(_) => Some(parts.norm(names.embd_norm)?),
            Err(_) => None,
        },
        head: match vision.projector {
            Projector::Siglip => Some(head(&parts, &layers)?),
            _ => None,
        },
        layers,
        output_norm: match c.spec.has_output_norm() {
            true => {
                let mut norm = parts.norm(names.output_norm)?;
                norm.spec.eps = vision.norm_eps;
                Some(norm)
            }
            false => None,
        },
        projector: {
            let norm = match vision.projector.norm() {
                Some(name) if plan.vector(name).is_ok() => {
                    Some(projector_norm(&parts, &vision, name)?)
                }
                // (without weights)
                _ if vision.projector == Projector::Gemma4 => Some(Norm {
                    weight: ops.upload_row(&vec![1.0; rows]),
                    spec: NormSpec::rms(c.eps),
                }),
                _ => None,
            };
            Projections {
                standard: standard(&parts, &vision)?,
                ..projections(&parts, &vision, norm, vision.projector.weights())?
            }
        },
        deep: deep.collect::<Result<_>>()?,
        vision,
    })
}

/// Returns the most places of an axis that a frame has.
fn kept_places(vision: &Vision) -> usize {
    (vision.most_patches() / vision.processor.merge).min(vision.position_side)
}

/// Returns the first `n` of `side` positions of both axes, [2 * n, cols]: files have more than any frame needs.
fn first_of_axes(table: &[f32], side: usize, n: usize, cols: usize) -> Vec<f32> {
    let axes = table.chunks_exact(side * cols);
    axes.flat_map(|axis| &axis[..n * cols]).copied().collect()
}

/// Returns what Gemma 4 does with the columns of merged rows: times the square root of their width, and in larger models less a vector,
/// times another one.
fn standard(parts: &LoadedTensors<'_>, vision: &Vision) -> Result<Option<Tensor<2>>> {
    if vision.projector != Projector::Gemma4 {
        return Ok(None);
    }
    let d_model = parts.c.d_model;
    let root = (d_model as f32).sqrt();
    let mut columns = [vec![root; d_model], vec![0.0; d_model]];
    if let Some(names) = vision.standard {
        let [bias, scale] = [
            parts.values(names[0], d_model)?,
            parts.values(names[1], d_model)?,
        ];
        columns[0] = scale.iter().map(|scale| root * scale).collect();
        columns[1] = bias
            .iter()
            .zip(scale)
            .map(|(bias, scale)| -bias * scale)
            .collect();
    }
    let bounds = [vec![f32::MIN; d_model], vec![f32::MAX; d_model]].concat();
    let columns = [columns.concat(), bounds].concat();
    Ok(Some(parts.ops.upload_f32(&columns, [4, d_model])))
}

/// Returns the attention of SigLIP's learned query, which has as many heads as the layers.
fn head(parts: &LoadedTensors<'_>, layers: &[Layer]) -> Result<Head> {
    let (ops, d_model) = (parts.ops, parts.c.d_model);
    let Some(Mixer::Attention(own)) = layers.first().map(|layer| &layer.mixer) else {
        return Err(Error::MissingTensor {
            name: HEAD_QKV.into(),
        });
    };
    let bias = parts.values(&bias_of(HEAD_QKV), 3 * d_model)?;
    Ok(Head {
        query: ops.upload_row(parts.values(HEAD_QUERY, d_model)?),
        attention: AttentionMixer {
            qkv_proj: parts.matrix(HEAD_QKV)?,
            attention: Attention {
                spec: AttentionSpec {
                    bias: true,
                    ..own.attention.spec
                },
                rope: own.attention.rope.clone(),
                attn_params: ops.upload_row(bias),
            },
            o_proj: parts.matrix(HEAD_OUT)?,
            bounds: None,
        },
        bias: ops.upload_row(parts.values(&bias_of(HEAD_OUT), d_model)?),
    })
}

/// Returns CLIP's positions, to the first of which the class token is added, which stands there.
fn positions_of_clip(parts: &LoadedTensors<'_>, rows: usize) -> Result<Weight> {
    let d_model = parts.c.d_model;
    let name = parts.c.spec.names.position_embd;
    let mut values = parts.values(name, rows * d_model)?.to_vec();
    for (value, class) in values.iter_mut().zip(parts.values(CLASS, d_model)?) {
        *value += class;
    }
    Ok(parts.ops.upload_weight(&values, rows, d_model))
}

/// Returns the norm behind the merge: an RMSNorm, or with a bias a LayerNorm.
fn projector_norm(parts: &LoadedTensors<'_>, vision: &Vision, name: &str) -> Result<Norm> {
    let gains = parts.plan.vector(name)?;
    let mut weight: Vec<f32> = gains.iter().map(|gain| gain + vision.norm_offset).collect();
    let bias = parts.if_there(&bias_of(name), gains.len())?;
    weight.extend(bias.unwrap_or_default());
    Ok(Norm {
        weight: parts.ops.upload_row(&weight),
        spec: NormSpec {
            centred: bias.is_some(),
            ..NormSpec::rms(match bias.is_some() {
                true if vision.projector != Projector::Siglip => LAYER_NORM_EPS,
                _ => parts.c.eps,
            })
        },
    })
}

/// Returns the projections of these names with their biases, which not every file has.
fn projections<N: AsRef<str>>(
    parts: &LoadedTensors<'_>,
    vision: &Vision,
    norm: Option<Norm>,
    names: &[N],
) -> Result<Projections> {
    let weights = names.iter().enumerate().map(|(i, name)| {
        let weight = parts.matrix(name.as_ref())?;
        let name = bias_of(name.as_ref());
        let bias = match parts.optional(&name, weight.rows)? {
            // The function before the last projection is applied with a bias.
            None if i + 2 == names.len() => match vision.projector.may_lack_bias() {
                true => Some(parts.ops.upload_row(&vec![0.0; weight.rows])),
                false => return Err(Error::MissingTensor { name }),
            },
            bias => bias,
        };
        Ok((weight, bias))
    });
    Ok(Projections {
        standard: None,
        norm,
        weights: weights.collect::<Result<_>>()?,
        activation: match vision.projector {
            Projector::Siglip => Activation::Gelu,
            _ => Activation::GeluErf,
        },
    })
}

/// Returns the weight of the patches, [rows, cols]; where there is one for each of a film's two pictures, of which both are the same
/// one here, their sum.
fn patches(
    parts: &LoadedTensors<'_>,
    rows: usize,
    cols: usize,
    channels_last: bool,
) -> Result<Vec<f32>> {
    let name = parts.c.spec.names.token_embd;
    if let Ok(second) = parts.plan.vector(SECOND_PATCHES) {
        let first = parts.values(name, rows * cols)?;
        let second = parts.values(SECOND_PATCHES, second.len().min(rows * cols))?;
        return Ok(first.iter().zip(second).map(|(a, b)| a + b).collect());
    }
    let found = parts.plan.vector(name)?;
    if channels_last {
        // [rows, pixels, channels]
        let pixels = cols / 3;
        let row = |row: &[f32]| -> Vec<f32> {
            (0..cols)
                .map(|i| row[i % pixels * 3 + i / pixels])
                .collect()
        };
        let found = parts.values(name, rows * cols)?.chunks_exact(cols);
        return Ok(found.flat_map(row).collect());
    }
    if found.len() != 2 * rows * cols {
        return Ok(parts.values(name, rows * cols)?.to_vec());
    }
    // [rows, channels, 2, pixels]
    let plane = cols / 3;
    let planes = found.chunks_exact(2 * plane).flat_map(|both| {
        let (first, second) = both.split_at(plane);
        first
            .iter()
            .zip(second)
            .map(|(a, b)| a + b)
            .collect::<Vec<f32>>()
    });
    Ok(planes.collect())
}
