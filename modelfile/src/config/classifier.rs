//! The head of a model that ranks documents.

use super::keys::Keys;
use crate::container::{ModelHeader, TensorInfo};
use crate::error::{Error, Result};
use crate::families::{HEAD_POOLING, ModelSpec, Pooling, Ranking};

const LABELS: &str = "classifier.output_labels";
/// Key of the ids of two answers, "yes" and "no", where the head is the one that gives logits.
pub(crate) const ANSWERS: &str = "hearth.rerank.answers";

/// Returns the tokens whose logits are the outputs, in models that rank documents by their answer and have no head for that alone.
///
/// # Errors
/// [`Error::Metadata`] for another number of tokens than two, or the same twice.
pub(super) fn answers(gguf: &ModelHeader, spec: &ModelSpec) -> Result<Option<[u32; 2]>> {
    let has_head = gguf.tensor(spec.names.cls_output).is_some();
    if spec.ranking != Ranking::YesOrNo || has_head || gguf.metadata.get(ANSWERS).is_none() {
        return Ok(None);
    }
    let found = gguf.metadata.u32s(ANSWERS)?;
    match found[..] {
        [yes, no] if yes != no => Ok(Some([yes, no])),
        _ => Err(Error::Metadata {
            key: ANSWERS.to_owned(),
            expected: "the ids of two tokens".to_owned(),
            found: format!("{found:?}").chars().take(60).collect(),
        }),
    }
}

/// Returns which hidden state the head of a model that ranks documents reads.
///
/// # Errors
/// [`Error::Metadata`] for another pooling than `mean` and `cls`.
pub(super) fn head_pooling(keys: &Keys, spec: &ModelSpec) -> Result<Pooling> {
    match spec.ranking {
        Ranking::YesOrNo => Ok(Pooling::Last),
        Ranking::None | Ranking::Cls => Ok(Pooling::Cls),
        // GGUF has no key for it: llama.cpp takes the mean.
        Ranking::PredictionHead => match keys.meta.opt_str(HEAD_POOLING)? {
            None | Some("mean") => Ok(Pooling::Mean),
            Some("cls") => Ok(Pooling::Cls),
            Some(found) => Err(Error::Metadata {
                key: HEAD_POOLING.to_owned(),
                expected: "mean or cls".to_owned(),
                found: found.to_owned(),
            }),
        },
    }
}

/// Returns the numbers that the head gives, once it is known to be the family's.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::Metadata`] for other labels than the family's.
pub(super) fn outputs(
    keys: &Keys,
    gguf: &ModelHeader,
    spec: &ModelSpec,
    pooling: Option<Pooling>,
) -> Result<usize> {
    if pooling != Some(Pooling::Rank) {
        return Ok(0);
    }
    if answers(gguf, spec)?.is_some() {
        return Ok(2);
    }
    let (needed, expected): (&[&str], &[&str]) = match spec.ranking {
        Ranking::None => return Ok(0),
        // A converter that drops the first leaves a model that nobody trained.
        Ranking::Cls => (&[spec.names.cls, spec.names.cls_output], &[]),
        Ranking::PredictionHead => (
            &[spec.names.cls, spec.names.cls_norm, spec.names.cls_output],
            &[],
        ),
        Ranking::YesOrNo => (&[spec.names.cls_output], &["yes", "no"]),
    };
    if let Some(missing) = needed.iter().find(|name| gguf.tensor(name).is_none()) {
        return Err(Error::MissingTensor {
            name: (*missing).to_owned(),
        });
    }
    let labels = keys
        .meta
        .opt_strings(&keys.key(LABELS))?
        .unwrap_or_default();
    // One output is that of the first answer less that of the second.
    let rows = gguf
        .tensor(spec.names.cls_output)
        .map_or(0, TensorInfo::n_rows);
    let n = if rows == 1 { 1 } else { expected.len().max(1) };
    let is_known = match expected {
        [] => labels.len() <= 1,
        _ => labels.is_empty() || labels.iter().eq(expected),
    };
    match is_known {
        true => Ok(n),
        false => {
            let expected = match expected {
                [] => "one label".to_owned(),
                _ => format!("the labels {}", expected.join(" and ")),
            };
            Err(keys.wrong(LABELS, expected, labels.join(", ")))
        }
    }
}
