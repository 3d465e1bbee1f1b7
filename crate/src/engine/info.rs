//! Description of a loaded model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Transformer;
use crate::ops::KvType;
use hearth_modelfile::config::{ModelConfig, Similarity};
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::sampling::AdvisedSampling;
use hearth_modelfile::text::template::{ChatTemplate, ThoughtMarks, ToolStyle};
use hearth_modelfile::vision::Processor;

/// Describes the loaded model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ModelInfo {
    #[serde(flatten)]
    pub config: ModelConfig,
    /// Positions of the KV cache.
    pub n_ctx: usize,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of weights on the device.
    pub weight_bytes: u64,
    /// Bytes of KV cache on the device.
    pub kv_bytes: u64,
    /// Bytes of the states of recurrent layers on the device, and of the copies of them that prefix reuse keeps.
    pub state_bytes: u64,
    /// Storage type of the KV cache.
    pub kv_type: KvType,
    /// Syntax in which the model writes tool calls, if its chat template supports tools.
    pub tool_style: Option<ToolStyle>,
    /// Texts around the model's thoughts, if its chat template mentions thoughts.
    pub thought_marks: Option<ThoughtMarks>,
    /// Sampling that the model's makers advise, if its files say: the default of requests.
    pub sampling: Option<AdvisedSampling>,
    /// Rules by which the model wants its pictures prepared, if it sees.
    pub vision: Option<Processor>,
    /// Terms of probabilities from embeddings of pictures and texts, if the model compares them.
    pub similarity: Option<Similarity>,
    /// Number of tensors by storage type in the file.
    pub quants: BTreeMap<String, usize>,
}

impl ModelInfo {
    pub(crate) fn new(model: &Transformer, template: &ChatTemplate, gguf: &ModelHeader) -> Self {
        let mut quants = BTreeMap::new();
        for tensor in &gguf.tensors {
            *quants.entry(tensor.dtype.name().to_owned()).or_insert(0) += 1;
        }
        Self {
            n_ctx: model.n_ctx,
            kv_type: model.kv,
            tool_style: template.tool_style(),
            thought_marks: template.thought_marks().cloned(),
            parameters: (gguf.tensors.iter())
                .map(|tensor| tensor.shape.iter().product::<u64>())
                .sum(),
            weight_bytes: model.weight_bytes,
            sampling: AdvisedSampling::from_metadata(&gguf.metadata),
            kv_bytes: model.config.kv_bytes(model.n_ctx, model.kv),
            state_bytes: model.config.state_bytes(),
            vision: None,
            similarity: model.similarity,
            quants,
            config: model.config.clone(),
        }
    }
}
