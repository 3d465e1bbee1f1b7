//! Causal attention of a step's queries against the KV cache.
//!
//! out[t, h] = softmax_j(q[t, h] . k[g, j] / sqrt(head_dim)) v[g, j], j <= POS + t, g the head's kv head.
//!
//! - `q`: [T, n_heads * head_dim], caches: [n_kv_heads, n_ctx, head_dim]. Result like `q`.
//! - GPU: a workgroup of 64 per head and token, online softmax over tiles of 64 positions.
//! - Source: Vaswani et al. 2017; grouped heads: Ainslie et al. 2023, arXiv:2305.13245.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::gpu::{Kernel, empty_f32, launch};
use super::rope_append::AttentionSpec;
use super::{cpu, simd, state};

/// Backend extension: attention on each backend.
#[backend_extension(Cube, Flex)]
pub trait AttentionOp: Backend {
    /// See the module's documentation.
    fn attention(
        q: FloatTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self>;
}

impl AttentionSpec {
    /// 1 / sqrt(head_dim).
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

impl AttentionOp for CubeBackend {
    fn attention(
        q: FloatTensor<Self>,
        k_cache: FloatTensor<Self>,
        v_cache: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self> {
        let [t, cols] = q.meta.shape().dims();
        let out = empty_f32(&q, [t, cols]);
        let kernel = Kernel {
            name: "attention",
            source: include_str!("wgsl/attention.wgsl"),
            variant: "",
            prelude: vec![],
            consts: vec![
                ("N_HEADS", spec.n_heads),
                ("GROUP", spec.n_heads / spec.n_kv_heads),
                ("HEAD_DIM", spec.head_dim),
                ("HEAD_DIM4", spec.head_dim / 4),
                ("N_CTX", spec.n_ctx),
            ],
            texts: &[],
            float: Some(("SCALE", spec.scale())),
            workgroup: 64,
        };
        launch(
            kernel,
            (spec.n_heads, t as u32, 1),
            &[&q, &k_cache, &v_cache, &state, &out],
        );
        out
    }
}

impl AttentionOp for Flex {
    fn attention(
        q: FlexTensor,
        k_cache: FlexTensor,
        v_cache: FlexTensor,
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
            v_cache.storage(),
            state[state::POS] as usize,
            &mut out,
            spec,
        );
        cpu::tensor(out, [t, cols])
    }
}

/// The CPU twin: `q`: [n, n_heads * head_dim], `out`: [>= n, n_heads * head_dim].
pub fn attention_cpu(
    q: &[f32],
    k_cache: &[f32],
    v_cache: &[f32],
    pos: usize,
    out: &mut [f32],
    spec: AttentionSpec,
) {
    let (n_heads, hd) = (spec.n_heads as usize, spec.head_dim as usize);
    let (group, n_ctx) = (n_heads / spec.n_kv_heads as usize, spec.n_ctx as usize);
    let mut scores = Vec::new();
    let heads = q.chunks_exact(hd).zip(out.chunks_exact_mut(hd));
    for (index, (q, out)) in heads.enumerate() {
        let (t, h) = (index / n_heads, index % n_heads);
        let len = (pos + t + 1).min(n_ctx);
        let at = (h / group) * n_ctx * hd;
        let keys = k_cache[at..at + len * hd].chunks_exact(hd);
        let values = v_cache[at..at + len * hd].chunks_exact(hd);

        scores.clear();
        scores.extend(keys.map(|k| simd::dot_f32(q, k) * spec.scale()));
        let top = scores.iter().fold(f32::MIN, |top, s| top.max(*s));
        let mut sum = 0.0;
        for score in &mut scores {
            *score = (*score - top).exp();
            sum += *score;
        }
        out.fill(0.0);
        for (p, v) in scores.iter().zip(values) {
            for (out, v) in out.iter_mut().zip(v) {
                *out += p * v;
            }
        }
        for out in out.iter_mut() {
            *out /= sum;
        }
    }
}
