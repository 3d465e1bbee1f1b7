//! Layers that keep a state of fixed size instead of a cache that grows.

pub mod conv;
pub mod copy;
pub mod delta;
pub mod gated_norm;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::in_place::InPlace;
use crate::ops::{Ops, StepState};
use conv::{ConvOp, ConvSpec};
use copy::CopyOp;
use delta::DeltaOp;
use gated_norm::{GatedNormOp, GatedNormSpec};
use hearth_modelfile::layer_spec::DeltaShape;

impl Ops {
    /// Returns the convolution of the step's tokens, see [`conv`]: [t, channels]. `history` moves on by them.
    pub fn conv(
        &self,
        u: &Tensor<2>,
        weight: &Tensor<2>,
        step: &StepState,
        history: &mut InPlace<Tensor<2>>,
        spec: ConvSpec,
    ) -> Tensor<2> {
        self.count(1 + usize::from(!spec.writes_at_once(u.dims()[0])));
        let y = history.update_with(|history| {
            let (y, history) = Dispatch::conv(
                u.clone().into_dispatch(),
                weight.clone().into_dispatch(),
                step.words().into_dispatch(),
                history.into_dispatch(),
                spec,
            );
            (Tensor::from_dispatch(history), Tensor::from_dispatch(y))
        });
        self.keep(y)
    }

    /// Returns the gated delta rule's output for the step's tokens, see [`delta`]: [t, value_heads * head_dim].
    /// `values` moves on by them.
    pub fn delta(
        &self,
        c: &Tensor<2>,
        u: &Tensor<2>,
        params: &Tensor<2>,
        step: &StepState,
        values: &mut InPlace<Tensor<2>>,
        shape: DeltaShape,
    ) -> Tensor<2> {
        self.count(1);
        let o = values.update_with(|values| {
            let (o, values) = Dispatch::delta(
                c.clone().into_dispatch(),
                u.clone().into_dispatch(),
                params.clone().into_dispatch(),
                step.words().into_dispatch(),
                values.into_dispatch(),
                shape,
            );
            (Tensor::from_dispatch(values), Tensor::from_dispatch(o))
        });
        self.keep(o)
    }

    /// Returns the gated norm of every token, see [`gated_norm`].
    pub fn gated_norm(
        &self,
        o: &Tensor<2>,
        u: &Tensor<2>,
        weight: &Tensor<2>,
        step: &StepState,
        spec: GatedNormSpec,
    ) -> Tensor<2> {
        self.count(1);
        self.keep(Tensor::from_dispatch(Dispatch::gated_norm(
            o.clone().into_dispatch(),
            u.clone().into_dispatch(),
            weight.clone().into_dispatch(),
            step.words().into_dispatch(),
            spec,
        )))
    }

    /// Copies a state into another of the same size.
    pub fn copy(&self, from: &InPlace<Tensor<2>>, to: &mut InPlace<Tensor<2>>) {
        self.count(1);
        to.update(|to| {
            let from = from.get().clone().into_dispatch();
            Tensor::from_dispatch(Dispatch::copy(from, to.into_dispatch()))
        });
    }
}
