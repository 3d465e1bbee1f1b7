//! Plain objects that JavaScript hands to [`crate::web`] or receives from it, where the core's own types differ.
//!
//! They are compiled natively too, so that a test can write their TypeScript (tests/tests/native/contract).

use serde::{Deserialize, Serialize};

use crate::device::DeviceOptions;
use crate::device::tune::DeviceProfile;
use crate::engine::{Drafts, Stats};
use crate::load::LoadOptions;
use crate::ops::{Arithmetic, KvType};
use hearth_modelfile::budget::InspectOptions;
use hearth_modelfile::container::overrides::Overrides;
use hearth_modelfile::quant::quantize::Quantize;

/// Restrictions on a device, and measurements of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "DeviceOptions", optional_fields))]
#[serde(default)]
pub struct OpenOptions {
    /// `"adapter"` requests everything the adapter supports, `"default"` WebGPU's guaranteed limits.
    #[cfg_attr(
        feature = "typescript",
        ts(type = "\"adapter\" | \"default\"", optional)
    )]
    pub limits: Option<String>,
    /// `"none"` disables optional features even where they are supported.
    #[cfg_attr(feature = "typescript", ts(type = "\"all\" | \"none\"", optional))]
    pub features: Option<String>,
    /// Arithmetic in which decode multiplies block formats, overriding the one measured to be fastest.
    pub arithmetic: Option<Arithmetic>,
    /// Earlier measurements of this adapter, which are then not repeated. Default: those that the package has stored.
    pub tuning: Option<DeviceProfile>,
}

impl OpenOptions {
    /// Converts the options for the CPU or a GPU.
    pub fn for_device(self, cpu: bool) -> DeviceOptions {
        DeviceOptions {
            cpu,
            default_limits: self.limits.as_deref() == Some("default"),
            no_features: self.features.as_deref() == Some("none"),
            arithmetic: self.arithmetic,
            measured: self.tuning,
            timestamps: false,
        }
    }
}

/// Options of a load.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default, rename_all = "camelCase")]
pub struct LoaderOptions {
    /// Length of the KV cache in tokens.
    pub context_size: Option<usize>,
    /// Storage type of the KV cache.
    pub kv_type: Option<KvType>,
    /// Bytes that the model may take, if known; they bound the default context.
    pub memory: Option<f64>,
    /// Length of the file, if it is known.
    pub total_bytes: Option<f64>,
    /// When to draft tokens. Default `"auto"`.
    #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
    pub drafts: Drafts,
    /// Storage type to which float weights are quantised. Default: they are kept.
    pub quantize: Option<Quantize>,
    /// Whether the model's bytes are summed on their way, so that conversations can be saved.
    #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
    pub fingerprint: bool,
    /// Most conversations whose caches stay in memory at once. Default 1.
    pub conversations: Option<usize>,
    /// Values that take the place of what the model's files say.
    #[cfg_attr(feature = "typescript", ts(as = "Option<_>", optional))]
    pub overrides: Overrides,
}

impl From<LoaderOptions> for LoadOptions {
    fn from(options: LoaderOptions) -> Self {
        LoadOptions {
            compile_ahead: None,
            context_size: options.context_size,
            memory: options.memory.map(|n| n as u64),
            kv_type: options.kv_type,
            total_bytes: options.total_bytes.map(|n| n as u64),
            drafts: options.drafts,
            quantize: options.quantize,
            fingerprint: options.fingerprint,
            conversations: options.conversations,
        }
    }
}

/// Parameters of an inspection.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(optional_fields))]
#[serde(default, rename_all = "camelCase")]
pub struct InspectorOptions {
    /// Length of the KV cache in tokens.
    pub context_size: Option<usize>,
    /// Storage type of the KV cache.
    pub kv_type: Option<KvType>,
    /// Bytes that the model may take, if known; they bound the default context.
    pub memory: Option<f64>,
    /// Memory bandwidth of the device in bytes per second; with it, the report predicts tokens per second.
    pub bandwidth: Option<f64>,
    /// Microseconds between two launches of which one waits for the other. Default: those of a device with this
    /// bandwidth.
    pub launch_gap: Option<f64>,
}

impl InspectorOptions {
    /// Converts the options for an inspection without a device.
    pub fn without_device(&self) -> InspectOptions<'static> {
        InspectOptions {
            context_size: self.context_size,
            memory: self.memory.map(|n| n as u64),
            kv_type: self.kv_type,
            device: None,
            bandwidth: self.bandwidth,
            launch_gap: self.launch_gap,
        }
    }
}

/// Counters of the running engine and of the module.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[cfg_attr(feature = "typescript", ts(rename = "EngineStats"))]
pub struct AllStats {
    #[serde(flatten)]
    pub stats: Stats,
    /// Bytes of WebAssembly's memory.
    pub heap_bytes: usize,
    /// Runs of the module's static constructors: 1 in a sound build.
    pub constructor_runs: u32,
    /// Pipelines created by the module.
    pub pipelines: u64,
}
