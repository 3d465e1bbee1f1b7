//! The launches of a step of a model, from its file's header: the model's own code over ops that only describe.

use crate::model::build;
use crate::model::state::LayerState;
use crate::model::transformer::Transformer;
use crate::ops::outline::{Launch, Situation};
use crate::ops::sampling::draft::ROWS;
use crate::ops::{KvType, Ops, SamplerTables, StepState, Tuning};
use crate::weights::plan::LoadPlan;
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::ModelHeader;
use hearth_modelfile::error::Result;
use hearth_modelfile::quant::quantize::Quantize;

/// Bytes of a loaded model on its device, by what is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    pub weights: u64,
    /// Keys and values, or latents.
    pub kv: u64,
    /// States of fixed size, without the copies of them that a sequence makes.
    pub states: u64,
}

/// Returns what loading a model allocates, from its header: the sizes of its weights and of an empty sequence's memory.
///
/// # Errors
/// As [`outline`].
pub fn allocated(gguf: &ModelHeader, options: OutlineOptions) -> Result<Allocated> {
    let model = transformer(gguf, options, BINDING, None)?;
    let states = model.new_states();
    let kv = states.iter().filter_map(LayerState::kv);
    let words = kv.map(|cache| (cache.words_per_position(model.n_ctx) * model.n_ctx) as u64);
    let recurrent = states.iter().filter_map(LayerState::recurrent);
    Ok(Allocated {
        weights: model.weight_bytes,
        kv: 4 * words.sum::<u64>(),
        states: 4 * recurrent.map(|state| state.len() as u64).sum::<u64>(),
    })
}

/// Builds the model over ops that only describe.
fn transformer(
    gguf: &ModelHeader,
    options: OutlineOptions,
    binding: u64,
    quantize: Option<Quantize>,
) -> Result<Transformer> {
    let config = ModelConfig::from_gguf(gguf)?;
    let n_ctx = config.context(options.context_size, gguf.kept_bytes(), None);
    let situation = Situation {
        positions: options.positions.unwrap_or(n_ctx).clamp(1, n_ctx),
        filters: options.filters,
    };
    let ops = Ops::outline(options.tuning, situation);
    let mut plan = LoadPlan::new(gguf, &config, &ops, binding, quantize)?;
    plan.blank_vectors(gguf)?;
    build::transformer(&plan, gguf, config, ops, n_ctx, options.kv_type)
}

/// Largest storage binding that is assumed: that of desktop browsers.
const BINDING: u64 = (1 << 31) - 4;

/// The kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One token, after which the next is sampled.
    Decode,
    /// The last token and drafts, each of which is sampled.
    Drafts,
    /// This many tokens of a prompt, after the last of which the first of the answer is sampled.
    Prefill(usize),
}

/// A model's step on a device.
#[derive(Debug, Clone, Copy)]
pub struct OutlineOptions {
    pub tuning: Tuning,
    pub step: Step,
    /// Positions that the KV cache has room for; default: an engine's own default.
    pub context_size: Option<usize>,
    pub kv_type: KvType,
    /// Positions in use, if not all, and the sampler's work.
    pub positions: Option<usize>,
    pub filters: bool,
}

/// Returns the launches of a step, in order. An encoder's step ends with its last layer.
///
/// # Errors
/// The errors of loading the model, as far as its header shows them.
pub fn outline(gguf: &ModelHeader, options: OutlineOptions) -> Result<Vec<Launch>> {
    outline_as_loaded(gguf, options, BINDING, None)
}

/// Returns the launches of a step on a device with storage bindings of up to `binding` bytes, for weights quantised at
/// load to `quantize`.
///
/// # Errors
/// As [`outline`].
pub(crate) fn outline_as_loaded(
    gguf: &ModelHeader,
    options: OutlineOptions,
    binding: u64,
    quantize: Option<Quantize>,
) -> Result<Vec<Launch>> {
    let (rows, draft_rows) = match options.step {
        Step::Decode => (1, None),
        Step::Drafts => (ROWS, Some(ROWS)),
        Step::Prefill(tokens) => (tokens.max(2), None),
    };
    let model = transformer(gguf, options, binding, quantize)?;
    let (ops, n_ctx) = (&model.ops, model.n_ctx);
    let (vocab, causal) = (model.config.vocab_size, model.config.spec.causal);
    let (mut step, mut states) = (StepState::new(ops, rows), model.new_states());
    if causal {
        let mut tables = SamplerTables::new(ops, vocab, n_ctx);
        let logits = draft_rows.map(|rows| ops.empty(rows, vocab));
        model.sampled_step(&mut step, &mut states, &mut tables, rows, logits);
    } else {
        model.forward(&step, &mut states, rows);
    }
    Ok(ops.take_outline())
}
