//! Sampling: the same draw on every backend, within what the filters allow, from the right distribution.

use hearth::Device;
use hearth::ops::Ops;
use hearth::ops::state::{self, STATE_WORDS};
use hearth::ops::words::read_words;
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

fn sampled(device: &Device, logits: &[f32], params: &[u32; 6]) -> Vec<u32> {
    let ops = Ops::new(&device.burn, tuning(1));
    let mut state = state_with(
        &ops,
        &[(state::POS, vec![10, 3]), (state::STEP, params.to_vec())],
    );
    let logits = tensor(device, logits, [1, logits.len()]);
    for _ in 0..5 {
        state = ops.sample(&logits, state);
    }
    let words = block_on(read_words(&state, 0, STATE_WORDS)).unwrap();
    let step = params[0];
    assert_eq!(words[state::POS], 10 + 3 + 4);
    assert_eq!(words[state::N_TOKENS], 1);
    assert_eq!(words[state::STEP], step + 5);
    let ids: Vec<u32> = (0..5)
        .map(|i| words[state::RING + (step as usize + i) % state::RING_LEN])
        .collect();
    assert_eq!(words[state::IDS], ids[4]);
    ids
}

#[test]
fn sampling_agrees_between_backends_and_respects_every_filter() {
    let params = (
        2..3000usize,
        0..4usize,
        0..60u32,
        0.0..1.2f32,
        0.0..0.3f32,
        any::<u32>(),
        0..100u32,
    );
    for_all(40, params, |(vocab, t, top_k, top_p, min_p, seed, step)| {
        let temperature: f32 = [0.0, 0.3, 1.0, 2.0][t];
        let logits: Vec<f32> = values(u64::from(seed), vocab)
            .iter()
            .map(|v| v * 8.0)
            .collect();
        let params = [
            step,
            temperature.to_bits(),
            top_k,
            top_p.to_bits(),
            min_p.to_bits(),
            seed,
        ];
        let allowed = allowed_ids(&logits, temperature, top_k, top_p, min_p);
        let on_cpu = sampled(&cpu(), &logits, &params);
        for id in &on_cpu {
            assert!(allowed.contains(id), "cpu: {id} is filtered out");
        }
        if let Some(gpu) = gpu() {
            let on_gpu = sampled(gpu, &logits, &params);
            for id in &on_gpu {
                assert!(allowed.contains(id), "gpu: {id} is filtered out");
            }
            // The same draw; a rounding of exp may move one boundary of the cumulated mass.
            let same = on_cpu.iter().zip(&on_gpu).filter(|(a, b)| a == b).count();
            assert!(same >= 4, "{on_cpu:?} {on_gpu:?}");
        }
    });
}

/// The ids that the filters leave, with a margin for rounding at the edges.
fn allowed_ids(logits: &[f32], temperature: f32, top_k: u32, top_p: f32, min_p: f32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if temperature == 0.0 {
        return vec![order[0] as u32];
    }
    let top = logits[order[0]];
    let weight = |i: usize| f64::from((logits[i] - top) / temperature).exp();
    let k = if top_k == 0 {
        logits.len()
    } else {
        top_k as usize
    };
    order.truncate(k);
    let total: f64 = order.iter().map(|i| weight(*i)).sum();
    let mut kept = Vec::new();
    let mut mass = 0.0;
    for i in order {
        if mass > f64::from(top_p) * total * (1.0 + 1e-4) + 1e-6 && !kept.is_empty() {
            break;
        }
        if weight(i) < f64::from(min_p) * (1.0 - 1e-4) {
            break;
        }
        mass += weight(i);
        kept.push(i as u32);
    }
    kept
}

/// The frequencies of many draws are the softmax.
#[test]
fn sampling_draws_from_the_distribution() {
    let logits = [1.0f32, 0.0, 2.0, -1.0, 0.5];
    let sum: f32 = logits.iter().map(|l| l.exp()).sum();
    let mut counts = [0usize; 5];
    let draws = 20_000;
    for step in 0..draws {
        let mut words = vec![0u32; STATE_WORDS];
        words[state::TEMPERATURE] = 1.0f32.to_bits();
        words[state::TOP_P] = 1.0f32.to_bits();
        words[state::SEED] = 42;
        words[state::STEP] = step;
        counts[hearth::ops::sample::sample_cpu(&logits, &words) as usize] += 1;
    }
    for (count, logit) in counts.iter().zip(logits) {
        let expected = logit.exp() / sum;
        let found = *count as f32 / draws as f32;
        assert!(
            (found - expected).abs() < 0.012,
            "{found} against {expected}"
        );
    }
}
