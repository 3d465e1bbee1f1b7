//! Projections on the threads of the pool: one in a job, or all of a layer that follow its attention.
//!
//! A job costs its caller about as much as 100,000 multiplications, however little it does: the way to the threads and back, and
//! their wait for the last of them. Ops between projections cost other threads the time that the caller takes for them.

use burn::tensor::Tensor;
use hearth_cpu::gate::Gate;
use hearth_cpu::job::{MAX_STAGES, NO_NORM, Product};
use hearth_cpu::rows::{Format, MAX_TOKENS, STREAMS};

use crate::ops::activation::Activate as _;
use crate::ops::attention::pooled::Prepared;
use crate::ops::pool::{self, JobBuilder, Pooled};
use crate::ops::projection::tile::LinearSpec;
use crate::ops::{Norm, Ops, Weight, WeightPart, flex};
use hearth_modelfile::families::Activation;

/// A matrix in the pool's memory.
struct Matrix {
    at: Pooled,
    format: Format,
    rows: usize,
    cols: usize,
}

/// A norm before a product.
#[derive(Clone, Copy)]
struct NormAt {
    /// Place of its weights.
    place: usize,
    eps: f32,
}

impl Matrix {
    /// Returns a part of a weight with so many columns, if the pool has it.
    fn of(part: &WeightPart, cols: usize) -> Option<Self> {
        Some(Self {
            at: part.pooled?,
            format: part.packing.cpu_format()?,
            rows: part.rows,
            cols,
        })
    }

    /// Returns the weight of a projection, if the pool has it.
    fn of_spec(spec: &LinearSpec) -> Option<Self> {
        Some(Self {
            at: spec.pooled?,
            format: spec.packing.cpu_format()?,
            rows: spec.rows as usize,
            cols: spec.cols as usize,
        })
    }

    /// Returns its product with the activations at one place, written to another in whole rows.
    fn product(&self, x: usize, y: usize) -> Product {
        Product {
            format: self.format as u32,
            rows: self.rows as u32,
            cols: self.cols as u32,
            quants: self.at.quants,
            scales: self.at.scales,
            x: x as u32,
            norm: NO_NORM,
            eps: 0.0,
            y: y as u32,
            stride: self.rows as u32,
            factor: 1.0,
            adds: 0,
            gate: 0,
            scratch: 0,
        }
    }
}

impl JobBuilder {
    /// Adds the products of a weight's parts with one token.
    fn multiply_by(
        &mut self,
        weight: &Weight,
        x: usize,
        norm: Option<NormAt>,
        y: usize,
        adds: bool,
        gate: Option<Gate>,
    ) {
        for part in &weight.parts {
            let Some(matrix) = Matrix::of(part, weight.cols) else {
                continue;
            };
            self.multiply(Product {
                norm: norm.map_or(NO_NORM, |norm| norm.place as u32),
                eps: norm.map_or(0.0, |norm| norm.eps),
                factor: weight.scaling.factor,
                adds: adds.into(),
                gate: gate.map_or(0, |gate| gate as u32),
                ..matrix.product(x, y + part.first_row)
            });
        }
    }
}

/// Multiplies every token by every row, see [`super::cpu::linear_cpu`]. The results are in `y` at once where nothing else is done
/// with them and no other columns lie between them.
pub(super) fn linear_pooled(x: &[f32], y: &mut [f32], tokens: usize, spec: LinearSpec) {
    let (Some(pool), Some(matrix)) = (pool::current(), Matrix::of_spec(&spec)) else {
        return;
    };
    let (rows, cols) = (spec.rows as usize, spec.cols as usize);
    let (stride, offset) = (spec.stride as usize, spec.offset as usize);
    let is_plain = !spec.add && spec.scaling.softcap == 0.0;
    let is_direct = is_plain && (tokens == 1 || stride == rows);
    let mut made = match is_direct {
        true => Vec::new(),
        false => vec![0.0; tokens.min(MAX_TOKENS) * rows],
    };
    let pieces = x[..tokens * cols].chunks(MAX_TOKENS * cols);
    for (piece, x) in pieces.enumerate() {
        let tokens = x.len() / cols;
        let mut job = JobBuilder::new(tokens);
        let (x_at, y_at) = (job.place(tokens * cols), job.place(tokens * rows));
        let y = &mut y[piece * MAX_TOKENS * stride + offset..];
        let mut product = matrix.product(x_at, y_at);
        if is_direct {
            product.factor = spec.scaling.factor;
            job.multiply(product);
            job.run(&*pool, 0, x, y_at, &mut y[..tokens * rows]);
            continue;
        }
        let made = &mut made[..tokens * rows];
        job.multiply(product);
        job.run(&*pool, 0, x, y_at, made);
        for (t, made) in made.chunks_exact(rows).enumerate() {
            for (y, sum) in y[t * stride..].iter_mut().zip(made) {
                spec.put(y, *sum);
            }
        }
    }
}

/// Multiplies a token by gates and by what they gate on the threads of the pool, which apply the gates to their own
/// rows: `x`: [cols], `y`: [rows / 2]. Returns whether they could.
pub(in crate::ops) fn gated_pooled(
    x: &[f32],
    y: &mut [f32],
    spec: LinearSpec,
    activation: Activation,
) -> bool {
    let (pool, gate) = (pool::current(), activation.gate());
    let (Some(pool), Some(gate), Some(matrix)) = (pool, gate, Matrix::of_spec(&spec)) else {
        return false;
    };
    let (rows, cols) = (spec.rows as usize, spec.cols as usize);
    if spec.scaling.softcap != 0.0 || !rows.is_multiple_of(STREAMS) {
        return false;
    }
    let mut job = JobBuilder::new(1);
    let (x_at, y_at) = (job.place(cols), job.place(rows));
    job.multiply(Product {
        factor: spec.scaling.factor,
        gate: gate as u32,
        ..matrix.product(x_at, y_at)
    });
    job.run(&*pool, 0, &x[..cols], y_at, y);
    true
}

/// The end of a layer: y = x + o_proj a, where a is attention, then y + down gate(gate_up norm(y)).
#[derive(Clone, Copy)]
pub struct LayerEnd<'a> {
    /// [d_model, a's columns]
    pub o_proj: &'a Weight,
    pub norm: &'a Norm,
    /// gate and up: [2 d_ff, d_model]
    pub gate_up: &'a Weight,
    pub activation: Activation,
    /// [d_model, d_ff]
    pub down: &'a Weight,
    /// The norm and the projections with which the next layer begins.
    pub next: Option<(&'a Norm, &'a Weight)>,
}

/// Attention of one token, as the end of a layer takes it.
#[expect(
    clippy::large_enum_variant,
    reason = "a layer's step has one, and nothing keeps it"
)]
pub enum Attended {
    /// [1, n_heads * head_dim]
    Done(Tensor<2>),
    /// Its queries, keys and values; a stage of the same job does the rest.
    Prepared(Prepared),
}

impl LayerEnd<'_> {
    /// Returns whether one job can do all of it: the pool has the weights as they are, and nothing else is done on the way.
    fn fits(&self) -> bool {
        let is_pooled = |weight: &Weight| {
            let parts = &weight.parts;
            let has_all = (parts.iter()).all(|part| Matrix::of(part, weight.cols).is_some());
            let is_plain = weight.lora.is_none() && weight.bias.is_none();
            has_all && is_plain && weight.scaling.softcap == 0.0
        };
        let (next_norm, next_weight) = self.next.unzip();
        let weights = [
            Some(self.o_proj),
            Some(self.gate_up),
            Some(self.down),
            next_weight,
        ];
        let mut weights = weights.into_iter().flatten();
        let mut norms = [Some(self.norm), next_norm].into_iter().flatten();
        // (and one of attention)
        let stages: usize = 1 + weights
            .clone()
            .map(|weight| weight.parts.len())
            .sum::<usize>();
        weights.all(is_pooled)
            && norms.all(|norm| norm.spec.is_plain())
            && stages <= MAX_STAGES
            && self.activation.gate().is_some()
            && self.gate_up.parts.len() == 1
            && self.gate_up.rows.is_multiple_of(STREAMS)
    }
}

impl Ops {
    /// Returns whether one job of a pool's threads can do the end of a layer.
    pub fn ends_in_one_job(&self, end: LayerEnd<'_>) -> bool {
        self.is_on_cpu() && pool::current().is_some() && end.fits()
    }

    /// Returns one token's hidden state behind a layer, [1, d_model], and what the next layer projects of it, if `end` has its
    /// projection: in one job, see [`Ops::ends_in_one_job`]. `x` is the hidden state before the layer.
    pub fn end_layer(
        &self,
        attended: Attended,
        x: &Tensor<2>,
        end: LayerEnd<'_>,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        let (mut job, mut input) = (JobBuilder::new(1), Vec::new());
        let mut copy = |values: &[f32]| {
            input.extend_from_slice(values);
            job.place(values.len())
        };
        let mut norm_at = |norm: &Norm| NormAt {
            place: copy(flex::of(&norm.weight).storage()),
            eps: norm.spec.eps,
        };
        let norm = norm_at(end.norm);
        let next = end.next.map(|(norm, weight)| (norm_at(norm), weight));
        let (a_at, prepared) = match attended {
            Attended::Done(a) => (Some(copy(flex::of(&a).storage())), None),
            Attended::Prepared(prepared) => {
                let places = [copy(&prepared.rows), copy(&prepared.seen)];
                (None, Some((prepared, places)))
            }
        };
        // Results that are read lie together, from the last of the input on.
        let x_at = copy(flex::of(x).storage());
        let projected = next.map_or(0, |(_, weight)| weight.rows);
        let projected_at = job.place(projected);
        let h_at = job.place(end.gate_up.rows);
        let a_at = a_at.unwrap_or_else(|| job.place(end.o_proj.cols));
        let mut positions = 0;
        if let Some((prepared, [rows, seen])) = prepared {
            positions = prepared.end();
            job.attend(prepared.stage(rows, seen, a_at));
        }
        let gate = end.activation.gate();
        job.multiply_by(end.o_proj, a_at, None, x_at, true, None);
        job.multiply_by(end.gate_up, x_at, Some(norm), h_at, false, gate);
        job.multiply_by(end.down, h_at, None, x_at, true, None);
        if let Some((norm, weight)) = next {
            job.multiply_by(weight, x_at, Some(norm), projected_at, false, None);
        }
        let d = end.o_proj.rows;
        let mut output = vec![0.0; d + projected];
        if let Some(pool) = pool::current() {
            job.run(&*pool, positions, &input, x_at, &mut output);
        }
        self.dispatches.set(self.dispatches.get() + 1);
        let projected = next.map(|_| flex::row(output.split_off(d)));
        (flex::row(output), projected)
    }
}
