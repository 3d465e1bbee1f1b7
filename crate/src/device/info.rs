//! Description of a device and its abilities, as the caller sees it.

use serde::Serialize;

pub use hearth_modelfile::budget::Limits;

use crate::ops::pool;
use crate::platform::AdapterNames;

/// Description of a device and its abilities.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct DeviceInfo {
    pub kind: DeviceKind,
    /// The adapter's own name.
    pub name: String,
    pub vendor: String,
    pub architecture: String,
    /// `"vulkan"`, `"metal"`, `"webgpu"`, ..., or `"flex"`.
    pub backend: String,
    /// A software rasteriser: right results, a hundredth of a GPU's speed.
    pub software: bool,
    /// Threads that multiply on the CPU; 1 for a GPU.
    pub threads: u32,
    /// Optional features in use.
    pub features: Vec<&'static str>,
    pub limits: Limits,
    /// Milliseconds of a read-back of 16 bytes with an idle queue.
    pub readback_ms: f64,
}

/// Kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    WebGpu,
    Cpu,
}

impl DeviceKind {
    /// Returns the name used in options.
    pub const fn name(self) -> &'static str {
        match self {
            DeviceKind::WebGpu => "webgpu",
            DeviceKind::Cpu => "cpu",
        }
    }
}

/// The description of the CPU.
pub(crate) fn cpu_info() -> DeviceInfo {
    DeviceInfo {
        kind: DeviceKind::Cpu,
        name: "CPU".into(),
        vendor: String::new(),
        architecture: std::env::consts::ARCH.into(),
        backend: "flex".into(),
        software: true,
        threads: pool::current().map_or(1, |pool| pool.threads()),
        features: if cfg!(target_feature = "simd128") {
            vec!["simd128"]
        } else {
            vec![]
        },
        limits: Limits {
            max_buffer_size: isize::MAX as u64,
            max_storage_buffer_binding_size: isize::MAX as u64,
            max_storage_buffers_per_shader_stage: 0,
            max_compute_workgroup_storage_size: u32::MAX,
        },
        readback_ms: 0.0,
    }
}

/// Name of the feature that times launches.
pub(crate) const TIMESTAMPS: &str = "timestamp-query";

/// The description of a GPU.
pub(crate) fn gpu_info(
    device: &wgpu::Device,
    adapter: &wgpu::AdapterInfo,
    names: AdapterNames,
    subgroups: bool,
) -> DeviceInfo {
    let limits = device.limits();
    let features = device.features();
    let all = format!("{} {}", names.name, names.architecture).to_lowercase();
    let software = adapter.device_type == wgpu::DeviceType::Cpu
        || ["swiftshader", "llvmpipe", "lavapipe", "basic render"]
            .iter()
            .any(|n| all.contains(n));
    DeviceInfo {
        kind: DeviceKind::WebGpu,
        name: names.name,
        vendor: names.vendor,
        architecture: names.architecture,
        backend: format!("{:?}", adapter.backend).to_lowercase(),
        software,
        threads: 1,
        features: [
            (features.contains(wgpu::Features::SHADER_F16), "shader-f16"),
            (subgroups, "subgroups"),
            (
                features.contains(wgpu::Features::TIMESTAMP_QUERY),
                TIMESTAMPS,
            ),
        ]
        .iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| *name)
        .collect(),
        limits: Limits {
            max_buffer_size: limits.max_buffer_size,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
        },
        readback_ms: 0.0,
    }
}
