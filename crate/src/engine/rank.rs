//! Ranking: how well a document answers a query, as one number.
//!
//! Query and document are one text to the model; its head reads the hidden state of one token. Reference: Nogueira & Cho 2019,
//! arXiv:1901.04085; transformers `BertForSequenceClassification`, `XLMRobertaForSequenceClassification`; Zhang et al. 2025,
//! arXiv:2506.05176 (Qwen3-Reranker); transformers `ModernBertForSequenceClassification`.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::model::transformer::RankHead;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::{Activation, Pooling, Ranking};

/// A document to be scored.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default)]
pub struct RankInput {
    pub query: String,
    pub document: String,
    /// Cuts a document that does not fit the context together with the query, instead of refusing it.
    #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
    pub truncate: bool,
}

/// A document's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RankScore {
    /// From 0 to 1: the probability that the document answers the query, in the model's view.
    pub score: f32,
    /// Tokens of query and document, those around them included.
    pub tokens: usize,
}

impl Engine {
    /// Returns the score of a document.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the model is not made for this; [`Error::ContextOverflow`]; the device's errors.
    pub async fn rank(&mut self, input: &RankInput) -> Result<RankScore> {
        let config = &self.stepper.model.config;
        let Some(format) = (self.pair_format.as_ref()).filter(|_| config.rank_outputs > 0) else {
            return Err(Error::InvalidRequest {
                field: "model".into(),
                expected: "one that ranks documents".into(),
                found: config.name.clone(),
            });
        };
        let (ranking, pooling) = (config.spec.ranking, config.rank_pooling);
        let mut pair = format.encode(&self.tokenizer, &input.query, &input.document)?;
        if input.truncate {
            pair.cut(self.stepper.model.n_ctx)?;
        }
        self.check_fits(pair.ids.len())?;
        self.idle().await;
        self.use_adapters(&[])?;
        self.check_ids("documents", &pair.ids)?;
        let second = (ranking == Ranking::Cls && self.has_types()).then_some(pair.document_at);
        self.set_types(second, pair.ids.len());
        let outputs = match self.pooled(&pair.ids, pooling).await {
            Ok(mut pooled) => {
                if pooling == Pooling::Mean {
                    // (what is pooled is the sum)
                    let n = pair.ids.len() as f32;
                    pooled.iter_mut().for_each(|v| *v /= n);
                }
                self.rank_outputs(pooled).await
            }
            Err(error) => Err(error),
        };
        self.set_types(None, 0);
        // The sequence holds this text now, and none of a conversation.
        self.clear();
        let outputs = outputs?;
        let logit = match outputs[..] {
            [yes, no] => yes - no,
            _ => outputs.iter().sum(),
        };
        Ok(RankScore {
            score: (1.0 / (1.0 + (-logit).exp())) as f32,
            tokens: pair.ids.len(),
        })
    }

    /// Returns whether the model distinguishes the tokens of two texts.
    fn has_types(&self) -> bool {
        let model = &self.stepper.model;
        let types = model.embedding.bias.as_ref();
        types.is_some_and(|types| types.dims()[1] >= 2 * model.config.d_model)
    }

    fn set_types(&mut self, second: Option<usize>, n: usize) {
        let ops = &self.stepper.model.ops;
        self.sequence.step.set_types(ops, second, n);
    }

    /// Returns the outputs of the head for a hidden state: [rank_outputs].
    async fn rank_outputs(&mut self, mut hidden: Vec<f32>) -> Result<Vec<f64>> {
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let Some(head) = &stepper.model.rank_head else {
            let (model, step) = (&stepper.model, &mut sequence.step);
            let Some(answers) = model.config.rank_answers else {
                return Ok(Vec::new());
            };
            step.seek(&model.ops, 0, 1);
            let hidden = model.ops.upload_row(&hidden);
            let logits = model.ops.linear(&hidden, &model.lm_head, step);
            let logits = stepper.values(&logits).await?;
            let logit = |id: u32| match logits.get(id as usize) {
                Some(logit) => Ok(f64::from(*logit)),
                None => Err(Error::Metadata {
                    key: "hearth.rerank.answers".to_owned(),
                    expected: format!("ids below {}", logits.len()),
                    found: id.to_string(),
                }),
            };
            return answers.into_iter().map(logit).collect();
        };
        if let Some(dense) = &head.dense {
            let (ops, step) = (&stepper.model.ops, &mut sequence.step);
            step.seek(ops, 0, 1);
            let y = ops.linear(&ops.upload_row(&hidden), &dense.weight, step);
            hidden = match &dense.norm {
                Some(norm) => {
                    let y = ops.bias(y, &dense.bias, step, Some(Activation::GeluErf));
                    stepper.values(&ops.norm(&y, norm, step, false)).await?
                }
                None => {
                    let y = ops.bias(y, &dense.bias, step, None);
                    let values = stepper.values(&y).await?;
                    values.into_iter().map(f32::tanh).collect()
                }
            };
        }
        Ok(head.outputs(&hidden))
    }
}

impl RankHead {
    /// Returns the outputs for what the projection gave, or for a hidden state: [outputs].
    fn outputs(&self, x: &[f32]) -> Vec<f64> {
        let rows = self.output.chunks_exact(x.len().max(1));
        let dot = |row: &[f32]| -> f64 {
            let products = row
                .iter()
                .zip(x)
                .map(|(w, x)| f64::from(*w) * f64::from(*x));
            products.sum()
        };
        rows.zip(&self.output_bias)
            .map(|(row, bias)| dot(row) + f64::from(*bias))
            .collect()
    }
}
