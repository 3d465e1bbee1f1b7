//! Attention over latent vectors: what is done around [`crate::ops::attention`], which then sees one key for all heads.
//!
//! A token is compressed to a latent c of `rank` values and a part of its keys that rotates, k. A head's query has a plain and a
//! rotated part, p and q. With the head's matrices A, [rank, plain], and B, [value, rank], its score of a token is
//! q . k + (A p) . c and its output B times the weighted sum of c: the caches of keys and of values are one, [k, c] of each token.
//!
//! - `head_columns`: `x`: [T, heads * width] to [T * heads, cols], some columns of each head.
//! - `join_latent`: `q`: [T, heads * (plain + rotated)], `a`: [T * heads, rank] (A p), `kv`: [T, rank + rotated] (c and k, not
//!   normalised), `weight`: [1, rank] of c's norm. Result, which [`super::rope_append`] takes: [T, (heads + 1) * (rotated + rank)],
//!   each head's q and A p, then k and the norm of c.
//! - GPU: a thread for each four columns; those of c sum its squares themselves.
//! - Source: DeepSeek-AI 2024, arXiv:2405.04434, section 2.1.

use std::cell::RefCell;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::norm::rms_norm;

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::{Ops, flex};
use hearth_modelfile::cost::Counters;
use hearth_modelfile::layer_spec::LatentShape;

/// Some columns of each head of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadColumns {
    pub heads: usize,
    /// Columns of a head, the first that is taken, and how many are; multiples of 4.
    pub width: usize,
    pub first: usize,
    pub cols: usize,
}

/// Parameters of the join.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JoinSpec {
    pub heads: usize,
    pub shape: LatentShape,
    /// Epsilon of the latent's norm.
    pub eps: f32,
}

/// Backend extension: both steps on each backend.
#[backend_extension(Cube, Flex)]
pub trait LatentOp: Backend {
    /// Returns some columns of each head, see the module's documentation.
    fn head_columns(x: FloatTensor<Self>, spec: HeadColumns) -> FloatTensor<Self>;

    /// Returns queries and the key of all heads, see the module's documentation.
    fn join_latent(
        q: FloatTensor<Self>,
        a: FloatTensor<Self>,
        kv: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: JoinSpec,
    ) -> FloatTensor<Self>;
}

const WG: u32 = 64;

fn columns_kernel(spec: HeadColumns) -> Kernel {
    Kernel::new(&modules::HEAD_COLUMNS, WG).u32s([
        ("HEADS", spec.heads as u32),
        ("WIDTH4", spec.width as u32 / 4),
        ("FIRST4", spec.first as u32 / 4),
        ("COLS4", spec.cols as u32 / 4),
    ])
}

fn join_kernel(spec: JoinSpec) -> Kernel {
    let shape = spec.shape;
    Kernel::new(&modules::JOIN_LATENT, WG)
        .u32s([
            ("HEADS", spec.heads as u32),
            ("PLAIN4", shape.plain as u32 / 4),
            ("ROTATED4", shape.rotated as u32 / 4),
            ("RANK4", shape.rank as u32 / 4),
        ])
        .f32s([("EPS", spec.eps)])
}

fn grid(t: usize, columns: usize) -> Grid {
    ((columns as u32 / 4).div_ceil(WG), t as u32, 1)
}

fn describe_columns(t: usize, spec: HeadColumns) -> Launch {
    let columns = spec.heads * spec.cols;
    let counters = Counters {
        prologue_bytes: 4 * (t * columns) as u64,
        trips: 1,
        ..Counters::default()
    };
    Launch::new(
        "head_columns",
        columns_kernel(spec),
        grid(t, columns),
        counters,
    )
}

fn describe_join(t: usize, spec: JoinSpec) -> Launch {
    let columns = (spec.heads + 1) * spec.shape.kept();
    let counters = Counters {
        prologue_bytes: 4 * (t * columns) as u64,
        trips: 2,
        near_trips: spec.shape.rank as u32 / 4,
        ..Counters::default()
    };
    Launch::new("join_latent", join_kernel(spec), grid(t, columns), counters)
}

/// Returns every variant of the kernels.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let columns = HeadColumns {
        heads: 2,
        width: 24,
        first: 8,
        cols: 16,
    };
    let shape = LatentShape {
        query_rank: 0,
        rank: 16,
        plain: 8,
        rotated: 8,
        value: 16,
    };
    let join = JoinSpec {
        heads: 2,
        shape,
        eps: 1e-6,
    };
    vec![columns_kernel(columns), join_kernel(join)]
}

impl LatentOp for CubeBackend {
    fn head_columns(x: FloatTensor<Self>, spec: HeadColumns) -> FloatTensor<Self> {
        let [t, _] = x.meta.shape().dims();
        let y = empty_f32(&x, [t * spec.heads, spec.cols]);
        let grid = grid(t, spec.heads * spec.cols);
        launch(columns_kernel(spec), grid, &[&x, &y]);
        y
    }

    fn join_latent(
        q: FloatTensor<Self>,
        a: FloatTensor<Self>,
        kv: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: JoinSpec,
    ) -> FloatTensor<Self> {
        let [t, _] = q.meta.shape().dims();
        let columns = (spec.heads + 1) * spec.shape.kept();
        let y = empty_f32(&q, [t, columns]);
        launch(
            join_kernel(spec),
            grid(t, columns),
            &[&q, &a, &kv, &weight, &y],
        );
        y
    }
}

impl LatentOp for Flex {
    fn head_columns(x: FlexTensor, spec: HeadColumns) -> FlexTensor {
        let [t, _] = x.layout().shape().dims();
        let heads = x.storage::<f32>().chunks_exact(spec.width);
        let columns = heads.flat_map(|head| &head[spec.first..spec.first + spec.cols]);
        let rows = t * spec.heads;
        let values = columns.copied().take(rows * spec.cols).collect();
        flex::tensor(values, [rows, spec.cols])
    }

    fn join_latent(
        q: FlexTensor,
        a: FlexTensor,
        kv: FlexTensor,
        weight: FlexTensor,
        spec: JoinSpec,
    ) -> FlexTensor {
        let [t, _] = q.layout().shape().dims();
        let (shape, heads) = (spec.shape, spec.heads);
        let columns = (heads + 1) * shape.kept();
        let mut y = Vec::with_capacity(t * columns);
        let queries = q.storage::<f32>().chunks_exact(heads * shape.query());
        let compared = a.storage::<f32>().chunks_exact(heads * shape.rank);
        let tokens = kv.storage::<f32>().chunks_exact(shape.kept());
        let mut normed = vec![0.0; shape.rank];
        for ((queries, compared), token) in queries.zip(compared).zip(tokens).take(t) {
            let of_heads = queries.chunks_exact(shape.query());
            for (query, compared) in of_heads.zip(compared.chunks_exact(shape.rank)) {
                y.extend_from_slice(&query[shape.plain..]);
                y.extend_from_slice(compared);
            }
            let (latent, key) = token.split_at(shape.rank);
            rms_norm(latent, weight.storage(), spec.eps, &mut normed);
            y.extend_from_slice(key);
            y.extend_from_slice(&normed);
        }
        flex::tensor(y, [t, columns])
    }
}

impl Ops {
    /// Returns some columns of each head of `x`, [t, heads * width]: [t * heads, cols].
    pub fn head_columns(&self, x: &Tensor<2>, spec: HeadColumns) -> Tensor<2> {
        let t = x.dims()[0];
        if self.describes(|_| describe_columns(t, spec)) {
            return self.empty(t * spec.heads, spec.cols);
        }
        let x = x.clone().into_dispatch();
        self.keep(Tensor::from_dispatch(Dispatch::head_columns(x, spec)))
    }

    /// Returns queries and the key of all heads, see the module's documentation.
    pub fn join_latent(
        &self,
        q: &Tensor<2>,
        a: &Tensor<2>,
        kv: &Tensor<2>,
        weight: &Tensor<2>,
        spec: JoinSpec,
    ) -> Tensor<2> {
        let t = q.dims()[0];
        if self.describes(|_| describe_join(t, spec)) {
            return self.empty(t, (spec.heads + 1) * spec.shape.kept());
        }
        self.keep(Tensor::from_dispatch(Dispatch::join_latent(
            q.clone().into_dispatch(),
            a.clone().into_dispatch(),
            kv.clone().into_dispatch(),
            weight.clone().into_dispatch(),
            spec,
        )))
    }
}

/// Routes of each token to all heads, for weights that have a matrix for each of them; see [`crate::ops::experts`]. Made once for
/// a number of tokens: a step that is replayed uploads nothing.
pub struct HeadRoutes {
    heads: usize,
    made: RefCell<Vec<Tensor<2>>>,
}

/// Numbers of tokens whose routes are kept.
const KEPT_ROUTES: usize = 4;

impl HeadRoutes {
    /// Creates the routes of so many heads.
    pub fn new(heads: usize) -> Self {
        Self {
            heads,
            made: RefCell::new(Vec::new()),
        }
    }

    /// Returns the number of heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Returns the routes of `t` tokens: [t, 2 * heads].
    pub(in crate::ops) fn of(&self, ops: &Ops, t: usize) -> Tensor<2> {
        let mut made = self.made.borrow_mut();
        if let Some(found) = made.iter().find(|routes| routes.dims()[0] == t) {
            return ops.keep(found.clone());
        }
        let one = (0..self.heads).flat_map(|head| [head as f32, 1.0]);
        let values = one.collect::<Vec<f32>>().repeat(t);
        let routes = ops.upload_f32(&values, [t, 2 * self.heads]);
        if made.len() == KEPT_ROUTES {
            made.remove(0);
        }
        made.push(routes.clone());
        ops.keep(routes)
    }
}
