//! Rotary position embedding of queries and keys, and the append to the KV cache, in one pass.
//!
//! - `qkv`: [T, (n_heads + 2 n_kv_heads) * head_dim]. Result q: [T, n_heads * head_dim], rotated.
//! - `k_cache`, `v_cache`: [n_kv_heads, n_ctx, head_dim], written at POS .. POS + N_TOKENS.
//! - `rope`: [n_ctx, rope_pairs, 2], cos and sin per position and pair, computed in f64 on the host: angles of
//!   thousands of radians are beyond what WGSL promises of `sin`.
//! - GPU: a thread per pair. Source: Su et al. 2021, arXiv:2104.09864.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::gpu::{Kernel, empty_f32, launch};
use super::{cpu, state};

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
            source: include_str!("wgsl/rope_append.wgsl"),
            variant: "",
            prelude: vec![],
            consts: vec![
                ("N_HEADS", spec.n_heads),
                ("N_KV", spec.n_kv_heads),
                ("HEAD_DIM", spec.head_dim),
                ("ROPE_PAIRS", spec.rope_pairs),
                ("N_CTX", spec.n_ctx),
                ("NEOX", spec.neox as u32),
            ],
            texts: &[],
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
        rope_append_cpu(
            &qkv.storage::<f32>()[..n * cols],
            rope.storage(),
            state[state::POS] as usize,
            &mut q,
            k_cache.storage_mut(),
            v_cache.storage_mut(),
            spec,
        );
        (cpu::tensor(q, [t, q_cols]), k_cache, v_cache)
    }
}

/// The CPU twin: `qkv`: [n, (n_heads + 2 n_kv_heads) * head_dim], `q`: [>= n, n_heads * head_dim].
pub fn rope_append_cpu(
    qkv: &[f32],
    rope: &[f32],
    pos: usize,
    q: &mut [f32],
    k_cache: &mut [f32],
    v_cache: &mut [f32],
    spec: AttentionSpec,
) {
    let (n_heads, n_kv) = (spec.n_heads as usize, spec.n_kv_heads as usize);
    let (hd, n_ctx, pairs) = (
        spec.head_dim as usize,
        spec.n_ctx as usize,
        spec.rope_pairs as usize,
    );
    for (t, row) in qkv.chunks_exact((n_heads + 2 * n_kv) * hd).enumerate() {
        let p = pos + t;
        if p >= n_ctx {
            return;
        }
        let angles = &rope[p * pairs * 2..(p + 1) * pairs * 2];
        for (head, from) in row.chunks_exact(hd).enumerate() {
            let cache_at = |h: usize| (h * n_ctx + p) * hd;
            let (to, rotated) = if head < n_heads {
                let at = (t * n_heads + head) * hd;
                (&mut q[at..at + hd], true)
            } else if head < n_heads + n_kv {
                let at = cache_at(head - n_heads);
                (&mut k_cache[at..at + hd], true)
            } else {
                let at = cache_at(head - n_heads - n_kv);
                (&mut v_cache[at..at + hd], false)
            };
            to.copy_from_slice(from);
            if rotated {
                for (i, angle) in angles.chunks_exact(2).enumerate() {
                    let (a, b) = if spec.neox {
                        (i, i + pairs)
                    } else {
                        (2 * i, 2 * i + 1)
                    };
                    to[a] = from[a] * angle[0] - from[b] * angle[1];
                    to[b] = from[a] * angle[1] + from[b] * angle[0];
                }
            }
        }
    }
}
