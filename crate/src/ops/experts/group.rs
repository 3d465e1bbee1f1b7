//! Slots of a mixture sorted by expert, so that a prompt's tokens share reads of each expert's weight.
//!
//! - Groups: [1, 3 tiles + T n_used] u32: for each tile its expert and the range of its slots in the list that
//!   follows, which holds all slots, expert by expert. A tile belongs to one expert; unused tiles are empty.
//! - GPU: one workgroup sorts, by counting; then the wide tiles of [`crate::ops::projection::tile`] gather the rows
//!   of x and scatter those of y.
//! - CPU: each tile is gathered, multiplied like several tokens, and scattered.
//! - Source: Gale et al. 2022, "MegaBlocks", arXiv:2211.15841, which sorts tokens in the same way.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use burn_flex::FlexTensor;

use crate::ops::experts::of_expert;
use crate::ops::gpu::{Kernel, launch, modules};
use crate::ops::projection::cpu::linear_cpu;
use crate::ops::projection::tile::LinearSpec;
use crate::ops::state;

/// Parameters of the sorting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupSpec {
    pub n_experts: u32,
    /// Experts per token.
    pub n_used: u32,
    /// Slots per tile.
    pub tokens: u32,
    /// Maximum number of tiles.
    pub tiles: u32,
}

impl GroupSpec {
    /// Creates the parameters for `slots` slots.
    pub fn new(slots: u32, n_experts: u32, n_used: u32, tokens: u32) -> Self {
        Self {
            n_experts,
            n_used,
            tokens,
            tiles: slots.min(n_experts + slots / tokens),
        }
    }
}

/// A projection by groups, for all experts or those in one part of the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grouped {
    pub tiles: u32,
    /// Slots that share one row of the input: all of a token, or 1.
    pub share: u32,
    /// The first expert in this part of the weight, and the number of experts in it.
    pub first: u32,
    pub count: u32,
}

impl Grouped {
    /// Returns the constants of `projection/wide_by_expert.wgsl`.
    pub(in crate::ops) fn consts(&self) -> [(&'static str, u32); 4] {
        [
            ("TILES", self.tiles),
            ("SHARE", self.share),
            ("FIRST_EXPERT", self.first),
            ("N_EXPERTS", self.count),
        ]
    }
}

/// Backend extension: sorting on each backend.
#[backend_extension(Cube, Flex)]
pub trait GroupOp: Backend {
    /// Returns the groups of the live tokens' routes.
    fn group(routes: FloatTensor<Self>, state: IntTensor<Self>, spec: GroupSpec)
    -> IntTensor<Self>;
}

fn kernel(spec: GroupSpec) -> Kernel {
    Kernel::new(&modules::GROUP, 256)
        .module(&state::WGSL)
        .u32s([
            ("N_EXPERTS", spec.n_experts),
            ("N_USED", spec.n_used),
            ("TILES", spec.tiles),
            ("TOKENS", spec.tokens),
        ])
}

/// Returns every variant of the kernel.
pub(in crate::ops) fn variants() -> Vec<Kernel> {
    vec![kernel(GroupSpec::new(64, 8, 2, 32))]
}

impl GroupOp for CubeBackend {
    fn group(
        routes: FloatTensor<Self>,
        state: IntTensor<Self>,
        spec: GroupSpec,
    ) -> IntTensor<Self> {
        let [t, _] = routes.meta.shape().dims::<2>();
        let words = 3 * spec.tiles as usize + t * spec.n_used as usize;
        let groups = CubeTensor::new_contiguous(
            routes.client.clone(),
            routes.device.clone(),
            [1, words].into(),
            routes.client.empty(4 * words),
            DType::U32,
        );
        launch(kernel(spec), (1, 1, 1), &[&routes, &state, &groups]);
        groups
    }
}

impl GroupOp for Flex {
    fn group(routes: FlexTensor, state: FlexTensor, spec: GroupSpec) -> FlexTensor {
        let (n_used, tokens) = (spec.n_used as usize, spec.tokens as usize);
        let slots = state.storage::<u32>()[state::N_TOKENS] as usize * n_used;
        let routes = routes.storage::<f32>().chunks_exact(2).take(slots);
        let mut of_expert = vec![Vec::new(); spec.n_experts as usize];
        for (slot, route) in routes.enumerate() {
            if let Some(of_expert) = of_expert.get_mut(route[0] as usize) {
                of_expert.push(slot as u32);
            }
        }
        let (mut tiles, mut list) = (Vec::new(), Vec::new());
        for (expert, slots) in of_expert.iter().enumerate() {
            for tile in slots.chunks(tokens) {
                let first = list.len() as u32;
                tiles.extend([expert as u32, first, first + tile.len() as u32]);
                list.extend_from_slice(tile);
            }
        }
        tiles.resize(3 * spec.tiles as usize, 0);
        tiles.extend(list);
        let shape = [1, tiles.len()];
        FlexTensor::from_data(TensorData::new(tiles, shape))
    }
}

/// Projects by groups, the CPU twin: `x`: [slots / share, cols], `weight`: quants and scales of all experts of the
/// part, `y`: [>= slots, stride].
pub(in crate::ops) fn grouped_cpu(
    x: &[f32],
    weight: (&[u32], &[u32]),
    groups: &[u32],
    y: &mut [f32],
    spec: LinearSpec,
    grouped: Grouped,
) {
    let (rows, cols) = (spec.rows as usize, spec.cols as usize);
    let (tiles, slots) = groups.split_at(3 * grouped.tiles as usize);
    for tile in tiles.chunks_exact(3) {
        let (expert, slots) = (tile[0], &slots[tile[1] as usize..tile[2] as usize]);
        let expert = expert.checked_sub(grouped.first);
        let Some(expert) = expert.filter(|expert| *expert < grouped.count) else {
            continue;
        };
        let rows_of_x = slots
            .iter()
            .map(|slot| (slot / grouped.share) as usize * cols);
        let input: Vec<f32> = rows_of_x
            .flat_map(|at| &x[at..at + cols])
            .copied()
            .collect();
        let mut output = vec![0.0; slots.len() * rows];
        let one = LinearSpec {
            offset: 0,
            stride: spec.rows,
            grouped: None,
            ..spec
        };
        let ((quants, scales), one) = of_expert(weight, one, expert as usize);
        linear_cpu(&input, quants, scales, &mut output, slots.len(), one);
        for (slot, row) in slots.iter().zip(output.chunks_exact(rows)) {
            let at = (slot * spec.stride + spec.offset) as usize;
            y[at..at + rows].copy_from_slice(row);
        }
    }
}
