//! Every variant of every kernel, through the compiler that native devices and Firefox use: no GPU is needed.

use std::collections::{BTreeSet, HashSet};

use hearth::ops::kernel::{Kernel, modules};
use hearth::ops::registry::variants;
use naga::back::{hlsl, msl};
use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Returns the error of the first step that refuses the kernel: parsing, validation, or writing for Metal or Direct3D.
fn refused(kernel: &Kernel) -> Option<String> {
    let text = kernel.text();
    let module = match wgsl::parse_str(&text) {
        Ok(module) => module,
        Err(error) => return Some(error.emit_to_string(&text)),
    };
    // The features that the device module asks for. Reading f16 from storage is part of WebGPU.
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let with_subgroups = [&modules::REDUCE_SUBGROUP, &modules::SCORES_BY_COLUMN];
    if with_subgroups
        .iter()
        .any(|module| kernel.modules().contains(module))
    {
        capabilities |= Capabilities::SUBGROUP;
    }
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = match validator.validate(&module) {
        Ok(info) => info,
        Err(error) => return Some(error.emit_to_string(&text)),
    };
    let metal = msl::Options {
        lang_version: (2, 4),
        ..msl::Options::default()
    };
    let written = msl::write_string(&module, &info, &metal, &msl::PipelineOptions::default());
    if let Err(error) = written {
        return Some(format!("Metal: {error}"));
    }
    let direct3d = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        ..hlsl::Options::default()
    };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &direct3d, &pipeline).write(&module, &info, None);
    written.err().map(|error| format!("Direct3D: {error}"))
}

#[test]
fn every_variant_compiles_for_vulkan_metal_and_direct3d() {
    let variants = variants();
    println!("{} variants", variants.len());
    for kernel in &variants {
        if let Some(error) = refused(kernel) {
            panic!("{kernel:?}: {error}");
        }
    }
}

#[test]
fn every_file_is_part_of_a_variant() {
    let variants = variants();
    let used = variants.iter().flat_map(Kernel::modules);
    let used: BTreeSet<&str> = used.map(|module| module.name).collect();
    for module in modules::ALL {
        assert!(used.contains(module.name), "{} is in none", module.name);
    }
    // And the words of the state, which are no file.
    assert_eq!(used.len(), modules::ALL.len() + 1);
}

#[test]
fn variants_have_different_keys_if_their_texts_differ() {
    let variants = variants();
    let keys: HashSet<&Kernel> = variants.iter().collect();
    let texts: HashSet<String> = variants.iter().map(Kernel::text).collect();
    assert_eq!(keys.len(), texts.len());
}
