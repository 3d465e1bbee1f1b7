//! Conversion of a projection's input to integers, once for all tiles that multiply it, see
//! [`crate::ops::projection::tile`].
//!
//! - `x`: [T * per_token, cols] f32. Result [T * per_token, cols / 32 * 20] words, laid out as in `quantise.wgsl`; rows past
//!   the state's N_TOKENS are left alone.
//! - CPU: returns `x`, which is converted where it is multiplied.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, empty_f32, grid_xz, launch, modules};
use crate::ops::outline::{Grid, Launch};
use crate::ops::{Ops, StepState, state};
use hearth_modelfile::cost::Counters;

/// Columns of a block, and its words as integers.
const BLOCK: usize = 32;
const WORDS: usize = 20;
const WG: u32 = 64;

/// Shape of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantiseSpec {
    pub cols: u32,
    /// Rows for each token.
    pub per_token: u32,
}

/// Backend extension: the conversion on each backend.
#[backend_extension(Cube, Flex)]
pub trait QuantiseOp: Backend {
    /// Returns the input as integers, see the module's documentation.
    fn quantise(
        x: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: QuantiseSpec,
    ) -> FloatTensor<Self>;
}

fn kernel(spec: QuantiseSpec) -> Kernel {
    Kernel::new(&modules::QUANTISE, WG)
        .module(&state::WGSL)
        .module(&modules::BLOCK_I15)
        .u32s([
            ("BLOCKS", spec.cols / BLOCK as u32),
            ("PER_TOKEN", spec.per_token),
        ])
}

/// Returns the grid for `rows` rows.
fn grid(rows: usize, spec: QuantiseSpec) -> Grid {
    let blocks = rows as u32 * (spec.cols / BLOCK as u32);
    let (x, z) = grid_xz(blocks.div_ceil(WG));
    (x, 1, z)
}

/// Describes the launch for `rows` rows.
fn describe(rows: usize, spec: QuantiseSpec) -> Launch {
    let counters = Counters {
        prologue_bytes: 4 * rows as u64 * u64::from(spec.cols),
        trips: 2,
        ..Counters::default()
    };
    Launch::new("quantise", kernel(spec), grid(rows, spec), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    let of = |per_token| QuantiseSpec {
        cols: 64,
        per_token,
    };
    vec![kernel(of(1)), kernel(of(2))]
}

impl Ops {
    /// Returns the input of tiles that multiply integers, for `x`: [t * per_token, cols].
    pub(in crate::ops) fn quantised(
        &self,
        x: &Tensor<2>,
        state: &StepState,
        per_token: usize,
    ) -> Tensor<2> {
        let [rows, cols] = x.dims();
        let spec = QuantiseSpec {
            cols: cols as u32,
            per_token: per_token as u32,
        };
        if self.describes(|_| describe(rows, spec)) {
            return self.empty(rows, cols / BLOCK * WORDS);
        }
        self.keep(Tensor::from_dispatch(Dispatch::quantise(
            x.clone().into_dispatch(),
            state.words().into_dispatch(),
            spec,
        )))
    }
}

impl QuantiseOp for CubeBackend {
    fn quantise(
        x: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: QuantiseSpec,
    ) -> FloatTensor<Self> {
        let [rows, cols] = x.meta.shape().dims();
        let blocks = empty_f32(&x, [rows, cols / BLOCK * WORDS]);
        launch(kernel(spec), grid(rows, spec), &[&x, &blocks, &state]);
        blocks
    }
}

impl QuantiseOp for Flex {
    fn quantise(x: FlexTensor, _state: FlexTensor, _spec: QuantiseSpec) -> FlexTensor {
        x
    }
}
