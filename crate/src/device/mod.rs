//! The device that runs the model: a GPU through wgpu (WebGPU in a browser), or the CPU through Flex.
//!
//! [`Device::open`] probes, opens and measures. Nothing is assumed of a GPU beyond WebGPU's default limits;
//! what is there beyond them is recorded in [`DeviceInfo`]. One of the two files that know about wasm.

mod fault;
pub mod info;
mod runtime;
pub mod tune;

use burn::tensor::{Int, Tensor};
use cubecl::wgpu::WgpuSetup;

pub use crate::device::fault::Fault;
use crate::device::fault::Faults;
pub use crate::device::info::{DeviceInfo, Limits};
use crate::device::info::{cpu_info, gpu_info};
use crate::device::tune::DeviceProfile;
use crate::ops::{Arithmetic, Tuning, pool};
use hearth_modelfile::error::{Error, Result};

/// The device to open, and restrictions on it (the restrictions are for tests and for finding faults).
#[derive(Debug, Clone, Copy, Default)]
pub struct DeviceOptions {
    /// The CPU instead of a GPU.
    pub cpu: bool,
    /// WebGPU's default limits even where the adapter has more.
    pub default_limits: bool,
    /// None of the adapter's optional features.
    pub no_features: bool,
    /// Arithmetic of decode, instead of the one measured to be the fastest.
    pub arithmetic: Option<Arithmetic>,
    /// Measurements from an earlier opening of this adapter, see [`Device::measured`]; they are then not repeated.
    pub measured: Option<DeviceProfile>,
    /// Timestamps of launches where the adapter has them, for measurements.
    pub timestamps: bool,
}

/// An open device.
#[derive(Clone)]
pub struct Device {
    /// A small tensor on the device, through which all others are created.
    pub handle: Tensor<2, Int>,
    info: DeviceInfo,
    measured: DeviceProfile,
    gpu: Option<Gpu>,
}

#[derive(Clone)]
struct Gpu {
    setup: WgpuSetup,
    faults: Faults,
    /// Read-backs resolve only while the queue is fed (Firefox polls every 100 ms otherwise).
    pump: bool,
}

impl Device {
    /// Opens the device that `options` asks for.
    ///
    /// # Errors
    /// [`Error::NoWebGpu`] with the reason when no adapter or device can be had. The CPU always opens.
    pub async fn open(options: DeviceOptions) -> Result<Self> {
        if options.cpu {
            return Ok(Self::cpu());
        }
        let mut device = Self::open_gpu(options).await?;
        device.measure_readback().await?;
        let kept = (options.measured).filter(|kept| kept.is_possible(&device.info.features));
        device.measured = match kept {
            Some(kept) => kept,
            None => crate::device::tune::measure(&device).await?,
        };
        if let Some(arithmetic) = options.arithmetic {
            device.measured.arithmetic = arithmetic;
        }
        Ok(device)
    }

    fn cpu() -> Self {
        Self {
            handle: crate::ops::cpu_handle(),
            info: cpu_info(),
            measured: DeviceProfile::CPU,
            gpu: None,
        }
    }

    async fn open_gpu(options: DeviceOptions) -> Result<Self> {
        let no_gpu = |reason: String| Error::NoWebGpu { reason };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: crate::platform::BACKENDS,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..Default::default()
            })
            .await
            .map_err(|e| no_gpu(e.to_string()))?;
        let wanted = if options.no_features {
            wgpu::Features::empty()
        } else {
            wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP
        };
        let timing = if options.timestamps {
            wgpu::Features::TIMESTAMP_QUERY
        } else {
            wgpu::Features::empty()
        };
        let limits = if options.default_limits {
            wgpu::Limits::default()
        } else {
            adapter.limits()
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("hearth"),
                required_features: adapter.features() & (wanted | timing),
                required_limits: limits,
                // Tensors are allocated one by one at their size; blocks would only add slack.
                memory_hints: wgpu::MemoryHints::MemoryUsage,
                ..Default::default()
            })
            .await
            .map_err(|e| no_gpu(e.to_string()))?;
        let adapter_info = adapter.get_info();
        let setup = WgpuSetup {
            instance,
            adapter,
            device: device.clone(),
            queue,
            backend: adapter_info.backend,
        };
        let handle = runtime::start(&setup).map_err(no_gpu)?;

        let faults = Faults::default();
        faults.watch(&device);
        Ok(Self {
            handle,
            info: gpu_info(
                &device,
                &adapter_info,
                crate::platform::adapter_names(&device, &adapter_info),
                crate::platform::has_subgroups(&device),
            ),
            measured: DeviceProfile::CPU,
            gpu: Some(Gpu {
                setup,
                faults,
                pump: false,
            }),
        })
    }

    /// Describes the device and its abilities.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Returns the measurements of the device, to be kept for the next time.
    pub fn measured(&self) -> DeviceProfile {
        self.measured
    }

    /// Whether a GPU runs the model.
    pub fn is_gpu(&self) -> bool {
        self.gpu.is_some()
    }

    /// Launch choices for a model of `parameters` weights on this device.
    pub fn tuning(&self, parameters: u64) -> Tuning {
        let workgroup_bytes = self.info.limits.max_compute_workgroup_storage_size as usize;
        Tuning {
            workgroup_bytes,
            ..self.measured.tuning(parameters)
        }
    }

    /// Fails if a model of `bytes` (weights and KV cache) cannot be held.
    ///
    /// On the CPU the memory is asked for and given back. A GPU does not say what it has; what no device has
    /// is refused, the rest shows when it is allocated.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn can_hold(&self, bytes: u64) -> Result<()> {
        const NO_GPU_HAS: u64 = 1 << 40;
        let available = if self.is_gpu() {
            NO_GPU_HAS
        } else {
            isize::MAX as u64
        };
        let mut probe = Vec::<u8>::new();
        let fits = bytes <= available
            && (self.is_gpu() || probe.try_reserve_exact(bytes as usize).is_ok());
        if fits {
            return Ok(());
        }
        Err(Error::OutOfMemory {
            what: "the model with its KV cache".into(),
            needed: bytes,
            available,
        })
    }

    /// Fails if the device has reported an error that no call was waiting for.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] or [`Error::Gpu`]; [`Error::DeviceLost`] if the CPU's threads are gone.
    pub fn check(&self) -> Result<()> {
        match &self.gpu {
            Some(gpu) => gpu.faults.take(),
            None => pool::current().map_or(Ok(()), |pool| pool.check()),
        }
    }

    /// Has a fault happen, for tests of what becomes of it; a CPU has none.
    pub fn provoke(&self, fault: Fault) {
        if let Some(gpu) = &self.gpu {
            fault.provoke(&gpu.setup.device, &gpu.faults);
        }
    }

    /// Awaits a read-back, feeding the queue where the browser needs it.
    pub async fn wait<F: Future>(&self, read: F) -> F::Output {
        match &self.gpu {
            Some(gpu) if gpu.pump => {
                let queue = &gpu.setup.queue;
                crate::platform::with_pump(read, || {
                    queue.submit([]);
                })
                .await
            }
            _ => read.await,
        }
    }

    /// Measures a read-back and decides whether to pump.
    async fn measure_readback(&mut self) -> Result<()> {
        const SLOW_MS: f64 = 20.0;
        let probe = self.handle.clone();
        // The first one warms up; the second is the measurement.
        crate::ops::buffer::read_words(&probe, 0, 4).await?;
        let start = crate::platform::now_ms();
        crate::ops::buffer::read_words(&probe, 0, 4).await?;
        let plain = crate::platform::now_ms() - start;
        self.info.readback_ms = plain;
        if plain > SLOW_MS {
            if let Some(gpu) = &mut self.gpu {
                gpu.pump = true;
            }
            let start = crate::platform::now_ms();
            self.wait(crate::ops::buffer::read_words(&probe, 0, 4))
                .await?;
            let pumped = crate::platform::now_ms() - start;
            self.info.readback_ms = pumped.min(plain);
            if let Some(gpu) = &mut self.gpu {
                gpu.pump = pumped < plain;
            }
        }
        Ok(())
    }
}
