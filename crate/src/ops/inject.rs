//! Rows that take the place of a step's embeddings, or are added to hidden states: those of a picture.
//!
//! x[to + r] = rows[from + r], or that plus x, for r < n.
//!
//! - `x`: [T, cols], written in place; `rows`: [>= from + n, cols]; cols a multiple of 4.
//! - GPU: one thread per four columns.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::Ops;
use super::kernel::{Kernel, launch, modules};

/// The rows that are taken, and their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First row taken.
    pub from: usize,
    /// First row written.
    pub to: usize,
    /// Number of rows.
    pub n: usize,
}

/// Backend extension: the injection on each backend.
#[backend_extension(Cube, Flex)]
pub trait InjectOp: Backend {
    /// Returns `x` with its rows written, see the module's documentation; `words`: from, to and n.
    fn inject(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        words: IntTensor<Self>,
        n: usize,
        add: bool,
    ) -> FloatTensor<Self>;
}

impl Ops {
    /// Writes rows into `x`, or with `add` adds them to it.
    pub fn inject(&self, x: Tensor<2>, rows: &Tensor<2>, place: Place, add: bool) -> Tensor<2> {
        let Place { from, to, n } = place;
        let words = [from, to, n].map(|word| word as u32).to_vec();
        let words = self.write_words(self.alloc_words(4), 0, words);
        self.dispatches.set(self.dispatches.get() + 1);
        Tensor::from_dispatch(Dispatch::inject(
            x.into_dispatch(),
            rows.clone().into_dispatch(),
            words.into_dispatch(),
            n,
            add,
        ))
    }
}

fn kernel(cols4: u32, add: bool) -> Kernel {
    Kernel::new(&modules::INJECT, 64)
        .u32s([("COLS4", cols4)])
        .bools([("ADD", add)])
}

/// Returns every variant of the kernel.
pub(super) fn variants() -> Vec<Kernel> {
    [false, true].map(|add| kernel(16, add)).into()
}

impl InjectOp for CubeBackend {
    fn inject(
        x: FloatTensor<Self>,
        rows: FloatTensor<Self>,
        words: IntTensor<Self>,
        n: usize,
        add: bool,
    ) -> FloatTensor<Self> {
        let [_, cols] = x.meta.shape().dims();
        let cols4 = cols as u32 / 4;
        let grid = (cols4.div_ceil(64), n as u32, 1);
        launch(kernel(cols4, add), grid, &[&x, &rows, &words]);
        x
    }
}

impl InjectOp for Flex {
    fn inject(
        mut x: FlexTensor,
        rows: FlexTensor,
        words: FlexTensor,
        n: usize,
        add: bool,
    ) -> FlexTensor {
        let [_, cols] = x.layout().shape().dims();
        let words = words.storage::<u32>();
        let (from, to) = (words[0] as usize * cols, words[1] as usize * cols);
        let rows = &rows.storage::<f32>()[from..from + n * cols];
        for (x, row) in x.storage_mut::<f32>()[to..].iter_mut().zip(rows) {
            *x = if add { *x + row } else { *row };
        }
        x
    }
}
