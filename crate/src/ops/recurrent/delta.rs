//! Gated delta rule: a matrix for each value head, which every token decays and corrects by one rank.
//!
//! - c: [T, channels], queries and keys [key_heads, D] each, then values [value_heads, D]: silu of the convolution of the first
//!   columns of `u` with `taps` ([`crate::ops::recurrent::conv`]). A step of up to 8 rows convolves in the same launch.
//! - q, k = x / sqrt(sum x^2 + 1e-6) of each head, q also / sqrt(D); beta = sigmoid(b), g = exp(a' softplus(a + bias)), where b
//!   and a are columns `channels + value_heads D ..` of `u`: [T, columns], and `params` holds a' and the bias:
//!   [1, 2 value_heads + D].
//! - With `sums`, a step of one row leaves the norm that follows to the projection: o is multiplied by its weight, the last D of
//!   `params`, and the sums of squares before that of each 16 values follow: [1, value_heads * (D + D / 16)].
//! - S = g S; d = beta (v - S k); S = S + d k^T; o = S q. S: [value_heads, D of values, D of keys]. Result o:
//!   [T, value_heads * D].
//! - `values`, in f32 whatever the cache: the convolution's history, S, and updates that are not in S yet. A step of several tokens
//!   that may be drafts leaves S as it is after the tokens before the step, and writes its updates (k, d, g) to one of two lists; the
//!   next step applies those of the tokens that were kept, which its own position tells. At position 0, S is taken for zero.
//! - GPU: a workgroup has 16 columns of values of one head, 4 threads each, and loops over the tokens. CPU: as written.
//! - Source: Yang et al. 2024, arXiv:2412.06464; transformers `models/qwen3_5/modeling_qwen3_5.py`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::dot::dot_f32;
use hearth_cpu::math::exp;
use hearth_modelfile::cost::Counters;
use hearth_modelfile::layer_spec::{BLOCK_VALUES, DRAFT_ROWS, DeltaShape};

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::recurrent::conv::{ConvShape as _, conv_cpu};
use crate::ops::{flex, state};

/// Epsilon of the norm of queries and keys.
const EPS: f32 = 1e-6;

/// Backend extension: the delta rule on each backend.
#[backend_extension(Cube, Flex)]
pub trait DeltaOp: Backend {
    /// Returns (o, values), see the module's documentation. `first` is c, or the taps if the step is short; `sums` only for a step of
    /// one row.
    fn delta(
        first: FloatTensor<Self>,
        u: FloatTensor<Self>,
        params: FloatTensor<Self>,
        state: IntTensor<Self>,
        values: FloatTensor<Self>,
        shape: DeltaShape,
        sums: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// The kind of a step, by its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One token, which is kept.
    One,
    /// Tokens that may be drafts.
    Drafts,
    /// Many tokens, convolved before.
    Chunk,
}

impl Kind {
    pub(super) fn of(rows: usize) -> Self {
        match rows {
            1 => Kind::One,
            rows if rows <= DRAFT_ROWS => Kind::Drafts,
            _ => Kind::Chunk,
        }
    }
}

/// Returns whether a step of `rows` rows is convolved by the same launch.
pub(in crate::ops) fn convolves(rows: usize) -> bool {
    Kind::of(rows) != Kind::Chunk
}

/// Returns the columns of the result.
pub(in crate::ops) fn out_columns(shape: DeltaShape, sums: bool) -> usize {
    match sums {
        true => shape.value_dim() + shape.value_dim() / BLOCK_VALUES,
        false => shape.value_dim(),
    }
}

/// Threads of a workgroup.
const WG: u32 = 64;

/// Returns the tokens whose queries and keys are in workgroup memory at once: 8 KiB of them.
fn tokens(shape: DeltaShape) -> u32 {
    if shape.head_dim > 128 { 4 } else { 8 }
}

fn grid(shape: DeltaShape) -> Grid {
    let blocks = (shape.head_dim / BLOCK_VALUES) as u32;
    (blocks, shape.value_heads as u32, 1)
}

/// Describes the launch for `t` tokens.
pub(in crate::ops) fn describe(t: usize, shape: DeltaShape, sums: bool) -> Launch {
    let (kind, grid, tokens) = (Kind::of(t), grid(shape), tokens(shape));
    let (dim, rows) = (shape.head_dim as u32, t as u32);
    let workgroups = u64::from(grid.0 * grid.1);
    // Columns of the key head's query and key and of its own values, each from as many inputs as there are taps.
    let columns = (2 * shape.head_dim + BLOCK_VALUES) as u64;
    let (inputs, history) = match kind {
        Kind::Chunk => (1, 0),
        Kind::One | Kind::Drafts => (2 * shape.taps, shape.taps - 1 + t),
    };
    let update = match kind {
        Kind::Drafts => shape.update(),
        Kind::One | Kind::Chunk => 0,
    };
    let chunks = rows.div_ceil(tokens);
    let counters = Counters {
        // The matrices as they are read and written, the history's rows, and updates.
        state_bytes: 8 * shape.state() as u64
            + 4 * (history * shape.channels() + t * update) as u64,
        prologue_bytes: workgroups * (4 * t * inputs) as u64 * columns,
        // The rows of the matrix.
        bytes_in_flight: 4 * BLOCK_VALUES as u32 * dim,
        // Queries and keys, values, norms and gates of each token; squares and products of each thread.
        workgroup_memory: tokens * (8 * dim + 64 + 16 + 8) + WG * (16 + 16) + 16,
        // Where the state is known; four for each chunk of tokens and one for each token.
        barriers: 1 + 4 * chunks + rows,
        // The state, the place of the matrix, the matrix; inputs, beta and decay of each chunk.
        trips: 3 + 2 * chunks,
        // Sums over the threads of a token, of a row, and of the squares of all rows.
        near_trips: chunks * WG / tokens + 4 * rows + if sums { BLOCK_VALUES as u32 } else { 0 },
        // Two products with the matrix, and its update.
        instructions: 4 * (t * shape.state()) as u64,
        ..Counters::default()
    };
    Launch::new("delta", kernel(shape, kind, sums), grid, counters)
}

fn kernel(shape: DeltaShape, kind: Kind, sums: bool) -> Kernel {
    let at = shape.offsets();
    let kernel = Kernel::new(&modules::DELTA, WG).module(&state::WGSL);
    let kernel = match kind {
        Kind::Chunk => kernel.module(&modules::STATE_CONV),
        _ => kernel.module(&modules::STATE_TAPS).convolves(shape.conv()),
    };
    kernel
        .u32s([
            ("KEY_HEADS", shape.key_heads as u32),
            ("VALUE_HEADS", shape.value_heads as u32),
            ("TOKENS", tokens(shape)),
            ("DIM4", shape.head_dim as u32 / 4),
            ("CHANNELS4", shape.channels() as u32 / 4),
            ("COLUMNS4", shape.columns() as u32 / 4),
            ("STATE4", at.state as u32 / 4),
            ("UPDATES4", at.updates as u32 / 4),
            ("META4", at.meta as u32 / 4),
            ("ROWS", DRAFT_ROWS as u32),
        ])
        .bools([
            ("GROUPED", shape.grouped),
            ("CONVOLVES", kind != Kind::Chunk),
            ("SUMS", sums),
            ("DEFERS", kind == Kind::Drafts),
        ])
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for grouped in [false, true] {
        for kind in [Kind::One, Kind::Drafts, Kind::Chunk] {
            for head_dim in [32, 256] {
                let shape = DeltaShape {
                    key_heads: 2,
                    value_heads: 4,
                    head_dim,
                    taps: 4,
                    grouped,
                };
                all.push(kernel(shape, kind, false));
                all.push(kernel(shape, Kind::One, true));
            }
        }
    }
    all
}

impl DeltaOp for CubeBackend {
    fn delta(
        first: FloatTensor<Self>,
        u: FloatTensor<Self>,
        params: FloatTensor<Self>,
        state: IntTensor<Self>,
        values: FloatTensor<Self>,
        shape: DeltaShape,
        sums: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [t, _] = u.meta.shape().dims();
        let o = empty_f32(&u, [t, out_columns(shape, sums)]);
        let tensors = [&first, &u, &params, &state, &values, &o];
        launch(kernel(shape, Kind::of(t), sums), grid(shape), &tensors);
        (o, values)
    }
}

impl DeltaOp for Flex {
    fn delta(
        first: FlexTensor,
        u: FlexTensor,
        params: FlexTensor,
        state: FlexTensor,
        mut values: FlexTensor,
        shape: DeltaShape,
        sums: bool,
    ) -> (FlexTensor, FlexTensor) {
        let [t, _] = u.layout().shape().dims();
        let (u, params, kind) = (u.storage(), params.storage(), Kind::of(t));
        let state = state.storage::<u32>();
        let (pos, n) = (state[state::POS] as usize, state[state::N_TOKENS] as usize);
        let values_mut = values.storage_mut();
        let mut convolved = Vec::new();
        if kind != Kind::Chunk {
            convolved.resize(n * shape.channels(), 0.0);
            conv_cpu(
                u,
                first.storage(),
                values_mut,
                pos,
                &mut convolved,
                shape.conv(),
            );
        }
        let step = Step {
            c: match kind {
                Kind::Chunk => first.storage(),
                _ => &convolved,
            },
            u,
            params,
            pos,
            n,
            defers: kind == Kind::Drafts,
            shape,
        };
        let mut o = vec![0.0; t * shape.value_dim()];
        step.run(values_mut, &mut o);
        if sums {
            let squares = |of: &[f32]| dot_f32(of, of);
            let sums: Vec<f32> = o.chunks_exact(BLOCK_VALUES).map(squares).collect();
            let weight = &params[2 * shape.value_heads..];
            for head in o.chunks_exact_mut(shape.head_dim) {
                head.iter_mut().zip(weight).for_each(|(o, w)| *o *= w);
            }
            o.extend(sums);
        }
        (flex::tensor(o, [t, out_columns(shape, sums)]), values)
    }
}

/// The operands of a step on the CPU.
struct Step<'a> {
    c: &'a [f32],
    u: &'a [f32],
    params: &'a [f32],
    pos: usize,
    n: usize,
    defers: bool,
    shape: DeltaShape,
}

impl Step<'_> {
    /// Runs the step, the CPU twin: `values` as in the module's documentation, `o`: [>= n, value_heads * D].
    fn run(&self, values: &mut [f32], o: &mut [f32]) {
        let (shape, at) = (self.shape, self.shape.offsets());
        let (d, heads) = (shape.head_dim, shape.value_heads);
        let (_, rest) = values.split_at_mut(at.state);
        let (all, rest) = rest.split_at_mut(shape.state());
        let (updates, meta) = rest.split_at_mut(at.meta - at.updates);
        let [position, pending, list] = [meta[0], meta[1], meta[2]].map(|v| v as usize);
        // Updates from before this step whose tokens were kept.
        let kept = self.pos.saturating_sub(position).min(pending);
        let len = updates.len() / 2;
        let (first, second) = updates.split_at_mut(len);
        let (before, after) = if list == 0 {
            (first, second)
        } else {
            (second, first)
        };
        if self.pos == 0 {
            all.fill(0.0);
        } else {
            for row in 0..kept {
                let update = Update::at(shape, row);
                for (j, s) in all.chunks_exact_mut(d * d).enumerate() {
                    let k = &before[update.k + shape.key_head(j) * d..][..d];
                    let by = &before[update.d + j * d..][..d];
                    correct(s, before[update.g + j], by, k);
                }
            }
        }
        let mut copy = if self.defers {
            all.to_vec()
        } else {
            Vec::new()
        };
        let s = if self.defers { &mut copy[..] } else { all };
        for t in 0..self.n {
            let update = Update::at(shape, t);
            let c = &self.c[t * shape.channels()..][..shape.channels()];
            let (q, rest) = c.split_at(shape.key_heads * d);
            let (k, v) = rest.split_at(shape.key_heads * d);
            let normed = |x: &[f32], by: f32| -> Vec<f32> {
                let heads = x.chunks_exact(d);
                let scale = |x: &[f32]| by / (dot_f32(x, x) + EPS).sqrt();
                let heads = heads.map(|x| (x, scale(x)));
                heads
                    .flat_map(|(x, scale)| x.iter().map(move |v| v * scale))
                    .collect()
            };
            let q = normed(q, 1.0 / (d as f32).sqrt());
            let k = normed(k, 1.0);
            if self.defers {
                after[update.k..update.k + k.len()].copy_from_slice(&k);
            }
            let ends = &self.u[t * shape.columns() + shape.channels() + shape.value_dim()..];
            for (j, s) in s.chunks_exact_mut(d * d).enumerate() {
                let key = shape.key_head(j) * d..(shape.key_head(j) + 1) * d;
                let (q, k) = (&q[key.clone()], &k[key]);
                let beta = 1.0 / (1.0 + exp(-ends[j]));
                let decay =
                    exp(self.params[j] * softplus(ends[heads + j] + self.params[heads + j]));
                let v = &v[j * d..(j + 1) * d];
                let rows = s.chunks_exact(d).zip(v);
                let by: Vec<f32> = rows
                    .map(|(s, v)| beta * (v - decay * dot_f32(s, k)))
                    .collect();
                correct(s, decay, &by, k);
                let o = &mut o[t * shape.value_dim() + j * d..][..d];
                for (o, s) in o.iter_mut().zip(s.chunks_exact(d)) {
                    *o = dot_f32(s, q);
                }
                if self.defers {
                    after[update.d + j * d..][..d].copy_from_slice(&by);
                    after[update.g + j] = decay;
                }
            }
        }
        let (position, pending, list) = match self.defers {
            true => (self.pos, self.n, 1 - list),
            false => (self.pos + self.n, 0, list),
        };
        for meta in meta.chunks_exact_mut(4) {
            meta[..3].copy_from_slice(&[position as f32, pending as f32, list as f32]);
        }
    }
}

/// Updates a head's matrix: s = decay s + by k^T.
pub(super) fn correct(s: &mut [f32], decay: f32, by: &[f32], k: &[f32]) {
    for (s, by) in s.chunks_exact_mut(k.len()).zip(by) {
        for (s, k) in s.iter_mut().zip(k) {
            *s = decay * *s + by * k;
        }
    }
}

pub(super) fn softplus(v: f32) -> f32 {
    match v > 20.0 {
        true => v,
        false => exp(v).ln_1p(),
    }
}

/// Offsets of a row's update within a list: of k [key_heads, D], d [value_heads, D] and g [value_heads].
struct Update {
    k: usize,
    d: usize,
    g: usize,
}

impl Update {
    fn at(shape: DeltaShape, row: usize) -> Self {
        let k = row * shape.update();
        let d = k + shape.key_heads * shape.head_dim;
        let g = d + shape.value_dim();
        Self { k, d, g }
    }
}
