//! Sampling: the next token from the logits, and the state moved on to the next step.
//!
//! Temperature, then top-k, top-p and min-p (the order of transformers' warpers), then a draw by a counter
//! based generator of (SEED, STEP): a request with a seed gives the same tokens again on the same device.
//! Temperature 0 takes the largest logit, the lowest id among equals.
//!
//! - `logits`: [1, vocab] f32. Writes the id to RING and IDS, adds N_TOKENS to POS, sets N_TOKENS to 1.
//! - GPU: one workgroup of 256, see `wgsl/sample.wgsl`; the CPU twin sorts instead.
//! - Sources: Holtzman et al. 2020, arXiv:1904.09751 (top-p); Nguyen et al. 2024, arXiv:2407.01082 (min-p).

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::gpu::{Kernel, launch, wgsl};
use super::state;

/// Backend extension: sampling on each backend.
#[backend_extension(Cube, Flex)]
pub trait SampleOp: Backend {
    /// Returns the state, ready for the next step.
    fn sample(logits: FloatTensor<Self>, state: IntTensor<Self>) -> IntTensor<Self>;
}

impl SampleOp for CubeBackend {
    fn sample(logits: FloatTensor<Self>, state: IntTensor<Self>) -> IntTensor<Self> {
        let [_, vocab] = logits.meta.shape().dims();
        let kernel = Kernel {
            name: "sample",
            source: wgsl!("sample"),
            variant: "",
            prelude: vec![],
            consts: vec![
                ("VOCAB", vocab as u32),
                ("RING", state::RING as u32),
                ("RING_LEN", state::RING_LEN as u32),
                ("IDS", state::IDS as u32),
            ],
            texts: &[],
            float: None,
            workgroup: 256,
        };
        launch(kernel, (1, 1, 1), &[&logits, &state]);
        state
    }
}

impl SampleOp for Flex {
    fn sample(logits: FlexTensor, mut state: FlexTensor) -> FlexTensor {
        let logits = logits.storage::<f32>();
        let state_words = state.storage_mut::<u32>();
        let token = sample_cpu(logits, state_words);
        let step = state_words[state::STEP];
        state_words[state::RING + step as usize % state::RING_LEN] = token;
        state_words[state::IDS] = token;
        state_words[state::POS] += state_words[state::N_TOKENS];
        state_words[state::N_TOKENS] = 1;
        state_words[state::STEP] = step.wrapping_add(1);
        state
    }
}

/// PCG, as in the shader.
fn pcg(v: u32) -> u32 {
    let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
    (w >> 22) ^ w
}

/// The CPU twin: chooses an id by the parameters in `state`.
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
    let weights: Vec<f32> = logits.iter().map(|v| ((v - top) * inv_t).exp()).collect();
    let inv_z = 1.0 / weights.iter().sum::<f32>();
    let masses: Vec<u32> = weights
        .iter()
        .map(|w| ((w * inv_z).min(1.0) * 1_073_741_824.0) as u32)
        .collect();
    let floor = kept_floor(logits, &masses, top, inv_t, state);
    let kept = || (0..logits.len()).filter(|i| logits[*i] >= floor);
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

/// The smallest logit that top-k, top-p and min-p keep.
fn kept_floor(logits: &[f32], masses: &[u32], top: f32, inv_t: f32, state: &[u32]) -> f32 {
    let top_k = state[state::TOP_K] as usize;
    let top_p = f32::from_bits(state[state::TOP_P]);
    let min_p = f32::from_bits(state[state::MIN_P]);
    let mut floor = f32::MIN;
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if top_k > 0 && top_k < logits.len() {
        floor = logits[order[top_k - 1]];
    }
    if top_p < 1.0 {
        let kept: u32 = order
            .iter()
            .take_while(|i| logits[**i] >= floor)
            .map(|i| masses[*i])
            .sum();
        let goal = ((kept as f32 * top_p) as u32).max(1);
        let mut reached = 0;
        for i in &order {
            reached += masses[*i];
            if reached >= goal {
                floor = floor.max(logits[*i]);
                break;
            }
        }
    }
    if min_p > 0.0 {
        floor = floor.max(top + min_p.max(1e-30).ln() / inv_t);
    }
    floor
}
