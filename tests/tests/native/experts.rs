//! Mixtures of experts: routes, routed projections and their sum, against plain f64 arithmetic over odd shapes.

use hearth::Device;
use hearth::ops::buffer::read_f32;
use hearth::ops::{Activation, Arithmetic, Ops, RouteSpec, Router, Tuning, Weight};
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

fn plain(n_used: usize) -> RouteSpec {
    RouteSpec {
        router: Router::PLAIN,
        n_used,
    }
}

/// Returns each token's experts, best first, with their weights.
fn reference_routes(logits: &[f32], n_experts: usize, n_used: usize) -> Vec<f32> {
    let routed = logits.chunks_exact(n_experts).flat_map(|logits| {
        let mut order: Vec<usize> = (0..n_experts).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        order.truncate(n_used);
        let weight = |e: &usize| f64::from(logits[*e]).exp();
        let sum: f64 = order.iter().map(weight).sum();
        let route = |e: &usize| [*e as f32, (weight(e) / sum) as f32];
        order.iter().flat_map(route).collect::<Vec<_>>()
    });
    routed.collect()
}

/// A mixture, from the router's logits to the sum of its experts' outputs.
struct Mixture {
    /// Weight types of the gate and up projections.
    types: (usize, usize),
    n_experts: usize,
    n_used: usize,
    /// Rows of an expert, divided by four.
    d_ff4: usize,
    blocks: usize,
    /// Number of tokens.
    n: usize,
    clamped: bool,
    tuning: Tuning,
}

impl Mixture {
    fn check(&self) {
        let (n_experts, n) = (self.n_experts, self.n);
        let n_used = self.n_used.min(n_experts);
        let width = 4 * self.d_ff4;
        let (gate_type, up_type) = (DTYPES[self.types.0], DTYPES[self.types.1]);
        let cols = columns(gate_type, self.blocks).max(columns(up_type, self.blocks));
        let (gate, up) = (
            Packed::new(gate_type, 3, n_experts * width, cols),
            Packed::new(up_type, 4, n_experts * width, cols),
        );
        let (x, logits) = (values(6, n * cols), values(7, n * n_experts));
        let (before, bias) = (values(8, n * width), values(9, n_experts * 2 * width));
        let routes = reference_routes(&logits, n_experts, n_used);
        let dense = [gate.dense(), up.dense()];
        // Two weights next to each other in a row, as gate and up are, with a bias.
        let mut slots = Vec::new();
        for (slot, route) in routes.chunks_exact(2).enumerate() {
            let (t, expert) = (slot / n_used, route[0] as usize);
            let x = &x[t * cols..(t + 1) * cols];
            for (half, dense) in dense.iter().enumerate() {
                for r in 0..width {
                    let row = &dense[(expert * width + r) * cols..][..cols];
                    let products = row.iter().zip(x);
                    let sum: f64 = products.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                    let bias = bias[(2 * expert + half) * width + r];
                    slots.push((sum + f64::from(bias)) as f32);
                }
            }
        }
        let gated = |slot: usize, c: usize| {
            let row = &slots[2 * slot * width..];
            let (g, u) = (f64::from(row[c]), f64::from(row[width + c]));
            match self.clamped {
                true => {
                    let g = g.min(7.0);
                    (u.clamp(-7.0, 7.0) + 1.0) * g / (1.0 + (-1.702 * g).exp())
                }
                false => g / (1.0 + (-g).exp()) * u,
            }
        };
        let sums: Vec<f32> = (0..n * width)
            .map(|i| {
                let (t, c) = (i / width, i % width);
                let said = (t * n_used..(t + 1) * n_used)
                    .map(|slot| f64::from(routes[2 * slot + 1]) * gated(slot, c));
                (f64::from(before[i]) + said.sum::<f64>()) as f32
            })
            .collect();
        let run = |device: &Device, tolerance: f32| {
            let ops = Ops::new(&device.handle, self.tuning);
            let read = |y: &_| block_on(read_f32(y)).unwrap();
            // One row more than there are tokens.
            let state = live(&ops, 0, n);
            let logits = tensor(device, &logits, [n, n_experts]);
            let found = ops.route(logits, None, &state, plain(n_used));
            let in_tiles = self.tuning.shared_tile && n >= 24 && n * n_used >= 8 * n_experts;
            let sorted = if device.is_gpu() { in_tiles } else { n > 1 };
            assert_eq!(found.is_grouped(), sorted, "{n} tokens");
            assert_close("route", &read(&found.routes), &routes, 1e-5);
            // In parts of whole experts, as on a device with small bindings.
            let parts = |p: &Packed| p.upload(&ops, n_experts.div_ceil(3) * width);
            let weights: [Weight; 2] = [parts(&gate), parts(&up)];
            let x = tensor(device, &x, [n, cols]);
            let both = [&weights[0], &weights[1]];
            let y = ops.routed_linear(&x, &both, &found, &state);
            let bias = tensor(device, &bias, [1, bias.len()]);
            let y = ops.routed_bias(y, &bias, &found, &state);
            assert_close("routed_linear", &read(&y), &slots, tolerance);
            let activation = match self.clamped {
                true => Activation::Clamped,
                false => Activation::Silu,
            };
            let a = ops.gate(y, activation);
            let residual = tensor(device, &before, [n, width]);
            let alone = read(&ops.combine_alone(a.clone(), &found, &state));
            let added: Vec<f32> = alone.iter().zip(&before).map(|(a, b)| a + b).collect();
            assert_close("combine_alone", &added, &sums, 4.0 * tolerance);
            let sum = ops.combine(a, &found, &state, residual);
            assert_close("combine", &read(&sum), &sums, 4.0 * tolerance);
        };
        run(&cpu(), 1e-4);
        if let Some(gpu) = gpu() {
            // Only tiles multiply integers.
            let integers = self.tuning.shared_tile && self.tuning.arithmetic == Arithmetic::I15;
            run(gpu, if integers { 1.5e-4 } else { 1e-5 });
        }
    }
}

// Two tests, so that two cores have something to compile.

#[test]
fn a_mixture_matches_plain_arithmetic_with_one_lane() {
    mixtures(&[1]);
}

#[test]
fn a_mixture_matches_plain_arithmetic_with_several_lanes() {
    mixtures(&[4, 16]);
}

fn mixtures(lanes: &[u32]) {
    let shapes = (
        (0..12usize, 0..12usize),
        (1..150usize, 1..9usize),
        (1..30usize, 1..4usize),
        1..7usize,
        0..lanes.len(),
        any::<bool>(),
        0..3usize,
    );
    for_all(
        20,
        shapes,
        |(types, (n_experts, n_used), (d_ff4, blocks), n, way, clamped, drawn)| {
            let tuning = Tuning {
                arithmetic: ARITHMETIC[drawn],
                ..tuning(lanes[way])
            };
            Mixture {
                types,
                n_experts,
                n_used,
                d_ff4,
                blocks,
                n,
                clamped,
                tuning,
            }
            .check();
        },
    );
}

/// Slots grouped by expert, in tiles of 32 and of 64, of floats and of integers: experts with many slots, with few, with
/// none.
#[test]
fn a_prompt_s_slots_go_by_expert() {
    let shapes = (
        (0..12usize, 0..12usize),
        (1..40usize, 1..9usize),
        (1..30usize, 1..3usize),
        24..150usize,
        any::<bool>(),
    );
    for_all(
        16,
        shapes,
        |(types, (n_experts, n_used), (d_ff4, blocks), n, large)| {
            let tuning = Tuning {
                shared_tile: true,
                arithmetic: ARITHMETIC[n % 3],
                workgroup_bytes: if large { 32 << 10 } else { 16 << 10 },
                ..tuning(4)
            };
            Mixture {
                types,
                n_experts,
                n_used,
                d_ff4,
                blocks,
                n,
                clamped: large,
                tuning,
            }
            .check();
        },
    );
}

/// One input row per slot, as down requires.
#[test]
fn each_slot_may_have_an_input_of_its_own() {
    for n in [1, 3, 60] {
        check_inputs_of_slots(n);
    }
}

fn check_inputs_of_slots(n: usize) {
    let (n_experts, n_used, rows, cols) = (5, 2, 12, 64);
    let packed = Packed::new(DTYPES[0], 3, n_experts * rows, cols);
    let dense = packed.dense();
    let logits = values(7, n * n_experts);
    let routes = reference_routes(&logits, n_experts, n_used);
    let x = values(6, n * n_used * cols);
    let expected: Vec<f32> = (0..n * n_used * rows)
        .map(|i| {
            let (slot, r) = (i / rows, i % rows);
            let row = &dense[(routes[2 * slot] as usize * rows + r) * cols..][..cols];
            let x = &x[slot * cols..(slot + 1) * cols];
            let sum: f64 = (row.iter().zip(x))
                .map(|(w, x)| f64::from(*w) * f64::from(*x))
                .sum();
            sum as f32
        })
        .collect();
    let run = |device: &Device, tolerance: f32| {
        let tuning = Tuning {
            shared_tile: true,
            ..tuning(4)
        };
        let ops = Ops::new(&device.handle, tuning);
        let state = live(&ops, 0, n);
        let logits = tensor(device, &logits, [n, n_experts]);
        let routes = ops.route(logits, None, &state, plain(n_used));
        let weight = packed.upload(&ops, n_experts * rows);
        let x = tensor(device, &x, [n * n_used, cols]);
        let y = ops.routed_linear(&x, &[&weight], &routes, &state);
        let y = block_on(read_f32(&y)).unwrap();
        assert_close("routed_linear", &y, &expected, tolerance);
    };
    run(&cpu(), 1e-4);
    if let Some(gpu) = gpu() {
        run(gpu, 1e-5);
    }
}
