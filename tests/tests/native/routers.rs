//! Routers of every kind, against plain f64 arithmetic over odd shapes; and what files may say of mixtures.

use hearth::Device;
use hearth::ops::buffer::read_f32;
use hearth::ops::{Gating, Ops, RouteSpec, Router};
use hearth_modelfile::budget::{InspectOptions, Runs, inspect};
use hearth_modelfile::config::ModelConfig;
use hearth_modelfile::container::{ModelHeader, Value};
use hearth_modelfile::layer_spec::FeedForwardKind;
use hearth_tests::kernels::*;
use hearth_tests::{header, manifest};
use pollster::block_on;
use proptest::prelude::*;

/// Checks one token's routes: two of [expert, weight] for each expert used.
///
/// Any choice among experts that are equal up to rounding is right.
fn check_token(router: Router, logits: &[f32], of_experts: &[f32], routes: &[f32]) {
    const SLACK: f64 = 1e-5;
    let logits: Vec<f64> = logits.iter().map(|l| f64::from(*l)).collect();
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    let score = |e: usize| match router.gating {
        Gating::Softmax => logits[e].exp() / sum,
        Gating::Sigmoid => 1.0 / (1.0 + (-logits[e]).exp()),
    };
    let choice = |e: usize| {
        score(e)
            + if router.biased {
                f64::from(of_experts[e])
            } else {
                0.0
            }
    };
    let chosen: Vec<usize> = routes.iter().step_by(2).map(|e| *e as usize).collect();
    for pair in chosen.windows(2) {
        assert!(
            choice(pair[0]) + SLACK >= choice(pair[1]),
            "{router:?} {chosen:?}"
        );
    }
    let last = choice(*chosen.last().unwrap());
    for e in 0..logits.len() {
        let times = chosen.iter().filter(|c| **c == e).count();
        assert!(times <= 1, "{router:?}: expert {e} twice");
        assert!(
            times == 1 || choice(e) <= last + SLACK,
            "{router:?}: {e} is not in {chosen:?}"
        );
    }
    let sum: f64 = match router.normalised {
        true => chosen.iter().map(|e| score(*e)).sum(),
        false => 1.0,
    };
    for (e, route) in chosen.iter().zip(routes.chunks_exact(2)) {
        let own = match router.scaled {
            true => f64::from(of_experts[*e]),
            false => 1.0,
        };
        let expected = own * f64::from(router.factor) * score(*e) / sum;
        let error = (f64::from(route[1]) - expected).abs() / expected.abs();
        assert!(
            error < 1e-5,
            "{router:?}: {} instead of {expected}",
            route[1]
        );
    }
}

fn check(device: &Device, router: Router, (n_experts, n_used, n): (usize, usize, usize)) {
    let ops = Ops::new(&device.handle, tuning(4));
    // One row more than there are tokens.
    let state = live(&ops, 0, n);
    let scaled = |seed, n, by: f32| values(seed, n).into_iter().map(move |v| by * v).collect();
    let logits: Vec<f32> = scaled(1, (n + 1) * n_experts, 4.0);
    let of_experts: Vec<f32> = scaled(2, n_experts, 0.4);
    let found = ops.route(
        tensor(device, &logits, [n + 1, n_experts]),
        Some(&tensor(device, &of_experts, [1, n_experts])),
        &state,
        RouteSpec { router, n_used },
    );
    let found = block_on(read_f32(&found.routes)).unwrap();
    let tokens = logits
        .chunks_exact(n_experts)
        .zip(found.chunks_exact(2 * n_used));
    for (logits, routes) in tokens.take(n) {
        check_token(router, logits, &of_experts, routes);
    }
}

#[test]
fn every_router_chooses_and_weights_as_in_plain_arithmetic() {
    // A router has a bias or a factor of each expert, or neither.
    let kinds = (any::<bool>(), any::<bool>(), 0..3usize, 0..3usize);
    let shapes = (1..150usize, 1..9usize, 1..7usize);
    for_all(
        40,
        (kinds, shapes),
        |((sigmoid, normalised, of_experts, factor), shape)| {
            let router = Router {
                gating: if sigmoid {
                    Gating::Sigmoid
                } else {
                    Gating::Softmax
                },
                normalised,
                biased: of_experts == 1,
                scaled: of_experts == 2,
                factor: [1.0, 2.5, 0.3][factor],
            };
            let (n_experts, n_used, n) = shape;
            let shape = (n_experts, n_used.min(n_experts), n);
            check(&cpu(), router, shape);
            if let Some(gpu) = gpu() {
                check(gpu, router, shape);
            }
        },
    );
}

/// A gate as of an expert that every token uses.
#[test]
fn a_gate_weights_an_output_by_a_sigmoid() {
    let (n, cols) = (5, 12);
    let (x, y, gates) = (values(1, n * cols), values(2, n * cols), values(3, n));
    let expected: Vec<f32> = (0..n * cols)
        .map(|i| {
            let gate = 1.0 / (1.0 + (-4.0 * f64::from(gates[i / cols])).exp());
            (f64::from(x[i]) + gate * f64::from(y[i])) as f32
        })
        .collect();
    let run = |device: &Device| {
        let ops = Ops::new(&device.handle, tuning(4));
        let state = live(&ops, 0, n);
        let logits: Vec<f32> = gates.iter().map(|gate| 4.0 * gate).collect();
        let routes = ops.gate_tokens(tensor(device, &logits, [n, 1]), &state);
        assert!(!routes.is_grouped());
        let [x, y] = [&x, &y].map(|values| tensor(device, values, [n, cols]));
        let found = block_on(read_f32(&ops.combine(y, &routes, &state, x))).unwrap();
        assert_close("gate", &found, &expected, 1e-5);
    };
    run(&cpu());
    if let Some(gpu) = gpu() {
        run(gpu);
    }
}

fn of(name: &str) -> ModelHeader {
    header(&std::fs::read(manifest::named(name).model()).unwrap())
}

#[test]
fn the_first_layers_may_be_dense_and_every_second_one() {
    let kinds = |name: &str| -> Vec<(FeedForwardKind, usize, usize)> {
        let config = ModelConfig::from_gguf(&of(name)).unwrap();
        let layers = config.layers.iter();
        let kind =
            |l: &hearth_modelfile::layer_spec::LayerSpec| (l.feed_forward, l.d_ff, l.shared_d_ff);
        layers.map(kind).collect()
    };
    let (dense, mixture) = ((FeedForwardKind::Gated, 96, 0), FeedForwardKind::Experts);
    assert_eq!(
        kinds("family_lfm2moe"),
        [dense, (mixture, 32, 0), (mixture, 32, 0)]
    );
    assert_eq!(
        kinds("family_ernie4_5_moe"),
        [dense, dense, dense, (mixture, 32, 64)]
    );
    assert_eq!(kinds("family_qwen35moe"), [(mixture, 32, 64); 2]);
    assert_eq!(kinds("family_gemma4_moe"), [(mixture, 32, 96); 3]);
}

#[test]
fn what_a_family_does_not_compute_is_refused_by_name() {
    let (no, two) = (Value::Bool(false), Value::U32(2));
    for (name, family, key, value) in [
        ("lfm2moe", "lfm2moe", "expert_gating_func", Value::U32(3)),
        ("lfm2moe", "lfm2moe", "expert_gating_func", Value::U32(4)),
        ("lfm2moe", "lfm2moe", "expert_group_count", two.clone()),
        ("lfm2moe", "lfm2moe", "expert_shared_count", two.clone()),
        ("lfm2moe", "lfm2moe", "expert_weights_norm", two.clone()),
        ("olmoe", "olmoe", "expert_gating_func", two.clone()),
        ("olmoe", "olmoe", "expert_weights_scale", Value::F32(2.5)),
        ("olmoe", "olmoe", "leading_dense_block_count", two.clone()),
        (
            "qwen2moe",
            "qwen2moe",
            "expert_shared_feed_forward_length",
            Value::U32(66),
        ),
        (
            "qwen2moe",
            "qwen2moe",
            "interleave_moe_layer_step",
            two.clone(),
        ),
        ("qwen35moe", "qwen35moe", "expert_weights_norm", no.clone()),
        ("qwen35moe", "qwen35moe", "expert_gating_func", two.clone()),
        (
            "ernie4_5_moe",
            "ernie4_5-moe",
            "expert_weights_norm",
            no.clone(),
        ),
        (
            "ernie4_5_moe",
            "ernie4_5-moe",
            "expert_gating_func",
            two.clone(),
        ),
        (
            "ernie4_5_moe",
            "ernie4_5-moe",
            "expert_weights_scale",
            Value::F32(2.5),
        ),
        (
            "granitemoe",
            "granitemoe",
            "expert_shared_feed_forward_length",
            Value::U32(64),
        ),
        ("granitemoe", "granitemoe", "expert_weights_norm", no),
    ] {
        let mut header = of(&format!("family_{name}"));
        let key = format!("{family}.{key}");
        header.metadata.insert(key.as_str(), value);
        let error = ModelConfig::from_gguf(&header).expect_err(&key).to_string();
        assert!(error.contains(&key), "{key}: {error}");
    }
}

#[test]
fn a_tensor_of_a_mixture_that_is_missing_or_unknown_is_named() {
    let refused =
        |header: &ModelHeader, name: &str| match inspect(header, InspectOptions::default()).run {
            Runs::Unsupported { message, .. } => assert!(message.contains(name), "{message}"),
            Runs::Budget(_) => panic!("{name} is not refused"),
        };
    for (golden, name) in [
        ("family_lfm2moe", "blk.1.exp_probs_b.bias"),
        ("family_lfm2moe", "blk.0.ffn_gate.weight"),
        ("family_lfm2moe", "blk.2.ffn_gate_inp.weight"),
        ("family_ernie4_5_moe", "blk.3.exp_probs_b.bias"),
        ("family_ernie4_5_moe", "blk.3.ffn_up_shexp.weight"),
        ("family_qwen2moe", "blk.1.ffn_gate_inp_shexp.weight"),
        ("family_qwen35moe", "blk.0.ffn_down_shexp.weight"),
        ("family_qwen35moe", "blk.1.ffn_up_exps.weight"),
        ("family_gemma4_moe", "blk.0.ffn_gate_inp.scale"),
        ("family_gemma4_moe", "blk.1.ffn_gate.weight"),
        ("family_gemma4_moe", "blk.2.pre_ffw_norm_2.weight"),
    ] {
        let mut header = of(golden);
        header.tensors.retain(|tensor| tensor.name != name);
        refused(&header, name);
    }
    // A bias that would choose otherwise, a shared expert, a factor of each expert.
    for (golden, name) in [
        ("family_olmoe", "blk.1.exp_probs_b.bias"),
        ("family_lfm2moe", "blk.0.exp_probs_b.bias"),
        ("family_granitemoe", "blk.0.ffn_gate_shexp.weight"),
        ("family_ernie4_5_moe", "blk.3.ffn_gate_inp_shexp.weight"),
        ("family_qwen35moe", "blk.0.ffn_down_exps.scale"),
    ] {
        let mut header = of(golden);
        let mut tensor = header.tensors[0].clone();
        tensor.name = name.to_owned();
        header.tensors.push(tensor);
        refused(&header, name);
    }
}
