//! A factor, a term and bounds for each column.
//!
//! y[t, c] = min(max(x[t, c] factor[c] + term[c], least[c]), most[c])
//!
//! - `x`: [T, cols], cols a multiple of 4; `columns`: [4, cols], factors, terms, least and most values; result [T, cols].
//! - GPU: one thread per four columns.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::kernel::{Kernel, empty_f32, launch, modules};
use super::{Ops, flex};

/// Backend extension: the map on each backend.
#[backend_extension(Cube, Flex)]
pub trait AffineOp: Backend {
    /// Maps columns, see the module's documentation.
    fn affine(x: FloatTensor<Self>, columns: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Ops {
    /// Multiplies each column of `x` by its factor, adds its term and keeps the result within its bounds, as a new tensor.
    pub fn affine(&self, x: &Tensor<2>, columns: &Tensor<2>) -> Tensor<2> {
        self.dispatches.set(self.dispatches.get() + 1);
        Tensor::from_dispatch(Dispatch::affine(
            x.clone().into_dispatch(),
            columns.clone().into_dispatch(),
        ))
    }
}

fn kernel(cols4: u32) -> Kernel {
    Kernel::new(&modules::AFFINE, 64).u32s([("COLS4", cols4)])
}

/// Returns every variant of the kernel.
pub(super) fn variants() -> Vec<Kernel> {
    vec![kernel(16)]
}

impl AffineOp for CubeBackend {
    fn affine(x: FloatTensor<Self>, columns: FloatTensor<Self>) -> FloatTensor<Self> {
        let [rows, cols] = x.meta.shape().dims();
        let cols4 = cols as u32 / 4;
        let y = empty_f32(&x, [rows, cols]);
        let grid = (cols4.div_ceil(64), rows as u32, 1);
        launch(kernel(cols4), grid, &[&x, &columns, &y]);
        y
    }
}

impl AffineOp for Flex {
    fn affine(x: FlexTensor, columns: FlexTensor) -> FlexTensor {
        let [rows, cols] = x.layout().shape().dims();
        let (x, columns) = (x.storage::<f32>(), columns.storage::<f32>());
        let mut y = x[..rows * cols].to_vec();
        for row in y.chunks_exact_mut(cols) {
            for (c, value) in row.iter_mut().enumerate() {
                let of = |kind: usize| columns[kind * cols + c];
                *value = (*value * of(0) + of(1)).max(of(2)).min(of(3));
            }
        }
        flex::tensor(y, [rows, cols])
    }
}
