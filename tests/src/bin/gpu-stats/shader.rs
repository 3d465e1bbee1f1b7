//! Kernels through naga.

use hearth::ops::kernel::Kernel;
use naga::back::{hlsl, msl, spv};
use naga::front::wgsl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ResourceBinding, ShaderStage};
use serde_json::{Value, json};

use crate::Result;

/// A validated kernel.
pub struct Shader {
    module: Module,
    info: ModuleInfo,
}

impl Shader {
    pub fn new(kernel: &Kernel) -> Result<Self> {
        let text = kernel.text();
        let module = wgsl::parse_str(&text).map_err(|error| error.emit_to_string(&text))?;
        let capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SUBGROUP;
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .map_err(|error| error.emit_to_string(&text))?;
        Ok(Self { module, info })
    }

    /// Returns the numbers of the storage buffers.
    pub fn bindings(&self) -> Vec<u32> {
        self.resources().map(|resource| resource.binding).collect()
    }

    fn resources(&self) -> impl Iterator<Item = ResourceBinding> {
        let globals = self.module.global_variables.iter();
        globals.filter_map(|(_, global)| global.binding)
    }

    /// Returns SPIR-V with the options of wgpu's Vulkan backend for a module that cubecl calls trusted: buffers and
    /// arrays unchecked, workgroup memory not zeroed, divisors unchecked, loops bounded.
    pub fn spirv(&self) -> Result<Vec<u32>> {
        let unchecked = BoundsCheckPolicy::Unchecked;
        let info = |resource: ResourceBinding| spv::BindingInfo {
            descriptor_set: resource.group,
            binding: resource.binding,
            binding_array_size: None,
        };
        let options = spv::Options {
            binding_map: self.resources().map(|r| (r, info(r))).collect(),
            lang_version: (1, 6),
            flags: spv::WriterFlags::empty(),
            fake_missing_bindings: false,
            // All: RADV has those that the kernels need.
            capabilities: None,
            bounds_check_policies: policies(unchecked),
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: true,
            emit_int_div_checks: false,
            ..spv::Options::default()
        };
        let pipeline = spv::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: "main".to_owned(),
        };
        spv::write_vec(&self.module, &self.info, &options, Some(&pipeline))
            .map_err(|error| format!("SPIR-V: {error}"))
    }

    /// Counts what a browser built on naga (Firefox) adds to the texts for Metal and Direct3D: clamped indices,
    /// counters that bound loops, and bytes of workgroup memory that one thread zeroes.
    pub fn text_counts(&self) -> Result<Value> {
        let (msl, plain_msl) = (self.msl(true)?, self.msl(false)?);
        let (hlsl, plain_hlsl) = (self.hlsl(true)?, self.hlsl(false)?);
        let more = |name: &str, checked: &str, plain: &str| {
            let count = |text: &str| text.matches(name).count();
            count(checked).saturating_sub(count(plain))
        };
        // The start of a loop's counter.
        let guard = "= uint2(4294967295u";
        Ok(json!({
            "msl_clamps": more("min(", &msl, &plain_msl),
            "msl_loop_guards": more(guard, &msl, &plain_msl),
            "hlsl_clamps": more("min(", &hlsl, &plain_hlsl),
            "hlsl_loop_guards": more(guard, &hlsl, &plain_hlsl),
            "zeroed_bytes": self.workgroup_bytes(),
        }))
    }

    /// Returns the bytes of the workgroup variables that the entry point uses.
    fn workgroup_bytes(&self) -> u32 {
        let uses = self.info.get_entry_point(0);
        let used = self
            .module
            .global_variables
            .iter()
            .filter(|(handle, global)| {
                global.space == AddressSpace::WorkGroup && !uses[*handle].is_empty()
            });
        used.map(|(_, global)| {
            self.module.types[global.ty]
                .inner
                .size(self.module.to_ctx())
        })
        .sum()
    }

    /// Returns Metal's text, with the options of Firefox or without any check.
    fn msl(&self, checked: bool) -> Result<String> {
        let policy = match checked {
            true => BoundsCheckPolicy::Restrict,
            false => BoundsCheckPolicy::Unchecked,
        };
        let options = msl::Options {
            lang_version: (2, 4),
            bounds_check_policies: policies(policy),
            zero_initialize_workgroup_memory: checked,
            force_loop_bounding: checked,
            ..msl::Options::default()
        };
        msl::write_string(
            &self.module,
            &self.info,
            &options,
            &msl::PipelineOptions::default(),
        )
        .map(|(text, _)| text)
        .map_err(|error| format!("Metal: {error}"))
    }

    /// Returns Direct3D's text, with the options of Firefox or without any check.
    fn hlsl(&self, checked: bool) -> Result<String> {
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_5,
            zero_initialize_workgroup_memory: checked,
            restrict_indexing: checked,
            force_loop_bounding: checked,
            ..hlsl::Options::default()
        };
        let pipeline = hlsl::PipelineOptions::default();
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(&self.module, &self.info, None)
            .map_err(|error| format!("Direct3D: {error}"))?;
        Ok(text)
    }
}

/// Returns policies that treat buffers and other indices alike.
fn policies(policy: BoundsCheckPolicy) -> BoundsCheckPolicies {
    BoundsCheckPolicies {
        index: policy,
        buffer: policy,
        image_load: policy,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}
