//! Sampling: chooses the next token from the logits and advances the state to the next step.
//!
//! Applies bias and penalties, the mask of allowed tokens, temperature, then top-k, top-p, min-p and typical-p (the order
//! of transformers' warpers), then draws with a counter-based generator of (SEED, STEP): a request with a seed gives the
//! same tokens again on the same device.
//! Temperature 0 takes the largest logit, and the lowest id among equals.
//!
//! - `logits`: [1, vocab] f32, of the step's last token. Writes the id to RING and IDS, adds N_TOKENS to POS, sets
//!   N_TOKENS to 1.
//! - `logits`: [[`ROWS`], vocab], of a step whose ids after the first are drafts ([`crate::ops::sampling::draft`]):
//!   samples row after row as long as the draft was right, adds the number of rows to POS, and drafts at most DRAFT
//!   ids of the next step. Writes a record of ROWS words to RING: the ids, and in the upper bits of the first their
//!   number (from bit 24) and the number of drafts (from bit 28).
//! - GPU: `scan.wgsl` over sections of the vocabulary, then `sample.wgsl` in one workgroup, both of 256 threads; the CPU
//!   twin sorts instead.
//! - Sources: Holtzman et al. 2020, arXiv:1904.09751 (top-p); Nguyen et al. 2024, arXiv:2407.01082 (min-p);
//!   Meister et al. 2023, arXiv:2202.00666 (typical-p); Keskar et al. 2019, arXiv:1909.05858 (repetition penalty);
//!   Leviathan et al. 2023, arXiv:2211.17192 (speculation).

pub mod draft;
pub mod ranges;
mod tables;

use std::collections::BinaryHeap;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::math::exp_all;

use crate::ops::kernel::{Kernel, launch, modules};
use crate::ops::outline::{Launch, Situation};
use crate::ops::sampling::draft::ROWS;
use crate::ops::state;
use hearth_modelfile::cost::Counters;

pub use tables::SamplerTables;

/// Backend extension: sampling on each backend.
#[backend_extension(Cube, Flex)]
pub trait SampleOp: Backend {
    /// Returns the state, ready for the next step, and history and tokens including the sampled ids. `history` and
    /// `bias`: [1, vocab], `tokens`: [1, n_ctx], `allowed`: [1, ceil(vocab / 32)], `partials`: [1, partials_len],
    /// see [`SamplerTables`].
    fn sample(
        logits: FloatTensor<Self>,
        state: IntTensor<Self>,
        history: IntTensor<Self>,
        bias: IntTensor<Self>,
        tokens: IntTensor<Self>,
        allowed: IntTensor<Self>,
        partials: IntTensor<Self>,
    ) -> (IntTensor<Self>, IntTensor<Self>, IntTensor<Self>);
}

/// Threads of a workgroup.
const WG: u32 = 256;
/// Tokens of a section, a workgroup's share of the first launch; more in a vocabulary of over a million, because the
/// second launch has a thread for each section.
const SECTION: u32 = 4096;
/// Threads that sum first: `SIDE` of `section.wgsl`.
const SIDE: u32 = 16;
/// Tokens that filters copy to workgroup memory, at most: `CANDIDATES` of `sample.wgsl`.
const CANDIDATES: u32 = 1024;

fn section(vocab: u32) -> u32 {
    vocab.div_ceil(WG).next_multiple_of(WG).max(SECTION)
}

fn sections(vocab: u32) -> u32 {
    vocab.div_ceil(section(vocab))
}

/// Returns the words of all sections' partial results.
fn partials_len(vocab: usize) -> usize {
    4 * ROWS * sections(vocab as u32) as usize
}

/// Describes the first launch for `rows` rows of logits without bias and penalties; the counters are those of one.
pub(in crate::ops) fn describe_scan(rows: usize, vocab: usize, now: Situation) -> Launch {
    let (rows, vocab) = (rows as u32, vocab as u32);
    let drawn = u32::from(now.filters);
    let counters = Counters {
        prologue_bytes: 4 * u64::from(vocab) * u64::from(1 + drawn),
        workgroup_memory: 4 * (2 * WG + 2 * SIDE) + 8,
        // Where the step's kind is known; three for the largest logit, and for the sum of exponentials.
        barriers: 4 + 3 * drawn,
        // Two words of the state, then a section's logits, once or twice.
        trips: 3 + drawn,
        near_trips: 2 * SIDE * (1 + drawn),
        ..Counters::default()
    };
    let grid = (sections(vocab), rows, 1);
    let mut launch = Launch::new("scan", scan_kernel(rows, vocab), grid, counters);
    launch.counters.workgroups = grid.0.into();
    launch
}

/// Describes the second launch for `rows` rows of logits; the counters are those of one.
pub(in crate::ops) fn describe(rows: usize, vocab: usize, n_ctx: usize, now: Situation) -> Launch {
    let (rows, vocab) = (rows as u32, vocab as u32);
    let partials = 16 * u64::from(sections(vocab));
    // Parts of sections whose loads are all independent, in turns.
    let turns = sections(vocab);
    let counters = Counters {
        prologue_bytes: partials,
        workgroup_memory: 4 * (5 * WG + 3 * SIDE + 2 * CANDIDATES) + 32,
        barriers: 8,
        // The state, the partial results, the state again, and the history's and the state's words that change.
        trips: 5,
        near_trips: 2 * SIDE,
        ..Counters::default()
    };
    let counters = match now.filters {
        false => counters,
        // A sum; the histogram and the copy of candidates; two selections of four passes; two masses and the choice. A
        // pass over candidates takes a few loads, and one thread's walk over the bins.
        true => Counters {
            prologue_bytes: 2 * partials + 8 * u64::from(vocab),
            barriers: 8 + 3 + 9 + 2 * 4 * 5 + 3 * 3,
            trips: 6 + 2 * turns,
            near_trips: 2 * SIDE * 5 + WG + 2 * 4 * (CANDIDATES / WG + 3 * SIDE),
            ..counters
        },
    };
    let kernel = kernel(rows, vocab, n_ctx as u32);
    Launch::new("sample", kernel, (1, 1, 1), counters)
}

/// Returns the kernel of the first launch, which adjusts logits and finds each section's largest.
pub(in crate::ops) fn scan_kernel(rows: u32, vocab: u32) -> Kernel {
    with_sections(Kernel::new(&modules::SCAN, WG), vocab).u32s([("ROWS", rows)])
}

/// Returns the kernel of the second launch, which chooses.
pub(in crate::ops) fn kernel(rows: u32, vocab: u32, n_ctx: u32) -> Kernel {
    with_sections(Kernel::new(&modules::SAMPLE, WG), vocab)
        .module(&modules::DRAFT)
        .u32s([
            ("ROWS", rows),
            ("N_CTX", n_ctx),
            ("MIN_MATCH", draft::MIN_MATCH as u32),
            ("MAX_MATCH", draft::MAX_MATCH as u32),
        ])
}

fn with_sections(kernel: Kernel, vocab: u32) -> Kernel {
    kernel
        .module(&state::WGSL)
        .module(&modules::SECTION)
        .u32s([("VOCAB", vocab), ("SECTION", section(vocab))])
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let rows = [1, ROWS as u32];
    let both = rows.map(|rows| [scan_kernel(rows, 1000), kernel(rows, 1000, 64)]);
    both.into_iter().flatten().collect()
}

impl SampleOp for CubeBackend {
    fn sample(
        logits: FloatTensor<Self>,
        state: IntTensor<Self>,
        history: IntTensor<Self>,
        bias: IntTensor<Self>,
        tokens: IntTensor<Self>,
        allowed: IntTensor<Self>,
        partials: IntTensor<Self>,
    ) -> (IntTensor<Self>, IntTensor<Self>, IntTensor<Self>) {
        let [rows, vocab] = logits.meta.shape().dims();
        let [_, n_ctx] = tokens.meta.shape().dims();
        let (rows, vocab) = (rows as u32, vocab as u32);
        launch(
            scan_kernel(rows, vocab),
            (sections(vocab), rows, 1),
            &[&logits, &state, &history, &bias, &allowed, &partials],
        );
        launch(
            kernel(rows, vocab, n_ctx as u32),
            (1, 1, 1),
            &[&logits, &state, &history, &tokens, &partials],
        );
        (state, history, tokens)
    }
}

impl SampleOp for Flex {
    fn sample(
        mut logits: FlexTensor,
        mut state: FlexTensor,
        mut history: FlexTensor,
        bias: FlexTensor,
        mut tokens: FlexTensor,
        allowed: FlexTensor,
        _partials: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [rows, vocab] = logits.layout().shape().dims();
        let logits = logits.storage_mut::<f32>();
        let words = state.storage_mut::<u32>();
        let seen = history.storage_mut::<u32>();
        let tokens_at = tokens.storage_mut::<u32>();
        let n = words[state::N_TOKENS] as usize;
        let position = words[state::POS] as usize + if rows == 1 { n } else { 1 };
        let step = words[state::STEP];
        let (mut sampled, mut broken) = (Vec::new(), 0);
        for row in logits.chunks_exact_mut(vocab) {
            if !row.iter().all(|v| v.is_finite()) {
                broken = state::BROKEN;
            }
            if words[state::ADJUST] & state::PENALISED != 0 {
                adjust_cpu(row, seen, bias.storage(), words);
            }
            if words[state::ADJUST] & state::MASKED != 0 {
                mask_cpu(row, allowed.storage());
            }
            let count = sampled.len();
            words[state::STEP] = step.wrapping_add(count as u32);
            let token = match broken {
                0 => sample_cpu(row, words),
                _ => 0,
            };
            seen[token as usize] += 2;
            if let Some(at) = tokens_at.get_mut(position + count) {
                *at = token;
            }
            sampled.push(token);
            let next = sampled.len();
            if next >= n.min(rows) || words[state::IDS + next] != token {
                break;
            }
        }
        let count = sampled.len();
        let end = position + count - 1;
        words[state::N_TOKENS] = 1;
        if rows == 1 {
            words[state::RING + step as usize % state::RING_LEN] = sampled[0] | broken;
        } else {
            let at = state::RING + words[state::ROUND] as usize * ROWS % state::RING_LEN;
            words[at..at + count].copy_from_slice(&sampled);
            words[at] |= broken | (count as u32) << 24 | (n as u32 - 1) << 28;
            words[state::ROUND] += 1;
            let most = (words[state::DRAFT] as usize).min(ROWS - 1);
            let room = (tokens_at.len() - 1).saturating_sub(end);
            let context = &tokens_at[..(end + 1).min(tokens_at.len())];
            let drafted = draft::draft(context, most.min(room));
            words[state::N_TOKENS] += drafted.len() as u32;
            words[state::IDS + 1..][..drafted.len()].copy_from_slice(&drafted);
        }
        words[state::IDS] = sampled[count - 1];
        words[state::POS] = end as u32;
        words[state::STEP] = step.wrapping_add(count as u32);
        (state, history, tokens)
    }
}

/// Adjusts logits in place by bias and penalties, the CPU twin.
fn adjust_cpu(logits: &mut [f32], history: &[u32], bias: &[u32], state: &[u32]) {
    let param = |at: usize| f32::from_bits(state[at]);
    let repetition = param(state::REPETITION);
    for ((v, seen), bias) in logits.iter_mut().zip(history).zip(bias) {
        *v += f32::from_bits(*bias);
        if *seen > 0 {
            *v = if *v > 0.0 {
                *v / repetition
            } else {
                *v * repetition
            };
        }
        let written = (seen >> 1) as f32;
        *v -= param(state::FREQUENCY) * written + param(state::PRESENCE) * written.min(1.0);
    }
}

/// Logit of forbidden tokens, lower than that of any allowed one.
const FORBIDDEN: f32 = -1e30;

/// Masks logits in place, the CPU twin.
fn mask_cpu(logits: &mut [f32], allowed: &[u32]) {
    for (id, v) in logits.iter_mut().enumerate() {
        if allowed[id / 32] >> (id % 32) & 1 == 0 {
            *v = FORBIDDEN;
        }
    }
}

/// Hashes a number with PCG, as in the shader.
fn pcg(v: u32) -> u32 {
    let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
    (w >> 22) ^ w
}

/// Samples an id with the parameters in `state`, the CPU twin.
pub fn sample_cpu(logits: &[f32], state: &[u32]) -> u32 {
    let mut top = f32::MIN;
    let mut best = 0;
    for (id, v) in logits.iter().enumerate() {
        if *v > top {
            (top, best) = (*v, id);
        }
    }
    let temperature = f32::from_bits(state[state::TEMPERATURE]);
    if temperature <= 0.0 {
        return best as u32;
    }
    let inv_t = 1.0 / temperature;
    let mut weights: Vec<f32> = logits.iter().map(|v| (v - top) * inv_t).collect();
    let inv_z = 1.0 / exp_all(&mut weights, 0.0);
    let masses: Vec<u32> = weights
        .iter()
        .map(|w| ((w * inv_z).min(1.0) * 1_073_741_824.0) as u32)
        .collect();
    let floor = kept_floor(logits, &masses, top, inv_t, state);
    let mut kept: Vec<usize> = (0..logits.len()).filter(|i| logits[*i] >= floor).collect();
    let typical_p = f32::from_bits(state[state::TYPICAL_P]);
    if typical_p < 1.0 {
        keep_typical(&mut kept, &masses, typical_p);
    }
    let kept = || kept.iter().copied();
    let total: u32 = kept().map(|i| masses[i]).sum();
    let r = pcg(pcg(state[state::SEED]) ^ pcg(state[state::STEP].wrapping_add(0x9e37_79b9)));
    let point = (total as f32 * ((r >> 8) as f32 / 16_777_216.0)) as u32;
    let mut below = 0;
    for i in kept() {
        if point >= below && point < below + masses[i] {
            return i as u32;
        }
        below += masses[i];
    }
    best as u32
}

/// Keeps those of `kept` whose surprise is nearest to the expected one, until their mass reaches the share.
fn keep_typical(kept: &mut Vec<usize>, masses: &[u32], typical_p: f32) {
    kept.retain(|i| masses[*i] > 0);
    let total: u32 = kept.iter().map(|i| masses[*i]).sum();
    let surprise = |i: usize| (total as f32).ln() - (masses[i] as f32).ln();
    let share = |i: usize| masses[i] as f32 / total as f32;
    let entropy: f32 = kept.iter().map(|i| share(*i) * surprise(*i)).sum();
    let distance = |i: usize| (surprise(i) - entropy).abs();
    let mut order = kept.clone();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    let goal = ((total as f32 * typical_p) as u32).max(1);
    let mut reached = 0;
    let last = order.iter().find(|i| {
        reached += masses[**i];
        reached >= goal
    });
    if let Some(last) = last {
        // Includes the shader's slack.
        let limit = distance(*last) + 1e-5;
        kept.retain(|i| distance(*i) <= limit);
    }
}

/// Returns a number that orders floats as `total_cmp` does.
fn rank(v: f32) -> i32 {
    let bits = v.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// Returns the smallest logit that top-k, top-p and min-p keep.
fn kept_floor(logits: &[f32], masses: &[u32], top: f32, inv_t: f32, state: &[u32]) -> f32 {
    let top_k = state[state::TOP_K] as usize;
    let top_p = f32::from_bits(state[state::TOP_P]);
    let min_p = f32::from_bits(state[state::MIN_P]);
    let mut floor = f32::MIN;
    if top_k > 0 && top_k < logits.len() {
        let mut values = logits.to_vec();
        let (_, last, _) = values.select_nth_unstable_by(top_k - 1, |a, b| b.total_cmp(a));
        floor = *last;
    }
    if top_p < 1.0 {
        let kept = || (0..logits.len()).filter(|i| logits[*i] >= floor);
        let mass: u32 = kept().map(|i| masses[i]).sum();
        let goal = ((mass as f32 * top_p) as u32).max(1);
        // A large vocabulary is not sorted, because only a few of its tokens are needed.
        let mut largest: BinaryHeap<(i32, usize)> = kept().map(|i| (rank(logits[i]), i)).collect();
        let mut reached = 0;
        while let Some((_, i)) = largest.pop() {
            reached += masses[i];
            if reached >= goal {
                floor = floor.max(logits[i]);
                break;
            }
        }
    }
    if min_p > 0.0 {
        floor = floor.max(top + min_p.max(1e-30).ln() / inv_t);
    }
    floor
}
