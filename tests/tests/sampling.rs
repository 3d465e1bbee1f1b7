//! Sampling: the same draw on every backend, within what the filters allow, from the right distribution.

use hearth::Device;
use hearth::ops::Ops;
use hearth::ops::state::{self, STATE_WORDS};
use hearth::ops::words::read_words;
use hearth_tests::kernels::*;
use pollster::block_on;
use proptest::prelude::*;

/// The sampling parameters as the state has them, and what the sampler remembers.
struct Case {
    step: u32,
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    seed: u32,
    typical_p: f32,
    repetition: f32,
    frequency: f32,
    presence: f32,
    prompt: Vec<u32>,
    biases: Vec<(u32, f32)>,
    /// The tokens that may come, if not all.
    mask: Option<Vec<u32>>,
}

impl Case {
    fn new(temperature: f32, seed: u32) -> Self {
        Self {
            step: 0,
            temperature,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed,
            typical_p: 1.0,
            repetition: 1.0,
            frequency: 0.0,
            presence: 0.0,
            prompt: vec![],
            biases: vec![],
            mask: None,
        }
    }

    /// Words from STEP on.
    fn words(&self) -> Vec<u32> {
        let adjusts = (self.repetition, self.frequency, self.presence) != (1.0, 0.0, 0.0)
            || !self.biases.is_empty();
        vec![
            self.step,
            self.temperature.to_bits(),
            self.top_k,
            self.top_p.to_bits(),
            self.min_p.to_bits(),
            self.seed,
            self.typical_p.to_bits(),
            self.repetition.to_bits(),
            self.frequency.to_bits(),
            self.presence.to_bits(),
            adjusts as u32 * state::PENALISED + self.mask.is_some() as u32 * state::MASKED,
        ]
    }

    /// Five ids, each from the same logits before adjustment.
    fn sampled(&self, device: &Device, logits: &[f32]) -> Vec<u32> {
        let ops = Ops::new(&device.burn, tuning(1));
        let mut state = state_with(
            &ops,
            &[(state::POS, vec![10, 3]), (state::STEP, self.words())],
        );
        let mut memory = ops.sample_memory(logits.len(), 64);
        ops.write_memory(&mut memory, logits.len(), &self.prompt, &[], &self.biases);
        if let Some(ids) = &self.mask {
            let mut bits = vec![0; logits.len().div_ceil(32)];
            for id in ids {
                bits[*id as usize / 32] |= 1 << (id % 32);
            }
            ops.write_allowed(&mut memory, bits);
        }
        for _ in 0..5 {
            let logits = tensor(device, logits, [1, logits.len()]);
            state = ops.sample(logits, state, &mut memory);
        }
        let words = block_on(read_words(&state, 0, STATE_WORDS)).unwrap();
        assert_eq!(words[state::POS], 10 + 3 + 4);
        assert_eq!(words[state::N_TOKENS], 1);
        assert_eq!(words[state::STEP], self.step + 5);
        let ids: Vec<u32> = (0..5)
            .map(|i| words[state::RING + (self.step as usize + i) % state::RING_LEN])
            .collect();
        assert_eq!(words[state::IDS], ids[4]);
        ids
    }
}

fn logits_of(seed: u32, vocab: usize) -> Vec<f32> {
    let drawn = values(u64::from(seed), vocab);
    drawn.iter().map(|v| v * 8.0).collect()
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
        let logits = logits_of(seed, vocab);
        let case = Case {
            step,
            top_k,
            top_p,
            min_p,
            ..Case::new([0.0, 0.3, 1.0, 2.0][t], seed)
        };
        let allowed = allowed_ids(&logits, case.temperature, top_k, top_p, min_p);
        let on_cpu = case.sampled(&cpu(), &logits);
        for id in &on_cpu {
            assert!(allowed.contains(id), "cpu: {id} is filtered out");
        }
        if let Some(gpu) = gpu() {
            let on_gpu = case.sampled(gpu, &logits);
            for id in &on_gpu {
                assert!(allowed.contains(id), "gpu: {id} is filtered out");
            }
            // The same draw; a rounding of exp may move one boundary of the cumulated mass.
            let same = on_cpu.iter().zip(&on_gpu).filter(|(a, b)| a == b).count();
            assert!(same >= 4, "{on_cpu:?} {on_gpu:?}");
        }
    });
}

#[test]
fn typical_sampling_keeps_what_is_as_surprising_as_expected() {
    let params = (2..2000usize, 0.05..0.95f32, 0..40u32, any::<u32>());
    for_all(30, params, |(vocab, typical_p, top_k, seed)| {
        let logits = logits_of(seed, vocab);
        let case = Case {
            typical_p,
            top_k,
            ..Case::new(1.0, seed)
        };
        // In f64, over what top-k leaves.
        let kept = allowed_ids(&logits, 1.0, top_k, 1.0, 0.0);
        let weight = |id: u32| f64::from(logits[id as usize]).exp();
        let total: f64 = kept.iter().map(|id| weight(*id)).sum();
        let surprise = |id: u32| -(weight(id) / total).ln();
        let entropy: f64 = kept
            .iter()
            .map(|id| weight(*id) / total * surprise(*id))
            .sum();
        let distance = |id: u32| (surprise(id) - entropy).abs();
        let mut order = kept.clone();
        order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        let mut mass = 0.0;
        let within = order.iter().take_while(|id| {
            let before = mass;
            mass += weight(**id) / total;
            before < f64::from(typical_p)
        });
        let limit = within.map(|id| distance(*id)).fold(0.0, f64::max);
        let mut found = vec![case.sampled(&cpu(), &logits)];
        found.extend(gpu().map(|gpu| case.sampled(gpu, &logits)));
        for id in found.concat() {
            assert!(kept.contains(&id), "{id} is not among the top {top_k}");
            assert!(
                distance(id) <= limit + 1e-3,
                "{id}: {} beyond {limit}",
                distance(id)
            );
        }
    });
}

/// Greedy with penalties is an argmax over adjusted logits, which is easy to say in plain arithmetic.
#[test]
fn penalties_and_biases_change_the_choice_as_they_should() {
    let params = (
        4..1500usize,
        0.5..2.0f32,
        -2.0..2.0f32,
        -2.0..2.0f32,
        any::<u32>(),
        any::<bool>(),
    );
    for_all(
        30,
        params,
        |(vocab, repetition, frequency, presence, seed, biased)| {
            let logits = logits_of(seed, vocab);
            let some = |n: u32| (0..n).map(|i| seed.wrapping_mul(i + 3) % vocab as u32);
            let case = Case {
                repetition,
                frequency,
                presence,
                prompt: some(20).collect(),
                biases: if biased {
                    some(9)
                        .zip([6.0, -100.0, 3.0, -4.0, 100.0, 1.0, 0.5, -2.0, 7.0])
                        .collect()
                } else {
                    vec![]
                },
                ..Case::new(0.0, seed)
            };
            let mut written = vec![0u32; vocab];
            let expected: Vec<u32> = (0..5)
                .map(|_| {
                    let adjusted = |i: usize| {
                        let bias = case.biases.iter().rev().find(|(id, _)| *id as usize == i);
                        let mut v = logits[i] + bias.map_or(0.0, |(_, bias)| *bias);
                        if written[i] > 0 || case.prompt.contains(&(i as u32)) {
                            v = if v > 0.0 {
                                v / repetition
                            } else {
                                v * repetition
                            };
                        }
                        let n = written[i] as f32;
                        v - (frequency * n + presence * n.min(1.0))
                    };
                    let best = (0..vocab)
                        .max_by(|a, b| adjusted(*a).total_cmp(&adjusted(*b)).then(b.cmp(a)));
                    let best = best.unwrap();
                    written[best] += 1;
                    best as u32
                })
                .collect();
            assert_eq!(case.sampled(&cpu(), &logits), expected);
            if let Some(gpu) = gpu() {
                assert_eq!(case.sampled(gpu, &logits), expected);
            }
        },
    );
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

/// A mask is the same as a vocabulary of fewer tokens.
#[test]
fn a_mask_leaves_what_it_allows() {
    let params = (
        2..3000usize,
        0..3usize,
        0..60u32,
        0.05..1.0f32,
        any::<u32>(),
        1..40u32,
    );
    for_all(12, params, |(vocab, t, top_k, top_p, seed, count)| {
        let logits = logits_of(seed, vocab);
        let mut ids: Vec<u32> = (0..count)
            .map(|i| seed.wrapping_mul(2 * i + 7).wrapping_add(i) % vocab as u32)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let case = Case {
            top_k,
            top_p,
            mask: Some(ids.clone()),
            ..Case::new([0.0, 0.5, 1.5][t], seed)
        };
        let few: Vec<f32> = ids.iter().map(|id| logits[*id as usize]).collect();
        let kept = allowed_ids(&few, case.temperature, top_k, top_p, 0.0);
        let kept: Vec<u32> = kept.into_iter().map(|i| ids[i as usize]).collect();
        let mut found = vec![case.sampled(&cpu(), &logits)];
        found.extend(gpu().map(|gpu| case.sampled(gpu, &logits)));
        for id in found.concat() {
            assert!(kept.contains(&id), "{id} is not among {kept:?}");
        }
    });
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
        words[state::TYPICAL_P] = 1.0f32.to_bits();
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
