//! Sampling from vocabularies of real models: the distribution, per token and overall, with each filter and with all
//! of them, and ties.

use hearth::Device;
use hearth::ops::state::{self, STATE_WORDS};
use hearth_tests::kernels::{cpu, gpu, pick, values};
use hearth_tests::sampling::{Case, Shares};

/// A vocabulary in which a few tokens, from the first to the last, have nine tenths of the mass.
struct Vocabulary {
    logits: Vec<f32>,
    heavy: Vec<u32>,
}

const HEAVY: usize = 20;

impl Vocabulary {
    fn new(vocab: usize) -> Self {
        let place = |i: usize| match i {
            0 => 0,
            i if i + 1 == HEAVY => vocab - 1,
            i => (i * vocab + pick(i as u64, 0..vocab / 2)) / HEAVY,
        };
        let heavy: Vec<u32> = (0..HEAVY).map(|i| place(i) as u32).collect();
        let ln = |mass: f64| (mass.ln() + 12.0) as f32;
        let rest = ln(0.1 / vocab as f64);
        let mut logits: Vec<f32> = values(5, vocab).iter().map(|v| rest + v / 2.0).collect();
        for (i, id) in heavy.iter().enumerate() {
            // From 0.1 down to 0.014, in no particular order.
            logits[*id as usize] = ln(0.1 * 0.9f64.powi((7 * i % HEAVY) as i32));
        }
        Self { logits, heavy }
    }

    /// Checks draws: each must yield the token that it points at, and each token's count must be at least as likely
    /// as one in a million.
    fn check(&self, device: &Device, what: &str, case: &Case, draws: usize) {
        let vocab = self.logits.len();
        let adjusted = case.adjusted(&self.logits, &case.times_written(vocab));
        let shares = case.shares(&adjusted);
        assert!(shares.is_clear, "{what}: another case, please");
        let ids = case.drawn(device, &self.logits, draws);
        for (i, id) in ids.iter().enumerate() {
            let point = case.point(i);
            assert!(
                shares.may_bring(*id, point),
                "{what}: draw {i} at {point} brought {id}, whose share is {}, and not {}",
                shares.of[*id as usize],
                shares.at(point)
            );
        }
        let of = |ids: &mut dyn Iterator<Item = u32>| ids.map(|id| shares.of[id as usize]).sum();
        let mut bins = Vec::new();
        for id in &self.heavy {
            let count = ids.iter().filter(|found| *found == id).count();
            bins.push((count, draws as f64 * shares.of[*id as usize]));
        }
        for quarter in 0..4 {
            let range = (quarter * vocab / 4) as u32..((quarter + 1) * vocab / 4) as u32;
            let is_light = |id: &u32| range.contains(id) && !self.heavy.contains(id);
            let count = ids.iter().filter(|id| is_light(id)).count();
            let share: f64 = of(&mut range.clone().filter(is_light));
            bins.push((count, draws as f64 * share));
        }
        assert_likely(what, &bins);
    }
}

/// Applies Pearson's test of counts against expectations, at one in a million. Tokens that are frequent enough must
/// have occurred.
fn assert_likely(what: &str, bins: &[(usize, f64)]) {
    let (large, small): (Vec<_>, Vec<_>) = bins.iter().copied().partition(|bin| bin.1 >= 5.0);
    let mut bins = large;
    let rest = small
        .iter()
        .fold((0, 0.0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
    // If the rare tokens are too few for a separate bin, they join the first one.
    match bins.first_mut().filter(|_| rest.1 < 5.0) {
        Some(first) => *first = (first.0 + rest.0, first.1 + rest.1),
        None => bins.push(rest),
    }
    let chi2: f64 = bins.iter().map(|(n, e)| (*n as f64 - e).powi(2) / e).sum();
    // Wilson and Hilferty's approximation of the quantile.
    let degrees = (bins.len() - 1) as f64;
    let variance = 2.0 / (9.0 * degrees);
    let limit = degrees * (1.0 - variance + 4.7534 * variance.sqrt()).powi(3);
    println!("{what}: chi-square {chi2:.1} of {limit:.1}, {degrees} degrees of freedom");
    assert!(
        degrees >= 1.0 && chi2 <= limit,
        "{what}: {chi2} of {limit}, {bins:?}"
    );
    let missing = bins.iter().find(|(n, e)| *n == 0 && *e > 14.0);
    assert_eq!(missing, None, "{what}");
}

/// Returns cases with each filter alone, and with all of them.
fn cases(heavy: &[u32]) -> Vec<(&'static str, Case)> {
    let plain = Case::new(1.0, 77);
    let some = |step: usize| heavy.iter().copied().step_by(step);
    let penalised = Case {
        repetition: 1.05,
        presence: 0.4,
        prompt: some(3).collect(),
        // Once these are written, writing them again changes nothing.
        written: heavy.to_vec(),
        biases: some(4).zip([0.5, -0.75, 1.0, -100.0, 0.25]).collect(),
        ..plain.clone()
    };
    let every_third = (0..heavy[HEAVY - 1]).step_by(3);
    vec![
        ("softmax", plain.clone()),
        (
            "cold",
            Case {
                temperature: 0.6,
                ..plain.clone()
            },
        ),
        (
            "hot",
            Case {
                temperature: 1.15,
                ..plain.clone()
            },
        ),
        (
            "top_k",
            Case {
                top_k: 7,
                ..plain.clone()
            },
        ),
        (
            "top_p",
            Case {
                top_p: 0.7,
                ..plain.clone()
            },
        ),
        (
            "min_p",
            Case {
                // (relative to the largest after temperature)
                temperature: 0.6,
                min_p: 0.31,
                ..plain.clone()
            },
        ),
        (
            "typical_p",
            Case {
                typical_p: 0.6,
                ..plain.clone()
            },
        ),
        ("penalties", penalised.clone()),
        (
            "mask",
            Case {
                mask: Some(every_third.chain(some(2)).collect()),
                ..plain
            },
        ),
        (
            "all",
            Case {
                temperature: 1.1,
                top_k: 17,
                top_p: 0.93,
                min_p: 0.1,
                typical_p: 0.9,
                mask: Some(heavy.to_vec()),
                step: 5,
                ..penalised
            },
        ),
    ]
}

fn check_all(vocab: usize, draws: usize, names: &[&str]) {
    let vocabulary = Vocabulary::new(vocab);
    for (name, case) in cases(&vocabulary.heavy) {
        if names.is_empty() || names.contains(&name) {
            vocabulary.check(&cpu(), &format!("cpu, {name} of {vocab}"), &case, draws);
            if let Some(gpu) = gpu() {
                vocabulary.check(gpu, &format!("gpu, {name} of {vocab}"), &case, draws);
            }
        }
    }
}

#[test]
fn tokens_come_as_likely_as_they_are_in_a_vocabulary_of_49_152() {
    check_all(49_152, 500, &[]);
}

#[test]
fn tokens_come_as_likely_as_they_are_in_a_vocabulary_of_128_256() {
    check_all(
        128_256,
        100,
        &["min_p", "top_p", "penalties", "mask", "all"],
    );
}

#[test]
fn tokens_come_as_likely_as_they_are_in_a_vocabulary_of_262_144() {
    check_all(
        262_144,
        150,
        &["softmax", "top_k", "top_p", "typical_p", "all"],
    );
}

/// The largest logits are all alike, so that rounding decides nothing: what is drawn is what the twin draws, whether
/// they fit the sampler's list of candidates or not.
#[test]
fn of_equal_tokens_the_twins_is_drawn_whether_they_fit_the_candidates_or_not() {
    let Some(gpu) = gpu() else { return };
    let vocab = 128_256;
    for equal in [1, 40, 1023, 1024, 1025, 9000] {
        let mut logits: Vec<f32> = values(3, vocab).iter().map(|v| v - 30.0).collect();
        for i in 0..equal {
            logits[(i * 131 + 5) * 7 % vocab] = 2.5;
        }
        for (top_k, top_p) in [(0, 1.0), (equal as u32, 1.0), (1, 0.5), (0, 0.9999)] {
            let case = Case {
                top_k,
                top_p,
                ..Case::new(1.0, 21)
            };
            let expected = case.drawn(&cpu(), &logits, 20);
            let found = case.drawn(gpu, &logits, 20);
            assert_eq!(found, expected, "{equal} equal, {case:?}");
        }
    }
}

/// Each draw changes the next ones.
#[test]
fn a_frequency_penalty_counts_what_has_come() {
    let vocabulary = Vocabulary::new(49_152);
    let case = Case {
        frequency: 0.5,
        presence: -0.3,
        repetition: 0.97,
        ..Case::new(0.9, 4)
    };
    let mut devices = vec![cpu()];
    devices.extend(gpu().cloned());
    for device in devices {
        let mut written = case.times_written(vocabulary.logits.len());
        let ids = case.drawn(&device, &vocabulary.logits, 48);
        for (i, id) in ids.iter().enumerate() {
            let shares: Shares = case.shares(&case.adjusted(&vocabulary.logits, &written));
            assert!(
                shares.may_bring(*id, case.point(i)),
                "draw {i} brought {id}"
            );
            written[*id as usize] += 1;
        }
        let most = written.iter().max();
        assert!(most >= Some(&4), "nothing came often: {most:?}");
    }
}

/// Greedy sampling picks the lowest of equally likely ids, wherever they are among the sampler's threads.
#[test]
fn of_equal_tokens_the_first_comes() {
    let vocab = 49_152;
    let mut devices = vec![cpu()];
    devices.extend(gpu().cloned());
    for device in devices {
        for equal in [
            vec![40_000, 517, 1029],
            vec![256, 255],
            vec![vocab - 1, 3 * 256 + 7, 2 * 256 + 9],
            vec![12, 13, 14],
            (0..vocab).collect(),
        ] {
            let mut logits = vec![-3.5; vocab];
            equal.iter().for_each(|id| logits[*id] = 2.25);
            let first = equal.iter().min().map(|id| *id as u32);
            let ids = Case::new(0.0, 1).drawn(&device, &logits, 1);
            assert_eq!(ids.first().copied(), first);
        }
    }
}

/// The generator's points are uniform: many draws from many seeds, on the CPU, which has the same points as the GPU.
#[test]
fn many_draws_come_as_likely_as_they_are() {
    let logits = [1.0f32, 0.0, 2.0, -1.0, 0.5];
    let sum: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    for seed in [0, 1, 42, u32::MAX] {
        let draws = 20_000;
        let mut bins: Vec<(usize, f64)> = (logits.iter())
            .map(|l| (0, f64::from(draws) * f64::from(*l).exp() / sum))
            .collect();
        for step in 0..draws {
            let mut words = vec![0u32; STATE_WORDS];
            words[state::TEMPERATURE] = 1.0f32.to_bits();
            words[state::TOP_P] = 1.0f32.to_bits();
            words[state::TYPICAL_P] = 1.0f32.to_bits();
            words[state::SEED] = seed;
            words[state::STEP] = step;
            bins[hearth::ops::sampling::sample_cpu(&logits, &words) as usize].0 += 1;
        }
        assert_likely(&format!("seed {seed}"), &bins);
    }
}
