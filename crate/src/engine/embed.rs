//! Embeddings: a text becomes one vector of length 1, and so does a picture in models that compare both.
//!
//! An encoder takes the whole text in one step, since every token sees every other one; a decoder takes it in chunks like a
//! prompt. Reference: Reimers & Gurevych 2019, arXiv:1908.10084.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::{Captions, Pooling};

/// A text or a picture to embed.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default)]
pub struct EmbedInput {
    /// The text, without special tokens. Either this, `ids` or `image`.
    pub text: Option<String>,
    /// All of its tokens, the special ones at its ends included.
    pub ids: Option<Vec<u32>>,
    /// The key of a picture that was added before.
    pub image: Option<String>,
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

/// The embedding of a text or a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embedding {
    /// [embedding_dim], or as many as were asked for, of length 1.
    pub values: Vec<f32>,
    /// Tokens of the text, those at its ends included; patches of the picture.
    pub tokens: usize,
}

impl Engine {
    /// Returns the embedding of a text or a picture.
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
        let captions = config.spec.captions;
        let (mut values, tokens) = match (&input.text, &input.ids, &input.image) {
            (Some(text), None, None) => {
                let ids = self.tokenizer.encode_whole(text)?;
                self.embed_ids(ids, pooling, captions, input.truncate)
                    .await?
            }
            (None, Some(ids), None) => {
                self.embed_ids(ids.clone(), pooling, captions, input.truncate)
                    .await?
            }
            (None, None, Some(key)) => self.embed_picture(key).await?,
            _ => {
                return Err(Error::InvalidRequest {
                    field: "input".into(),
                    expected: "a text, its tokens or a picture".into(),
                    found: "several of them, or none".into(),
                });
            }
        };
        if let Some(n) = input.dimensions.filter(|n| *n < width) {
            values.truncate(n);
            values = normalised(values);
        }
        Ok(Embedding { values, tokens })
    }

    /// Returns the embedding of a picture, and the number of its patches.
    async fn embed_picture(&mut self, key: &str) -> Result<(Vec<f32>, usize)> {
        let tower = self.tower.as_ref();
        if !tower.is_some_and(|tower| tower.vision.projector.embeds()) {
            return Err(Error::InvalidRequest {
                field: "input".into(),
                expected: "texts: this model makes no embeddings of pictures, or lacks the rules by which they are prepared (preprocessor_config.json)".into(),
                found: "a picture".into(),
            });
        }
        let values = normalised(self.picture_rows(key).await?);
        Ok((values, self.patches_of(key)))
    }

    /// Returns the embedding of a text's tokens, and their number.
    async fn embed_ids(
        &mut self,
        mut ids: Vec<u32>,
        pooling: Pooling,
        captions: Captions,
        truncate: bool,
    ) -> Result<(Vec<f32>, usize)> {
        let n_ctx = self.stepper.model.n_ctx;
        if !truncate {
            self.check_fits(ids.len())?;
        } else if ids.len() > n_ctx {
            let end = ids.last().copied().filter(|_| self.tokenizer.add_eos());
            ids.truncate(n_ctx - usize::from(end.is_some()));
            ids.extend(end);
        }
        self.idle().await;
        self.use_adapters(&[])?;
        self.check_ids("input", &ids)?;
        let tokens = ids.len();
        match captions {
            Captions::None => {}
            Captions::UpToEnd => {
                let end = ids.iter().position(|id| Some(*id) == self.tokenizer.eos());
                ids.truncate(end.map_or(tokens, |end| end + 1));
            }
            Captions::Padded => self.pad(&mut ids)?,
        }
        let values = match self.pooled(&ids, pooling).await {
            Ok(pooled) => self.projected(pooled).await,
            Err(error) => Err(error),
        };
        // The sequence holds this text now, and none of a conversation.
        self.clear();
        Ok((values?, tokens))
    }

    /// Fills a text with padding, which its tokens see.
    fn pad(&self, ids: &mut Vec<u32>) -> Result<()> {
        let model = &self.stepper.model;
        let n = model.config.n_ctx_train;
        if model.n_ctx < n {
            return Err(Error::InvalidRequest {
                field: "contextSize".into(),
                expected: format!("{n}: texts are padded to this length"),
                found: model.n_ctx.to_string(),
            });
        }
        let padding = self.tokenizer.pad().ok_or_else(|| Error::Tokenizer {
            message: "the files name no padding token (pad_token), which this model's texts are filled with".into(),
        })?;
        let missing = n.saturating_sub(ids.len());
        match self.tokenizer.pads_left() {
            true => drop(ids.splice(..0, vec![padding; missing])),
            false => ids.resize(n.max(ids.len()), padding),
        }
        Ok(())
    }

    /// Returns the embedding of pooled hidden states: [embedding_dim].
    async fn projected(&mut self, pooled: Vec<f32>) -> Result<Vec<f32>> {
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let (ops, dense) = (&stepper.model.ops, &stepper.model.dense);
        if dense.is_empty() {
            return Ok(normalised(pooled));
        }
        // (a sum of hidden states is as good as their mean, except where something is added to it; there it is of one)
        let values = match dense.iter().any(|(_, bias)| bias.is_some()) {
            true => pooled,
            false => normalised(pooled),
        };
        sequence.step.seek(ops, 0, 1);
        let mut x = ops.upload_row(&values);
        for (weight, bias) in dense {
            x = ops.linear(&x, weight, &sequence.step);
            if let Some(bias) = bias {
                x = ops.bias(x, bias, &sequence.step, None);
            }
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
