//! The GPU runtime (cubecl) on a wgpu device, without its kernel compiler.
//!
//! All kernels are WGSL text ([`crate::ops::kernel`]), so the runtime only has to create pipelines from it, manage
//! memory and submit. Its own start links a compiler from its intermediate representation to WGSL, for fills and casts that
//! nothing here asks for; a server with [`TextOnly`] in the compiler's place leaves that out of the module.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, CubeDevice};
use cubecl::client::Client;
use cubecl::ir::{
    DeviceIdentity, DeviceProperties, HardwareProperties, MemoryDeviceProperties, TargetProperties,
};
use cubecl::prelude::{CubeKernel, KernelDefinition};
use cubecl::profile::TimingMethod;
use cubecl::server::{LaunchError, ServerUtilities};
use cubecl::wgpu::{
    AutoRepresentation, CompilerInfo, WgpuCompiler, WgpuDevice, WgpuDeviceKind, WgpuServer,
    WgpuSetup,
};
use cubecl::{CompilationError, Compiler, MemoryConfiguration, WgpuCompilationOptions};
use cubecl_common::device::{Device as _, ServiceId};
use cubecl_server::allocator::ContiguousMemoryLayoutPolicy;
use cubecl_server::kernel::CompiledKernel;
use cubecl_server::logging::ServerLogger;

/// Tasks before the runtime submits by itself. A decode step is hundreds of launches and is submitted at its end.
const TASKS_MAX: usize = 4096;

/// Profiling by the device. Nothing here asks for it, but the other way panics in a browser.
const TIMING: TimingMethod = TimingMethod::Device;

/// Number of devices so far: the runtime knows each by a number of its own.
static DEVICES: AtomicU32 = AtomicU32::new(0);

/// Compiles no kernel but those that are WGSL already.
#[derive(Debug, Clone)]
struct TextOnly;

impl Compiler for TextOnly {
    type Representation = Infallible;
    type CompilationOptions = WgpuCompilationOptions;

    fn compile(
        &mut self,
        _kernel: KernelDefinition,
        _options: &WgpuCompilationOptions,
    ) -> Result<Infallible, CompilationError> {
        Err(CompilationError::Generic {
            reason: "expected a kernel with its own WGSL".to_owned(),
            backtrace: Default::default(),
        })
    }

    fn extension(&self) -> &'static str {
        "wgsl"
    }

    fn lang_tag(&self) -> &'static str {
        "wgsl"
    }
}

impl WgpuCompiler for TextOnly {
    fn init(_backend: wgpu::Backend, _options: &WgpuCompilationOptions) -> Self {
        Self
    }

    fn validate_ir(
        &self,
        _repr: &Option<Infallible>,
        _properties: &DeviceProperties,
    ) -> Result<(), LaunchError> {
        Ok(())
    }

    fn compile_kernel(
        &mut self,
        server: &mut WgpuServer<Self>,
        kernel: Box<dyn CubeKernel>,
        definition: KernelDefinition,
    ) -> Result<CompiledKernel<Self>, CompilationError> {
        CompiledKernel::compile(&*kernel, definition, self, &server.compilation_options)
    }

    fn normalize_repr(
        &self,
        _repr: Option<Infallible>,
    ) -> (CompilerInfo, Option<AutoRepresentation>) {
        (CompilerInfo::None, None)
    }
}

/// Starts the runtime on the device of `setup`; returns a small tensor there, through which all others are created.
///
/// # Errors
/// The runtime's own message if it cannot register the device.
pub fn start(setup: &WgpuSetup) -> Result<Tensor<2, Int>, String> {
    let device = WgpuDevice::new(WgpuDeviceKind::Existing(
        DEVICES.fetch_add(1, Ordering::Relaxed),
    ));
    let client = Client::try_init(device.to_id(), server(setup, &device))
        .map_err(|error| format!("{error:?}"))?;
    let handle = client.create_from_slice(&[0; 16]);
    let tensor = CubeTensor::new_contiguous(
        client,
        CubeDevice::Wgpu(device),
        [1, 4].into(),
        handle,
        DType::U32,
    );
    Ok(Tensor::from_primitive::<CubeBackend>(tensor))
}

fn server(setup: &WgpuSetup, device: &WgpuDevice) -> WgpuServer<TextOnly> {
    let limits = setup.device.limits();
    let info = setup.adapter.get_info();
    let memory = MemoryDeviceProperties::new(
        limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size),
        limits
            .min_uniform_buffer_offset_alignment
            .max(limits.min_storage_buffer_offset_alignment)
            .into(),
    );
    let workgroups = limits.max_compute_workgroups_per_dimension;
    let hardware = HardwareProperties {
        load_width: 128,
        vector_register_count: None,
        // Only a compiler asks for these.
        plane_size_min: 8,
        plane_size_max: 128,
        max_bindings: limits.max_storage_buffers_per_shader_stage,
        max_shared_memory_size: limits.max_compute_workgroup_storage_size as usize,
        max_cube_count: (workgroups, workgroups, workgroups),
        max_units_per_cube: limits.max_compute_invocations_per_workgroup,
        max_cube_dim: (
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ),
        num_streaming_multiprocessors: None,
        num_tensor_cores: None,
        min_tensor_cores_dim: None,
        num_cpu_cores: None,
        last_level_cache_size: None,
        max_vector_size: 4,
        cube_mma_reserved_shared_memory: 0,
    };
    let identity = DeviceIdentity {
        name: info.name.clone(),
        fingerprint: format!("{}_{}", info.vendor, info.device),
        physical: None,
    };
    let properties = DeviceProperties::new(
        Default::default(),
        memory.clone(),
        hardware,
        TIMING,
        identity,
    );
    let (utilities, captures) = ServerUtilities::init(
        ServiceId::of::<WgpuServer<TextOnly>>(device.to_id()),
        "wgpu<wgsl>",
        properties,
        TargetProperties::default(),
        Arc::new(ServerLogger::default()),
        ContiguousMemoryLayoutPolicy::new(memory.alignment as usize),
    );
    WgpuServer::new(
        memory,
        MemoryConfiguration::default(),
        WgpuCompilationOptions::default(),
        setup.device.clone(),
        setup.queue.clone(),
        TASKS_MAX,
        setup.backend,
        TIMING,
        utilities,
        captures,
    )
}
