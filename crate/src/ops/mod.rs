//! The operations of a decoder, each in its own file: formula, shapes, GPU launch, CPU twin.
//!
//! Models are written with [`Ops`]. It sends each op through burn's dispatch to the backend of its tensors
//! (cubecl/WGSL on a GPU, Flex on the CPU), counts launches, and, while a decode step is being captured, keeps every
//! intermediate alive: a replay writes to the same memory again, which must not have been reused in the meantime.

pub mod activation;
pub mod affine;
pub mod attention;
pub mod bias;
pub mod buffer;
pub mod embed;
pub mod experts;
pub mod flex;
pub mod in_place;
pub mod inject;
pub mod kernel;
pub mod merge_rows;
pub mod norm;
pub mod outline;
pub mod pool;
pub mod projection;
pub mod recurrent;
pub mod registry;
pub mod sampling;
pub mod state;
pub mod step_state;
mod tuning;
mod xielu;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

pub use activation::Activation;
use activation::GateOp;
pub use attention::cache::KvCache;
pub use attention::folded::Queries;
pub use attention::kv::KvType;
pub use attention::pooled::PooledKv;
pub use attention::spec::{Attention, AttentionSpec, KvSource, QkNorm};
use bias::{BiasOp, BiasSpec};
use buffer::WordsOp;
pub use experts::{Gating, RouteSpec, Router};
use norm::NormOp;
pub use norm::{Norm, NormSpec};
use outline::{Launch, Outline, Situation};
use pool::CpuPool;
pub use projection::gemv::Arithmetic;
pub use projection::lora::{Lora, LoraSpec, MAX_SEGMENTS, Segment};
pub use projection::pooled::{Attended, LayerEnd};
pub use projection::shape::{Shapes, TileShape};
pub use projection::weight::{Scaling, Source, Weight, WeightPart};
use sampling::SampleOp;
pub use sampling::SamplerTables;
pub use step_state::StepState;
pub use tuning::Tuning;
pub use xielu::PARAMETERS as XIELU_PARAMETERS;

use self::projection::packing::{grid_words, scale_words};
use hearth_modelfile::quant::Packing;

/// Returns a small tensor on the CPU, see [`Ops::new`].
pub fn cpu_handle() -> Tensor<2, Int> {
    let zeros = burn_flex::FlexTensor::zeros([1, 4].into(), burn::tensor::DType::U32);
    Tensor::from_primitive::<burn::backend::Flex>(zeros)
}

/// The ops on one device, with counters.
pub struct Ops {
    device_handle: Tensor<2, Int>,
    tuning: Tuning,
    dispatches: Cell<u64>,
    kept: RefCell<Option<Vec<Tensor<2>>>>,
    /// Collects launches instead of running them.
    outline: Option<Outline>,
}

impl Ops {
    /// Creates the ops of the device that `device_handle` lives on.
    pub fn new(device_handle: &Tensor<2, Int>, tuning: Tuning) -> Self {
        Self {
            device_handle: device_handle.clone(),
            tuning,
            dispatches: Cell::new(0),
            kept: RefCell::new(None),
            outline: None,
        }
    }

    /// Creates ops that run nothing and describe every launch instead. Their weights, states and results have no memory.
    pub fn outline(tuning: Tuning, situation: Situation) -> Self {
        Self {
            outline: Some(Outline::new(situation)),
            ..Self::new(&cpu_handle(), tuning)
        }
    }

    /// Returns whether ops run nothing.
    pub fn is_outline(&self) -> bool {
        self.outline.is_some()
    }

    /// Returns the launches described so far.
    pub fn take_outline(&self) -> Vec<Launch> {
        self.outline.as_ref().map(Outline::take).unwrap_or_default()
    }

    /// Creates the pipeline of a kernel ahead of its first launch; does nothing on the CPU.
    pub fn prepare(&self, kernel: kernel::Kernel) {
        if let Some(gpu) = buffer::gpu_tensor(&self.device_handle) {
            kernel::prepare(kernel, &gpu);
        }
    }

    /// Returns the device's tuning.
    pub fn tuning(&self) -> Tuning {
        self.tuning
    }

    /// Returns a tensor on the device, to reach its client.
    pub fn device_handle(&self) -> &Tensor<2, Int> {
        &self.device_handle
    }

    /// Returns the number of kernel launches so far.
    pub fn dispatches(&self) -> u64 {
        self.dispatches.get()
    }

    /// Subtracts launches that were recorded instead of run.
    pub fn uncount(&self, n: u64) {
        self.dispatches.set(self.dispatches.get() - n);
    }

    /// Starts keeping every intermediate tensor alive.
    pub fn keep_intermediates(&self) {
        *self.kept.borrow_mut() = Some(Vec::new());
    }

    /// Stops keeping intermediates and returns those kept so far.
    pub fn take_kept(&self) -> Vec<Tensor<2>> {
        self.kept.borrow_mut().take().unwrap_or_default()
    }

    /// Counts a launch. Returns whether it is only to be described, which has then been done.
    fn describes(&self, launch: impl FnOnce(Situation) -> Launch) -> bool {
        self.dispatches.set(self.dispatches.get() + 1);
        let Some(outline) = &self.outline else {
            return false;
        };
        outline.add(launch);
        true
    }

    /// Returns whether ops run on the CPU.
    fn is_on_cpu(&self) -> bool {
        !self.is_outline() && buffer::gpu_tensor(&self.device_handle).is_none()
    }

    fn keep(&self, tensor: Tensor<2>) -> Tensor<2> {
        if let Some(kept) = self.kept.borrow_mut().as_mut() {
            kept.push(tensor.clone());
        }
        tensor
    }

    /// Allocates `n` zeroed words of device memory.
    pub fn alloc_words(&self, n: usize) -> Tensor<2, Int> {
        let n = if self.is_outline() { 0 } else { n };
        Tensor::from_dispatch(Dispatch::alloc_words(
            self.device_handle.clone().into_dispatch(),
            n.max(4),
        ))
    }

    /// Allocates the scales of `rows` rows of a weight, and the packing's grid after them, which only a GPU reads there.
    pub fn alloc_scales(&self, packing: Packing, rows: usize, cols: usize) -> Tensor<2, Int> {
        let words = scale_words(packing, rows, cols);
        match grid_words(packing) {
            grid if grid.is_empty() || buffer::gpu_tensor(&self.device_handle).is_none() => {
                self.alloc_words(words)
            }
            grid => self.write_words(self.alloc_words(words + grid.len()), words, grid),
        }
    }

    /// Returns the pool that keeps weights of this packing, if there is one.
    pub fn pool(&self, packing: Packing) -> Option<Rc<dyn CpuPool>> {
        let has_blocks = packing.scale_words_per_block() > 0;
        pool::current().filter(|_| self.is_on_cpu() && has_blocks)
    }

    /// Allocates a zeroed [rows, cols] f32 tensor.
    pub fn alloc_f32(&self, rows: usize, cols: usize) -> Tensor<2> {
        if self.is_outline() {
            return flex::shape_only(rows, cols);
        }
        Tensor::from_dispatch(Dispatch::alloc_f32(
            self.device_handle.clone().into_dispatch(),
            rows,
            cols,
        ))
    }

    /// Allocates a zeroed cache of `rows` rows (one per kv head and position), `head_dim` values each.
    pub fn alloc_kv(&self, rows: usize, head_dim: usize, kv: KvType) -> Tensor<2> {
        // The CPU always keeps f32.
        let kept = if self.is_on_cpu() { KvType::F32 } else { kv };
        self.alloc_f32(rows, kept.row_words(head_dim))
    }

    /// Writes words into `dst` from word `at` on.
    pub fn write_words(&self, dst: Tensor<2, Int>, at: usize, words: Vec<u32>) -> Tensor<2, Int> {
        Tensor::from_dispatch(Dispatch::write_words(dst.into_dispatch(), at, words))
    }

    /// Writes the bits of floats into `dst` from its beginning.
    pub fn write_bits(&self, dst: Tensor<2>, words: Vec<u32>) -> Tensor<2> {
        attention::cache::write_bits(dst, 0, words)
    }

    /// Creates an f32 tensor of `shape` from `values`.
    pub fn upload_f32(&self, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
        Tensor::from_dispatch(Dispatch::upload_f32(
            self.device_handle.clone().into_dispatch(),
            values.to_vec(),
            shape,
        ))
    }

    /// Creates an f32 row, [1, n], from `values`.
    pub fn upload_row(&self, values: &[f32]) -> Tensor<2> {
        self.upload_f32(values, [1, values.len()])
    }

    /// Returns the values of `x` in rows of `cols` columns, in its memory.
    pub(crate) fn in_rows_of(&self, x: &Tensor<2>, cols: usize) -> Tensor<2> {
        let [rows, old] = x.dims();
        let shape = [rows * old / cols, cols];
        if self.is_outline() {
            return flex::shape_only(shape[0], cols);
        }
        let x = x.clone().into_dispatch();
        self.keep(Tensor::from_dispatch(Dispatch::in_rows_of(x, shape)))
    }

    /// Creates an uninitialised [rows, cols] f32 tensor.
    pub(crate) fn empty(&self, rows: usize, cols: usize) -> Tensor<2> {
        if self.is_outline() {
            return flex::shape_only(rows, cols);
        }
        Tensor::from_dispatch(Dispatch::empty_f32(
            self.device_handle.clone().into_dispatch(),
            rows,
            cols,
        ))
    }

    /// Returns the norm of every token, or with `last` that of the step's last one.
    pub fn norm(&self, x: &Tensor<2>, norm: &Norm, state: &StepState, last: bool) -> Tensor<2> {
        let [t, cols] = x.dims();
        let rows = if last { 1 } else { t };
        if self.describes(|_| norm::describe(rows, cols, norm, last, false)) {
            return self.empty(rows, cols);
        }
        self.keep(Tensor::from_dispatch(Dispatch::norm(
            x.clone().into_dispatch(),
            norm.weight.clone().into_dispatch(),
            state.words().into_dispatch(),
            norm.spec,
            last,
        )))
    }

    /// Returns residual + the norm of every token, in the memory of `residual`. Rows longer than the norm's weight are normalised
    /// in groups of its length.
    pub fn norm_add(
        &self,
        x: &Tensor<2>,
        norm: &Norm,
        state: &StepState,
        residual: Tensor<2>,
    ) -> Tensor<2> {
        let [t, cols] = x.dims();
        if self.describes(|_| norm::describe(t, cols, norm, false, true)) {
            return residual;
        }
        Tensor::from_dispatch(Dispatch::norm_add(
            x.clone().into_dispatch(),
            norm.weight.clone().into_dispatch(),
            state.words().into_dispatch(),
            residual.into_dispatch(),
            norm.spec,
        ))
    }

    /// Returns activation(y + bias) in the memory of `y`: [t, cols]; `bias`: [1, cols], followed by the activation's parameters if
    /// it has some.
    pub fn bias(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        state: &StepState,
        activation: Option<Activation>,
    ) -> Tensor<2> {
        let spec = BiasSpec {
            per_token: 1,
            routed: false,
            activation,
        };
        self.bias_as(y, bias, bias, state, spec)
    }

    /// Returns y plus one of the rows of `bias` for each token, in the memory of `y`: [t, cols]. `bias`: [1, rows * cols];
    /// `rows`: [t, 2], the row's number and a number that is not read.
    pub fn bias_of(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        rows: &Tensor<2>,
        state: &StepState,
    ) -> Tensor<2> {
        let spec = BiasSpec {
            per_token: 1,
            routed: true,
            activation: None,
        };
        self.bias_as(y, bias, rows, state, spec)
    }

    fn bias_as(
        &self,
        y: Tensor<2>,
        bias: &Tensor<2>,
        routes: &Tensor<2>,
        state: &StepState,
        spec: BiasSpec,
    ) -> Tensor<2> {
        let [rows, cols] = y.dims();
        if self.describes(|_| bias::describe(rows, cols, spec)) {
            return y;
        }
        Tensor::from_dispatch(Dispatch::bias(
            y.into_dispatch(),
            bias.clone().into_dispatch(),
            routes.clone().into_dispatch(),
            state.words().into_dispatch(),
            spec,
        ))
    }

    /// Returns activation(gate) * up of a [t, 2 d_ff] tensor.
    pub fn gate(&self, gate_up: Tensor<2>, activation: Activation) -> Tensor<2> {
        let [t, cols] = gate_up.dims();
        if self.describes(|_| activation::describe(t, cols, activation)) {
            return self.empty(t, cols / 2);
        }
        self.keep(Tensor::from_dispatch(Dispatch::gate(
            gate_up.into_dispatch(),
            activation,
        )))
    }

    /// Returns activation(gate) * up: `gate` is [t, n]; the columns of `up`, [t, >= n], begin at n * `at`[0].
    pub fn gate_slice(
        &self,
        gate: &Tensor<2>,
        up: &Tensor<2>,
        at: &Tensor<2>,
        activation: Activation,
    ) -> Tensor<2> {
        let ([t, cols], up_cols) = (gate.dims(), up.dims()[1]);
        if self.describes(|_| activation::describe_slice(t, cols, up_cols, activation)) {
            return self.empty(t, cols);
        }
        self.keep(Tensor::from_dispatch(Dispatch::gate_slice(
            gate.clone().into_dispatch(),
            up.clone().into_dispatch(),
            at.clone().into_dispatch(),
            activation,
        )))
    }

    /// Samples the next tokens and advances the state; see [`sampling`] for one row of logits and for several.
    pub fn sample(&self, logits: Tensor<2>, state: &mut StepState, tables: &mut SamplerTables) {
        let ([rows, vocab], n_ctx) = (logits.dims(), tables.n_ctx());
        let scan = self.describes(|now| sampling::describe_scan(rows, vocab, now));
        if self.describes(|now| sampling::describe(rows, vocab, n_ctx, now)) && scan {
            return;
        }
        let (bias, allowed) = (tables.bias.get().clone(), tables.allowed.get().clone());
        let partials = tables.partials.clone();
        state.update_with(|state| {
            tables.seen.update_with(|(history, ids)| {
                let (state, history, ids) = Dispatch::sample(
                    logits.into_dispatch(),
                    state.into_dispatch(),
                    history.into_dispatch(),
                    bias.into_dispatch(),
                    ids.into_dispatch(),
                    allowed.into_dispatch(),
                    partials.into_dispatch(),
                );
                let seen = (Tensor::from_dispatch(history), Tensor::from_dispatch(ids));
                (seen, (Tensor::from_dispatch(state), ()))
            })
        });
    }
}
