//! The launches of attention: rotation and append, attention itself or both in one, gates, the merge of spans.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::attention::cache::KvCache;
use crate::ops::attention::folded::{self, FoldedAttentionOp, Queries};
use crate::ops::attention::gate_heads::{self, GateHeadsOp};
use crate::ops::attention::merge::{self, MergeOp};
use crate::ops::attention::rope_append::{self, RopeAppendOp};
use crate::ops::attention::spec::{Attention, AttentionSpec};
use crate::ops::attention::{self, AttentionOp};
use crate::ops::projection::pooled::Attended;
use crate::ops::{Ops, StepState, Tuning};
use hearth_modelfile::families::AttentionGate;

impl Ops {
    /// Applies bias, norm and RoPE to q and k, and appends k and v to their caches. Returns q.
    pub fn rope_append(
        &self,
        qkv: Tensor<2>,
        attention: &Attention,
        state: &StepState,
        cache: &mut KvCache,
    ) -> Tensor<2> {
        let (t, spec) = (qkv.dims()[0], attention.spec);
        if self.describes(|_| rope_append::describe(t, spec)) {
            return self.empty(t, (spec.n_heads * spec.head_dim) as usize);
        }
        if let Some(cache) = cache.in_pool() {
            let prepared = cache.prepare(&qkv, attention, state, spec);
            return cache.append(&prepared, t);
        }
        let q = cache.update_with(|(k, v)| {
            let (q, k, v) = Dispatch::rope_append(
                qkv.into_dispatch(),
                state
                    .rope()
                    .unwrap_or(&attention.rope)
                    .clone()
                    .into_dispatch(),
                attention.attn_params.clone().into_dispatch(),
                state.words().into_dispatch(),
                k.into_dispatch(),
                v.into_dispatch(),
                attention.spec,
            );
            ((Tensor::from_dispatch(k), Tensor::from_dispatch(v)), q)
        });
        self.keep(Tensor::from_dispatch(q))
    }

    /// Rotates and appends like [`Ops::rope_append`], unless attention of what was projected does so itself.
    pub fn queries(
        &self,
        qkv: &Tensor<2>,
        attention: &Attention,
        state: &StepState,
        cache: &mut KvCache,
    ) -> Queries {
        let spec = seen_in(attention.spec, state);
        let is_pooled = cache.in_pool().is_some();
        match spec.folds(qkv.dims()[0]) && (!is_pooled || spec.fits_pool()) {
            true => Queries::Projected,
            false => Queries::Ready(self.rope_append(qkv.clone(), attention, state, cache)),
        }
    }

    /// Returns one token's attention as the end of a layer takes it, [`Ops::end_layer`].
    pub fn attended(
        &self,
        qkv: &Tensor<2>,
        attention: &Attention,
        state: &StepState,
        cache: &mut KvCache,
    ) -> Attended {
        let queries = self.queries(qkv, attention, state, cache);
        let is_whole = attention.spec.gate == AttentionGate::None;
        match (&queries, cache.in_pool()) {
            (Queries::Projected, Some(cache)) if is_whole => {
                let spec = seen_in(attention.spec, state);
                let prepared = cache.prepare(qkv, attention, state, spec);
                if prepared.end() > 0 {
                    return Attended::Prepared(prepared);
                }
            }
            _ => {}
        }
        Attended::Done(self.merged_attention(queries, qkv, cache, state, attention))
    }

    /// Computes attention of one token's queries in `qkv` against the caches, to which it appends first; merged unless the spec has
    /// several splits.
    pub fn folded_attention(
        &self,
        qkv: &Tensor<2>,
        attention: &Attention,
        state: &StepState,
        cache: &mut KvCache,
    ) -> Tensor<2> {
        let spec = AttentionSpec {
            folded: true,
            ..self.by_column(1, seen_in(attention.spec, state))
        };
        if self.describes(|now| folded::describe(spec, now)) {
            let [rows, cols] = spec.out_shape(1);
            return self.empty(rows, cols);
        }
        if let Some(cache) = cache.in_pool() {
            return cache.attend_projected(qkv, attention, state, spec);
        }
        let rope = state.rope().unwrap_or(&attention.rope);
        let found = cache.update_with(|(k, v)| {
            let (found, k, v) = Dispatch::folded_attention(
                qkv.clone().into_dispatch(),
                rope.clone().into_dispatch(),
                attention.attn_params.clone().into_dispatch(),
                state.words().into_dispatch(),
                k.into_dispatch(),
                v.into_dispatch(),
                spec,
            );
            ((Tensor::from_dispatch(k), Tensor::from_dispatch(v)), found)
        });
        self.keep(Tensor::from_dispatch(found))
    }

    /// Returns the spec with keys that neighbours read together, if that is how this device is tuned.
    fn by_column(&self, t: usize, spec: AttentionSpec) -> AttentionSpec {
        spec.with_columns(t, self.tuning.subgroups && self.tuning.shapes.shared_keys)
    }

    /// Computes attention of q against the caches, merged unless the spec has several splits.
    pub fn attention(
        &self,
        q: Tensor<2>,
        cache: &KvCache,
        state: &StepState,
        attention: &Attention,
    ) -> Tensor<2> {
        let t = q.dims()[0];
        let (texts, spec) = (state.texts(), seen_in(attention.spec, state));
        let spec = match self.tuning.shapes.many_queries {
            true => {
                let Tuning {
                    attention_workgroups,
                    workgroup_bytes,
                    ..
                } = self.tuning;
                spec.with_many_rows(t, attention_workgroups, workgroup_bytes)
            }
            false => spec,
        };
        let spec = self.by_column(t, spec);
        if self.describes(|now| attention::describe(t, spec, now)) {
            let [rows, cols] = spec.out_shape(t);
            return self.empty(rows, cols);
        }
        let ranges = texts.map(|texts| &texts.ranges).or_else(|| state.ranges());
        let ranges = ranges.filter(|_| spec.ranged);
        if let Some(cache) = cache.in_pool().filter(|_| spec.fits_pool()) {
            return cache.attend_ready(&q, ranges, state, spec);
        }
        let (k, v) = cache.tensors();
        self.keep(Tensor::from_dispatch(Dispatch::attention(
            q.into_dispatch(),
            k.into_dispatch(),
            v.into_dispatch(),
            ranges
                .unwrap_or(&attention.attn_params)
                .clone()
                .into_dispatch(),
            state.words().into_dispatch(),
            spec,
        )))
    }

    /// Gates attention's output with the gates in `qkv`, in the memory of `a`: [t, n_heads * head_dim].
    pub fn gate_heads(&self, a: Tensor<2>, qkv: &Tensor<2>, spec: AttentionSpec) -> Tensor<2> {
        let t = a.dims()[0];
        if self.describes(|_| gate_heads::describe(t, spec)) {
            return a;
        }
        let qkv = qkv.clone().into_dispatch();
        Tensor::from_dispatch(Dispatch::gate_heads(a.into_dispatch(), qkv, spec))
    }

    /// Merges the spans of one token's attention and, if the spec has a gate, gates them with the logits in `qkv`:
    /// [1, n_heads * head_dim].
    pub fn merge_spans(
        &self,
        spans: &Tensor<2>,
        qkv: &Tensor<2>,
        state: &StepState,
        spec: AttentionSpec,
    ) -> Tensor<2> {
        if self.describes(|now| merge::describe(spec, now)) {
            return self.empty(1, (spec.n_heads * spec.head_dim) as usize);
        }
        self.keep(Tensor::from_dispatch(Dispatch::merge_spans(
            spans.clone().into_dispatch(),
            qkv.clone().into_dispatch(),
            state.words().into_dispatch(),
            spec,
        )))
    }
}

/// Returns the spec for the positions that this step's tokens see.
fn seen_in(spec: AttentionSpec, state: &StepState) -> AttentionSpec {
    match (state.is_block(), state.texts()) {
        (true, _) => spec.for_block(),
        (false, Some(_)) => spec.for_texts(),
        (false, None) => spec,
    }
}
