//! The tiny seeded models end to end, natively on the GPU and on the CPU, against transformers' results.

use std::path::Path;

use hearth::model::outline::{OutlineOptions, Step, outline};
use hearth::ops::KvType;
use hearth::{Device, Engine, LoadOptions};
use hearth_tests::manifest::{self, About, Kind};
use hearth_tests::reference::{check_engine, check_logits};
use hearth_tests::{On, borrow, exact, header, load_file_with};
use pollster::block_on;

/// Checks the largest difference of a logit, and that greedy ids do not differ at all.
fn check(name: &str, on: On, options: LoadOptions, tolerance: f32) {
    let Some(device) = borrow(on, |_| ()) else {
        return;
    };
    let path = manifest::named(name).model();
    let mut engine = load_file_with(device.clone(), &path, options);
    check_engine(name, on, &mut engine, tolerance);
    if on != On::Cpu {
        check_outline(name, &device, &engine, &path);
    }
    block_on(engine.close());
}

/// Checks that the model describes as many launches of a token as it makes.
fn check_outline(name: &str, device: &Device, engine: &Engine, path: &Path) {
    let info = engine.info();
    let options = OutlineOptions {
        tuning: device.tuning(info.parameters),
        step: Step::Decode,
        context_size: Some(info.n_ctx),
        kv_type: info.kv_type,
        positions: None,
        filters: false,
    };
    let launches = outline(&header(&std::fs::read(path).unwrap()), options).unwrap();
    let found: Vec<&str> = launches.iter().map(|launch| launch.name.as_str()).collect();
    let made = engine.stats().dispatches_per_token;
    assert_eq!(found.len() as u64, made, "{name}: {found:?}");
}

#[test]
fn mixed_quants_on_the_cpu() {
    check("tiny_llama", On::Cpu, exact(256), 2e-2);
}

#[test]
fn mixed_quants_on_the_gpu() {
    check("tiny_llama", On::Gpu, exact(256), 1.3e-4);
}

#[test]
fn mixed_quants_on_a_gpu_with_default_limits() {
    check("tiny_llama", On::PlainGpu, exact(256), 1.3e-4);
}

#[test]
fn tied_f16_on_the_cpu() {
    check("tiny_llama_tied_f16", On::Cpu, exact(256), 1.6e-4);
}

#[test]
fn tied_f16_on_the_gpu() {
    check("tiny_llama_tied_f16", On::Gpu, exact(256), 1.6e-4);
}

/// Goldens that attend over latents: without a latent of queries and with experts, with it and without experts.
const LATENT: [&str; 2] = ["family_deepseek_v2", "family_youtu"];

/// An f16 cache, the default on a GPU, changes logits of this size (up to 10) by a few hundredths, and no token.
#[test]
fn what_an_f16_cache_costs() {
    let half = LoadOptions {
        kv_type: Some(KvType::F16),
        ..exact(256)
    };
    check("tiny_llama", On::Gpu, half, 8e-2);
    check("tiny_llama_tied_f16", On::Gpu, half, 6e-2);
    // One cache of latents, of which keys and values are both made.
    for name in LATENT {
        check(name, On::Cpu, half, 1.5e-1);
        check(name, On::Gpu, half, 1.5e-1);
    }
}

/// Bytes in the cache change logits by up to a tenth of their spread; these tokens have wider margins than that.
#[test]
fn what_a_q8_cache_costs() {
    let bytes = LoadOptions {
        kv_type: Some(KvType::Q8),
        ..exact(256)
    };
    check("tiny_llama_tied_f16", On::Cpu, bytes, 1.0);
    check("tiny_llama_tied_f16", On::Gpu, bytes, 1.0);
    // A row of latents and of what rotates has one scale: a sixth of the spread, in which random weights have no margins.
    for on in [On::Cpu, On::Gpu] {
        let Some(device) = borrow(on, |_| ()) else {
            continue;
        };
        let path = manifest::named("family_youtu").model();
        let mut engine = load_file_with(device.clone(), &path, bytes);
        check_logits("family_youtu", on, &mut engine, 2.5);
        block_on(engine.close());
    }
}

/// Integers of 15 bits in decode; prefill is unchanged.
#[test]
fn integers_on_the_gpu() {
    check("tiny_llama", On::GpuIntegers, exact(256), 3e-2);
}

/// The kernels of a real GPU: many threads per row, attention in spans, tiles in workgroup memory, the longest
/// chunks. Three families, each with kernels that only it uses: block formats, windows with norms of queries and
/// keys, experts with sinks.
#[test]
fn mixed_quants_as_on_a_large_gpu() {
    check("tiny_llama", On::LargeGpu, exact(256), 1.3e-4);
}

#[test]
fn gemma3_as_on_a_large_gpu() {
    check("family_gemma3", On::LargeGpu, exact(256), 1.6e-4);
}

#[test]
fn gpt_oss_as_on_a_large_gpu() {
    check("family_gpt_oss", On::LargeGpu, exact(256), 1.6e-4);
}

/// Steps of long chunks, and attention in spans with a gate.
#[test]
fn recurrent_layers_as_on_a_large_gpu() {
    check("family_lfm2", On::LargeGpu, exact(256), 2e-4);
    check("family_qwen35", On::LargeGpu, exact(256), 2e-4);
    check("family_granite_hybrid", On::LargeGpu, exact(256), 2e-4);
    check("family_falcon_h1", On::LargeGpu, exact(256), 2e-4);
}

/// Steps of long chunks, each head's matrices in tiles, and spans of a cache of latents.
#[test]
fn latents_as_on_a_large_gpu() {
    for name in LATENT {
        check(name, On::LargeGpu, exact(256), 2e-4);
    }
}

/// Biases, LayerNorm and learned positions.
#[test]
fn gpt2_as_on_a_large_gpu() {
    check("family_gpt2", On::LargeGpu, exact(256), 6e-5);
}

/// The configuration that most real GPUs measure: integers in decode, and in prefill's tiles.
#[test]
fn integers_as_on_a_large_gpu() {
    check("tiny_llama", On::LargeGpuIntegers, exact(256), 3e-2);
}

#[test]
fn experts_of_integers_as_on_a_large_gpu() {
    check("family_gpt_oss", On::LargeGpuIntegers, exact(256), 3e-2);
}

/// The device rounds scales of K-quants to f16, which changes logits of up to 9 by 0.07.
#[test]
fn every_quant_on_the_cpu() {
    check("family_llama_kquants", On::Cpu, exact(256), 2e-1);
    check("family_llama_small_quants", On::Cpu, exact(256), 4e-2);
}

#[test]
fn k_quants_on_the_gpu() {
    check("family_llama_kquants", On::Gpu, exact(256), 2e-1);
}

#[test]
fn small_quants_on_the_gpu() {
    check("family_llama_small_quants", On::Gpu, exact(256), 1.3e-4);
}

/// Q1_0, both block sizes of Q2_0, the ternary types and those with a grid.
#[test]
fn few_bits_on_the_cpu() {
    check("family_qwen3_few_bits", On::Cpu, exact(256), 2e-2);
}

#[test]
fn few_bits_on_the_gpu() {
    check("family_qwen3_few_bits", On::Gpu, exact(256), 3e-4);
}

/// IQ1_S and IQ1_M.
#[test]
fn one_bit_on_the_cpu() {
    check("family_qwen3_one_bit", On::Cpu, exact(256), 2e-2);
}

#[test]
fn one_bit_on_the_gpu() {
    check("family_qwen3_one_bit", On::Gpu, exact(256), 3e-4);
}

/// NVFP4, each tensor with factors before it or after it; its scales are rounded to f16, as those of K-quants.
#[test]
fn nvfp4_on_the_cpu() {
    check("family_qwen3moe_nvfp4", On::Cpu, exact(256), 7e-2);
}

#[test]
fn nvfp4_on_the_gpu() {
    check("family_qwen3moe_nvfp4", On::Gpu, exact(256), 7e-2);
}

#[test]
fn few_bits_as_on_a_large_gpu() {
    check("family_qwen3_few_bits", On::LargeGpu, exact(256), 3e-4);
}

/// Returns the names of the families' goldens, one for each of their quirks; see `tests/goldens/README.md`. Goldens about storage
/// types have tests of their own.
fn families() -> Vec<&'static str> {
    let families = manifest::of(Kind::Family).into_iter();
    let families = families.filter(|family| family.about != Some(About::StorageTypes));
    families.map(|family| family.name.as_str()).collect()
}

#[test]
fn families_on_the_cpu() {
    for family in families() {
        check(family, On::Cpu, exact(256), 4e-2);
    }
}

/// Runs every second family, in two tests for two cores.
fn families_on_the_gpu(first: usize) {
    for family in families().into_iter().skip(first).step_by(2) {
        check(family, On::Gpu, exact(256), 2.6e-4);
    }
}

#[test]
fn half_of_the_families_on_the_gpu() {
    families_on_the_gpu(0);
}

#[test]
fn the_other_families_on_the_gpu() {
    families_on_the_gpu(1);
}
