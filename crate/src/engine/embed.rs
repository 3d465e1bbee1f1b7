//! Embeddings: a text becomes one vector of length 1, and so does a picture in models that compare both.
//!
//! An encoder takes the whole text in one step, since every token sees every other one, and several short texts at once; a
//! decoder takes a text in chunks like a prompt. Reference: Reimers & Gurevych 2019, arXiv:1908.10084.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::engine::stepper::chunk::rows_of;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::{Captions, Pooling};
use hearth_modelfile::layer_spec::{LayerSpec, MixerKind};

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
        let pooling = self.pooling()?;
        self.check_dimensions(input)?;
        if let (None, None, Some(key)) = (&input.text, &input.ids, &input.image) {
            let values = self.picture_vector(key).await?;
            return Ok(embedding(values, self.patches_of(key), input));
        }
        let ids = self.ids_of(input)?;
        let vectors = self.vectors(std::slice::from_ref(&ids), pooling).await?;
        Ok(embedding(vectors.concat(), ids.len(), input))
    }

    /// Returns the embeddings of the first of several inputs: of as many as one step takes, and of one at least. Short texts of an
    /// encoder share a step, in which none sees another; a decoder takes one text at a time, and a tower one picture.
    ///
    /// # Errors
    /// Errors of [`Engine::embed`], for the first input. A later one that has an error ends the step before it.
    pub async fn embed_first(&mut self, inputs: &[EmbedInput]) -> Result<Vec<Embedding>> {
        if let Some(first) = inputs.first().filter(|first| first.image.is_some()) {
            return Ok(vec![self.embed(first).await?]);
        }
        let pooling = self.pooling()?;
        let (n_ctx, longest) = (self.stepper.model.n_ctx, self.longest_of_several());
        let mut texts: Vec<Vec<u32>> = Vec::new();
        let mut tokens = 0;
        for input in inputs {
            let ids = match self.ids_of(input) {
                Ok(ids) => ids,
                Err(error) if texts.is_empty() => return Err(error),
                Err(_) => break,
            };
            let fits = ids.len() <= longest && tokens + ids.len() <= n_ctx;
            if !(texts.is_empty() || fits) {
                break;
            }
            tokens += ids.len();
            let is_short = ids.len() <= longest;
            texts.push(ids);
            if !is_short {
                break;
            }
        }
        let vectors = self.vectors(&texts, pooling).await?;
        let found = vectors.into_iter().zip(&texts).zip(inputs);
        Ok(found
            .map(|((values, ids), input)| embedding(values, ids.len(), input))
            .collect())
    }

    /// Returns the method by which the model's hidden states become an embedding.
    fn pooling(&self) -> Result<Pooling> {
        let config = &self.stepper.model.config;
        (config.pooling.filter(|pooling| *pooling != Pooling::Rank)).ok_or_else(|| {
            Error::InvalidRequest {
                field: "model".into(),
                expected: "one that is made for embeddings".into(),
                found: config.name.clone(),
            }
        })
    }

    fn check_dimensions(&self, input: &EmbedInput) -> Result<()> {
        let width = self.stepper.model.config.embedding_dim;
        match input.dimensions {
            Some(n) if !(1..=width).contains(&n) => Err(Error::InvalidRequest {
                field: "dimensions".into(),
                expected: format!("1 to {width}, the model's"),
                found: n.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Returns the embedding of a picture.
    async fn picture_vector(&mut self, key: &str) -> Result<Vec<f32>> {
        let tower = self.tower.as_ref();
        if !tower.is_some_and(|tower| tower.vision.projector.embeds()) {
            return Err(Error::InvalidRequest {
                field: "input".into(),
                expected: "texts: this model makes no embeddings of pictures, or lacks the rules by which they are prepared (preprocessor_config.json)".into(),
                found: "a picture".into(),
            });
        }
        Ok(normalised(self.picture_rows(key).await?))
    }

    /// Returns the tokens of a text, those at its ends included, and no more than the context takes.
    fn ids_of(&self, input: &EmbedInput) -> Result<Vec<u32>> {
        self.check_dimensions(input)?;
        let mut ids = match (&input.text, &input.ids, &input.image) {
            (Some(text), None, None) => self.tokenizer.encode_whole(text)?,
            (None, Some(ids), None) => ids.clone(),
            _ => {
                return Err(Error::InvalidRequest {
                    field: "input".into(),
                    expected: "a text, its tokens or a picture".into(),
                    found: "several of them, or none".into(),
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
        self.check_ids("input", &ids)?;
        Ok(ids)
    }

    /// Returns the tokens of the longest text that may share a step with others; 0 if none may.
    ///
    /// Tokens of an encoder see whole texts, so that the ranges of a step are all that keeps texts apart, as long as no layer's window
    /// is shorter than a text.
    fn longest_of_several(&self) -> usize {
        let model = &self.stepper.model;
        let layers = &model.config.layers;
        let attend = |layer: &LayerSpec| layer.mixer == MixerKind::Attention;
        let is_caption = model.config.spec.captions != Captions::None;
        if is_caption || model.config.spec.causal || !layers.iter().all(attend) {
            return 0;
        }
        let windows = layers.iter().map(|layer| layer.window);
        let shortest = windows.filter(|window| *window > 0).min();
        shortest.map_or(model.n_ctx, |window| window.min(model.n_ctx))
    }

    /// Returns the embeddings of texts that share a step, or of one: [embedding_dim] each.
    async fn vectors(&mut self, texts: &[Vec<u32>], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
        self.idle().await;
        self.use_adapters(&[])?;
        let pooled = match texts {
            [] => Ok(Vec::new()),
            [ids] => {
                let ids = self.as_caption(ids.clone())?;
                self.pooled(&ids, pooling).await.map(|pooled| vec![pooled])
            }
            _ => self.pooled_apart(texts, pooling).await,
        };
        let found = match pooled {
            Ok(pooled) => self.projected(pooled).await,
            Err(error) => Err(error),
        };
        // The sequence holds these texts now, and none of a conversation.
        self.clear();
        found
    }

    /// Returns what a model that compares texts with pictures reads of a text: its tokens up to the first end, or padding too.
    fn as_caption(&self, mut ids: Vec<u32>) -> Result<Vec<u32>> {
        match self.stepper.model.config.spec.captions {
            Captions::None => {}
            Captions::UpToEnd => {
                let end = ids.iter().position(|id| Some(*id) == self.tokenizer.eos());
                ids.truncate(end.map_or(ids.len(), |end| end + 1));
            }
            Captions::Padded => self.pad(&mut ids)?,
        }
        Ok(ids)
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

    /// Returns the embeddings of pooled hidden states: [embedding_dim] each.
    async fn projected(&mut self, pooled: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let (ops, dense) = (&stepper.model.ops, &stepper.model.dense);
        // (a sum of hidden states is as good as their mean, except where something is added to it; there it is of one)
        let values: Vec<Vec<f32>> = match dense.iter().any(|(_, bias)| bias.is_some()) {
            true => pooled,
            false => pooled.into_iter().map(normalised).collect(),
        };
        let Some(first) = values.first().filter(|_| !dense.is_empty()) else {
            return Ok(values);
        };
        let (n, rows) = (values.len(), rows_of(values.len()));
        let mut flat = values.concat();
        flat.resize(rows * first.len(), 0.0);
        let mut x = ops.upload_f32(&flat, [rows, first.len()]);
        sequence.step.seek(ops, 0, n);
        for (weight, bias) in dense {
            x = ops.linear(&x, weight, &sequence.step);
            if let Some(bias) = bias {
                x = ops.bias(x, bias, &sequence.step, None);
            }
        }
        let width = x.dims()[1];
        let found = stepper.values(&x).await?;
        let vectors = found.chunks_exact(width).take(n);
        Ok(vectors.map(|row| normalised(row.to_vec())).collect())
    }

    /// Returns the hidden states of several texts in one step, each pooled: [d_model].
    async fn pooled_apart(
        &mut self,
        texts: &[Vec<u32>],
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>> {
        self.clear();
        let (stepper, sequence) = (&mut self.stepper, &mut self.sequence);
        let (lens, ids) = (
            texts.iter().map(Vec::len).collect::<Vec<_>>(),
            texts.concat(),
        );
        let rows = rows_of(ids.len());
        (sequence.step).set_texts(&stepper.model.ops, &lens, rows);
        let run = stepper.run_chunk_in_slices(sequence, 0, &ids).await;
        sequence.step.set_texts(&stepper.model.ops, &[], 0);
        let hidden = stepper.model.hidden(&run?, &sequence.step);
        let values = stepper.values(&hidden).await?;
        let width = stepper.model.config.d_model;
        let mut rows = values.chunks_exact(width);
        let pool = |n: usize| {
            let text: Vec<&[f32]> = rows.by_ref().take(n).collect();
            let wanted = match pooling {
                Pooling::Mean => 0..n,
                Pooling::Cls => 0..1,
                Pooling::Last | Pooling::Rank => n - 1..n,
            };
            let mut sum = vec![0.0; width];
            for row in &text[wanted] {
                add(&mut sum, row);
            }
            sum
        };
        Ok(lens.into_iter().map(pool).collect())
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
                add(&mut sum, row);
            }
        }
        Ok(sum)
    }
}

fn add(sum: &mut [f32], row: &[f32]) {
    for (sum, v) in sum.iter_mut().zip(row) {
        *sum += v;
    }
}

/// Returns an embedding of as many dimensions as were asked for.
fn embedding(mut values: Vec<f32>, tokens: usize, input: &EmbedInput) -> Embedding {
    if let Some(n) = input.dimensions.filter(|n| *n < values.len()) {
        values.truncate(n);
        values = normalised(values);
    }
    Embedding { values, tokens }
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
