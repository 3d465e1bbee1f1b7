//! Copy of a layer's state: a snapshot, or the way back to one.
//!
//! - `from`, `to`: tensors of the same number of values.
//! - GPU: one thread per four values, in rows of workgroups.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, launch, modules};
use crate::ops::outline::{Grid, Launch};
use hearth_modelfile::cost::Counters;

/// Backend extension: copies on each backend.
#[backend_extension(Cube, Flex)]
pub trait CopyOp: Backend {
    /// Returns `to` with the values of `from`.
    fn copy(from: FloatTensor<Self>, to: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Workgroups along x.
const ACROSS: u32 = 1024;

fn kernel(values: usize) -> Kernel {
    Kernel::new(&modules::COPY, 64)
        .u32s([("VALUES4", (values as u32).div_ceil(4)), ("ACROSS", ACROSS)])
}

fn grid(values: usize) -> Grid {
    let workgroups = (values as u32).div_ceil(4 * 64);
    (workgroups.min(ACROSS), workgroups.div_ceil(ACROSS), 1)
}

/// Describes the launch for this many values, which are read and written.
pub(in crate::ops) fn describe(values: usize) -> Launch {
    let counters = Counters {
        state_bytes: 8 * values as u64,
        bytes_in_flight: 16 * 64,
        trips: 1,
        ..Counters::default()
    };
    Launch::new("copy", kernel(values), grid(values), counters)
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    vec![kernel(64)]
}

impl CopyOp for CubeBackend {
    fn copy(from: FloatTensor<Self>, to: FloatTensor<Self>) -> FloatTensor<Self> {
        let values = to.meta.shape().num_elements();
        launch(kernel(values), grid(values), &[&from, &to]);
        to
    }
}

impl CopyOp for Flex {
    fn copy(from: FlexTensor, mut to: FlexTensor) -> FlexTensor {
        to.storage_mut::<f32>().copy_from_slice(from.storage());
        to
    }
}
