//! Merge of one token's attention from the spans of its context.
//!
//! out[h] = sum_s e_s v_s / sum_s e_s z_s, with e_s = exp(peak_s - max peak), for the spans s of a head that hold
//! positions: their values v, largest scores and sums z are what [`super::AttentionOp::attention`] leaves.
//!
//! With a gate, the result is multiplied by it ([`super::gate_heads`]).
//!
//! - `spans`: [n_heads * splits, head_dim + 4], `qkv`: [1, qkv_cols], read for the gates only. Result:
//!   [1, n_heads * head_dim].
//! - GPU: one workgroup a head, see `merge.wgsl`.
//! - Source: Dao et al. 2023, "Flash-Decoding".

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::attention::gate_heads::{gate_cpu, gated};
use crate::ops::attention::live_spans;
use crate::ops::attention::spec::AttentionSpec;
use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::outline::{Launch, Situation};
use crate::ops::{flex, state};
use hearth_modelfile::cost::Counters;
use hearth_modelfile::families::AttentionGate;

/// Backend extension: the merge on each backend.
#[backend_extension(Cube, Flex)]
pub trait MergeOp: Backend {
    /// Returns the merged attention, see the module's documentation.
    fn merge_spans(
        spans: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self>;
}

/// Threads of a workgroup: several share a column, so that few spans are left to each.
const WG: u32 = 256;

pub(in crate::ops) fn kernel(spec: AttentionSpec) -> Kernel {
    let kernel = Kernel::new(&modules::MERGE, WG)
        .module(&state::WGSL)
        .module(&modules::SPLIT_SPAN)
        .u32s([("HEAD_DIM4", spec.head_dim / 4), ("N_CTX", spec.n_ctx)])
        .u32s(spec.span_consts());
    gated(kernel, spec, 3)
}

/// Describes the launch.
pub(in crate::ops) fn describe(spec: AttentionSpec, now: Situation) -> Launch {
    let (heads, dim) = (spec.n_heads, spec.head_dim);
    // Threads that share a column.
    let parts = (WG / (dim / 4)).min(spec.splits);
    let records = u64::from(heads * live_spans(spec, now.positions));
    let counters = Counters {
        prologue_bytes: match spec.gate {
            AttentionGate::None => 0,
            AttentionGate::Interleaved => 4 * u64::from(heads * dim),
            AttentionGate::PerHead => 4 * u64::from(heads),
        },
        merge_bytes: records * u64::from(dim + 4) * 4,
        workgroup_memory: parts * (4 * dim + 8),
        barriers: 1,
        // The state, then all spans of a thread at once, since their number is fixed; the gate.
        trips: 2 + u32::from(spec.gate != AttentionGate::None),
        near_trips: 2 * parts,
        ..Counters::default()
    };
    Launch::new("merge", kernel(spec), (heads, 1, 1), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let with = |splits, window, gate| {
        kernel(AttentionSpec {
            splits,
            window,
            gate,
            ..AttentionSpec::EXAMPLE
        })
    };
    vec![
        with(4, 0, AttentionGate::None),
        with(4, 16, AttentionGate::None),
        with(128, 0, AttentionGate::None),
        with(4, 0, AttentionGate::Interleaved),
        with(4, 0, AttentionGate::PerHead),
    ]
}

impl MergeOp for CubeBackend {
    fn merge_spans(
        spans: FloatTensor<Self>,
        qkv: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: AttentionSpec,
    ) -> FloatTensor<Self> {
        let out = empty_f32(&spans, [1, (spec.n_heads * spec.head_dim) as usize]);
        let mut tensors = vec![&spans, &state, &out];
        tensors.extend((spec.gate != AttentionGate::None).then_some(&qkv));
        launch(kernel(spec), (spec.n_heads, 1, 1), &tensors);
        out
    }
}

impl MergeOp for Flex {
    fn merge_spans(
        spans: FlexTensor,
        qkv: FlexTensor,
        state: FlexTensor,
        spec: AttentionSpec,
    ) -> FlexTensor {
        let shape = [1, (spec.n_heads * spec.head_dim) as usize];
        let mut out = vec![0.0; shape[1]];
        let pos = state.storage::<u32>()[state::POS] as usize;
        merge_cpu(spans.storage(), pos, &mut out, spec);
        if spec.gate != AttentionGate::None {
            gate_cpu(&mut out, qkv.storage(), spec);
        }
        flex::tensor(out, shape)
    }
}

/// Merges spans, the CPU twin: `x`: [n_heads * splits, head_dim + 4], `out`: [n_heads * head_dim].
fn merge_cpu(x: &[f32], pos: usize, out: &mut [f32], spec: AttentionSpec) {
    let (hd, splits) = (spec.head_dim as usize, spec.splits as usize);
    let end = (pos + 1).min(spec.n_ctx as usize);
    let len = end - spec.first(end - 1);
    let tile = spec.tile() as usize;
    let span = len.div_ceil(splits * tile).max(1) * tile;
    let heads = x.chunks_exact(splits * (hd + 4));
    for (spans, out) in heads.zip(out.chunks_exact_mut(hd)) {
        let spans = || spans.chunks_exact(hd + 4).take(len.div_ceil(span));
        let top = spans().fold(f32::MIN, |top, s| top.max(s[hd]));
        let weights = || spans().map(|s| (s[hd] - top).exp());
        let sum: f32 = weights().zip(spans()).map(|(w, s)| w * s[hd + 1]).sum();
        out.fill(0.0);
        for (weight, span) in weights().zip(spans()) {
            for (out, v) in out.iter_mut().zip(span) {
                *out += weight / sum * v;
            }
        }
    }
}
