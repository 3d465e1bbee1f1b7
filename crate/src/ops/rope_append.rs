//! Rotary position embedding of queries and keys, and the append to the KV cache, in one pass.
//!
//! - `qkv`: [T, (n_heads + 2 n_kv_heads) * head_dim]. Result q: [T, n_heads * head_dim], rotated.
//! - `k_cache`, `v_cache`: [n_kv_heads, n_ctx, head_dim], written at POS .. POS + N_TOKENS.
//! - `rope`: [n_ctx, rope_pairs, 2], cos and sin per position and pair, computed in f64 on the host: angles of
//!   thousands of radians are beyond what WGSL promises of `sin`.
//! - GPU: a thread for two columns. Source: Su et al. 2021, arXiv:2104.09864.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::gpu::{Kernel, empty_f32, launch, wgsl};
use super::{cpu, state};

/// What the KV cache is kept in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    #[default]
    F32,
    /// Half the memory and half the bytes read per token. The CPU only rounds to it.
    F16,
}

impl KvType {
    /// As it is written in options.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
        }
    }

    /// Bytes of a value.
    pub const fn bytes(self) -> usize {
        match self {
            KvType::F32 => 4,
            KvType::F16 => 2,
        }
    }
}

/// Shapes of attention, shared by this op and [`super::attention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionSpec {
    /// Query heads.
    pub n_heads: u32,
    /// Key/value heads; divides `n_heads`.
    pub n_kv_heads: u32,
    /// Width of a head, a multiple of 4.
    pub head_dim: u32,
    /// Pairs of a head that are rotated.
    pub rope_pairs: u32,
    /// Positions in the cache.
    pub n_ctx: u32,
    /// Pairs are (i, i + rope_pairs) instead of (2i, 2i + 1).
    pub neox: bool,
    /// What the caches are kept in.
    pub kv: KvType,
    /// Most spans that one token's attention is divided into, to be merged later; 1 for whole results.
    pub splits: u32,
}

/// Backend extension: RoPE and KV append on each backend.
#[backend_extension(Cube, Flex)]
pub trait RopeAppendOp: Backend {
    /// Returns (q, k_cache, v_cache).
    fn rope_append(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl RopeAppendOp for CubeBackend {
    fn rope_append(
        qkv: FloatTensor<Self>,
        rope: FloatTensor<Self>,
        state: IntTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        spec: AttentionSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [t, cols] = qkv.meta.shape().dims();
        let q = empty_f32(&qkv, [t, (spec.n_heads * spec.head_dim) as usize]);
        let kernel = Kernel {
            name: "rope_append",
            source: wgsl!("rope_append"),
            variant: spec.kv.name(),
            prelude: vec![],
            consts: vec![
                ("N_HEADS", spec.n_heads),
                ("N_KV", spec.n_kv_heads),
                ("HEAD_DIM", spec.head_dim),
                ("ROPE_PAIRS", spec.rope_pairs),
                ("N_CTX", spec.n_ctx),
                ("NEOX", spec.neox as u32),
            ],
            texts: match spec.kv {
                KvType::F32 => &[("KV2", "vec2<f32>"), ("PACK2", "")],
                KvType::F16 => &[("KV2", "u32"), ("PACK2", "pack2x16float")],
            },
            float: None,
            workgroup: 64,
        };
        let count = ((cols as u32 / 2).div_ceil(64), t as u32, 1);
        launch(
            kernel,
            count,
            &[&qkv, &rope, &state, &q, &k_cache, &v_cache],
        );
        (q, k_cache, v_cache)
    }
}

impl RopeAppendOp for Flex {
    fn rope_append(
        qkv: FlexTensor,
        rope: FlexTensor,
        state: FlexTensor,
        mut k_cache: FlexTensor,
        mut v_cache: FlexTensor,
        spec: AttentionSpec,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [t, cols] = qkv.layout().shape().dims();
        let state = state.storage::<u32>();
        let n = state[state::N_TOKENS] as usize;
        let q_cols = (spec.n_heads * spec.head_dim) as usize;
        let mut q = vec![0.0; t * q_cols];
        let mut qkv = qkv.storage::<f32>()[..n * cols].to_vec();
        rotate_cpu(&mut qkv, rope.storage(), state[state::POS] as usize, spec);
        if spec.kv == KvType::F16 {
            for row in qkv.chunks_exact_mut(cols) {
                for v in &mut row[q_cols..] {
                    *v = half::f16::from_f32(*v).to_f32();
                }
            }
        }
        append_cpu(
            &qkv,
            state[state::POS] as usize,
            &mut q,
            k_cache.storage_mut(),
            v_cache.storage_mut(),
            spec,
        );
        (cpu::tensor(q, [t, q_cols]), k_cache, v_cache)
    }
}

/// Rotates the queries and keys of `qkv`: [n, (n_heads + 2 n_kv_heads) * head_dim], from position `pos` on.
fn rotate_cpu(qkv: &mut [f32], rope: &[f32], pos: usize, spec: AttentionSpec) {
    let (hd, pairs) = (spec.head_dim as usize, spec.rope_pairs as usize);
    let rotated = (spec.n_heads + spec.n_kv_heads) as usize * hd;
    let cols = rotated + spec.n_kv_heads as usize * hd;
    let angles = rope.chunks_exact(2 * pairs).skip(pos);
    for (row, angles) in qkv.chunks_exact_mut(cols).zip(angles) {
        for head in row[..rotated].chunks_exact_mut(hd) {
            for (i, angle) in angles.chunks_exact(2).enumerate() {
                let (a, b) = if spec.neox {
                    (i, i + pairs)
                } else {
                    (2 * i, 2 * i + 1)
                };
                let (x, y) = (head[a], head[b]);
                head[a] = x * angle[0] - y * angle[1];
                head[b] = x * angle[1] + y * angle[0];
            }
        }
    }
}

/// Takes `qkv` apart: `q`: [>= n, n_heads * head_dim], and the caches from position `pos` on.
fn append_cpu(
    qkv: &[f32],
    pos: usize,
    q: &mut [f32],
    k_cache: &mut [f32],
    v_cache: &mut [f32],
    spec: AttentionSpec,
) {
    let (n_kv, n_ctx) = (spec.n_kv_heads as usize, spec.n_ctx as usize);
    let hd = spec.head_dim as usize;
    let q_cols = spec.n_heads as usize * hd;
    let rows = qkv.chunks_exact(q_cols + 2 * n_kv * hd);
    for (t, row) in rows.take(n_ctx.saturating_sub(pos)).enumerate() {
        q[t * q_cols..(t + 1) * q_cols].copy_from_slice(&row[..q_cols]);
        let (k, v) = row[q_cols..].split_at(n_kv * hd);
        for (cache, heads) in [(&mut *k_cache, k), (&mut *v_cache, v)] {
            for (h, head) in heads.chunks_exact(hd).enumerate() {
                let at = (h * n_ctx + pos + t) * hd;
                cache[at..at + hd].copy_from_slice(head);
            }
        }
    }
}
