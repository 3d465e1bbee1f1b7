//! The sampler's draws, and the draws expected of it, computed in f64.

use std::cell::Cell;

use hearth::Device;
use hearth::ops::state::{self, STATE_WORDS};
use hearth::ops::{Ops, SamplerTables};
use pollster::block_on;

use crate::kernels::{state_with, tensor, tuning, values};

/// The sampling parameters as stored in the state, and the tokens that the sampler remembers.
#[derive(Debug, Clone)]
pub struct Case {
    pub step: u32,
    pub temperature: f32,
    pub top_k: u32,
    pub top_p: f32,
    pub min_p: f32,
    pub seed: u32,
    pub typical_p: f32,
    pub repetition: f32,
    pub frequency: f32,
    pub presence: f32,
    pub prompt: Vec<u32>,
    /// Tokens written before the first draw.
    pub written: Vec<u32>,
    pub biases: Vec<(u32, f32)>,
    /// Tokens that are allowed, if not all.
    pub mask: Option<Vec<u32>>,
}

impl Case {
    pub fn new(temperature: f32, seed: u32) -> Self {
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
            written: vec![],
            biases: vec![],
            mask: None,
        }
    }

    fn adjusts(&self) -> bool {
        (self.repetition, self.frequency, self.presence) != (1.0, 0.0, 0.0)
            || !self.biases.is_empty()
    }

    /// Returns the words of the state from STEP on.
    fn words(&self) -> Vec<u32> {
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
            self.adjusts() as u32 * state::PENALISED + self.mask.is_some() as u32 * state::MASKED,
        ]
    }

    /// Draws `draws` ids, each from the same logits before adjustment.
    pub fn drawn(&self, device: &Device, logits: &[f32], draws: usize) -> Vec<u32> {
        let ops = Ops::new(&device.handle, tuning(1));
        let mut state = state_with(
            &ops,
            &[(state::POS, vec![10, 3]), (state::STEP, self.words())],
        );
        let mut tables = SamplerTables::new(&ops, logits.len(), 64);
        tables.begin(&ops, &self.prompt, &self.written, &self.biases);
        if let Some(ids) = &self.mask {
            let mut bits = vec![0; logits.len().div_ceil(32)];
            for id in ids {
                bits[*id as usize / 32] |= 1 << (id % 32);
            }
            tables.allow(&ops, bits);
        }
        let upload = || tensor(device, logits, [1, logits.len()]);
        let shared = upload();
        let mut ids: Vec<u32> = Vec::new();
        while ids.len() < draws {
            let (first, some) = (ids.len(), state::RING_LEN.min(draws - ids.len()));
            for _ in 0..some {
                // (penalties change the logits in place; a mask does too, but with the same result each time)
                let logits = if self.adjusts() {
                    upload()
                } else {
                    shared.clone()
                };
                ops.sample(logits, &mut state, &mut tables);
            }
            let words = block_on(state.read(0, STATE_WORDS)).unwrap();
            let slot = |i: usize| state::RING + (self.step as usize + i) % state::RING_LEN;
            ids.extend((first..first + some).map(|i| words[slot(i)]));
            assert_eq!(words[state::POS] as usize, 10 + 3 + ids.len() - 1);
            assert_eq!(words[state::N_TOKENS], 1);
            assert_eq!(words[state::STEP] as usize, self.step as usize + ids.len());
            assert_eq!(words[state::IDS], ids[ids.len() - 1]);
        }
        ids
    }

    /// Returns the logits after bias, penalties and mask, where `written` counts how often each token was written.
    pub fn adjusted(&self, logits: &[f32], written: &[u32]) -> Vec<f64> {
        let mut out: Vec<f64> = logits.iter().map(|v| f64::from(*v)).collect();
        for (id, bias) in &self.biases {
            // (the last one counts)
            out[*id as usize] = f64::from(logits[*id as usize]) + f64::from(*bias);
        }
        let mut seen: Vec<bool> = written.iter().map(|n| *n > 0).collect();
        self.prompt.iter().for_each(|id| seen[*id as usize] = true);
        for (i, v) in out.iter_mut().enumerate() {
            let repetition = f64::from(self.repetition);
            if seen[i] {
                *v = if *v > 0.0 {
                    *v / repetition
                } else {
                    *v * repetition
                };
            }
            let n = f64::from(written[i]);
            *v -= f64::from(self.frequency) * n + f64::from(self.presence) * n.min(1.0);
        }
        if let Some(mask) = &self.mask {
            let mut masked = vec![f64::NEG_INFINITY; out.len()];
            for id in mask {
                masked[*id as usize] = out[*id as usize];
            }
            return masked;
        }
        out
    }

    /// Number of times each token has been written.
    pub fn times_written(&self, vocab: usize) -> Vec<u32> {
        let mut times = vec![0; vocab];
        self.written.iter().for_each(|id| times[*id as usize] += 1);
        times
    }

    /// Returns the share of each token among those that the filters keep of the adjusted logits.
    pub fn shares(&self, adjusted: &[f64]) -> Shares {
        let clear = Cell::new(true);
        // Records whether f32 might see `a` on the other side of `b`.
        let apart = |a: f64, b: f64, by: f64| clear.set(clear.get() && (a - b).abs() > by);
        let lost = adjusted.len() as f64 / f64::from(1 << 30);
        let top = adjusted.iter().copied().fold(f64::MIN, f64::max);
        let temperature = f64::from(self.temperature);
        let mut mass: Vec<f64> = (adjusted.iter())
            .map(|v| ((v - top) / temperature).exp())
            .collect();
        let whole: f64 = mass.iter().sum();
        mass.iter_mut().for_each(|m| *m /= whole);
        let mut order: Vec<usize> = (0..mass.len()).filter(|i| mass[*i] > 0.0).collect();
        order.sort_by(|a, b| adjusted[*b].total_cmp(&adjusted[*a]));

        if let Some(next) = order.get(self.top_k as usize).filter(|_| self.top_k > 0) {
            let last = adjusted[order[self.top_k as usize - 1]];
            // Tokens as likely as the last one stay with it.
            let equal = adjusted[*next] == last;
            apart(
                adjusted[*next],
                if equal { f64::INFINITY } else { last },
                1e-5,
            );
            order.retain(|i| adjusted[*i] >= last);
        }
        let sum = |order: &[usize]| order.iter().map(|i| mass[*i]).sum::<f64>();
        if self.top_p < 1.0 {
            let goal = sum(&order) * f64::from(self.top_p);
            let mut reached = 0.0;
            let enough = order.iter().position(|i| {
                reached += mass[*i];
                apart(reached, goal, 1e-5 + lost);
                reached >= goal
            });
            if let Some(last) = enough.map(|last| adjusted[order[last]]) {
                order.retain(|i| adjusted[*i] >= last);
            }
        }
        if self.min_p > 0.0 {
            let floor = top + f64::from(self.min_p).ln() * temperature;
            order.retain(|i| {
                apart(adjusted[*i], floor, 1e-5 * (1.0 + floor.abs()));
                adjusted[*i] >= floor
            });
        }
        if self.typical_p < 1.0 {
            let kept = sum(&order);
            let surprise = |i: usize| -(mass[i] / kept).ln();
            let entropy: f64 = order.iter().map(|i| mass[*i] / kept * surprise(*i)).sum();
            let distance = |i: usize| (surprise(i) - entropy).abs();
            order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
            let goal = kept * f64::from(self.typical_p);
            let mut reached = 0.0;
            let enough = order.iter().position(|i| {
                reached += mass[*i];
                apart(reached, goal, 1e-5 + lost);
                reached >= goal
            });
            if let Some([last, next]) = enough.and_then(|last| order.get(last..last + 2)) {
                apart(distance(*last), distance(*next), 2e-3);
            }
            order.truncate(enough.map_or(order.len(), |last| last + 1));
        }
        let kept = sum(&order);
        let mut shares = vec![0.0; mass.len()];
        order.iter().for_each(|i| shares[*i] = mass[*i] / kept);
        let below = shares.iter().scan(0.0, |below, share| {
            *below += share;
            Some(*below - share)
        });
        Shares {
            below: below.collect(),
            of: shares,
            margin: 2e-5 + lost / kept,
            is_clear: clear.get(),
        }
    }

    /// The point of draw `i` within the mass of all tokens, in the order of their ids.
    pub fn point(&self, i: usize) -> f64 {
        let pcg = |v: u32| {
            let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
            (w >> 22) ^ w
        };
        let step = self.step.wrapping_add(i as u32).wrapping_add(0x9e37_79b9);
        f64::from(pcg(pcg(self.seed) ^ pcg(step)) >> 8) / f64::from(1 << 24)
    }
}

/// The shares of the tokens that the filters keep.
pub struct Shares {
    /// Share by id; 0 for tokens that are filtered out.
    pub of: Vec<f64>,
    /// Total share of all lower ids, by id.
    below: Vec<f64>,
    /// Largest allowed deviation of the sampler's integer masses (2^30 in total) from these shares.
    margin: f64,
    /// Whether no filter's edge is so close to a token that f32 might see it on the other side.
    pub is_clear: bool,
}

impl Shares {
    /// Returns the token whose share contains `point`, for messages.
    pub fn at(&self, point: f64) -> usize {
        self.below.partition_point(|below| *below <= point) - 1
    }

    /// Whether a draw at `point` may yield `id`: one token may, and also its neighbour if the point is as close to
    /// their boundary as the sampler's precision.
    pub fn may_bring(&self, id: u32, point: f64) -> bool {
        let (below, share) = (self.below[id as usize], self.of[id as usize]);
        let inside = below - self.margin..=below + share + self.margin;
        share > 0.0 && inside.contains(&point)
    }
}

pub fn logits_of(seed: u32, vocab: usize) -> Vec<f32> {
    let drawn = values(u64::from(seed), vocab);
    drawn.iter().map(|v| v * 8.0).collect()
}
