//! Jobs on threads of this process, against the same products one at a time.

use core::mem::offset_of;
use std::format;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::attention::{scores, weighted_sums};
use crate::dot::{BLOCK, Row, padded, quantise};
use crate::gate::Gate;
use crate::math::exp_all;
use crate::norm::rms_norm;
use crate::rows::{Format, groups, product_of};

/// Words of numbers without order.
fn words(n: usize, seed: u32) -> impl Iterator<Item = u32> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(*state ^ *state >> 15)
    };
    (0..n).scan(seed, move |state, _| next(state))
}

fn floats(n: usize, seed: u32) -> Vec<f32> {
    words(n, seed)
        .map(|word| (word % 2000) as f32 / 1000.0 - 1.0)
        .collect()
}

/// A memory with a job at its beginning, as a host lays it out.
struct Memory(Vec<u32>);

impl Memory {
    fn new() -> Self {
        Self(vec![0; size_of::<Job>() / 4])
    }

    fn push(&mut self, words: impl IntoIterator<Item = u32>) -> u32 {
        let at = 4 * self.0.len();
        self.0.extend(words);
        at as u32
    }

    /// Adds a weight of Q4, and returns a product with it.
    fn weight(&mut self, rows: usize, cols: usize, seed: u32) -> Product {
        let (of_quants, of_scales) = Format::Q4.row_words(cols / BLOCK);
        Product {
            format: Format::Q4 as u32,
            rows: rows as u32,
            cols: cols as u32,
            quants: self.push(words(rows * of_quants, seed)),
            // A factor of about 0.1 and a minimum of about -0.75, as f16.
            scales: self.push(words(rows * of_scales, seed).map(|word| 0xba00_2e00 | (word % 256))),
            x: 0,
            norm: NO_NORM,
            eps: 1e-5,
            y: 0,
            stride: 0,
            factor: 1.0,
            adds: 0,
            gate: 0,
            scratch: 0,
        }
    }

    /// Runs stages on some threads and returns the floats.
    fn run(&mut self, stages: &[Stage], tokens: u32, threads: u32, floats: &[f32]) -> Vec<f32> {
        let at = self.push(floats.iter().map(|v| v.to_bits()));
        let host = [threads, tokens, stages.len() as u32, at];
        self.0[HOST_WORDS_AT..][..4].copy_from_slice(&host);
        let of_stages = super::words(stages);
        self.0[HOST_WORDS_AT + 4..][..of_stages.len()].copy_from_slice(of_stages);
        let memory = self.0.as_mut_ptr() as usize;
        let job = memory as *const Job;
        // SAFETY: the memory has all that the stages name, and stays where it is until all threads have ended.
        unsafe { begin(job) };
        std::thread::scope(|scope| {
            for thread in 1..threads as usize {
                scope.spawn(move || unsafe { work(memory as *const Job, memory, thread) });
            }
            while !unsafe { finish(job, memory) } {}
        });
        let found = &self.0[at as usize / 4..][..floats.len()];
        let found = found.iter().map(|v| f32::from_bits(*v)).collect();
        self.0.truncate(at as usize / 4);
        found
    }
}

/// Returns the places behind the activations, [tokens, cols]: of a norm's weights, of the results, of scratch, and the end.
fn places(stage: &Product, tokens: usize) -> [usize; 4] {
    let (cols, stride) = (stage.cols as usize, stage.stride as usize);
    let norm = tokens * cols;
    let y = norm + cols;
    let scratch = y + tokens * stride;
    [
        norm,
        y,
        scratch,
        scratch + Product::scratch(tokens, cols, true),
    ]
}

#[test]
fn hosts_know_where_words_are() {
    assert_eq!(offset_of!(Job, threads), 4 * HOST_WORDS_AT);
    assert_eq!(offset_of!(Job, stages), 4 * (HOST_WORDS_AT + 4));
    assert_eq!(size_of::<Stage>(), 4 * 15);
}

#[test]
fn a_stage_is_the_product_of_its_rows() {
    for (rows, cols, tokens, is_normed, adds) in [
        (1, 32, 1, false, 0),
        (7, 64, 1, true, 1),
        (9, 1120, 5, true, 0),
        (130, 96, 128, false, 1),
    ] {
        let mut memory = Memory::new();
        let stride = rows + 3;
        let mut stage = memory.weight(rows, cols, 7);
        stage.stride = stride as u32;
        let [norm, y, scratch, end] = places(&stage, tokens);
        stage.norm = if is_normed { norm as u32 } else { NO_NORM };
        (stage.y, stage.scratch) = (y as u32, scratch as u32);
        (stage.factor, stage.adds) = (0.5, adds);
        let before = floats(end, 3);
        let mut expected = before.clone();
        let at = |at: u32| &memory.0[at as usize / 4..];
        for t in 0..tokens {
            let mut x = before[t * cols..][..cols].to_vec();
            if is_normed {
                let plain = x.clone();
                rms_norm(&plain, &before[norm..][..cols], stage.eps, &mut x);
            }
            let blocks = padded(cols / BLOCK);
            let (mut q, mut kept) = (vec![0; cols], [(); 3].map(|()| vec![0.0; blocks]));
            let [scale, sum, first] = &mut kept;
            quantise(&x, &mut q, scale, sum, first);
            let row = Row {
                q: &q,
                scale,
                sum,
                first,
            };
            let (quants, scales) = (at(stage.quants), at(stage.scales));
            let all = 0..groups(rows);
            product_of(Format::Q4, &[row], quants, scales, rows, all, |_, r, v| {
                let y = &mut expected[y + t * stride + r];
                *y = 0.5 * v + if adds == 1 { *y } else { 0.0 };
            });
        }
        for threads in [1, 2, 5] {
            let found = memory.run(&[stage.into()], tokens as u32, threads, &before);
            assert_eq!(
                found[..scratch],
                expected[..scratch],
                "{rows} x {cols}, {tokens} tokens, {threads} threads"
            );
        }
    }
}

/// A feed-forward block in one job and in two gives the same, to the last bit.
#[test]
fn stages_read_what_those_before_them_wrote() {
    let (d, d_ff) = (96, 160);
    let mut memory = Memory::new();
    let gate_up = memory.weight(2 * d_ff, d, 1);
    let down = memory.weight(d, d_ff, 2);
    let h = 2 * d;
    let scratch = h + 2 * d_ff;
    let end = scratch + Product::scratch(1, d, true).max(Product::scratch(1, d_ff, false));
    let gate_up = Product {
        norm: d as u32,
        y: h as u32,
        gate: Gate::Silu as u32,
        scratch: scratch as u32,
        ..gate_up
    };
    let down = Product {
        x: h as u32,
        adds: 1,
        scratch: scratch as u32,
        ..down
    };
    let before = floats(end, 5);
    let between = memory.run(&[gate_up.into()], 1, 1, &before);
    let expected = memory.run(&[down.into()], 1, 1, &between);
    assert_ne!(before[..d], expected[..d]);
    for threads in [1, 2, 3, 8] {
        for _ in 0..50 {
            let found = memory.run(&[gate_up.into(), down.into()], 1, threads, &before);
            assert_eq!(found[..d], expected[..d], "{threads} threads");
        }
    }
}

/// Attention of tokens is that of each of them alone, to the last bit, and their keys and values are in the cache afterwards.
#[test]
fn tokens_attend_to_what_they_see() {
    for (heads, kv_heads, dim, position, tokens, window) in [
        (9, 3, 64, 0, 1, usize::MAX),
        (9, 3, 64, 299, 1, usize::MAX),
        (8, 1, 20, 200, 1, 150),
        (2, 2, 16, 13, 7, usize::MAX),
        (6, 2, 64, 290, 5, 31),
        (4, 1, 128, 0, 128, usize::MAX),
    ] {
        let n_ctx = position + tokens + 3;
        let mut memory = Memory::new();
        let cached = kv_heads * n_ctx * dim;
        let bits = |values: Vec<f32>| values.into_iter().map(|v| v.to_bits());
        let (mut keys, mut values) = (floats(cached, 1), floats(cached, 2));
        let at = memory.push(bits(keys.clone()).chain(bits(values.clone())));
        let stride = (heads + 2 * kv_heads) * dim;
        let mut attend = Attend {
            n_heads: heads as u32,
            n_kv_heads: kv_heads as u32,
            head_dim: dim as u32,
            k: at,
            v: at + 4 * cached as u32,
            n_ctx: n_ctx as u32,
            rows: 0,
            stride: stride as u32,
            position: position as u32,
            scale: 0.25,
            seen: (tokens * stride) as u32,
            y: (tokens * (stride + 2)) as u32,
            scratch: (tokens * (stride + 2 + heads * dim)) as u32,
            unused: 0,
        };
        let end = position + tokens;
        let scratch = attend.scratch(tokens, 5, end);
        let mut before = floats(attend.scratch as usize + scratch, 4);
        let mut expected = Vec::new();
        for t in 0..tokens {
            for (part, cache) in [&mut keys, &mut values].into_iter().enumerate() {
                for g in 0..kv_heads {
                    let row = &before[t * stride + (heads + part * kv_heads + g) * dim..][..dim];
                    cache[(g * n_ctx + position + t) * dim..][..dim].copy_from_slice(row);
                }
            }
            let seen = (position + t + 1).saturating_sub(window)..position + t + 1;
            before[tokens * stride + 2 * t] = seen.start as f32;
            before[tokens * stride + 2 * t + 1] = seen.end as f32;
            for head in 0..heads {
                let g = head / (heads / kv_heads);
                let rows = (g * n_ctx + seen.start) * dim..(g * n_ctx + seen.end) * dim;
                let (mut weights, mut result) = (vec![0.0; seen.len()], vec![0.0; dim]);
                let q = &before[t * stride + head * dim..][..dim];
                scores(q, &keys[rows.clone()], dim, 0.25, &mut weights);
                let top = weights.iter().copied().fold(f32::MIN, f32::max);
                let sum = exp_all(&mut weights, top);
                weighted_sums(&weights, &values[rows], dim, &mut result);
                expected.extend(result.into_iter().map(|v| v / sum));
            }
        }
        for threads in [1, 2, 5] {
            let case = format!("{heads} heads, {position}, {tokens} tokens, {threads} threads");
            let found = memory.run(&[attend.into()], tokens as u32, threads, &before);
            let y = &found[attend.y as usize..attend.scratch as usize];
            assert!(y == expected, "{case}");
            let kept = &memory.0[at as usize / 4..][..2 * cached];
            let cache = bits(keys.clone()).chain(bits(values.clone()));
            assert!(kept.iter().copied().eq(cache), "{case}");
        }
        // Keys and values may be there already.
        attend.position = APPENDED;
        let found = memory.run(&[attend.into()], tokens as u32, 2, &before);
        assert!(found[attend.y as usize..attend.scratch as usize] == expected);
    }
}

#[test]
fn a_caller_does_everything_where_others_do_nothing_and_waits_until_they_have_left() {
    let mut memory = Memory::new();
    let stage = Product {
        y: 32,
        stride: 8,
        scratch: 40,
        ..memory.weight(8, 32, 1)
    };
    let before = floats(40 + Product::scratch(1, 32, false), 1);
    let expected = memory.run(&[stage.into()], 1, 1, &before);
    let at = memory.push(before.iter().map(|v| v.to_bits()));
    memory.0[HOST_WORDS_AT..][..4].copy_from_slice(&[2, 1, 1, at]);
    memory.0[HOST_WORDS_AT + 4..][..15].copy_from_slice(super::words(&[stage.into()]));
    let start = memory.0.as_mut_ptr() as usize;
    let job = start as *const Job;
    // SAFETY: as in `Memory::run`.
    unsafe {
        begin(job);
        assert!(!finish(job, start), "another thread has not left");
        let found = &memory.0[at as usize / 4 + 32..][..8];
        assert!(
            found
                .iter()
                .zip(&expected[32..])
                .all(|(a, b)| *a == b.to_bits())
        );
        work(job, start, 1);
        assert!(finish(job, start));
    }
    assert_eq!(unsafe { await_next(job, 0) }, 2);
}
