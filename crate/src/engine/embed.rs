//! Embeddings: a text becomes one vector of length 1.
//!
//! An encoder takes the whole text in one step, since every token sees every other one; a decoder takes it in chunks like a
//! prompt. Reference: Reimers & Gurevych 2019, arXiv:1908.10084.

use serde::Serialize;

use crate::engine::Engine;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::Pooling;

/// A text's embedding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embedding {
    /// [embedding_dim], of length 1.
    pub values: Vec<f32>,
    /// Tokens of the text, those at its ends included.
    pub tokens: usize,
}

impl Engine {
    /// The embedding of `text`. One that is longer than the context is refused, or cut with `truncate`; the token at its end
    /// stays.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] where the model is not made for this, [`Error::ContextOverflow`], what the device says.
    pub async fn embed(&mut self, text: &str, truncate: bool) -> Result<Embedding> {
        let config = &self.stepper.model.config;
        let Some(pooling) = config.pooling else {
            return Err(Error::InvalidRequest {
                field: "model".into(),
                expected: "one that is made for embeddings".into(),
                found: config.name.clone(),
            });
        };
        let mut ids = self.tokenizer.encode_whole(text)?;
        let n_ctx = self.stepper.model.n_ctx;
        if !truncate {
            self.check_fits(ids.len())?;
        } else if ids.len() > n_ctx {
            let end = ids.last().copied().filter(|_| self.tokenizer.add_eos());
            ids.truncate(n_ctx - usize::from(end.is_some()));
            ids.extend(end);
        }
        self.idle().await;
        self.check_ids("input", &ids)?;
        let values = match self.pooled(&ids, pooling).await {
            Ok(pooled) => self.projected(pooled).await,
            Err(error) => Err(error),
        };
        // The sequence holds this text now, and none of a conversation.
        self.clear();
        Ok(Embedding {
            values: values?,
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
    async fn pooled(&mut self, ids: &[u32], pooling: Pooling) -> Result<Vec<f32>> {
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
                Pooling::Cls | Pooling::Last => continue,
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
