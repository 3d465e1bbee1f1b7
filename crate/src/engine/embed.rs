//! Embeddings: a text becomes one vector of length 1.
//!
//! An encoder takes the whole text in one step, since every token sees every other one; a decoder takes it in chunks like a
//! prompt. Reference: Reimers & Gurevych 2019, arXiv:1908.10084.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::Pooling;

/// A text to embed.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default)]
pub struct EmbedInput {
    /// The text, without special tokens. Either this or `ids`.
    pub text: Option<String>,
    /// All of its tokens, the special ones at its ends included.
    pub ids: Option<Vec<u32>>,
    /// Cuts what is longer than the context instead of refusing it; the token at its end stays.
    #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
    pub truncate: bool,
    /// Keeps that many of the embedding's numbers, the first ones, and normalises them again (Matryoshka embeddings).
    pub dimensions: Option<usize>,
}

impl EmbedInput {
    /// Returns the input of a text that must fit the context.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }
}

/// A text's embedding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embedding {
    /// [embedding_dim], or as many as were asked for, of length 1.
    pub values: Vec<f32>,
    /// Tokens of the text, those at its ends included.
    pub tokens: usize,
}

impl Engine {
    /// Returns the embedding of a text.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] if the model is not made for this, for more dimensions than the model's, and for ids that the
    /// model lacks; [`Error::ContextOverflow`]; the device's errors.
    pub async fn embed(&mut self, input: &EmbedInput) -> Result<Embedding> {
        let config = &self.stepper.model.config;
        let Some(pooling) = config.pooling.filter(|pooling| *pooling != Pooling::Rank) else {
            return Err(Error::InvalidRequest {
                field: "model".into(),
                expected: "one that is made for embeddings".into(),
                found: config.name.clone(),
            });
        };
        let width = config.embedding_dim;
        if let Some(n) = input.dimensions
            && !(1..=width).contains(&n)
        {
            return Err(Error::InvalidRequest {
                field: "dimensions".into(),
                expected: format!("1 to {width}, the model's"),
                found: n.to_string(),
            });
        }
        let mut ids = match (&input.text, &input.ids) {
            (Some(text), None) => self.tokenizer.encode_whole(text)?,
            (None, Some(ids)) => ids.clone(),
            _ => {
                return Err(Error::InvalidRequest {
                    field: "input".into(),
                    expected: "a text or its tokens".into(),
                    found: "both, or neither".into(),
                });
            }
        };
        let n_ctx = self.stepper.model.n_ctx;
        if !input.truncate {
            self.check_fits(ids.len())?;
        } else if ids.len() > n_ctx {
            let end = ids.last().copied().filter(|_| self.tokenizer.add_eos());
            ids.truncate(n_ctx - usize::from(end.is_some()));
            ids.extend(end);
        }
        self.idle().await;
        self.use_adapters(&[])?;
        self.check_ids("input", &ids)?;
        let values = match self.pooled(&ids, pooling).await {
            Ok(pooled) => self.projected(pooled).await,
            Err(error) => Err(error),
        };
        // The sequence holds this text now, and none of a conversation.
        self.clear();
        let mut values = values?;
        if let Some(n) = input.dimensions.filter(|n| *n < width) {
            values.truncate(n);
            values = normalised(values);
        }
        Ok(Embedding {
            values,
            tokens: ids.len(),
        })
    }

    /// Returns the embedding of pooled hidden states: [embedding_dim].
    async fn projected(&mut self, pooled: Vec<f32>) -> Result<Vec<f32>> {
        let values = normalised(pooled);
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let (ops, dense) = (&stepper.model.ops, &stepper.model.dense);
        if dense.is_empty() {
            return Ok(values);
        }
        sequence.step.seek(ops, 0, 1);
        let mut x = ops.upload_row(&values);
        for weight in dense {
            x = ops.linear(&x, weight, &sequence.step);
        }
        Ok(normalised(stepper.values(&x).await?))
    }

    /// Returns the hidden states of `ids`, pooled: [d_model].
    pub(super) async fn pooled(&mut self, ids: &[u32], pooling: Pooling) -> Result<Vec<f32>> {
        self.clear();
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let width = stepper.model.config.d_model;
        let chunk = match stepper.model.config.spec.causal {
            true => stepper.model.ops.tuning().chunk,
            false => ids.len(),
        };
        let mut sum = vec![0.0; width];
        let mut at = 0;
        for ids_of_chunk in ids.chunks(chunk) {
            let x = (stepper.run_chunk_in_slices(sequence, at, ids_of_chunk)).await?;
            at += ids_of_chunk.len();
            let wanted = match pooling {
                Pooling::Mean => 0..ids_of_chunk.len(),
                Pooling::Cls if at == ids_of_chunk.len() => 0..1,
                Pooling::Last if at == ids.len() => ids_of_chunk.len() - 1..ids_of_chunk.len(),
                Pooling::Cls | Pooling::Last | Pooling::Rank => continue,
            };
            let hidden = stepper.model.hidden(&x, &sequence.step);
            let rows = stepper.values(&hidden).await?;
            for row in rows.chunks_exact(width).take(wanted.end).skip(wanted.start) {
                for (sum, v) in sum.iter_mut().zip(row) {
                    *sum += v;
                }
            }
        }
        Ok(sum)
    }
}

/// Scales a vector to length 1. (So the mean need not be divided by the number of tokens.)
fn normalised(mut values: Vec<f32>) -> Vec<f32> {
    let squares: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let length = squares.sqrt().max(1e-12) as f32;
    for v in &mut values {
        *v /= length;
    }
    values
}
