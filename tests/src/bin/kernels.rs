//! Times single kernels on the native GPU: `cargo run -p hearth-tests --bin kernels`, one JSON line per case.
//!
//! VK_DRIVER_FILES chooses the driver, for example Chromium's SwiftShader instead of lavapipe.

use std::time::Instant;

use hearth::Device;
use hearth::ops::{
    Activation, Arithmetic, Attention, AttentionSpec, KvCache, KvType, Ops, Queries, RouteSpec,
    Router, StepState, Tuning, state,
};
use hearth_modelfile::container::GgmlType;
use hearth_tests::kernels::*;
use pollster::block_on;

/// Measures milliseconds per call, the best of three rounds.
fn time(state: &StepState, mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 20;
    let wait = || block_on(state.read(0, 4)).unwrap();
    call();
    wait();
    (0..3)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            wait();
            start.elapsed().as_secs_f64() * 1e3 / f64::from(CALLS)
        })
        .fold(f64::MAX, f64::min)
}

/// Measures tokens per second through gate and up of 8 experts, with 2 per token: one token at a time, and as a
/// prompt whose slots are grouped by expert or not.
fn mixture(device: &Device, how: &str) {
    let (n_experts, n_used, rows, cols) = (8, 2, 256, 256);
    let packed = Packed::new(GgmlType::MXFP4, 1, n_experts * rows, cols);
    for (n, shared_tile) in [(1, false), (128, false), (128, true)] {
        let tuning = Tuning {
            shared_tile,
            ..tuning(1)
        };
        let ops = Ops::new(&device.handle, tuning);
        let weight = packed.upload(&ops, n_experts * rows);
        let state = live(&ops, 0, n);
        let logits = tensor(device, &values(2, n * n_experts), [n, n_experts]);
        let x = tensor(device, &values(1, n * cols), [n, cols]);
        let spec = RouteSpec {
            router: Router::PLAIN,
            n_used,
        };
        let routes = ops.route(logits.clone(), None, &state, spec);
        let sorted = routes.is_grouped();
        let ms = time(&state, || {
            let routes = ops.route(logits.clone(), None, &state, spec);
            drop(ops.routed_linear(&x, &[&weight, &weight], &routes, &state));
        });
        let rate = n as f64 / ms * 1e3;
        println!(
            "{{\"case\":\"mixture {how}, {n} tokens, sorted {sorted}\",\"ms\":{ms:.3},\"tokens_s\":{rate:.0}}}"
        );
    }
}

fn main() {
    mixture(&cpu(), "cpu");
    let Some(device) = gpu() else {
        eprintln!("there is no GPU");
        std::process::exit(1)
    };
    mixture(device, "gpu");
    let info = device.info();
    eprintln!("{} {} {:?}", info.name, info.backend, info.features);
    let print = |case: &str, ms: f64, macs: usize| {
        let gflops = macs as f64 / ms / 1e6;
        println!("{{\"case\":\"{case}\",\"ms\":{ms:.3},\"gmac_s\":{gflops:.2}}}");
    };
    for (lanes, arithmetic) in [1, 16]
        .into_iter()
        .flat_map(|lanes| [Arithmetic::F32, Arithmetic::F16, Arithmetic::I15].map(|a| (lanes, a)))
    {
        let tuning = Tuning {
            arithmetic,
            attention_workgroups: 96,
            workgroup_bytes: info.limits.max_compute_workgroup_storage_size as usize,
            ..tuning(lanes)
        };
        let ops = Ops::new(&device.handle, tuning);
        let one = live(&ops, 63, 1);
        for (rows, cols) in [(3072, 576), (576, 1536)] {
            let weight = Packed::new(GgmlType::Q4_1, 1, rows, cols).upload(&ops, rows);
            let x = tensor(device, &values(1, cols), [1, cols]);
            let name = format!("q4 {rows}x{cols} lanes {lanes} {arithmetic:?}");
            let norm = rms(x.clone());
            let macs = rows * cols;
            let ms = time(&one, || drop(ops.linear(&x, &weight, &one)));
            print(&format!("gemv {name}"), ms, macs);
            let ms = time(&one, || {
                drop(ops.norm_linear_last(&x, &norm, &weight, &one))
            });
            print(&format!("norm {name}"), ms, macs);
            let ms = time(&one, || {
                drop(ops.norm_gated(&x, Some(&norm), &weight, &one, Activation::Silu))
            });
            print(&format!("swiglu {name}"), ms, macs);
            if arithmetic == Arithmetic::F32 {
                let through_memory = Tuning {
                    shared_tile: true,
                    ..tuning
                };
                let shared_tile = Ops::new(&device.handle, through_memory);
                for (n, ops, how) in [
                    (8, &ops, ""),
                    (64, &ops, ""),
                    (64, &shared_tile, " shared_tile"),
                ] {
                    let x = tensor(device, &values(1, n * cols), [n, cols]);
                    let state = live(ops, 0, n);
                    let ms = time(&state, || drop(ops.linear(&x, &weight, &state)));
                    print(&format!("{n} tokens{how} {name}"), ms, n * macs);
                }
            }
        }
        if arithmetic != Arithmetic::F32 {
            continue;
        }
        // Bytes that each packing reads per second, counted as stored on the device.
        let (rows, cols) = (2048, 2048);
        for dtype in [
            GgmlType::Q1_0,
            GgmlType::Q2_0,
            GgmlType::IQ2_XXS,
            GgmlType::IQ2_XS,
            GgmlType::IQ2_S,
            GgmlType::IQ3_XXS,
            GgmlType::IQ3_S,
            GgmlType::IQ1_M,
            GgmlType::NVFP4,
            GgmlType::Q2_K,
            GgmlType::Q3_K,
            GgmlType::Q4_0,
            GgmlType::Q4_1,
            GgmlType::Q4_K,
            GgmlType::IQ4_NL,
            GgmlType::MXFP4,
            GgmlType::Q5_1,
            GgmlType::Q6_K,
            GgmlType::Q8_0,
        ] {
            let packed = Packed::new(dtype, 1, rows, cols);
            let bytes = 4 * (packed.quants.len() + packed.scales.len());
            let weight = packed.upload(&ops, rows);
            let x = tensor(device, &values(1, cols), [1, cols]);
            let ms = time(&one, || drop(ops.linear(&x, &weight, &one)));
            let name = packed.packing.name();
            let gb_s = bytes as f64 / ms / 1e6;
            println!(
                "{{\"case\":\"gemv {name} {rows}x{cols} lanes {lanes}\",\"ms\":{ms:.3},\"gb_s\":{gb_s:.2}}}"
            );
        }
        for n in [64, 512] {
            for kv in [KvType::F32, KvType::F16] {
                let spec = AttentionSpec {
                    kv,
                    ..attention(9, 3, 64, 1024)
                };
                let new = || ops.alloc_kv(3 * 1024, 64, kv);
                let mut cache = KvCache::new(new(), new());
                let q = tensor(device, &values(1, 576), [1, 576]);
                let qkv = tensor(device, &values(2, 960), [1, 960]);
                let o = Packed::new(GgmlType::Q4_1, 1, 576, 576).upload(&ops, 576);
                let state = state_with(&ops, &[(state::POS, vec![n - 1, 1])]);
                let name = format!("{n} {} lanes {lanes}", kv.name());
                let whole = Attention {
                    spec,
                    rope: tensor(device, &values(3, 64 * 1024), [1, 64 * 1024]),
                    attn_params: q.clone(),
                };
                let ms = time(&state, || {
                    drop(ops.attention(q.clone(), &cache, &state, &whole))
                });
                print(&format!("attention {name}"), ms, 2 * 576 * n as usize);
                let split = Attention {
                    spec: AttentionSpec { splits: 32, ..spec },
                    ..whole.clone()
                };
                let ms = time(&state, || {
                    drop(ops.attention(q.clone(), &cache, &state, &split))
                });
                print(&format!("attention split {name}"), ms, 2 * 576 * n as usize);
                let ms = time(&state, || {
                    let q = ops.rope_append(qkv.clone(), &whole, &state, &mut cache);
                    drop(ops.attention(q, &cache, &state, &whole))
                });
                print(
                    &format!("append, attention {name}"),
                    ms,
                    2 * 576 * n as usize,
                );
                let ms = time(&state, || {
                    drop(ops.folded_attention(&qkv, &whole, &state, &mut cache))
                });
                print(
                    &format!("append in attention {name}"),
                    ms,
                    2 * 576 * n as usize,
                );
                let ms = time(&state, || {
                    let y = tensor(device, &values(1, 576), [1, 576]);
                    let queries = Queries::Ready(q.clone());
                    drop(ops.attention_linear_add(queries, &q, &mut cache, &o, &state, y, &whole))
                });
                print(&format!("attention + o_proj {name}"), ms, 576 * 576);
            }
        }
    }
}
