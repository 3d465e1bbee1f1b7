//! Bias, norm and rotary position embedding (RoPE) of queries and keys, and the append to the KV cache, in one pass.
//!
//! - `qkv`: [T, qkv_cols()]: q, k and v, or fewer, see [`KvSource`]; with a gate, each head's gate follows its query. Result q:
//!   [T, n_heads * head_dim], rotated.
//! - `k_cache`, `v_cache`: [n_kv_heads, n_ctx, head_dim], written at POS .. POS + N_TOKENS.
//! - `rope`: [n_ctx, rope_pairs, 2], cos and sin per position and pair, computed in f64 on the host: WGSL guarantees
//!   no precision of `sin` for angles of thousands of radians.
//! - `attn_params`: [1, attn_params()], see [`AttentionSpec::attn_params`]; a dummy if empty.
//! - GPU: one thread per two columns; each sums its norm's columns itself, which costs less than another launch.
//! - Source: Su et al. 2021, arXiv:2104.09864.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;
use hearth_cpu::norm::rms_norm;

use crate::ops::attention::kv::KvRows as _;
use crate::ops::attention::kv::KvType;
use crate::ops::attention::spec::{AttentionSpec, KvSource, QkNorm};
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::{flex, state};
use hearth_modelfile::cost::Counters;
use hearth_modelfile::families::AttentionGate;

/// Backend extension: RoPE and KV append on each backend.
#[backend_extension(Cube, Flex)]
pub trait RopeAppendOp: Backend {
    /// Returns (q, k_cache, v_cache).
    fn rope_append(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        attn_params: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

pub(in crate::ops) fn kernel(spec: AttentionSpec) -> Kernel {
    let kernel = match spec.kv {
        KvType::F32 => Kernel::new(&modules::ROPE_APPEND, 64).module(&modules::APPEND_F32),
        KvType::F16 => Kernel::new(&modules::ROPE_APPEND, 64).module(&modules::APPEND_F16),
        KvType::Q8 => Kernel::new(&modules::ROPE_APPEND_Q8, 64),
    };
    let kernel = kernel
        .module(&state::WGSL)
        .module(&modules::APPENDED)
        .u32s([("N_HEADS", spec.n_heads), ("N_CTX", spec.n_ctx)]);
    preparing(kernel, spec, spec.has_params())
}

/// Adds to a kernel with the heads and the context what prepares a column of a head; with `attn_params` the kernel has that tensor.
pub(super) fn preparing(kernel: Kernel, spec: AttentionSpec, attn_params: bool) -> Kernel {
    let kernel = match attn_params {
        true => kernel
            .module(&modules::ATTN_PARAMS)
            .u32s([("ATTN_PARAMS", 4)]),
        false => kernel,
    };
    let kernel = kernel
        .module(&modules::ROTATE)
        .u32s([
            ("EXTRA_BUFFERS", attn_params.into()),
            ("N_KV", spec.n_kv_heads),
            ("KV_PARTS", spec.kv_parts()),
            ("KEPT_PARTS", spec.kept_parts()),
            ("HEAD_DIM", spec.head_dim),
            ("QUERY_HEADS", spec.query_heads()),
            ("HEAD_GATES", spec.head_gates()),
            ("ROPE_PAIRS", spec.rope_pairs),
            ("TEMPER_CTX", spec.temperature_ctx),
        ])
        .f32s([("TEMPER", spec.temperature)])
        .bools([("NEOX", spec.neox), ("IN_HALVES", spec.in_halves)]);
    if spec.qk_norm == QkNorm::CentredHead {
        kernel
            .module(&modules::QKV_CENTRED)
            .f32s([("EPS", spec.eps)])
            .bools([("BIAS", spec.bias)])
    } else if spec.has_params() {
        kernel
            .module(&modules::QKV_PARAMS)
            .u32s([("NORM", spec.qk_norm as u32)])
            .f32s([("EPS", spec.eps)])
            .bools([("BIAS", spec.bias), ("V_NORM", spec.v_norm)])
    } else {
        kernel.module(&modules::QKV_PLAIN)
    }
}

fn grid(t: usize, spec: AttentionSpec) -> Grid {
    let along = match spec.kv {
        // One workgroup per head, because it searches for the row's largest value.
        KvType::Q8 => spec.out_heads(),
        KvType::F32 | KvType::F16 => (spec.out_heads() * spec.head_dim / 2).div_ceil(64),
    };
    (along, t as u32, 1)
}

/// Describes the launch for `t` tokens.
pub(in crate::ops) fn describe(t: usize, spec: AttentionSpec) -> Launch {
    let counters = Counters {
        prologue_bytes: 4 * (t * spec.qkv_cols()) as u64,
        // The state, the columns, their angles.
        trips: 3,
        // Each thread sums the columns of its norm.
        near_trips: match spec.qk_norm {
            QkNorm::None if spec.v_norm => spec.head_dim,
            QkNorm::None => 0,
            QkNorm::Head | QkNorm::RotatedHead => spec.head_dim,
            QkNorm::Row => spec.n_heads * spec.head_dim,
            QkNorm::CentredHead => 2 * spec.head_dim,
        },
        ..Counters::default()
    };
    Launch::new("rope_append", kernel(spec), grid(t, spec), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let mut all = Vec::new();
    for kv in [KvType::F32, KvType::F16, KvType::Q8] {
        for qk_norm in [
            QkNorm::None,
            QkNorm::Head,
            QkNorm::Row,
            QkNorm::RotatedHead,
            QkNorm::CentredHead,
        ] {
            for bits in 0..8 {
                let is = |bit: u32| bits >> bit & 1 == 1;
                all.push(kernel(AttentionSpec {
                    kv,
                    qk_norm,
                    gate: match bits {
                        2 => AttentionGate::Interleaved,
                        3 => AttentionGate::PerHead,
                        _ => AttentionGate::None,
                    },
                    bias: is(0),
                    neox: is(1),
                    temperature: if is(2) { 0.1 } else { 0.0 },
                    ..AttentionSpec::EXAMPLE
                }));
            }
        }
        all.push(kernel(AttentionSpec {
            kv,
            qk_norm: QkNorm::Head,
            v_norm: true,
            neox: true,
            in_halves: true,
            ..AttentionSpec::EXAMPLE
        }));
        let sources = [
            KvSource::Projected,
            KvSource::KeysOnly,
            KvSource::Earlier,
            KvSource::KeysAlone,
        ];
        all.extend(sources.map(|kv_source| {
            kernel(AttentionSpec {
                kv,
                kv_source,
                head_dim: 512,
                qk_norm: QkNorm::Head,
                v_norm: true,
                neox: true,
                ..AttentionSpec::EXAMPLE
            })
        }));
    }
    all
}

impl RopeAppendOp for CubeBackend {
    fn rope_append(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        attn_params: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [t, _] = qkv.meta.shape().dims();
        let q = empty_f32(&qkv, [t, (spec.n_heads * spec.head_dim) as usize]);
        let mut tensors = vec![&qkv, &rope, &state, &q];
        tensors.extend(spec.has_params().then_some(&attn_params));
        tensors.extend([&k_cache, &v_cache]);
        launch(kernel(spec), grid(t, spec), &tensors);
        (q, k_cache, v_cache)
    }
}

impl RopeAppendOp for Flex {
    fn rope_append(
        qkv: FlexTensor,
        rope: FlexTensor,
        attn_params: FlexTensor,
        state: FlexTensor,
        mut k_cache: FlexTensor,
        mut v_cache: FlexTensor,
        spec: AttentionSpec,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [t, cols] = qkv.layout().shape().dims();
        let state = state.storage::<u32>();
        let n = state[state::N_TOKENS] as usize;
        let pos = state[state::POS] as usize;
        let qkv = &qkv.storage::<f32>()[..n * cols];
        let tables = (rope.storage(), attn_params.storage());
        let (qkv, parts) = prepared_cpu(qkv, tables, pos, spec);
        let q_cols = (spec.n_heads * spec.head_dim) as usize;
        let mut q = vec![0.0; t * q_cols];
        let values = match spec.kv_source {
            // (what is appended as values is the keys, and nobody reads it)
            KvSource::KeysAlone => None,
            _ => Some(v_cache.storage_mut()),
        };
        append_cpu(&qkv, pos, &mut q, k_cache.storage_mut(), values, parts);
        (flex::tensor(q, [t, q_cols]), k_cache, v_cache)
    }
}

/// Returns queries, keys and values of tokens as attention and the caches take them, and the spec of their columns: `qkv`,
/// [n, qkv_cols()], comes from position `pos` on; `tables` are those of [`Attention`](super::spec::Attention), rope and attn_params.
#[inline(never)]
pub(super) fn prepared_cpu(
    qkv: &[f32],
    (rope, attn_params): (&[f32], &[f32]),
    pos: usize,
    spec: AttentionSpec,
) -> (Vec<f32>, AttentionSpec) {
    let q_cols = (spec.n_heads * spec.head_dim) as usize;
    let (mut qkv, spec) = match spec.gate {
        AttentionGate::None => all_parts_cpu(qkv, spec),
        AttentionGate::Interleaved | AttentionGate::PerHead => {
            let gate = AttentionGate::None;
            all_parts_cpu(&without_gates(qkv, spec), AttentionSpec { gate, ..spec })
        }
    };
    add_bias_cpu(&mut qkv, attn_params, spec);
    if spec.qk_norm == QkNorm::RotatedHead {
        rotate_cpu(&mut qkv, rope, pos, spec);
        norm_cpu(&mut qkv, attn_params, spec);
    } else {
        norm_cpu(&mut qkv, attn_params, spec);
        rotate_cpu(&mut qkv, rope, pos, spec);
    }
    temper_cpu(&mut qkv, pos, spec);
    for row in qkv.chunks_exact_mut(spec.qkv_cols()) {
        let heads = row[q_cols..].chunks_exact_mut(spec.head_dim as usize);
        heads.for_each(|head| spec.kv.round(head));
    }
    (qkv, spec)
}

/// Returns q, k and v of a `qkv` that has gates.
fn without_gates(qkv: &[f32], spec: AttentionSpec) -> Vec<f32> {
    let (d, heads) = (spec.head_dim as usize, spec.n_heads as usize);
    let rows = qkv.chunks_exact(spec.qkv_cols());
    if spec.gate == AttentionGate::PerHead {
        let kept = spec.qkv_cols() - heads;
        return rows.flat_map(|row| &row[..kept]).copied().collect();
    }
    let heads = rows.flat_map(|row| {
        let (queries, rest) = row.split_at(2 * heads * d);
        queries
            .chunks_exact(2 * d)
            .map(move |head| &head[..d])
            .chain([rest])
    });
    heads.flatten().copied().collect()
}

/// Returns `qkv`, [n, qkv_cols()], with the values beside the keys, and the spec of a layer that projects all it has;
/// one without keys and values has no heads for them.
fn all_parts_cpu(qkv: &[f32], spec: AttentionSpec) -> (Vec<f32>, AttentionSpec) {
    let all = AttentionSpec {
        kv_source: KvSource::Projected,
        ..spec
    };
    match spec.kv_source {
        KvSource::Projected => (qkv.to_vec(), all),
        KvSource::Earlier => (
            qkv.to_vec(),
            AttentionSpec {
                n_kv_heads: 0,
                ..all
            },
        ),
        KvSource::KeysOnly | KvSource::KeysAlone => {
            let q_cols = (spec.n_heads * spec.head_dim) as usize;
            let rows = qkv.chunks_exact(spec.qkv_cols());
            (
                rows.flat_map(|row| [row, &row[q_cols..]])
                    .flatten()
                    .copied()
                    .collect(),
                all,
            )
        }
    }
}

/// Adds the bias to `qkv`: [n, (n_heads + 2 n_kv_heads) * head_dim].
fn add_bias_cpu(qkv: &mut [f32], attn_params: &[f32], spec: AttentionSpec) {
    let cols = spec.qkv_cols();
    let bias = &attn_params[..if spec.bias { cols } else { 0 }];
    for row in qkv.chunks_exact_mut(cols) {
        for (v, b) in row.iter_mut().zip(bias) {
            *v += b;
        }
    }
}

/// Normalises queries and keys of `qkv`: [n, (n_heads + 2 n_kv_heads) * head_dim].
fn norm_cpu(qkv: &mut [f32], attn_params: &[f32], spec: AttentionSpec) {
    let cols = spec.qkv_cols();
    let weights = &attn_params[if spec.bias { cols } else { 0 }..];
    let hd = spec.head_dim as usize;
    let (q_cols, k_cols) = (spec.n_heads as usize * hd, spec.n_kv_heads as usize * hd);
    for row in qkv.chunks_exact_mut(cols) {
        let (q, rest) = row.split_at_mut(q_cols);
        let (k, v) = rest.split_at_mut(k_cols);
        if spec.v_norm {
            let before = v.to_vec();
            rms_norm(&before, &vec![1.0; hd], spec.eps, v);
        }
        let (q_weight, k_weight) = match spec.qk_norm {
            QkNorm::None => continue,
            QkNorm::Head | QkNorm::RotatedHead => (&weights[..hd], &weights[hd..2 * hd]),
            QkNorm::Row => (&weights[..q_cols], &weights[q_cols..q_cols + k_cols]),
            QkNorm::CentredHead => {
                centre_cpu(q, &weights[..q_cols], spec);
                centre_cpu(k, &weights[q_cols..q_cols + k_cols], spec);
                continue;
            }
        };
        for (heads, weight) in [(q, q_weight), (k, k_weight)] {
            let before = heads.to_vec();
            rms_norm(&before, weight, spec.eps, heads);
        }
    }
}

/// Normalises each head by itself, less its mean, with weights of its own.
fn centre_cpu(heads: &mut [f32], weights: &[f32], spec: AttentionSpec) {
    let dim = spec.head_dim as usize;
    for (head, weights) in heads.chunks_exact_mut(dim).zip(weights.chunks_exact(dim)) {
        let mean = head.iter().sum::<f32>() / dim as f32;
        let squares: f32 = head.iter().map(|v| (v - mean).powi(2)).sum();
        let factor = 1.0 / (squares / dim as f32 + spec.eps).sqrt();
        for (v, weight) in head.iter_mut().zip(weights) {
            *v = (*v - mean) * factor * weight;
        }
    }
}

/// Rotates the queries and keys of `qkv`: [n, (n_heads + 2 n_kv_heads) * head_dim], starting at position `pos`.
fn rotate_cpu(qkv: &mut [f32], rope: &[f32], pos: usize, spec: AttentionSpec) {
    let (hd, pairs) = (spec.head_dim as usize, spec.rope_pairs as usize);
    let rotated = (spec.n_heads + spec.n_kv_heads) as usize * hd;
    let cols = rotated + spec.n_kv_heads as usize * hd;
    if pairs == 0 {
        return;
    }
    let angles = rope.chunks_exact(2 * pairs).skip(pos);
    for (row, angles) in qkv.chunks_exact_mut(cols).zip(angles) {
        for head in row[..rotated].chunks_exact_mut(hd) {
            for (i, angle) in angles.chunks_exact(2).enumerate() {
                // (columns before this part of the head, pairs of the part)
                let (at, of) = match spec.in_halves {
                    true => (i / (pairs / 2) * pairs, pairs / 2),
                    false => (0, pairs),
                };
                let i = if spec.in_halves { i % of } else { i };
                let (a, b) = if spec.neox {
                    (at + i, at + i + of)
                } else {
                    (at + 2 * i, at + 2 * i + 1)
                };
                let (x, y) = (head[a], head[b]);
                head[a] = x * angle[0] - y * angle[1];
                head[b] = x * angle[1] + y * angle[0];
            }
        }
    }
}

/// Scales the queries of `qkv`, [n, (n_heads + 2 n_kv_heads) * head_dim], by the temperature of their positions,
/// starting at `pos`.
fn temper_cpu(qkv: &mut [f32], pos: usize, spec: AttentionSpec) {
    if spec.temperature == 0.0 {
        return;
    }
    for (t, row) in qkv.chunks_exact_mut(spec.qkv_cols()).enumerate() {
        let times = (pos + t) / spec.temperature_ctx.max(1) as usize;
        let factor = 1.0 + spec.temperature * (1.0 + times as f32).ln();
        for q in &mut row[..(spec.n_heads * spec.head_dim) as usize] {
            *q *= factor;
        }
    }
}

/// Splits `qkv` into `q`: [>= n, n_heads * head_dim], and the caches from position `pos` on.
fn append_cpu(
    qkv: &[f32],
    pos: usize,
    q: &mut [f32],
    k_cache: &mut [f32],
    mut v_cache: Option<&mut [f32]>,
    spec: AttentionSpec,
) {
    let (n_kv, n_ctx) = (spec.n_kv_heads as usize, spec.n_ctx as usize);
    let hd = spec.head_dim as usize;
    let q_cols = spec.n_heads as usize * hd;
    let rows = qkv.chunks_exact(q_cols + 2 * n_kv * hd);
    for (t, row) in rows.take(n_ctx.saturating_sub(pos)).enumerate() {
        q[t * q_cols..(t + 1) * q_cols].copy_from_slice(&row[..q_cols]);
        let (k, v) = row[q_cols..].split_at(n_kv * hd);
        let caches = [Some(&mut *k_cache), v_cache.as_deref_mut()];
        for (cache, heads) in caches.into_iter().zip([k, v]) {
            let Some(cache) = cache else { continue };
            for (h, head) in heads.chunks_exact(hd).enumerate() {
                let at = (h * n_ctx + pos + t) * hd;
                cache[at..at + hd].copy_from_slice(head);
            }
        }
    }
}
