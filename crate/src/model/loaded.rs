//! The loaded weights and vectors of a file, from which a transformer is built.

use burn::tensor::Tensor;

use crate::ops::{Norm, NormSpec, Ops, Weight};
use crate::weights::builder::WeightBuilder;
use crate::weights::plan::LoadPlan;
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::error::{Error, Result};
use hearth_modelfile::families::names::{bias_of, of_expert, of_head};

/// Sources from which a transformer is built.
pub(crate) struct LoadedTensors<'a> {
    pub(crate) plan: &'a LoadPlan,
    pub(crate) c: &'a ModelConfig,
    pub(crate) ops: &'a Ops,
}

impl LoadedTensors<'_> {
    pub(crate) fn matrix(&self, name: &str) -> Result<Weight> {
        self.plan.matrix(name).map(WeightBuilder::weight)
    }

    /// Returns the weight of all experts, whether the file stores them together or separately.
    pub(crate) fn experts(&self, name: &str) -> Result<Weight> {
        let together = self.matrix(name);
        together.or_else(|_| self.matrix(&of_expert(name, 0)))
    }

    pub(crate) fn values(&self, name: &str, len: usize) -> Result<&[f32]> {
        let values = self.plan.vector(name)?;
        match values.len() == len {
            true => Ok(values),
            false => Err(Error::TensorShape {
                name: name.to_owned(),
                expected: vec![len as u64],
                found: vec![values.len() as u64],
            }),
        }
    }

    /// Returns a vector that not every file has.
    pub(crate) fn if_there(&self, name: &str, len: usize) -> Result<Option<&[f32]>> {
        match self.plan.vector(name) {
            Ok(_) => self.values(name, len).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(crate) fn optional(&self, name: &str, len: usize) -> Result<Option<Tensor<2>>> {
        let values = self.if_there(name, len)?;
        Ok(values.map(|values| self.ops.upload_row(values)))
    }

    /// Returns the factors of a norm.
    pub(crate) fn gains(&self, name: &str, len: usize) -> Result<Vec<f32>> {
        let values = self.values(name, len)?.iter();
        Ok(values.map(|v| v + self.c.norm_offset).collect())
    }

    /// Returns the factors of a norm that may have a tensor for each of `heads` heads.
    pub(crate) fn gains_of_heads(&self, name: &str, len: usize, heads: usize) -> Result<Vec<f32>> {
        if self.plan.vector(&of_head(name, 0)).is_err() {
            return self.gains(name, len);
        }
        let mut all = Vec::with_capacity(len);
        for head in 0..heads {
            all.extend(self.gains(&of_head(name, head), len / heads)?);
        }
        Ok(all)
    }

    pub(crate) fn norm(&self, name: &str) -> Result<Norm> {
        self.norm_scaled(name, self.c.d_model, None)
    }

    /// Returns a norm whose output is multiplied by `factor`; without LayerNorm.
    pub(crate) fn norm_times(&self, name: &str, factor: f32) -> Result<Norm> {
        if factor == 1.0 {
            return self.norm(name);
        }
        let gains = self.gains(name, self.c.d_model)?.into_iter();
        let gains: Vec<f32> = gains.map(|gain| factor * gain).collect();
        Ok(Norm {
            weight: self.ops.upload_row(&gains),
            spec: NormSpec::rms(self.c.eps),
        })
    }

    /// Returns a norm of `cols` columns at a time, after which the sum with the residual is multiplied by `factor`.
    pub(crate) fn norm_scaled(&self, name: &str, cols: usize, factor: Option<f32>) -> Result<Norm> {
        let c = self.c;
        let mut weight = self.gains(name, cols)?;
        if let Some(factor) = factor {
            weight.extend([factor, 0.0, 0.0, 0.0]);
        }
        if c.spec.layer_norm {
            match self.if_there(&bias_of(name), c.d_model)? {
                Some(bias) => weight.extend(bias),
                None => weight.resize(2 * c.d_model, 0.0),
            }
        }
        Ok(Norm {
            weight: self.ops.upload_row(&weight),
            spec: NormSpec {
                centred: c.spec.layer_norm,
                scaled: factor.is_some(),
                ..NormSpec::rms(c.eps)
            },
        })
    }
}
