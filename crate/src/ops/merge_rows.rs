//! Several rows in one: side by side, also column by column, or their mean. By this a tower's rows become fewer.
//!
//! y[r] = (x[rows[r, 0]], x[rows[r, 1]], ...), or the first columns of these, then their second ones, and so on, or their mean.
//!
//! - `x`: [T, cols], cols a multiple of 4; `rows`: [R, k] numbers of rows; result [>= R, k * cols], or [>= R, cols].
//! - GPU: one thread per four columns.
//! - Source: Shi et al. 2016, arXiv:1609.05158 (pixel shuffle, the other way round).

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use super::kernel::{Kernel, empty_f32, launch, modules};
use super::projection::tile::TILE_TOKENS;
use super::{Ops, flex};

/// Shape and kind of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeSpec {
    /// Rows of the result.
    pub rows: usize,
    /// Rows of `x` in each of them.
    pub of: usize,
    pub merged: Merged,
}

/// A kind of merge, by what becomes of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// They are put side by side.
    SideBySide,
    /// Their first columns are put side by side, then their second ones, and so on.
    ByColumn,
    /// They are averaged.
    Mean,
}

impl MergeSpec {
    /// Returns the shape of the result, whose rows are those of whole tiles, for rows of `cols` columns.
    fn shape(self, cols: usize) -> [usize; 2] {
        let rows = self.rows.next_multiple_of(TILE_TOKENS as usize);
        [rows, self.widths() * cols]
    }

    /// Returns the rows of `x` that are as wide as one of the result.
    fn widths(self) -> usize {
        match self.merged {
            Merged::SideBySide | Merged::ByColumn => self.of,
            Merged::Mean => 1,
        }
    }
}

/// Backend extension: the merge on each backend.
#[backend_extension(Cube, Flex)]
pub trait MergeRowsOp: Backend {
    /// Merges rows, see the module's documentation.
    fn merge_rows(
        x: FloatTensor<Self>,
        rows: IntTensor<Self>,
        spec: MergeSpec,
    ) -> FloatTensor<Self>;
}

impl Ops {
    /// Merges the rows of `x` with the numbers `rows`, `spec.of` for each row of the result.
    pub fn merge_rows(&self, x: &Tensor<2>, rows: Vec<u32>, spec: MergeSpec) -> Tensor<2> {
        let rows = self.write_words(self.alloc_words(rows.len()), 0, rows);
        self.dispatches.set(self.dispatches.get() + 1);
        Tensor::from_dispatch(Dispatch::merge_rows(
            x.clone().into_dispatch(),
            rows.into_dispatch(),
            spec,
        ))
    }
}

fn kernel(cols4: u32, spec: MergeSpec) -> Kernel {
    Kernel::new(&modules::MERGE_ROWS, 64)
        .u32s([("COLS4", cols4), ("K", spec.of as u32)])
        .bools([
            ("MEAN", spec.merged == Merged::Mean),
            ("BY_COLUMN", spec.merged == Merged::ByColumn),
        ])
}

/// Returns every variant of the kernel.
pub(super) fn variants() -> Vec<Kernel> {
    let spec = |merged| MergeSpec {
        rows: 4,
        of: 4,
        merged,
    };
    let all = [Merged::SideBySide, Merged::ByColumn, Merged::Mean];
    all.map(|merged| kernel(16, spec(merged))).into()
}

impl MergeRowsOp for CubeBackend {
    fn merge_rows(
        x: FloatTensor<Self>,
        rows: IntTensor<Self>,
        spec: MergeSpec,
    ) -> FloatTensor<Self> {
        let [_, cols] = x.meta.shape().dims();
        let cols4 = cols as u32 / 4;
        let y = empty_f32(&x, spec.shape(cols));
        let grid = (cols4.div_ceil(64), spec.rows as u32, spec.widths() as u32);
        launch(kernel(cols4, spec), grid, &[&x, &rows, &y]);
        y
    }
}

impl MergeRowsOp for Flex {
    fn merge_rows(x: FlexTensor, rows: FlexTensor, spec: MergeSpec) -> FlexTensor {
        let [_, cols] = x.layout().shape().dims();
        let (x, rows) = (x.storage::<f32>(), rows.storage::<u32>());
        let shape = spec.shape(cols);
        let mut y = vec![0.0; shape[0] * shape[1]];
        let of_row = rows.chunks_exact(spec.of).take(spec.rows);
        for (y, rows) in y.chunks_exact_mut(shape[1]).zip(of_row) {
            for (k, row) in rows.iter().enumerate() {
                let x = &x[*row as usize * cols..][..cols];
                let (at, step) = match spec.merged {
                    Merged::SideBySide => (k * cols, 1),
                    Merged::ByColumn => (k, spec.of),
                    Merged::Mean => (0, 1),
                };
                for (y, v) in y[at..].iter_mut().step_by(step).zip(x) {
                    *y += v;
                }
            }
            if spec.merged == Merged::Mean {
                y.iter_mut().for_each(|y| *y /= spec.of as f32);
            }
        }
        flex::tensor(y, shape)
    }
}
