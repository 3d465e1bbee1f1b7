//! Resources that a model needs, and whether a device can run it, from the file's header alone.
//!
//! "Data, compute, algorithm": the bytes to fetch and to keep, the work per token, and the kind of model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::{DRAFT_ROWS, ModelConfig, SNAPSHOTS};
use crate::container::{Container, GgmlType, ModelHeader};
use crate::cost::Speed;
use crate::error::Error;
use crate::kv_type::KvType;
use crate::layer_spec::LayerSpec;
use crate::quant::block_format;
use crate::quant::quantize::widened;
use crate::sampling::AdvisedSampling;
use crate::vision::Vision;
use crate::weight_requests;

/// Everything that the header reveals.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "ModelReport"))]
pub struct Report {
    pub format: Container,
    pub architecture: String,
    pub name: String,
    /// The licence that the file states, if any.
    pub license: Option<String>,
    /// Number of weights.
    pub parameters: u64,
    /// Storage of the weights, by type.
    pub quants: BTreeMap<&'static str, QuantUse>,
    /// Bytes of the tensors in the file.
    pub tensor_bytes: u64,
    /// The context that the model was trained for.
    pub n_ctx_train: Option<u64>,
    /// Sampling that its makers advise, if the file says.
    pub sampling: Option<AdvisedSampling>,
    /// Whether the model can be run, and with which resources; or why not.
    #[serde(flatten)]
    pub run: Runs,
}

/// The part of a model that is stored in one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct QuantUse {
    pub tensors: u64,
    pub parameters: u64,
    pub bytes: u64,
}

/// Whether Hearth can run the model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    Budget(Box<Budget>),
    /// The error that loading it would return.
    Unsupported {
        #[cfg_attr(feature = "typescript", ts(type = "CoreErrorCode"))]
        code: &'static str,
        message: String,
        hint: &'static str,
    },
}

/// Resources needed to run a model.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Budget {
    pub config: ModelConfig,
    /// Positions that the memory and work below are computed for.
    pub n_ctx: usize,
    pub memory: Memory,
    pub token: Token,
    /// The verdict for the device in the options, if one was given.
    pub device: Option<Verdict>,
}

/// Bytes on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "MemoryUse"))]
pub struct Memory {
    /// Weights in the device's layout; within a few percent of the file's.
    pub weights: u64,
    /// The KV cache at `n_ctx`.
    pub kv: u64,
    /// The largest part of it that is bound at once: K or V of one layer.
    pub kv_binding: u64,
    /// States of recurrent layers, whatever the context, and the copies of them that prefix reuse keeps.
    pub state: u64,
    /// Working memory of a step, at most.
    pub scratch: u64,
    /// The tower of a model that sees, with what it works in; 0 for others.
    pub vision: u64,
    pub total: u64,
}

/// The work for one generated token, with the context full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "TokenWork"))]
pub struct Token {
    /// Multiplications and additions.
    pub flops: u64,
    /// Bytes read: each weight once, and the KV cache as far as each layer sees it.
    pub bytes: u64,
}

/// Whether a device can run a model, and how fast.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "DeviceVerdict"))]
pub struct Verdict {
    /// Nothing in the header rules it out. (Browsers do not reveal how much memory a GPU has.)
    pub fits: bool,
    /// The reason why it does not fit.
    pub reason: Option<String>,
    /// Tokens per second with the context full, if a bandwidth was given: as [`Verdict::speed`] predicts them, or
    /// where it does not, the upper bound that the bandwidth sets.
    pub tokens_per_second: Option<f64>,
    /// The cost model's prediction; absent without a bandwidth, and of models that do not generate.
    pub speed: Option<Speed>,
}

/// The limits that a model's tensors must respect.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "DeviceLimits"))]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub max_buffer_size: u64,
    pub max_storage_buffer_binding_size: u64,
    pub max_storage_buffers_per_shader_stage: u32,
    pub max_compute_workgroup_storage_size: u32,
}

/// Parameters of an inspection.
#[derive(Debug, Clone, Copy, Default)]
pub struct InspectOptions<'a> {
    /// Positions of the context; default: an engine's own default.
    pub context_size: Option<usize>,
    /// Bytes that the model may take, if known; they bound the default context.
    pub memory: Option<u64>,
    /// Storage type of the KV cache; default: f16.
    pub kv_type: Option<KvType>,
    pub device: Option<&'a Limits>,
    /// Bytes that the device reads per second, if known.
    pub bandwidth: Option<f64>,
    /// Microseconds between two launches of which one waits for the other, if known.
    pub launch_gap: Option<f64>,
}

/// Reports on a file's header.
pub fn inspect(gguf: &ModelHeader, options: InspectOptions<'_>) -> Report {
    let meta = &gguf.metadata;
    let text = |key: &str| meta.opt_str(key).ok().flatten().map(str::to_owned);
    let architecture = text("general.architecture").unwrap_or_default();
    let mut quants = BTreeMap::<_, QuantUse>::new();
    for tensor in &gguf.tensors {
        let entry = quants.entry(tensor.stored_type()).or_default();
        entry.tensors += 1;
        entry.parameters += elements(tensor.n_cols(), tensor.n_rows());
        entry.bytes += tensor.own_bytes();
    }
    let run = match budget(gguf, options) {
        Ok(budget) => Runs::Budget(Box::new(budget)),
        Err(error) => Runs::Unsupported {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
        },
    };
    let n_ctx_train = meta.opt_u32(&format!("{architecture}.context_length"));
    Report {
        format: gguf.container,
        name: text("general.name").unwrap_or_default(),
        license: text("general.license"),
        parameters: quants.values().map(|quant| quant.parameters).sum(),
        tensor_bytes: gguf.tensor_bytes(),
        sampling: AdvisedSampling::from_metadata(meta),
        n_ctx_train: n_ctx_train.ok().flatten().map(u64::from),
        architecture,
        quants,
        run,
    }
}

fn elements(cols: u64, rows: u64) -> u64 {
    cols.saturating_mul(rows)
}

fn budget(gguf: &ModelHeader, options: InspectOptions<'_>) -> Result<Budget, Error> {
    let config = ModelConfig::from_gguf(gguf)?;
    let c = &config;
    let n_ctx = c.context(options.context_size, gguf.kept_bytes(), options.memory);
    let kv_type = options.kv_type.unwrap_or(KvType::F16);
    let requests = weight_requests::tensors(gguf, c);
    weight_requests::check_unread(gguf, c, &requests)?;
    let (matrices, vectors) = requests;
    let tensors = gguf.by_name();
    let names = c.spec.names;
    // (an encoder has no head at all)
    let tied = c.spec.causal && gguf.tensor(names.lm_head).is_none();
    let (mut weights, mut read, mut active) = (0u64, 0u64, 0u64);
    for matrix in &matrices {
        for (name, rows) in &matrix.parts {
            let info = tensors
                .get(name.as_str())
                .ok_or_else(|| Error::MissingTensor { name: name.clone() })?;
            let bytes = device_bytes(info.dtype, name, matrix.cols, *rows)?;
            weights = weights.saturating_add(bytes);
            // A token reads one row of an untied embedding, and only the experts it is routed to.
            let (used, of) = match matrix.experts {
                _ if name == names.position_embd || name == names.per_layer_embd => (0, 1),
                _ if name == names.token_embd && !tied => (0, 1),
                _ if matrix.by_head => (1, 1),
                1 => (1, 1),
                experts => (c.n_experts_used as u64, experts as u64),
            };
            read = read.saturating_add(bytes / of * used);
            let elements = elements(matrix.cols as u64, *rows as u64);
            active = active.saturating_add(elements / of * used);
        }
    }
    if let Some(name) = vectors
        .iter()
        .find(|name| !tensors.contains_key(name.as_str()))
    {
        return Err(Error::MissingTensor { name: name.clone() });
    }
    let kv = c.kv_bytes(n_ctx, kv_type);
    let state = c.state_bytes();
    let wide = |a: usize, b: usize| a as u64 * b as u64;
    let scratch = 4 * (wide(DRAFT_ROWS, c.vocab_size) + wide(c.longest_chunk(), c.widest()));
    let vision = match &gguf.tower {
        Some(tower) => vision_bytes(tower, &config)?,
        None => 0,
    };
    let memory = Memory {
        weights,
        kv,
        kv_binding: c.largest_cache(n_ctx, kv_type),
        state,
        scratch,
        vision,
        total: [weights, kv, state, scratch, vision]
            .into_iter()
            .fold(0, u64::saturating_add),
    };
    let queries: usize = c.layers.iter().map(LayerSpec::q_dim).sum();
    let attention = 4 * wide(queries, n_ctx);
    let token = Token {
        flops: active.saturating_mul(2).saturating_add(attention),
        // (the state is written as well)
        bytes: read
            .saturating_add(c.kv_bytes_read(n_ctx, kv_type))
            .saturating_add(2 * state / (1 + SNAPSHOTS as u64)),
    };
    let device = options
        .device
        .map(|device| verdict(gguf, c, n_ctx, kv_type, device));
    let device = match (device, options.bandwidth) {
        (None, None) => None,
        (verdict, bandwidth) => {
            let mut verdict = verdict.unwrap_or(Verdict {
                fits: true,
                reason: None,
                tokens_per_second: None,
                speed: None,
            });
            verdict.tokens_per_second = bandwidth.map(|b| b / token.bytes as f64);
            Some(verdict)
        }
    };
    Ok(Budget {
        n_ctx,
        memory,
        token,
        device,
        config,
    })
}

/// Returns the bytes of a tower on the device, with those of a frame in it.
fn vision_bytes(tower: &ModelHeader, text: &ModelConfig) -> Result<u64, Error> {
    let vision = Vision::from_header(tower)?;
    vision.check_text(text)?;
    let (matrices, _) = vision.requests(tower);
    let tensors = tower.by_name();
    let (c, patches) = (&vision.layers, vision.most_patches() as u64);
    let of_patches = 4 * c.d_model as u64 * vision.patch_values as u64;
    let hidden = c.d_ff * if c.spec.gated { 3 } else { 1 };
    let scratch = 4 * patches * (vision.patch_values + 8 * c.d_model + hidden) as u64;
    let mut bytes = of_patches.saturating_add(scratch);
    for matrix in &matrices {
        for (name, rows) in &matrix.parts {
            let info = (tensors.get(name.as_str()))
                .ok_or_else(|| Error::MissingTensor { name: name.clone() })?;
            bytes = bytes.saturating_add(device_bytes(info.dtype, name, matrix.cols, *rows)?);
        }
    }
    Ok(bytes)
}

/// Returns the bytes of a tensor on the device.
fn device_bytes(dtype: GgmlType, name: &str, cols: usize, rows: usize) -> Result<u64, Error> {
    let packing = block_format(widened(dtype, cols), name)?.packing();
    let words = packing.quant_words_per_block() + packing.scale_words_per_block();
    // Widened first: the product would overflow WebAssembly's usize.
    let factors = [4, rows, packing.blocks_per_row(cols), words].map(|n| n as u64);
    let bytes = factors.into_iter().fold(1, u64::saturating_mul);
    Ok(bytes.saturating_add(2 * packing.grid().len() as u64))
}

/// Checks whether the device can run the model.
fn verdict(
    gguf: &ModelHeader,
    c: &ModelConfig,
    n_ctx: usize,
    kv_type: KvType,
    device: &Limits,
) -> Verdict {
    let binding = device.max_storage_buffer_binding_size;
    let cache = c.largest_cache(n_ctx, kv_type);
    let row = (gguf.tensors.iter())
        .map(|tensor| tensor.own_bytes() / tensor.n_rows().max(1))
        .max();
    let reason = if cache > binding {
        Some(format!(
            "the KV cache of a layer takes {cache} bytes and the device binds {binding}"
        ))
    } else if row.unwrap_or(0) > binding {
        Some(format!("a row of a weight does not fit {binding} bytes"))
    } else {
        None
    };
    Verdict {
        fits: reason.is_none(),
        reason,
        tokens_per_second: None,
        speed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hostile header may claim any shape; on WebAssembly, where usize has 32 bits, an ordinary one suffices.
    #[test]
    fn bytes_do_not_wrap_around() {
        let bytes = |cols, rows| device_bytes(GgmlType::F32, "w", cols, rows).unwrap();
        assert_eq!(bytes(1 << 20, 1 << 20), 1 << 42);
        assert_eq!(bytes(1 << 31, 1 << 33), u64::MAX);
    }
}
