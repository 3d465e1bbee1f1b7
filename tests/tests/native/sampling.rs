//! Sampling over odd vocabularies: the tokens that the filters allow and, among them, the token that a draw points
//! at, on both backends.

use std::cell::Cell;

use hearth_tests::kernels::*;
use hearth_tests::sampling::{Case, logits_of};
use proptest::prelude::*;

/// Vocabulary sizes: few, because each is a kernel; around the sampler's 256 threads and the 32-bit words of its
/// masks.
const VOCABULARIES: [usize; 8] = [2, 31, 33, 255, 257, 1000, 1999, 2999];

#[test]
fn each_draw_is_what_it_points_at_within_the_filters() {
    let params = (
        0..8usize,
        0..4usize,
        0..60u32,
        0.0..1.2f32,
        0.0..0.3f32,
        any::<u32>(),
        0..100u32,
    );
    let (cases, clear) = (Cell::new(0), Cell::new(0));
    for_all(40, params, |(vocab, t, top_k, top_p, min_p, seed, step)| {
        let vocab = VOCABULARIES[vocab];
        let logits = logits_of(seed, vocab);
        let case = Case {
            step,
            top_k,
            top_p,
            min_p,
            ..Case::new([0.0, 0.3, 1.0, 2.0][t], seed)
        };
        let allowed = allowed_ids(&logits, case.temperature, top_k, top_p, min_p);
        let mut found = vec![("cpu", case.drawn(&cpu(), &logits, 5))];
        found.extend(gpu().map(|gpu| ("gpu", case.drawn(gpu, &logits, 5))));
        let greedy = case.temperature == 0.0;
        let shares = case.shares(&case.adjusted(&logits, &vec![0; vocab]));
        cases.set(cases.get() + 1);
        clear.set(clear.get() + (greedy || shares.is_clear) as usize);
        for (on, ids) in found {
            for (i, id) in ids.iter().enumerate() {
                assert!(allowed.contains(id), "{on}: {id} is filtered out");
                assert!(
                    greedy || !shares.is_clear || shares.may_bring(*id, case.point(i)),
                    "{on}: {id} of {case:?}, which draw {i} does not point at"
                );
            }
        }
    });
    // In the other cases a token lies on the edge of a filter.
    assert!(
        10 * clear.get() >= 9 * cases.get(),
        "{clear:?} of {cases:?}"
    );
}

#[test]
fn typical_sampling_keeps_what_is_as_surprising_as_expected() {
    let params = (0..8usize, 0.05..0.95f32, 0..40u32, any::<u32>());
    for_all(30, params, |(vocab, typical_p, top_k, seed)| {
        let vocab = VOCABULARIES[vocab];
        let logits = logits_of(seed, vocab);
        let case = Case {
            typical_p,
            top_k,
            ..Case::new(1.0, seed)
        };
        // Computed in f64, over the tokens that top-k keeps.
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
        let mut found = vec![case.drawn(&cpu(), &logits, 5)];
        found.extend(gpu().map(|gpu| case.drawn(gpu, &logits, 5)));
        println!("cpu, gpu: {found:?}");
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

/// Greedy sampling with penalties is an argmax over adjusted logits, which is easy to compute in plain arithmetic.
#[test]
fn penalties_and_biases_change_the_choice_as_they_should() {
    let params = (
        0..8usize,
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
            let vocab = VOCABULARIES[vocab];
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
            assert_eq!(case.drawn(&cpu(), &logits, 5), expected);
            if let Some(gpu) = gpu() {
                assert_eq!(case.drawn(gpu, &logits, 5), expected);
            }
        },
    );
}

/// Returns the ids that the filters keep, with a margin for rounding at the edges.
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

/// A mask has the same effect as a vocabulary of fewer tokens.
#[test]
fn a_mask_leaves_what_it_allows() {
    let params = (
        0..8usize,
        0..3usize,
        0..60u32,
        0.05..1.0f32,
        any::<u32>(),
        1..40u32,
    );
    for_all(12, params, |(vocab, t, top_k, top_p, seed, count)| {
        let vocab = VOCABULARIES[vocab];
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
        let mut found = vec![case.drawn(&cpu(), &logits, 5)];
        found.extend(gpu().map(|gpu| case.drawn(gpu, &logits, 5)));
        for id in found.concat() {
            assert!(kept.contains(&id), "{id} is not among {kept:?}");
        }
    });
}

/// The token at the filter's edge is kept. Here it is the only one, so that losing it to rounding yields a different
/// token.
#[test]
fn the_most_typical_token_comes_where_one_is_asked_for() {
    let mut devices = vec![("cpu", cpu())];
    devices.extend(gpu().map(|gpu| ("gpu", gpu.clone())));
    for (on, device) in devices {
        let (mut clear, mut lost) = (0, Vec::new());
        for seed in 0..200 {
            let logits = logits_of(seed + 1, 255);
            let case = Case {
                typical_p: 1e-4,
                ..Case::new(1.5, seed)
            };
            let shares = case.shares(&case.adjusted(&logits, &[0; 255]));
            let id = case.drawn(&device, &logits, 1)[0];
            if shares.is_clear {
                clear += 1;
                lost.extend((!shares.may_bring(id, case.point(0))).then_some(seed));
            }
        }
        assert!(clear > 150, "{clear}");
        assert_eq!(lost, [0; 0], "{on}: seeds");
    }
}
