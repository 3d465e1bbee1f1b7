//! Keys and values in the memory of the pool's threads, which share attention over them, see [`hearth_cpu::job::Attend`].

use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;
use hearth_cpu::job::{APPENDED, Attend};
use hearth_cpu::rows::MAX_TOKENS;

use crate::ops::attention::cpu::seen_by;
use crate::ops::attention::rope_append::prepared_cpu;
use crate::ops::attention::spec::{Attention, AttentionSpec, KvSource};
use crate::ops::pool::{self, CpuPool, JobBuilder};
use crate::ops::{Ops, StepState, flex, state};

/// The K and V cache of one layer in the pool's memory, each [n_kv_heads * n_ctx, head_dim] f32.
pub struct PooledKv {
    pool: Rc<dyn CpuPool>,
    /// Address of K, which V follows.
    at: u32,
    rows: usize,
    head_dim: usize,
}

impl Drop for PooledKv {
    fn drop(&mut self) {
        self.pool.free(self.at, 2 * self.words());
    }
}

/// Tokens of a step, ready for attention.
pub struct Prepared {
    cache: Rc<PooledKv>,
    /// [n, stride]: queries, and keys and values if they are appended.
    pub rows: Vec<f32>,
    /// [n, 2]: the first position that a token sees, and the one behind the last.
    pub seen: Vec<f32>,
    stride: usize,
    /// Position of the first token, if keys and values are appended.
    position: Option<usize>,
    spec: AttentionSpec,
}

impl AttentionSpec {
    /// Returns whether the threads of a pool can compute this attention; they know neither sinks nor what bends scores.
    pub(crate) fn fits_pool(&self) -> bool {
        !self.sinks
            && self.softcap == 0.0
            && self.alibi == 0.0
            && self.kv_source != KvSource::KeysAlone
    }
}

impl PooledKv {
    /// Allocates a cache of `rows` rows each for K and V, if there is a pool that has room for it.
    pub fn new(ops: &Ops, rows: usize, head_dim: usize) -> Option<Rc<Self>> {
        let pool = pool::current().filter(|_| ops.is_on_cpu())?;
        let at = pool.alloc(2 * rows * head_dim).ok()?;
        Some(Rc::new(Self {
            pool,
            at,
            rows,
            head_dim,
        }))
    }

    /// Returns the words of K, or of V.
    fn words(&self) -> usize {
        self.rows * self.head_dim
    }

    /// Returns the addresses of K and of V.
    fn addresses(&self) -> [u32; 2] {
        [self.at, self.at + 4 * self.words() as u32]
    }

    /// Returns where the rows of some positions are: those of each head of K, then of V, in a cache of `n_ctx` positions.
    fn places(&self, n_ctx: usize, positions: &Range<usize>) -> impl Iterator<Item = u32> {
        let (heads, dim, first) = (self.rows / n_ctx, self.head_dim, positions.start);
        let of_head = move |head: usize| 4 * ((head * n_ctx + first) * dim) as u32;
        let places = self.addresses().into_iter();
        places.flat_map(move |at| (0..heads).map(move |head| at + of_head(head)))
    }

    /// Returns the words that K and V take for a position.
    pub fn words_per_position(&self, n_ctx: usize) -> usize {
        2 * self.words() / n_ctx
    }

    /// Reads the rows of some positions: those of each head of K, then of V.
    pub fn read(&self, n_ctx: usize, positions: Range<usize>) -> Vec<u32> {
        let len = positions.len() * self.head_dim;
        let mut words = vec![0; positions.len() * self.words_per_position(n_ctx)];
        for (words, at) in words
            .chunks_exact_mut(len.max(1))
            .zip(self.places(n_ctx, &positions))
        {
            self.pool.read(at, words);
        }
        words
    }

    /// Writes what [`PooledKv::read`] returned.
    pub fn write(&self, n_ctx: usize, positions: Range<usize>, words: &[u32]) {
        let len = positions.len() * self.head_dim;
        for (words, at) in words
            .chunks_exact(len.max(1))
            .zip(self.places(n_ctx, &positions))
        {
            self.pool.write(at, words);
        }
    }

    /// Returns copies of K and of V.
    pub fn tensors(&self) -> (Tensor<2>, Tensor<2>) {
        let [k, v] = self.addresses().map(|at| {
            let mut words = vec![0; self.words()];
            self.pool.read(at, &mut words);
            let values = words.into_iter().map(f32::from_bits).collect();
            flex::matrix(values, [self.rows, self.head_dim])
        });
        (k, v)
    }

    /// Prepares the tokens of a step, whose queries, keys and values are in `qkv`, [t, qkv_cols()].
    pub fn prepare(
        self: &Rc<Self>,
        qkv: &Tensor<2>,
        attention: &Attention,
        step: &StepState,
        spec: AttentionSpec,
    ) -> Prepared {
        let (words, qkv) = (flex::of_ints(&step.words()), flex::of(qkv));
        let (n, position) = n_and_position(words.storage(), spec);
        let rope = flex::of(step.rope().unwrap_or(&attention.rope));
        let params = flex::of(&attention.attn_params);
        let tables = (rope.storage(), params.storage());
        let qkv = &qkv.storage::<f32>()[..n * spec.qkv_cols()];
        let (rows, parts) = prepared_cpu(qkv, tables, position, spec);
        Prepared {
            stride: parts.qkv_cols(),
            position: (parts.n_kv_heads > 0).then_some(position),
            seen: seen(n, position, &[], spec),
            ..self.prepared(rows, spec)
        }
    }

    fn prepared(self: &Rc<Self>, rows: Vec<f32>, spec: AttentionSpec) -> Prepared {
        Prepared {
            cache: Rc::clone(self),
            rows,
            seen: Vec::new(),
            stride: (spec.n_heads * spec.head_dim) as usize,
            position: None,
            spec,
        }
    }

    /// Appends keys and values of prepared tokens, and returns their queries: [t, n_heads * head_dim].
    pub fn append(&self, prepared: &Prepared, t: usize) -> Tensor<2> {
        let (spec, dim) = (prepared.spec, self.head_dim);
        let q_cols = (spec.n_heads * spec.head_dim) as usize;
        let rows = || prepared.rows.chunks_exact(prepared.stride);
        if let Some(position) = prepared.position {
            let mut words = Vec::with_capacity(prepared.rows.len());
            for at in (q_cols..prepared.stride).step_by(dim) {
                let heads = rows().flat_map(|row| &row[at..at + dim]);
                words.extend(heads.map(|v| v.to_bits()));
            }
            let positions = position..position + rows().len();
            self.write(spec.n_ctx as usize, positions, &words);
        }
        let mut q = vec![0.0; t * q_cols];
        for (q, row) in q.chunks_exact_mut(q_cols).zip(rows()) {
            q.copy_from_slice(&row[..q_cols]);
        }
        flex::matrix(q, [t, q_cols])
    }

    /// Computes attention of prepared tokens: [t, n_heads * head_dim].
    fn attend(&self, prepared: &Prepared, t: usize) -> Tensor<2> {
        let (spec, stride) = (prepared.spec, prepared.stride);
        let cols = (spec.n_heads * spec.head_dim) as usize;
        let mut out = vec![0.0; t * cols];
        let pieces = prepared.rows.chunks(MAX_TOKENS * stride);
        let seen = prepared.seen.chunks(MAX_TOKENS * 2);
        let pieces = pieces.zip(seen).zip(out.chunks_mut(MAX_TOKENS * cols));
        for (piece, ((rows, seen), out)) in pieces.enumerate() {
            let tokens = rows.len() / stride;
            let mut job = JobBuilder::new(tokens);
            let places = [rows.len(), seen.len(), tokens * cols].map(|n| job.place(n));
            let [rows_at, seen_at, y] = places;
            let first = piece * MAX_TOKENS;
            let position = prepared.position.map(|position| position + first);
            let stage = prepared.stage(rows_at, seen_at, y);
            job.attend(Attend {
                position: position.map_or(APPENDED, |position| position as u32),
                ..stage
            });
            let input = [rows, seen].concat();
            let end = seen.last().map_or(0, |end| *end as usize);
            job.run(&*self.pool, end, &input, y, &mut out[..tokens * cols]);
        }
        flex::matrix(out, [t, cols])
    }

    /// Computes attention of the queries in `qkv`, which are not ready yet, and appends their keys and values: [t, n_heads * head_dim].
    pub fn attend_projected(
        self: &Rc<Self>,
        qkv: &Tensor<2>,
        attention: &Attention,
        step: &StepState,
        spec: AttentionSpec,
    ) -> Tensor<2> {
        let prepared = self.prepare(qkv, attention, step, spec);
        self.attend(&prepared, qkv.dims()[0])
    }

    /// Computes attention of queries whose keys and values are in the cache; `ranges` as in [`super`], if the spec has them.
    pub fn attend_ready(
        self: &Rc<Self>,
        q: &Tensor<2>,
        ranges: Option<&Tensor<2>>,
        step: &StepState,
        spec: AttentionSpec,
    ) -> Tensor<2> {
        let (words, queries) = (flex::of_ints(&step.words()), flex::of(q));
        let (n, position) = n_and_position(words.storage(), spec);
        let ranges = ranges.map(flex::of);
        let ranges = ranges.as_ref().map_or(&[][..], |ranges| ranges.storage());
        let cols = (spec.n_heads * spec.head_dim) as usize;
        let rows = queries.storage::<f32>()[..n * cols].to_vec();
        let prepared = Prepared {
            seen: seen(n, position, ranges, spec),
            ..self.prepared(rows, spec)
        };
        self.attend(&prepared, q.dims()[0])
    }
}

/// Returns the tokens of a step that the cache has room for, and the position of the first.
fn n_and_position(words: &[u32], spec: AttentionSpec) -> (usize, usize) {
    let position = words[state::POS] as usize;
    let room = (spec.n_ctx as usize).saturating_sub(position);
    ((words[state::N_TOKENS] as usize).min(room), position)
}

/// Returns the positions that each of `n` tokens sees.
fn seen(n: usize, position: usize, ranges: &[f32], spec: AttentionSpec) -> Vec<f32> {
    let ranges = (0..n).map(|t| seen_by(t, n, position, ranges, spec));
    ranges
        .flat_map(|seen| [seen.start as f32, seen.end as f32])
        .collect()
}

impl Prepared {
    /// Returns the position behind the last that is seen.
    pub fn end(&self) -> usize {
        self.seen.last().map_or(0, |end| *end as usize)
    }

    /// Returns the stage of a job, with the places of the rows, of the positions that are seen, and of the results.
    pub fn stage(&self, rows: usize, seen: usize, y: usize) -> Attend {
        let [k, v] = self.cache.addresses();
        let spec = self.spec;
        Attend {
            n_heads: spec.n_heads,
            n_kv_heads: spec.n_kv_heads,
            head_dim: spec.head_dim,
            k,
            v,
            n_ctx: spec.n_ctx,
            rows: rows as u32,
            stride: self.stride as u32,
            position: self.position.map_or(APPENDED, |position| position as u32),
            scale: spec.scale,
            seen: seen as u32,
            y: y as u32,
            scratch: 0,
            unused: 0,
        }
    }
}
