//! Compute pipelines on a Vulkan driver that never sees hardware, and its compiler's statistics of them.

use std::ffi::CStr;

use ash::{Device, Entry, Instance, khr, vk};
use serde_json::{Map, Value, json};

use crate::Result;

/// A device of the only driver that the loader finds. It lives as long as the process.
pub struct Driver {
    name: String,
    device: Device,
    statistics: khr::pipeline_executable_properties::Device,
    // Unloads the loader's library when dropped.
    _entry: Entry,
}

impl Driver {
    /// Opens the first device.
    pub fn open() -> Result<Self> {
        // SAFETY: the loader's library has no requirements on being loaded.
        let entry = unsafe { Entry::load() }
            .map_err(|error| format!("no Vulkan loader (libvulkan1): {error}"))?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the structures live until the calls return, and the instance is never destroyed.
        let (instance, physical) = unsafe {
            let instance = entry.create_instance(&info, None).map_err(failed)?;
            let devices = instance.enumerate_physical_devices().map_err(failed)?;
            let physical = devices.first().ok_or("the Vulkan driver has no device")?;
            (instance, *physical)
        };
        let device = device(&instance, physical)?;
        Ok(Self {
            name: name(&instance, physical),
            statistics: khr::pipeline_executable_properties::Device::new(&instance, &device),
            device,
            _entry: entry,
        })
    }

    /// Returns the names of device and driver, with the driver's version.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Compiles a compute shader with storage buffers at `bindings`, and returns its statistics by name.
    pub fn compile(&self, spirv: &[u32], bindings: &[u32]) -> Result<Value> {
        let buffers: Vec<_> = bindings
            .iter()
            .map(|binding| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(*binding)
                    .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let device = &self.device;
        // SAFETY: naga wrote valid SPIR-V for a validated module, the layout has all of its buffers, and every
        // object is destroyed after its last use.
        unsafe {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&buffers);
            let set = [device
                .create_descriptor_set_layout(&info, None)
                .map_err(failed)?];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&set);
            let layout = device.create_pipeline_layout(&info, None).map_err(failed)?;
            let info = vk::ShaderModuleCreateInfo::default().code(spirv);
            let module = device.create_shader_module(&info, None).map_err(failed)?;
            // wgpu lets the driver choose the subgroup's size if the feature is enabled.
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(c"main");
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                .stage(stage)
                .layout(layout);
            let pipeline = device
                .create_compute_pipelines(vk::PipelineCache::null(), &[info], None)
                .map_err(|(_, error)| failed(error))?[0];
            let statistics = self.read(pipeline);
            device.destroy_pipeline(pipeline, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(set[0], None);
            statistics
        }
    }

    /// Returns the statistics of a pipeline, which is compiled to one executable.
    fn read(&self, pipeline: vk::Pipeline) -> Result<Value> {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline was created with CAPTURE_STATISTICS, and a compute pipeline has executable 0.
        let found = unsafe { self.statistics.get_pipeline_executable_statistics(&info) };
        let mut all = Map::new();
        for statistic in found.map_err(failed)? {
            let name = statistic.name_as_c_str().unwrap_or_default();
            // SAFETY: the format says which of the union's fields was written.
            let value = unsafe {
                match statistic.format {
                    vk::PipelineExecutableStatisticFormatKHR::BOOL32 => {
                        json!(statistic.value.b32)
                    }
                    vk::PipelineExecutableStatisticFormatKHR::INT64 => json!(statistic.value.i64),
                    vk::PipelineExecutableStatisticFormatKHR::UINT64 => {
                        json!(statistic.value.u64)
                    }
                    _ => json!(statistic.value.f64),
                }
            };
            all.insert(name.to_string_lossy().into_owned(), value);
        }
        Ok(all.into())
    }
}

fn failed(error: vk::Result) -> String {
    format!("Vulkan: {error}")
}

/// Creates a device with the features that wgpu enables for the kernels.
fn device(instance: &Instance, physical: vk::PhysicalDevice) -> Result<Device> {
    let extensions = [
        khr::pipeline_executable_properties::NAME.as_ptr(),
        ash::ext::robustness2::NAME.as_ptr(),
    ];
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let mut vulkan12 = vk::PhysicalDeviceVulkan12Features::default().shader_int8(true);
    let mut vulkan13 = vk::PhysicalDeviceVulkan13Features::default()
        .subgroup_size_control(true)
        .shader_integer_dot_product(true)
        .shader_zero_initialize_workgroup_memory(true);
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default()
        .robust_buffer_access2(true)
        .robust_image_access2(true);
    let mut statistics = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
        .pipeline_executable_info(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queue)
        .enabled_extension_names(&extensions)
        .enabled_features(&core)
        .push_next(&mut vulkan12)
        .push_next(&mut vulkan13)
        .push_next(&mut robust)
        .push_next(&mut statistics);
    // SAFETY: the structures live until the call returns. What the driver lacks makes it fail.
    unsafe { instance.create_device(physical, &info, None) }.map_err(failed)
}

fn name(instance: &Instance, physical: vk::PhysicalDevice) -> String {
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
    // SAFETY: both structures are of the types that the query fills.
    unsafe { instance.get_physical_device_properties2(physical, &mut properties) };
    let text = |name: std::result::Result<&CStr, _>| -> String {
        name.map(|name: &CStr| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let device = text(properties.properties.device_name_as_c_str());
    let (name, info) = (driver.driver_name_as_c_str(), driver.driver_info_as_c_str());
    format!("{device}, {} {}", text(name), text(info))
}
