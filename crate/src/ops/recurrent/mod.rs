//! Layers that keep a state of fixed size instead of a cache that grows.

pub mod conv;
pub mod copy;
pub mod delta;
pub mod gated_norm;
pub mod selective_scan;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::in_place::InPlace;
use crate::ops::{Norm, Ops, StepState, Weight};
use conv::{ConvOp, ConvShape as _, ConvSpec};
use copy::CopyOp;
use delta::{DeltaOp, convolves, out_columns};
use gated_norm::{GatedNormOp, GatedNormSpec};
use hearth_modelfile::layer_spec::{DeltaShape, MambaShape};
use selective_scan::ScanOp;

/// A gated delta net apart from its projections.
pub struct DeltaNet {
    pub shape: DeltaShape,
    /// [taps, channels]
    pub taps: Tensor<2>,
    /// See [`delta`].
    pub params: Tensor<2>,
    /// Weight of the norm of each head: [1, head_dim]
    pub norm: Tensor<2>,
    pub eps: f32,
}

/// A selective scan apart from its projections.
pub struct Scan {
    pub shape: MambaShape,
    /// Taps, and the bias of the convolution: [taps + 1, channels]
    pub taps: Tensor<2>,
    /// See [`selective_scan`].
    pub params: Tensor<2>,
    /// Norm of each group of the output.
    pub norm: Option<Norm>,
}

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
        let t = u.dims()[0];
        let mut described = false;
        for part in spec.parts(t) {
            described = self.describes(|_| conv::describe(spec, *part, t));
        }
        if described {
            return self.empty(t, spec.channels);
        }
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

    /// Returns the output of the gated delta rule for the step's tokens, of which `u` has the projections and `net` the rest, see
    /// [`delta`]: [t, value_heads * head_dim], and more with `sums`. `values` moves on by them.
    pub fn delta(
        &self,
        u: &Tensor<2>,
        net: &DeltaNet,
        step: &StepState,
        values: &mut InPlace<Tensor<2>>,
        sums: bool,
    ) -> Tensor<2> {
        let (t, shape) = (u.dims()[0], net.shape);
        let first = match convolves(t) {
            true => net.taps.clone(),
            false => self.conv(u, &net.taps, step, values, shape.conv()),
        };
        if self.describes(|_| delta::describe(t, shape, sums)) {
            return self.empty(t, out_columns(shape, sums));
        }
        let o = values.update_with(|values| {
            let (o, values) = Dispatch::delta(
                first.into_dispatch(),
                u.clone().into_dispatch(),
                net.params.clone().into_dispatch(),
                step.words().into_dispatch(),
                values.into_dispatch(),
                shape,
                sums,
            );
            (Tensor::from_dispatch(values), Tensor::from_dispatch(o))
        });
        self.keep(o)
    }

    /// Returns the projection of the gated delta net's output for the step's tokens, of which `u` has the projections; with
    /// `residual` it is added to that, in its memory. `values` moves on by the tokens.
    pub fn delta_linear(
        &self,
        u: &Tensor<2>,
        net: &DeltaNet,
        step: &StepState,
        values: &mut InPlace<Tensor<2>>,
        weight: &Weight,
        residual: Option<Tensor<2>>,
    ) -> Tensor<2> {
        let spec = GatedNormSpec {
            eps: net.eps,
            head_dim: net.shape.head_dim,
            columns: net.shape.columns(),
            first: net.shape.channels(),
        };
        let sums = u.dims()[0] == 1 && self.fuses_gated_norm(spec, weight);
        let o = self.delta(u, net, step, values, sums);
        if sums {
            return self.gated_norm_linear(&o, u, spec, weight, step, residual);
        }
        let y = self.gated_norm(&o, u, &net.norm, step, spec);
        match residual {
            Some(residual) => self.linear_add(&y, weight, step, residual),
            None => self.linear(&y, weight, step),
        }
    }

    /// Returns the gated output of the selective scan for the step's tokens, of which `u` has the projections and `scan` the rest, see
    /// [`selective_scan`]: [t, heads * head_dim]. `values` moves on by them.
    pub fn scan(
        &self,
        u: &Tensor<2>,
        scan: &Scan,
        step: &StepState,
        values: &mut InPlace<Tensor<2>>,
    ) -> Tensor<2> {
        let (t, shape) = (u.dims()[0], scan.shape);
        let first = match convolves(t) {
            true => scan.taps.clone(),
            false => self.conv(u, &scan.taps, step, values, shape.conv()),
        };
        if self.describes(|_| selective_scan::describe(t, shape)) {
            return self.empty(t, shape.inner());
        }
        let y = values.update_with(|values| {
            let (y, values) = Dispatch::scan(
                first.into_dispatch(),
                u.clone().into_dispatch(),
                scan.params.clone().into_dispatch(),
                step.words().into_dispatch(),
                values.into_dispatch(),
                shape,
            );
            (Tensor::from_dispatch(values), Tensor::from_dispatch(y))
        });
        self.keep(y)
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
        let [t, cols] = o.dims();
        if self.describes(|_| gated_norm::describe(t, cols, spec)) {
            return self.empty(t, cols);
        }
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
        let values = to.get().dims()[1];
        if self.describes(|_| copy::describe(values)) {
            return;
        }
        to.update(|to| {
            let from = from.get().clone().into_dispatch();
            Tensor::from_dispatch(Dispatch::copy(from, to.into_dispatch()))
        });
    }
}
