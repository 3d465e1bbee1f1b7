//! Selective scan (Mamba 2): a matrix for each head, which every token decays and adds one rank to.
//!
//! - c: [T, channels]: x [heads, head_dim], then B and C [groups, N] each: silu of the convolution of the columns of `u` after the
//!   first heads * head_dim with `taps` ([`crate::ops::recurrent::conv`]). A step of up to 8 rows convolves in the same launch.
//! - dt = softplus(f' a + bias), where a is the last columns of `u`: [T, columns], one for each head. `params` holds the decays A,
//!   the biases, the factors D of what is added past the state, and the factors f of z and f' of a: [1, 3 heads + 2].
//! - S = exp(A dt) S + (dt x) B^T; y = (S C + D x) silu(f z). S: [heads, head_dim, N], z: the first columns of `u`. Neighbouring
//!   heads share B and C. Result y: [T, heads * head_dim].
//! - `values`, in f32 whatever the cache: the convolution's history, S, and updates that are not in S yet, as those of
//!   [`crate::ops::recurrent::delta`]; an update is (dt x, B, exp(A dt)).
//! - GPU: a workgroup has 16 values of one head's x, 4 threads each, and loops over the tokens. CPU: as written.
//! - Source: Dao & Gu 2024, arXiv:2405.21060; transformers `models/granitemoehybrid/modeling_granitemoehybrid.py`.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::dot::dot_f32;
use hearth_cpu::math::exp;
use hearth_modelfile::cost::Counters;
use hearth_modelfile::layer_spec::{BLOCK_VALUES, DRAFT_ROWS, MambaShape};

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::recurrent::conv::{ConvShape as _, conv_cpu};
use crate::ops::recurrent::delta::{Kind, correct, softplus};
use crate::ops::{flex, state};

/// Backend extension: selective scans on each backend.
#[backend_extension(Cube, Flex)]
pub trait ScanOp: Backend {
    /// Returns (y, values), see the module's documentation. `first` is c, or the taps if the step is short.
    fn scan(
        first: FloatTensor<Self>,
        u: FloatTensor<Self>,
        params: FloatTensor<Self>,
        state: IntTensor<Self>,
        values: FloatTensor<Self>,
        shape: MambaShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Threads of a workgroup.
const WG: u32 = 64;

/// Returns the tokens whose B and C are in workgroup memory at once: 8 KiB of them.
fn tokens(shape: MambaShape) -> u32 {
    if shape.state_dim > 128 { 4 } else { 8 }
}

fn grid(shape: MambaShape) -> Grid {
    let blocks = (shape.head_dim / BLOCK_VALUES) as u32;
    (blocks, shape.heads as u32, 1)
}

/// Describes the launch for `t` tokens.
pub(in crate::ops) fn describe(t: usize, shape: MambaShape) -> Launch {
    let (kind, grid, tokens) = (Kind::of(t), grid(shape), tokens(shape));
    let (dim, rows) = (shape.state_dim as u32, t as u32);
    let workgroups = u64::from(grid.0 * grid.1);
    // B and C of a group and the workgroup's own values of x, each from as many inputs as there are taps.
    let columns = (2 * shape.state_dim + BLOCK_VALUES) as u64;
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
        // B and C, x, decay and step of each token; two products of each thread.
        workgroup_memory: tokens * (8 * dim + 64 + 8) + 8 * WG + 16,
        // Where the state is known; two for each chunk of tokens and one for each token.
        barriers: 1 + 2 * chunks + rows,
        // The state, the place of the matrix, the matrix; inputs and steps of each chunk.
        trips: 3 + 2 * chunks,
        // A sum over the threads of a row for each token.
        near_trips: 4 * rows,
        // A product with the matrix, and its update.
        instructions: 3 * (t * shape.state()) as u64,
        ..Counters::default()
    };
    Launch::new("selective_scan", kernel(shape, kind), grid, counters)
}

fn kernel(shape: MambaShape, kind: Kind) -> Kernel {
    let at = shape.offsets();
    let kernel = Kernel::new(&modules::SELECTIVE_SCAN, WG).module(&state::WGSL);
    let kernel = match kind {
        Kind::Chunk => kernel.module(&modules::STATE_CONV),
        _ => kernel.module(&modules::STATE_TAPS).convolves(shape.conv()),
    };
    kernel
        .u32s([
            ("HEADS", shape.heads as u32),
            ("GROUPS", shape.groups as u32),
            ("TOKENS", tokens(shape)),
            ("HEAD_DIM4", shape.head_dim as u32 / 4),
            ("DIM4", shape.state_dim as u32 / 4),
            ("CHANNELS4", shape.channels() as u32 / 4),
            ("COLUMNS4", shape.columns() as u32 / 4),
            ("STATE4", at.state as u32 / 4),
            ("UPDATES4", at.updates as u32 / 4),
            ("META4", at.meta as u32 / 4),
            ("ROWS", DRAFT_ROWS as u32),
        ])
        .bools([
            ("CONVOLVES", kind != Kind::Chunk),
            ("DEFERS", kind == Kind::Drafts),
        ])
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for kind in [Kind::One, Kind::Drafts, Kind::Chunk] {
        for state_dim in [16, 256] {
            let shape = MambaShape {
                heads: 4,
                head_dim: 32,
                groups: 2,
                state_dim,
                taps: 4,
            };
            all.push(kernel(shape, kind));
        }
    }
    all
}

impl ScanOp for CubeBackend {
    fn scan(
        first: FloatTensor<Self>,
        u: FloatTensor<Self>,
        params: FloatTensor<Self>,
        state: IntTensor<Self>,
        values: FloatTensor<Self>,
        shape: MambaShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [t, _] = u.meta.shape().dims();
        let y = empty_f32(&u, [t, shape.inner()]);
        let tensors = [&first, &u, &params, &state, &values, &y];
        launch(kernel(shape, Kind::of(t)), grid(shape), &tensors);
        (y, values)
    }
}

impl ScanOp for Flex {
    fn scan(
        first: FlexTensor,
        u: FlexTensor,
        params: FlexTensor,
        state: FlexTensor,
        mut values: FlexTensor,
        shape: MambaShape,
    ) -> (FlexTensor, FlexTensor) {
        let [t, _] = u.layout().shape().dims();
        let (u, kind) = (u.storage(), Kind::of(t));
        let state = state.storage::<u32>();
        let (pos, n) = (state[state::POS] as usize, state[state::N_TOKENS] as usize);
        let values_mut = values.storage_mut();
        let mut convolved = Vec::new();
        if kind != Kind::Chunk {
            convolved.resize(n * shape.channels(), 0.0);
            let (taps, c) = (first.storage(), &mut convolved);
            conv_cpu(u, taps, values_mut, pos, c, shape.conv());
        }
        let step = Step {
            c: match kind {
                Kind::Chunk => first.storage(),
                _ => &convolved,
            },
            u,
            params: params.storage(),
            pos,
            n,
            defers: kind == Kind::Drafts,
            shape,
        };
        let mut y = vec![0.0; t * shape.inner()];
        step.run(values_mut, &mut y);
        (flex::tensor(y, [t, shape.inner()]), values)
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
    shape: MambaShape,
}

impl Step<'_> {
    /// Runs the step, the CPU twin: `values` as in the module's documentation, `y`: [>= n, heads * head_dim].
    fn run(&self, values: &mut [f32], y: &mut [f32]) {
        let (shape, at) = (self.shape, self.shape.offsets());
        let (d, wide, heads) = (shape.head_dim, shape.state_dim, shape.heads);
        let (inner, of_b) = (shape.inner(), shape.groups * wide);
        let (_, rest) = values.split_at_mut(at.state);
        let (all, rest) = rest.split_at_mut(shape.state());
        let (updates, meta) = rest.split_at_mut(at.meta - at.updates);
        let [position, pending, list] = [meta[0], meta[1], meta[2]].map(|v| v as usize);
        // Updates from before this step whose tokens were kept.
        let kept = self.pos.saturating_sub(position).min(pending);
        let (first, second) = updates.split_at_mut(updates.len() / 2);
        let (before, after) = match list {
            0 => (first, second),
            _ => (second, first),
        };
        if self.pos == 0 {
            all.fill(0.0);
        } else {
            for update in before.chunks_exact(shape.update()).take(kept) {
                for (j, s) in all.chunks_exact_mut(d * wide).enumerate() {
                    let b = &update[inner + shape.group(j) * wide..][..wide];
                    correct(s, update[inner + of_b + j], &update[j * d..][..d], b);
                }
            }
        }
        let mut copy = match self.defers {
            true => all.to_vec(),
            false => Vec::new(),
        };
        let s = if self.defers { &mut copy[..] } else { all };
        let [of_z, of_a] = [self.params[3 * heads], self.params[3 * heads + 1]];
        for t in 0..self.n {
            let c = &self.c[t * shape.channels()..][..shape.channels()];
            let (x, rest) = c.split_at(inner);
            let (b, c) = rest.split_at(of_b);
            let u = &self.u[t * shape.columns()..][..shape.columns()];
            let (z, a) = (&u[..inner], &u[shape.columns() - heads..]);
            let mut update = vec![0.0; shape.update()];
            update[inner..inner + of_b].copy_from_slice(b);
            for (j, s) in s.chunks_exact_mut(d * wide).enumerate() {
                let group = shape.group(j) * wide..(shape.group(j) + 1) * wide;
                let dt = softplus(of_a * a[j] + self.params[heads + j]);
                let decay = exp(self.params[j] * dt);
                let rows = j * d..(j + 1) * d;
                let x = &x[rows.clone()];
                let by = &mut update[rows.clone()];
                by.iter_mut().zip(x).for_each(|(by, x)| *by = dt * x);
                correct(s, decay, by, &b[group.clone()]);
                let y = &mut y[t * inner..][rows.clone()];
                let rows = s.chunks_exact(wide).zip(x).zip(&z[rows]);
                for (y, ((s, x), z)) in y.iter_mut().zip(rows) {
                    let z = of_z * z;
                    let sum = dot_f32(s, &c[group.clone()]) + self.params[2 * heads + j] * x;
                    *y = sum * z / (1.0 + exp(-z));
                }
                update[inner + of_b + j] = decay;
            }
            if self.defers {
                after[t * update.len()..][..update.len()].copy_from_slice(&update);
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
