//! The largest logit in ranges of ids, and their sums: what rules that weigh kinds of tokens against each other need to know, in the
//! place of all logits.
//!
//! found[r] = (max, id, sum exp(logit - max), 1 if a logit is no number, else 0) over those ids of range r that its set does not ban;
//! the lowest id of several with the largest logit. A range without ids has the lowest float, id 0 and the sum 0.
//!
//! - `logits`: [1, vocab]; `banned`: [1, sets * ceil(vocab / 32)], a bit for each id; `ranges`: [1, 4 R], the first id, the one behind
//!   the last, the number of the set, and one word that is not read. Result [R, 4].
//! - GPU: a workgroup of 256 threads for each range.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor};
use burn_cubecl::CubeBackend;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, empty_f32, launch, modules};
use crate::ops::{Ops, flex};

/// Threads of a workgroup.
const WG: u32 = 256;
/// Numbers of a range in the result.
pub const FOUND: usize = 4;
/// Words of a range.
pub const RANGE: usize = 4;

/// Backend extension: the ranges on each backend.
#[backend_extension(Cube, Flex)]
pub trait RangesOp: Backend {
    /// Searches ranges, see the module's documentation.
    fn search_ranges(
        logits: FloatTensor<Self>,
        banned: IntTensor<Self>,
        ranges: IntTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl Ops {
    /// Returns what is to know of ranges of ids: [R, 4].
    pub fn search_ranges(
        &self,
        logits: &Tensor<2>,
        banned: &Tensor<2, Int>,
        ranges: &Tensor<2, Int>,
    ) -> Tensor<2> {
        self.dispatches.set(self.dispatches.get() + 1);
        self.keep(Tensor::from_dispatch(Dispatch::search_ranges(
            logits.clone().into_dispatch(),
            banned.clone().into_dispatch(),
            ranges.clone().into_dispatch(),
        )))
    }
}

fn kernel(vocab: u32) -> Kernel {
    Kernel::new(&modules::RANGES, WG)
        .module(&modules::SECTION)
        .u32s([("VOCAB", vocab), ("SECTION", WG)])
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    vec![kernel(1000)]
}

impl RangesOp for CubeBackend {
    fn search_ranges(
        logits: FloatTensor<Self>,
        banned: IntTensor<Self>,
        ranges: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let [_, vocab] = logits.meta.shape().dims();
        let [_, words] = ranges.meta.shape().dims();
        let n = words / RANGE;
        let found = empty_f32(&logits, [n, FOUND]);
        let grid = (n as u32, 1, 1);
        launch(
            kernel(vocab as u32),
            grid,
            &[&logits, &banned, &ranges, &found],
        );
        found
    }
}

impl RangesOp for Flex {
    fn search_ranges(logits: FlexTensor, banned: FlexTensor, ranges: FlexTensor) -> FlexTensor {
        let (logits, banned) = (logits.storage::<f32>(), banned.storage::<u32>());
        let words = logits.len().div_ceil(32);
        let mut found = Vec::new();
        for range in ranges.storage::<u32>().chunks_exact(RANGE) {
            let end = (range[1] as usize).min(logits.len());
            let of_set = &banned[range[2] as usize * words..];
            let ids = (range[0] as usize..end).filter(|id| of_set[id / 32] >> (id % 32) & 1 == 0);
            let (mut top, mut best, mut sum) = (f32::MIN, 0, 0.0);
            for id in ids.clone() {
                if logits[id] > top {
                    (top, best) = (logits[id], id);
                }
            }
            for id in ids {
                sum += f64::from(logits[id] - top).exp();
            }
            let all = logits.get(range[0] as usize..end).unwrap_or_default();
            let is_broken = !all.iter().all(|logit| logit.is_finite());
            found.extend([top, best as f32, sum as f32, f32::from(u8::from(is_broken))]);
        }
        let n = found.len() / FOUND;
        flex::tensor(found, [n, FOUND])
    }
}
