//! Projections: the choice of kernel, and of the steps fused with it.
//!
//! A one-token decode step fuses the preceding norm, the gated activation and the residual into the projection
//! ([`crate::ops::projection::gemv`]): 5 launches per layer, one more where attention is split, and one where it cannot append
//! ([`crate::ops::AttentionSpec::folds`]). Several tokens share a weight ([`crate::ops::projection::tile`]); fused steps would be
//! recomputed needlessly by each workgroup there.

pub mod by_expert;
pub(in crate::ops) mod counters;
pub(in crate::ops) mod cpu;
pub mod gemv;
pub mod lora;
pub mod packing;
pub(in crate::ops) mod pooled;
pub(in crate::ops) mod quantise;
pub mod shape;
pub mod tile;
pub mod weight;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::projection::counters::{Multiplied, describe_gemv, describe_tile};
use crate::ops::projection::gemv::{Arithmetic, GemvOp, GemvSpec, Input, Output};
use crate::ops::projection::tile::{LinearEnd, LinearOp, LinearSpec};
use crate::ops::recurrent::gated_norm::GatedNormSpec;
use crate::ops::{
    Activation, Attention, KvCache, Norm, Ops, Queries, StepState, Weight, WeightPart,
};
use hearth_modelfile::families::AttentionGate;

impl Ops {
    /// Returns x W^T as a new [t, rows] tensor.
    pub fn linear(&self, x: &Tensor<2>, weight: &Weight, state: &StepState) -> Tensor<2> {
        let t = x.dims()[0];
        let y = self.empty(t, weight.rows);
        self.keep(self.linear_into(x, weight, state, y, false))
    }

    /// Returns residual + x W^T, in the memory of `residual`.
    pub fn linear_add(
        &self,
        x: &Tensor<2>,
        weight: &Weight,
        state: &StepState,
        residual: Tensor<2>,
    ) -> Tensor<2> {
        self.linear_into(x, weight, state, residual, true)
    }

    /// Writes x W^T into `y`, or adds it.
    pub fn linear_into(
        &self,
        x: &Tensor<2>,
        weight: &Weight,
        state: &StepState,
        y: Tensor<2>,
        add: bool,
    ) -> Tensor<2> {
        if x.dims()[0] == 1 {
            let output = if add { Output::Add } else { Output::Store };
            let y = self.gemv(x, weight, x, state, y, Input::Plain, output);
            return match &weight.bias {
                Some(bias) => self.bias(y, &bias.values, state, bias.activation),
                None => y,
            };
        }
        let t = x.dims()[0] as u32;
        let tile = |part: &WeightPart| {
            let integers = self.tuning.integer_tile(part.packing);
            (self.tuning).shared_tile_for(t as usize, part.rows, integers)
        };
        let integers =
            |part: &WeightPart| tile(part).is_some() && self.tuning.integer_tile(part.packing);
        let quantised = (weight.parts.iter().any(integers)).then(|| self.quantised(x, state, 1));
        let bias = weight.bias.as_ref();
        let end = bias.map_or(LinearEnd::Plain, |bias| LinearEnd::Biased(bias.activation));
        let bias = bias.map_or(x, |bias| &bias.values);
        let mut y = y.into_dispatch();
        for part in &weight.parts {
            let x = quantised.as_ref().filter(|_| integers(part)).unwrap_or(x);
            let shared_tile = tile(part);
            let threads_per_tile = match shared_tile {
                Some(_) => 1,
                None => self.tuning.prefill_threads_per_tile,
            };
            let spec = LinearSpec {
                packing: part.packing,
                rows: part.rows as u32,
                cols: weight.cols as u32,
                offset: part.first_row as u32,
                stride: weight.rows as u32,
                add,
                threads_per_tile,
                subgroups: self.tuning.subgroups && threads_per_tile > 1,
                shared_tile,
                integers: integers(part),
                grouped: None,
                scaling: weight.scaling,
                end,
                pooled: part.pooled,
            };
            if self.describes(|_| describe_tile(spec, &part.source, t)) {
                continue;
            }
            y = Dispatch::linear(
                x.clone().into_dispatch(),
                part.quants.clone().into_dispatch(),
                part.scales.clone().into_dispatch(),
                state.words().into_dispatch(),
                bias.clone().into_dispatch(),
                y,
                spec,
            );
        }
        let y = Tensor::from_dispatch(y);
        let Some(lora) = &weight.lora else {
            return y;
        };
        let a = self.linear(x, &lora.a, state);
        self.add_product(a, lora, state, y)
    }

    /// Projects one token along with the fused steps, see [`gemv`].
    #[expect(clippy::too_many_arguments, reason = "they are the op's operands")]
    fn gemv(
        &self,
        x: &Tensor<2>,
        weight: &Weight,
        aux: &Tensor<2>,
        state: &StepState,
        y: Tensor<2>,
        input: Input,
        output: Output,
    ) -> Tensor<2> {
        let mut y = y.into_dispatch();
        for part in &weight.parts {
            let (rows, cols) = (part.rows, weight.cols);
            let threads_per_tile = (self.tuning).decode_threads(input, part.packing, rows, cols);
            let spec = GemvSpec {
                packing: part.packing,
                rows: part.rows as u32,
                cols: weight.cols as u32,
                offset: part.first_row as u32,
                input,
                output,
                threads_per_tile,
                subgroups: self.tuning.subgroups && threads_per_tile > 1,
                arithmetic: self.tuning.arithmetic_for(input, part.packing, rows, cols),
                scaling: weight.scaling,
                pooled: part.pooled,
            };
            let one = Multiplied::ONE;
            if self.describes(|_| describe_gemv(spec, &part.source, one)) {
                continue;
            }
            y = Dispatch::gemv(
                x.clone().into_dispatch(),
                part.quants.clone().into_dispatch(),
                part.scales.clone().into_dispatch(),
                aux.clone().into_dispatch(),
                state.words().into_dispatch(),
                y,
                spec,
            );
        }
        let y = Tensor::from_dispatch(y);
        match &weight.lora {
            Some(lora) => self.add_change(x, lora, aux, state, y, input),
            None => y,
        }
    }

    /// Returns whether [`Ops::gated_norm_linear`] has the workgroup memory that it needs.
    pub(in crate::ops) fn fuses_gated_norm(&self, spec: GatedNormSpec, weight: &Weight) -> bool {
        self.fuses(Input::GatedNorm(spec), weight)
    }

    /// Returns W times one token's output `o` of a gated delta net, normed and gated as by [`Ops::gated_norm`]; see
    /// [`crate::ops::recurrent::delta`] for what is left to do.
    pub(in crate::ops) fn gated_norm_linear(
        &self,
        o: &Tensor<2>,
        u: &Tensor<2>,
        spec: GatedNormSpec,
        weight: &Weight,
        state: &StepState,
        residual: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let input = Input::GatedNorm(spec);
        match residual {
            Some(residual) => self.gemv(o, weight, u, state, residual, input, Output::Add),
            None => {
                let y = self.empty(1, weight.rows);
                self.keep(self.gemv(o, weight, u, state, y, input, Output::Store))
            }
        }
    }

    /// Returns whether a projection of one token has the workgroup memory to compute its own input.
    fn fuses(&self, input: Input, weight: &Weight) -> bool {
        let fits = |part: &WeightPart| {
            let (packing, cols) = (part.packing, weight.cols);
            let threads = (self.tuning).decode_threads(input, packing, part.rows, cols);
            gemv::workgroup_bytes(input, packing, cols, Arithmetic::F32, threads)
                <= self.tuning.workgroup_bytes
        };
        let changes = weight.lora.iter().flat_map(|lora| &lora.a.parts);
        (weight.parts.iter().chain(changes)).all(fits)
    }

    /// Returns norm(x) W^T, or x W^T without a norm, as a new [t, rows] tensor.
    pub fn norm_linear(
        &self,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        weight: &Weight,
        state: &StepState,
    ) -> Tensor<2> {
        let Some(norm) = norm else {
            return self.linear(x, weight, state);
        };
        if x.dims()[0] == 1 && weight.bias.is_none() {
            return self.norm_linear_last(x, norm, weight, state);
        }
        let h = self.norm(x, norm, state, false);
        self.linear(&h, weight, state)
    }

    /// Returns norm(x) W^T, or x W^T without a norm, added to `residual` in its memory if there is one: [t, rows].
    pub fn norm_linear_onto(
        &self,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        weight: &Weight,
        state: &StepState,
        residual: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let fused = norm.filter(|_| x.dims()[0] == 1);
        let fused = fused.and_then(|norm| Some((norm, self.fused_norm(norm, weight)?)));
        match (fused, residual) {
            (Some((norm, input)), Some(residual)) => {
                let aux = &norm.weight;
                self.gemv(x, weight, aux, state, residual, input, Output::Add)
            }
            (_, residual) => {
                let normed = norm.map(|norm| self.norm(x, norm, state, false));
                let h = normed.as_ref().unwrap_or(x);
                match residual {
                    Some(residual) => self.linear_add(h, weight, state, residual),
                    None => self.linear(h, weight, state),
                }
            }
        }
    }

    /// Returns the input that lets a one-token projection compute the norm itself, if it can.
    fn fused_norm(&self, norm: &Norm, weight: &Weight) -> Option<Input> {
        let input = Input::Norm {
            eps: norm.spec.eps.to_bits(),
        };
        (norm.spec.is_plain() && self.fuses(input, weight)).then_some(input)
    }

    /// Returns norm(x) W^T of the step's last token, as a new [1, rows] tensor.
    pub fn norm_linear_last(
        &self,
        x: &Tensor<2>,
        norm: &Norm,
        weight: &Weight,
        state: &StepState,
    ) -> Tensor<2> {
        let Some(input) = self.fused_norm(norm, weight) else {
            let h = self.norm(x, norm, state, true);
            return self.linear(&h, weight, state);
        };
        let y = self.empty(1, weight.rows);
        self.keep(self.gemv(x, weight, &norm.weight, state, y, input, Output::Store))
    }

    /// Returns activation(gate) * up of norm(x), or of x, where `weight` holds gate and up: [t, rows / 2].
    pub fn norm_gated(
        &self,
        x: &Tensor<2>,
        norm: Option<&Norm>,
        weight: &Weight,
        state: &StepState,
        activation: Activation,
    ) -> Tensor<2> {
        if let Some(lora) = &weight.lora {
            return self.gated_change(x, norm, weight, lora, state, activation);
        }
        let in_one = x.dims()[0] == 1 && weight.parts.len() == 1 && weight.bias.is_none();
        let input = match norm {
            _ if !in_one => None,
            Some(norm) => self.fused_norm(norm, weight),
            None => Some(Input::Plain),
        };
        if let Some(input) = input {
            let y = self.empty(1, weight.rows / 2);
            let aux = norm.map_or(x, |norm| &norm.weight);
            let output = Output::Gated(activation);
            return self.keep(self.gemv(x, weight, aux, state, y, input, output));
        }
        let gate_up = self.norm_linear(x, norm, weight, state);
        self.gate(gate_up, activation)
    }

    /// Returns Attention(queries, cache) W^T as a new tensor; `qkv` is what has the gates, and the queries themselves if they are not
    /// ready.
    pub fn attention_linear(
        &self,
        queries: Queries,
        qkv: &Tensor<2>,
        cache: &mut KvCache,
        weight: &Weight,
        state: &StepState,
        attention: &Attention,
    ) -> Tensor<2> {
        let y = self.empty(qkv.dims()[0], weight.rows);
        let a = self.merged_attention(queries, qkv, cache, state, attention);
        self.keep(self.linear_into(&a, weight, state, y, false))
    }

    /// Returns residual + Attention(queries, cache) W^T, in the memory of `residual`.
    #[expect(clippy::too_many_arguments, reason = "they are the op's operands")]
    pub fn attention_linear_add(
        &self,
        queries: Queries,
        qkv: &Tensor<2>,
        cache: &mut KvCache,
        weight: &Weight,
        state: &StepState,
        residual: Tensor<2>,
        attention: &Attention,
    ) -> Tensor<2> {
        let a = self.merged_attention(queries, qkv, cache, state, attention);
        self.linear_into(&a, weight, state, residual, true)
    }

    /// Returns Attention(queries, cache), merged and gated: [t, n_heads * head_dim]; `qkv` is what has the gates, and the queries
    /// themselves if they are not ready.
    pub(crate) fn merged_attention(
        &self,
        queries: Queries,
        qkv: &Tensor<2>,
        cache: &mut KvCache,
        state: &StepState,
        attention: &Attention,
    ) -> Tensor<2> {
        let split = Attention {
            spec: attention.spec.split_for(self.tuning.attention_workgroups),
            ..attention.clone()
        };
        let is_pooled = cache.in_pool().is_some();
        let is_split = qkv.dims()[0] == 1 && split.spec.splits > 1 && !is_pooled;
        let attention = if is_split { &split } else { attention };
        let a = match queries {
            Queries::Ready(q) => self.attention(q, cache, state, attention),
            Queries::Projected => self.folded_attention(qkv, attention, state, cache),
        };
        match attention.spec.gate {
            _ if is_split => self.merge_spans(&a, qkv, state, attention.spec),
            AttentionGate::None => a,
            _ => self.gate_heads(a, qkv, attention.spec),
        }
    }
}
