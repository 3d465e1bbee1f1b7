//! Helpers that the kernel tests share: devices, drawn cases, weights in every storage type, comparison.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::OnceLock;

use burn::tensor::Tensor;
use hearth::Device;
use hearth::ops::state;
use hearth::ops::{
    Arithmetic, AttentionSpec, KvSource, KvType, Norm, NormSpec, Ops, QkNorm, Scaling, Shapes,
    Source, StepState, Tuning, Weight, WeightPart,
};
use hearth_modelfile::container::GgmlType;
use hearth_modelfile::families::AttentionGate;
use hearth_modelfile::quant::{Packing, block_format, repack_rows, unpack_row};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compare::worst_error;
use crate::{On, open, skip};

/// Returns the one GPU that all tests in the file share: opening one takes longer than a case.
pub fn gpu() -> Option<&'static Device> {
    static GPU: OnceLock<Option<Device>> = OnceLock::new();
    GPU.get_or_init(|| open(On::Gpu)).as_ref()
}

pub fn cpu() -> Device {
    open(On::Cpu).expect("the CPU always opens")
}

pub fn tuning(lanes: u32) -> Tuning {
    Tuning {
        decode_threads_per_tile: lanes,
        prefill_threads_per_tile: lanes,
        subgroups: false,
        arithmetic: Arithmetic::F32,
        shared_tile: false,
        chunk: 16,
        token_us: 0,
        attention_workgroups: 4,
        shapes: Shapes::alike(lanes, false),
        workgroup_bytes: 16 << 10,
    }
}

/// Runs `case` on `n` drawn inputs.
pub fn for_all<S: Strategy>(n: u32, strategy: S, case: impl Fn(S::Value)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config {
        cases: n,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |value| {
            case(value);
            Ok(())
        })
        .unwrap();
}

/// Returns pseudo-random values in -1 .. 1.
pub fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            (s >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Picks a number within the range, always the same for the same seed.
pub fn pick(seed: u64, range: std::ops::Range<usize>) -> usize {
    // splitmix64, whose neighbouring seeds are unrelated.
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    range.start + ((z ^ (z >> 31)) % range.len() as u64) as usize
}

/// Numbers of threads that share a row, and whether they add up within a subgroup: the way that is fastest on a
/// software adapter, and the ways of real GPUs.
pub fn ways() -> Vec<(u32, bool)> {
    let mut ways = vec![(1, false), (16, false)];
    if gpu().is_some_and(|gpu| gpu.info().features.contains(&"subgroups")) {
        ways.push((16, true));
    } else {
        skip("subgroups", "this device has none");
    }
    ways
}

/// The arithmetics in which block formats are multiplied.
pub const ARITHMETIC: [Arithmetic; 3] = [Arithmetic::F32, Arithmetic::F16, Arithmetic::I15];

/// Returns the arithmetics that make a difference for a type, given by its place in [`DTYPES`]; with all other types
/// the kernels multiply floats whatever is requested.
pub fn arithmetics(dtype: usize) -> Vec<Arithmetic> {
    match DTYPES[dtype] {
        GgmlType::Q4_0 | GgmlType::Q4_1 | GgmlType::Q8_0 => ARITHMETIC.to_vec(),
        _ => vec![ARITHMETIC[dtype % 3]],
    }
}

pub fn tensor(device: &Device, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Ops::new(&device.handle, tuning(1)).upload_f32(values, shape)
}

/// Returns a step state with these words, each list from a word on.
pub fn state_with(ops: &Ops, words: &[(usize, Vec<u32>)]) -> StepState {
    let mut state = StepState::new(ops, 0);
    for (at, words) in words {
        state.write(ops, *at, words.clone());
    }
    state
}

pub fn live(ops: &Ops, pos: usize, n: usize) -> StepState {
    state_with(ops, &[(state::POS, vec![pos as u32, n as u32])])
}

/// Returns the spec of plain attention with the given heads.
pub fn attention(n_heads: u32, n_kv_heads: u32, head_dim: u32, n_ctx: u32) -> AttentionSpec {
    AttentionSpec {
        n_heads,
        n_kv_heads,
        head_dim,
        rope_pairs: head_dim / 2,
        n_ctx,
        neox: false,
        in_halves: false,
        gate: AttentionGate::None,
        kv: KvType::F32,
        bias: false,
        qk_norm: QkNorm::None,
        v_norm: false,
        kv_source: KvSource::Projected,
        eps: 1e-5,
        scale: 1.0 / (head_dim as f32).sqrt(),
        softcap: 0.0,
        window: 0,
        causal: true,
        block: false,
        ranged: false,
        sinks: false,
        temperature: 0.0,
        temperature_ctx: 1,
        splits: 1,
        many_rows: false,
        alibi: 0.0,
        by_column: false,
        folded: false,
    }
}

/// Returns RMSNorm with these weights.
pub fn rms(weight: Tensor<2>) -> Norm {
    let spec = NormSpec::rms(1e-5);
    Norm { weight, spec }
}

/// A weight in GGML's blocks, both as repacked words and as f32.
pub struct Packed {
    pub packing: Packing,
    pub rows: usize,
    pub cols: usize,
    pub quants: Vec<u32>,
    pub scales: Vec<u32>,
}

impl Packed {
    pub fn new(dtype: GgmlType, seed: u64, rows: usize, cols: usize) -> Self {
        let x = values(seed, rows * cols);
        let bytes: Vec<u8> = match dtype {
            GgmlType::Q4_0 => hearth_modelfile::quant::quantize_q4_0(&x),
            GgmlType::Q4_1 => hearth_modelfile::quant::quantize_q4_1(&x),
            GgmlType::Q8_0 => hearth_modelfile::quant::quantize_q8_0(&x),
            GgmlType::F16 => (x.iter())
                .flat_map(|v| half::f16::from_f32(*v).to_le_bytes())
                .collect(),
            GgmlType::BF16 => (x.iter())
                .flat_map(|v| half::bf16::from_f32(*v).to_le_bytes())
                .collect(),
            _ => x.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let format = block_format(dtype, "test").unwrap();
        if !MADE.contains(&dtype) {
            return Self::drawn(format.packing(), seed, rows, cols);
        }
        let (mut quants, mut scales) = (Vec::new(), Vec::new());
        repack_rows(format, cols, &bytes, &mut quants, &mut scales).unwrap();
        Self {
            packing: format.packing(),
            rows,
            cols,
            quants,
            scales,
        }
    }

    /// Draws random numbers and planes with small scales.
    fn drawn(packing: Packing, seed: u64, rows: usize, cols: usize) -> Self {
        let blocks = rows * packing.blocks_per_row(cols);
        let words = |seed: u64, n: usize| -> Vec<u32> {
            let drawn = values(seed, 2 * n);
            let bits = |v: f32| ((v + 1.0) * 32_768.0) as u32 & 0xffff;
            let pairs = drawn.as_chunks::<2>().0.iter();
            pairs.map(|[a, b]| bits(*a) | bits(*b) << 16).collect()
        };
        let n_scales = packing.scale_words_per_block();
        let mut scales = words(seed + 1, blocks * n_scales);
        let dm = values(seed + 2, 2 * blocks);
        let blocks_of_scales = scales.chunks_exact_mut(n_scales).zip(dm.as_chunks().0);
        // The scales of a grid are up to 15.5 times as large.
        let small = |v: f32| v / (16.0 * packing.grid().len().clamp(1, 64) as f32);
        for (i, (block, [d, m])) in blocks_of_scales.enumerate() {
            let half = |v: f32| u32::from(half::f16::from_f32(v).to_bits());
            block[0] = match packing {
                Packing::Iq4 | Packing::Fp4 => (d / 128.0).to_bits(),
                // The first of two blocks holds the bytes of both, which may be anything.
                Packing::Q2 if i % 2 == 0 => block[0],
                Packing::Q2 => half(d / 64.0) | half(m / 64.0) << 16,
                Packing::Q4K => half(d / 512.0) | half(m / 512.0) << 16,
                Packing::Q6 => half(d / 2048.0),
                _ if !packing.grid().is_empty() => half(small(*d)),
                _ => half(d / 16.0) | half(m / 16.0) << 16,
            };
        }
        Self {
            packing,
            rows,
            cols,
            quants: words(seed, blocks * packing.quant_words_per_block()),
            scales,
        }
    }

    pub fn dense(&self) -> Vec<f32> {
        let (q, s) = (self.quants.len() / self.rows, self.scales.len() / self.rows);
        let mut out = vec![0.0; self.rows * self.cols];
        for (r, row) in out.chunks_exact_mut(self.cols).enumerate() {
            let quants = &self.quants[r * q..(r + 1) * q];
            unpack_row(self.packing, quants, &self.scales[r * s..(r + 1) * s], row);
        }
        out
    }

    /// Uploads the weight to a device, in parts of `part_rows` rows.
    pub fn upload(&self, ops: &Ops, part_rows: usize) -> Weight {
        let (q, s) = (self.quants.len() / self.rows, self.scales.len() / self.rows);
        let mut parts = Vec::new();
        let mut first = 0;
        while first < self.rows {
            let rows = part_rows.min(self.rows - first);
            let words = |all: &[u32], per_row: usize| {
                let words = all[first * per_row..(first + rows) * per_row].to_vec();
                ops.write_words(ops.alloc_words(words.len()), 0, words)
            };
            parts.push(WeightPart {
                packing: self.packing,
                first_row: first,
                rows,
                quants: words(&self.quants, q),
                scales: {
                    let scales = ops.alloc_scales(self.packing, rows, self.cols);
                    let own = &self.scales[first * s..(first + rows) * s];
                    match own.is_empty() {
                        true => scales,
                        false => ops.write_words(scales, 0, own.to_vec()),
                    }
                },
                pooled: None,
                source: Source::default(),
            });
            first += rows;
        }
        Weight {
            rows: self.rows,
            cols: self.cols,
            parts,
            scaling: Scaling::NONE,
            segments: Rc::default(),
            lora: None,
            bias: None,
        }
    }
}

/// Types that [`Packed::new`] encodes from numbers; blocks of all other types are drawn at random.
const MADE: [GgmlType; 6] = [
    GgmlType::F32,
    GgmlType::F16,
    GgmlType::BF16,
    GgmlType::Q4_0,
    GgmlType::Q4_1,
    GgmlType::Q8_0,
];

/// Returns the columns of a weight with about this many blocks of 32: whole blocks of the file. Q2 shares its scales
/// between two blocks.
pub fn columns(dtype: GgmlType, blocks: usize) -> usize {
    match dtype {
        GgmlType::Q2_K => 64 * blocks,
        _ => (32 * blocks).next_multiple_of(dtype.block_len()),
    }
}

pub const DTYPES: [GgmlType; 22] = [
    GgmlType::F32,
    GgmlType::F16,
    GgmlType::BF16,
    GgmlType::Q4_0,
    GgmlType::Q4_1,
    GgmlType::Q8_0,
    // Types for the other packings.
    GgmlType::Q2_K,
    GgmlType::Q3_K,
    GgmlType::IQ4_NL,
    GgmlType::MXFP4,
    GgmlType::Q5_1,
    GgmlType::Q6_K,
    GgmlType::Q1_0,
    GgmlType::Q2_0,
    GgmlType::IQ2_XXS,
    GgmlType::IQ2_XS,
    GgmlType::IQ2_S,
    GgmlType::IQ3_XXS,
    GgmlType::IQ3_S,
    GgmlType::IQ1_M,
    GgmlType::NVFP4,
    GgmlType::Q4_K,
];

/// Returns the largest difference, relative to the largest expected value or 1.
pub fn relative_error(what: &str, found: &[f32], expected: &[f32]) -> f32 {
    let scale = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    worst_error(what, found, expected) / scale
}

pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    let error = relative_error(what, found, expected);
    assert!(error <= tolerance, "{what}: {error:e}, beyond {tolerance}");
}

/// The errors of a test's cases. On drop it reports how close the largest came to the tolerance, which should be
/// three times the measured error.
#[derive(Default)]
pub struct Errors(RefCell<Worst>);

/// The largest error and the tolerance, by device and by the computed value.
type Worst = BTreeMap<(&'static str, &'static str), (f32, f32)>;

impl Errors {
    /// Records an error. `device` and `what` name the bar, `case` the computed case.
    pub fn check(
        &self,
        (device, what): (&Device, &'static str),
        case: &dyn std::fmt::Debug,
        (found, expected): (&[f32], &[f32]),
        tolerance: f32,
    ) {
        let on = if device.is_gpu() { "gpu" } else { "cpu" };
        let error = relative_error(&format!("{on}, {what}, {case:?}"), found, expected);
        assert!(
            error <= tolerance,
            "{on}, {what}, {case:?}: {error:e}, beyond {tolerance}"
        );
        let mut all = self.0.borrow_mut();
        let (worst, beside) = all.entry((on, what)).or_default();
        if error >= *worst {
            (*worst, *beside) = (error, tolerance);
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        for ((on, what), (worst, tolerance)) in self.0.borrow().iter() {
            let share = worst / tolerance;
            println!("{on}, {what}: largest error {worst:.1e}, {share:.2} of {tolerance:.0e}");
        }
    }
}
