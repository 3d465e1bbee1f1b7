//! Slots of a mixture sorted by expert, so that a prompt's tokens share reads of each expert's weight.
//!
//! - Groups: [1, 3 tiles + T n_used] u32: for each tile its expert and the range of its slots in the list that
//!   follows, which holds all slots, expert by expert. A tile belongs to one expert; unused tiles are empty.
//! - GPU: one workgroup sorts, by counting; then the shared tiles of [`crate::ops::projection::tile`] gather the rows
//!   of x and scatter those of y.
//! - CPU: each tile is gathered, multiplied like several tokens, and scattered.
//! - Source: Gale et al. 2022, "MegaBlocks", arXiv:2211.15841, which sorts tokens in the same way.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use burn_flex::FlexTensor;

use crate::ops::kernel::{Kernel, launch, modules};
use crate::ops::outline::Launch;
use crate::ops::state;
use hearth_modelfile::cost::Counters;

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

/// Describes the launch.
pub(super) fn describe(spec: GroupSpec) -> Launch {
    let counters = Counters {
        barriers: 2,
        trips: 3,
        ..Counters::default()
    };
    Launch::new("group", kernel(spec), (1, 1, 1), counters)
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
