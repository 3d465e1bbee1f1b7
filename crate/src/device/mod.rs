//! The device that runs the model: a GPU through wgpu (WebGPU in a browser), or the CPU through Flex.
//!
//! [`Device::open`] probes, opens and measures. Nothing is assumed of a GPU beyond WebGPU's default limits;
//! what is there beyond them is recorded in [`DeviceInfo`]. One of the two files that know about wasm.

mod fault;
pub mod info;
pub mod tune;

use burn::tensor::Device as BurnDevice;
use burn_wgpu::WgpuSetup;

pub use crate::device::fault::Fault;
use crate::device::fault::Faults;
pub use crate::device::info::{DeviceInfo, Limits};
use crate::device::info::{cpu_info, gpu_info};
use crate::device::tune::Measured;
use crate::ops::{Arithmetic, Tuning};
use hearth_modelfile::error::{Error, Result};

/// What to open, and with what restrictions (the restrictions are for tests and for finding faults).
#[derive(Debug, Clone, Copy, Default)]
pub struct DeviceOptions {
    /// The CPU instead of a GPU.
    pub cpu: bool,
    /// WebGPU's default limits even where the adapter has more.
    pub default_limits: bool,
    /// None of the adapter's optional features.
    pub no_features: bool,
    /// What decode multiplies as, instead of what was measured to be the fastest.
    pub arithmetic: Option<Arithmetic>,
    /// What was measured when this adapter was opened before, see [`Device::measured`]; it is then not measured again.
    pub measured: Option<Measured>,
}

/// An open device.
#[derive(Clone)]
pub struct Device {
    /// burn's handle.
    pub burn: BurnDevice,
    info: DeviceInfo,
    measured: Measured,
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
            burn: BurnDevice::flex(),
            info: cpu_info(),
            measured: Measured::CPU,
            gpu: None,
        }
    }

    async fn open_gpu(options: DeviceOptions) -> Result<Self> {
        let no_gpu = |reason: String| Error::NoWebGpu { reason };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: platform::BACKENDS,
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
        let limits = if options.default_limits {
            wgpu::Limits::default()
        } else {
            adapter.limits()
        };
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("hearth"),
                required_features: adapter.features() & wanted,
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
        let burn = BurnDevice::wgpu_options()
            // A decode step is hundreds of launches; it is submitted by its end, not by count.
            .tasks_max(4096)
            .setup(setup.clone())
            .init()
            .map_err(|e| no_gpu(e.to_string()))?;

        let faults = Faults::default();
        faults.watch(&device);
        Ok(Self {
            burn,
            info: gpu_info(
                &device,
                &adapter_info,
                platform::adapter_names(&device, &adapter_info),
                platform::has_subgroups(&device),
            ),
            measured: Measured::CPU,
            gpu: Some(Gpu {
                setup,
                faults,
                pump: false,
            }),
        })
    }

    /// What the device is and can do.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// What was measured of it, to be kept for the next time.
    pub fn measured(&self) -> Measured {
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
    /// [`Error::OutOfMemory`] or [`Error::Gpu`].
    pub fn check(&self) -> Result<()> {
        match &self.gpu {
            Some(gpu) => gpu.faults.take(),
            None => Ok(()),
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
                platform::with_pump(read, || {
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
        let probe = burn::tensor::Tensor::<2, burn::tensor::Int>::from_data(
            burn::tensor::TensorData::new(vec![0u32; 4], [1, 4]),
            (&self.burn, burn::tensor::DType::U32),
        );
        // The first one warms up; the second is the measurement.
        crate::ops::words::read_words(&probe, 0, 4).await?;
        let start = platform::now_ms();
        crate::ops::words::read_words(&probe, 0, 4).await?;
        let plain = platform::now_ms() - start;
        self.info.readback_ms = plain;
        if plain > SLOW_MS {
            if let Some(gpu) = &mut self.gpu {
                gpu.pump = true;
            }
            let start = platform::now_ms();
            self.wait(crate::ops::words::read_words(&probe, 0, 4))
                .await?;
            let pumped = platform::now_ms() - start;
            self.info.readback_ms = pumped.min(plain);
            if let Some(gpu) = &mut self.gpu {
                gpu.pump = pumped < plain;
            }
        }
        Ok(())
    }
}

pub use platform::{SUBGROUP_DIRECTIVE, now_ms, wall_clock};

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    use hearth_modelfile::text::template::Clock;

    pub const BACKENDS: wgpu::Backends = wgpu::Backends::PRIMARY;

    /// naga has the functions, but not yet the directive that WGSL demands for them.
    pub const SUBGROUP_DIRECTIVE: &str = "";

    /// Milliseconds of a monotonic clock.
    pub fn now_ms() -> f64 {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
    }

    /// The time of day in UTC.
    pub fn wall_clock() -> Clock {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Clock {
            unix_seconds: since.map_or(0, |d| d.as_secs() as i64),
            utc_offset_seconds: 0,
        }
    }

    pub fn adapter_names(
        _device: &wgpu::Device,
        info: &wgpu::AdapterInfo,
    ) -> crate::device::info::AdapterNames {
        crate::device::info::AdapterNames {
            name: info.name.clone(),
            vendor: info.driver.clone(),
            architecture: info.driver_info.clone(),
        }
    }

    pub fn has_subgroups(device: &wgpu::Device) -> bool {
        device.features().contains(wgpu::Features::SUBGROUP)
    }

    /// Natively a read-back resolves by itself.
    pub async fn with_pump<F: Future>(read: F, _feed: impl Fn()) -> F::Output {
        read.await
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use std::pin::pin;
    use std::task::Poll;

    use wasm_bindgen::prelude::*;

    use hearth_modelfile::text::template::Clock;

    pub const BACKENDS: wgpu::Backends = wgpu::Backends::BROWSER_WEBGPU;

    /// What a shader with subgroup functions begins with.
    pub const SUBGROUP_DIRECTIVE: &str = "enable subgroups;\n";

    /// Milliseconds of a monotonic clock.
    pub fn now_ms() -> f64 {
        let global = js_sys::global();
        js_sys::Reflect::get(&global, &"performance".into())
            .ok()
            .and_then(|p| p.dyn_into::<web_sys::Performance>().ok())
            .map_or_else(js_sys::Date::now, |p| p.now())
    }

    /// The visitor's time of day.
    pub fn wall_clock() -> Clock {
        let now = js_sys::Date::new_0();
        Clock::from_javascript(now.get_time(), now.get_timezone_offset())
    }

    /// Browsers name an adapter by vendor and architecture; a description is rarely there.
    pub fn adapter_names(
        device: &wgpu::Device,
        info: &wgpu::AdapterInfo,
    ) -> crate::device::info::AdapterNames {
        let adapter = device.as_webgpu().and_then(|device| {
            js_sys::Reflect::get(device.as_ref(), &"adapterInfo".into())
                .ok()
                .filter(JsValue::is_object)
        });
        let field = |name: &str| {
            (adapter.as_ref())
                .and_then(|adapter| js_sys::Reflect::get(adapter, &name.into()).ok())
                .and_then(|value| value.as_string())
                .unwrap_or_default()
        };
        let (vendor, architecture) = (field("vendor"), field("architecture"));
        let name = [&info.name, &field("description")]
            .into_iter()
            .find(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| format!("{vendor} {architecture}").trim().to_owned());
        crate::device::info::AdapterNames {
            name,
            vendor,
            architecture,
        }
    }

    /// wgpu's web backend knows no name for the feature, so the browser's own object is asked.
    pub fn has_subgroups(device: &wgpu::Device) -> bool {
        let Some(device) = device.as_webgpu() else {
            return false;
        };
        let features = js_sys::Reflect::get(device.as_ref(), &"features".into());
        let Ok(features) = features else { return false };
        js_sys::Reflect::get(&features, &"has".into())
            .ok()
            .and_then(|has| has.dyn_into::<js_sys::Function>().ok())
            .and_then(|has| has.call1(&features, &"subgroups".into()).ok())
            .is_some_and(|there| there.is_truthy())
    }

    fn sleep(ms: i32) -> wasm_bindgen_futures::JsFuture {
        let promise = js_sys::Promise::new(&mut |resolve, _| {
            let set_timeout = js_sys::Reflect::get(&js_sys::global(), &"setTimeout".into())
                .ok()
                .and_then(|f| f.dyn_into::<js_sys::Function>().ok());
            if let Some(set_timeout) = set_timeout {
                let _ = set_timeout.call2(&JsValue::NULL, &resolve, &ms.into());
            }
        });
        wasm_bindgen_futures::JsFuture::from(promise)
    }

    /// Polls `read` and calls `feed` every millisecond until it is done.
    pub async fn with_pump<F: Future>(read: F, feed: impl Fn()) -> F::Output {
        let mut read = pin!(read);
        loop {
            let mut tick = pin!(sleep(1));
            let done = std::future::poll_fn(|cx| {
                if let Poll::Ready(output) = read.as_mut().poll(cx) {
                    return Poll::Ready(Some(output));
                }
                tick.as_mut().poll(cx).map(|_| None)
            })
            .await;
            match done {
                Some(output) => return output,
                None => feed(),
            }
        }
    }
}
