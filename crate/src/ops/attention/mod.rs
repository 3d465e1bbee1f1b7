//! Causal attention of a step's queries against the KV cache.
//!
//! out[t, h] = softmax_j(q[t, h] . k[g, j] * scale) v[g, j], j <= POS + t, where g is the kv head of h. With a
//! window, a query sees only that many positions up to and including its own; a softcap squashes the scores into its
//! range; with sinks, each head's softmax has one more logit, whose value vector is zero; an encoder sees all of the
//! step's positions, or as many after its own as a window has before it; a block sees all of the step's later positions, and earlier
//! ones within the window; with ranges, each of several tokens sees those positions that the step says.
//!
//! - `q`: [T, n_heads * head_dim], caches: [n_kv_heads, n_ctx, head_dim]. Result like `q`; or, for one token and
//!   [`AttentionSpec::splits`] > 1, the unmerged spans [n_heads * splits, head_dim + 4] that
//!   [`merge`] takes: sum_j p_j v_j, the largest score, sum_j p_j, two unused.
//! - `extra`: the layer's attn_params, for its sinks; or the ranges, [T, 2]: the first position that a token sees, and the one behind
//!   the last. From token to token neither decreases.
//! - GPU: see `attention.wgsl` and, for many tokens, `attention_rows.wgsl`. For one token, [`folded`] has rotation and append in
//!   the same launch.
//! - Source: Vaswani et al. 2017; grouped heads: Ainslie et al. 2023, arXiv:2305.13245.

pub mod cache;
mod calls;
mod cpu;
pub mod folded;
pub mod gate_heads;
pub mod kv;
pub mod latent;
pub mod merge;
pub mod pooled;
pub mod rope_append;
pub mod spec;
mod tiles;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::attention::cpu::attention_cpu;
use crate::ops::attention::kv::KvType;
use crate::ops::attention::spec::{AttentionSpec, KvSource};
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch, Situation};
use crate::ops::{flex, state};
use crate::platform::SUBGROUP_DIRECTIVE;
use hearth_modelfile::cost::Counters;

/// Backend extension: attention on each backend.
#[backend_extension(Cube, Flex)]
pub trait AttentionOp: Backend {
    /// Computes attention, see the module's documentation.
    fn attention(
        q: FloatTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        extra: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self>;
}

/// Largest width of a head: what is kept of a token where keys and values are one. A workgroup then takes 15.8 KiB of the 16 KiB
/// that every device has.
pub const MAX_HEAD_DIM: usize = 576;
/// Bytes that a thread requests at once of a key or of values: eight columns of four, in f16.
const IN_FLIGHT: u32 = 64;

pub(in crate::ops) fn kernel(spec: AttentionSpec, tokens: u32) -> Kernel {
    let main = match spec.many_rows {
        true => &modules::ATTENTION_ROWS,
        false => &modules::ATTENTION,
    };
    let kernel = Kernel::new(main, spec.workgroup())
        .module(&state::WGSL)
        .module(&modules::SPLIT_SPAN)
        .module(match spec.ranged {
            true => &modules::SEEN_RANGES,
            false => &modules::SEEN,
        })
        .module(match spec.kv {
            KvType::F32 => &modules::KV_F32,
            KvType::F16 => &modules::KV_F16,
            KvType::Q8 => &modules::KV_Q8,
        })
        .u32s([
            ("N_HEADS", spec.n_heads),
            ("GROUP", spec.n_heads / spec.n_kv_heads),
            ("HEADS", spec.heads()),
            ("TOKENS", tokens),
            ("HEAD_DIM4", spec.head_dim / 4),
            ("N_CTX", spec.n_ctx),
        ])
        .u32s(spec.span_consts())
        .f32s([("SCALE", spec.scale), ("SOFTCAP", spec.softcap)])
        .bools([
            ("CAUSAL", spec.causal),
            ("BLOCK", spec.block),
            ("VALUES_ARE_KEYS", spec.kv_source == KvSource::KeysAlone),
        ]);
    let kernel = match (spec.many_rows, spec.folded) {
        (true, _) => kernel,
        (false, false) => kernel.module(&modules::QUERIES_READY),
        (false, true) => folded::with_projected(kernel, spec),
    };
    let kernel = match (spec.many_rows, spec.by_column) {
        (true, _) => kernel,
        (false, false) => kernel.module(&modules::SCORES_BY_POSITION),
        (false, true) => kernel
            .directive(SUBGROUP_DIRECTIVE)
            .module(&modules::SCORES_BY_COLUMN),
    };
    let kernel = match spec.alibi {
        0.0 => kernel.module(&modules::ALIBI_NONE),
        slopes => kernel
            .module(&modules::ALIBI)
            .f32s([("SLOPES", slopes)])
            .u32s([("SLOPE_HEADS", slope_heads(spec.n_heads))]),
    };
    if !spec.sinks {
        return kernel.module(&modules::SINKS_NONE);
    }
    let kernel = match spec.folded {
        true => kernel,
        false => kernel
            .module(&modules::ATTN_PARAMS)
            .u32s([("ATTN_PARAMS", 5)]),
    };
    kernel
        .module(&modules::SINKS)
        .u32s([("SINKS_AT", spec.sinks_at() as u32)])
}

/// Returns the largest power of two that is not above the heads: so many have slopes in steps of their own.
fn slope_heads(n_heads: u32) -> u32 {
    1 << n_heads.max(1).ilog2()
}

/// Returns the positions that a token sees, and those of a span.
fn seen_and_span(spec: AttentionSpec, positions: usize) -> (u32, u32) {
    let end = (positions as u32).clamp(1, spec.n_ctx);
    let len = end - spec.first(end as usize - 1) as u32;
    let tile = spec.tile();
    (len, len.div_ceil(spec.splits * tile).max(1) * tile)
}

/// Returns the spans of one token that have positions.
pub(in crate::ops) fn live_spans(spec: AttentionSpec, positions: usize) -> u32 {
    let (len, span) = seen_and_span(spec, positions);
    len.div_ceil(span)
}

/// Returns the tokens of a workgroup, and the grid, for `t` tokens.
fn grid(t: usize, spec: AttentionSpec) -> (u32, Grid) {
    let tokens = if t == 1 { 1 } else { spec.tokens() };
    let tiles = (t as u32).div_ceil(tokens);
    (tokens, (spec.n_heads / spec.heads(), tiles, spec.splits))
}

/// Describes the launch for `t` tokens; the counters are those of one.
pub(in crate::ops) fn describe(t: usize, spec: AttentionSpec, now: Situation) -> Launch {
    let (tokens, grid) = grid(t, spec);
    let (len, span) = seen_and_span(spec, now.positions);
    let threads = spec.workgroup();
    let (spans, tiles) = (len.div_ceil(span), span.min(len).div_ceil(spec.tile()));
    let rows = spec.heads() * tokens;
    let row_bytes = spec.kv.row_bytes(spec.head_dim as usize);
    let caches = if spec.kv_source == KvSource::KeysAlone {
        1
    } else {
        2
    };
    let state_bytes = caches * u64::from(len) * u64::from(spec.n_kv_heads) * row_bytes;
    let workgroups = u64::from(grid.0 * spans);
    // Workgroups of one kv head read the same keys and values.
    let repeats = u64::from(grid.0 / spec.n_kv_heads);
    let queries = workgroups * u64::from(rows * spec.head_dim) * 4;
    let counters = Counters {
        state_bytes,
        prologue_bytes: queries + (repeats - 1) * state_bytes,
        bytes_in_flight: IN_FLIGHT * threads,
        key_lines: spec.key_lines(),
        workgroup_memory: spec.memory(rows),
        // Where the span is known, the queries; four a tile; two for each row of the result.
        barriers: 2 + 4 * tiles + if spec.many_rows { 1 } else { 2 * rows },
        // The state and the queries, then keys and values of each tile.
        trips: 2 + 2 * tiles,
        // Scores and sums, each with its share of conversions, loads and the softmax.
        instructions: 3 * u64::from(len) * u64::from(spec.n_heads * spec.head_dim),
        ..Counters::default()
    };
    let mut launch = Launch::new("attention", kernel(spec, tokens), grid, counters);
    if t == 1 {
        launch.counters.workgroups = workgroups;
    }
    launch
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for kv in [KvType::F32, KvType::F16, KvType::Q8] {
        for bits in 0..16 {
            let is = |bit: u32| bits >> bit & 1 == 1;
            let spec = AttentionSpec {
                kv,
                sinks: is(0),
                causal: is(1),
                softcap: if is(2) { 50.0 } else { 0.0 },
                window: if is(3) { 16 } else { 0 },
                ..AttentionSpec::EXAMPLE
            };
            let split = AttentionSpec { splits: 4, ..spec };
            let many = AttentionSpec {
                many_rows: true,
                ..spec
            };
            all.extend([kernel(spec, 1), kernel(spec, 4), kernel(split, 1)]);
            let by_column = AttentionSpec {
                head_dim: 32,
                by_column: true,
                ..split
            };
            all.push(kernel(by_column, 1));
            all.push(kernel(many, many.tokens()));
        }
        for window in [0, 16] {
            let spec = AttentionSpec {
                kv,
                window,
                ..AttentionSpec::EXAMPLE
            };
            all.push(kernel(spec.for_block(), 4));
            let many = AttentionSpec {
                many_rows: true,
                ..spec.for_block()
            };
            all.push(kernel(many, many.tokens()));
        }
        let ranged = AttentionSpec {
            kv,
            ranged: true,
            ..AttentionSpec::EXAMPLE
        };
        all.push(kernel(ranged, 4));
        let many = AttentionSpec {
            many_rows: true,
            ..ranged
        };
        all.push(kernel(many, many.tokens()));
        let distanced = AttentionSpec {
            kv,
            causal: false,
            alibi: 8.0,
            ..AttentionSpec::EXAMPLE
        };
        all.push(kernel(distanced, 4));
        let many = AttentionSpec {
            many_rows: true,
            ..distanced.for_texts()
        };
        all.push(kernel(many, many.tokens()));
        let texts = AttentionSpec {
            kv,
            causal: false,
            ..AttentionSpec::EXAMPLE
        };
        all.push(kernel(texts.for_texts(), 4));
        let wide = AttentionSpec {
            kv,
            head_dim: 512,
            n_heads: 8,
            n_kv_heads: 1,
            ..AttentionSpec::EXAMPLE
        };
        let latent = AttentionSpec {
            head_dim: MAX_HEAD_DIM as u32,
            kv_source: KvSource::KeysAlone,
            ..wide
        };
        all.extend([kernel(latent, 1), kernel(latent, 2)]);
        all.extend([
            kernel(wide, 1),
            kernel(AttentionSpec { splits: 4, ..wide }, 1),
        ]);
    }
    all
}

impl AttentionOp for CubeBackend {
    fn attention(
        q: FloatTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        extra: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self> {
        let [t, _] = q.meta.shape().dims();
        let out = empty_f32(&q, spec.out_shape(t));
        let (tokens, grid) = grid(t, spec);
        let mut tensors = vec![&q, &k_cache, &v_cache, &state, &out];
        tensors.extend((spec.sinks || spec.ranged).then_some(&extra));
        launch(kernel(spec, tokens), grid, &tensors);
        out
    }
}

impl AttentionOp for Flex {
    fn attention(
        q: FlexTensor,
        k_cache: FlexTensor,
        v_cache: FlexTensor,
        extra: FlexTensor,
        state: FlexTensor,
        spec: AttentionSpec,
    ) -> FlexTensor {
        let [t, cols] = q.layout().shape().dims();
        let state = state.storage::<u32>();
        let n = state[state::N_TOKENS] as usize;
        let mut out = vec![0.0; t * cols];
        attention_cpu(
            &q.storage::<f32>()[..n * cols],
            k_cache.storage(),
            match spec.kv_source {
                KvSource::KeysAlone => k_cache.storage(),
                _ => v_cache.storage(),
            },
            state[state::POS] as usize,
            &extra.storage()[if spec.sinks { spec.sinks_at() } else { 0 }..],
            &mut out,
            spec,
        );
        let shape = spec.out_shape(t);
        if spec.splits > 1 {
            out = one_span(&out, spec);
        }
        flex::tensor(out, shape)
    }
}

/// Formats a result as `splits` spans. The CPU computes the context as one span; the others get zero weight.
fn one_span(out: &[f32], spec: AttentionSpec) -> Vec<f32> {
    let hd = spec.head_dim as usize;
    let mut spans = Vec::new();
    for head in out.chunks_exact(hd) {
        spans.extend(head);
        spans.extend([0.0, 1.0, 0.0, 0.0]);
        for _ in 1..spec.splits {
            spans.extend(std::iter::repeat_n(0.0, hd));
            spans.extend([f32::MIN, 0.0, 0.0, 0.0]);
        }
    }
    spans
}
