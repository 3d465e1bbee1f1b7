//! Launches as data: a step's kernels, their grids and their counters, without a device.
//!
//! [`Ops::outline`](super::Ops::outline) runs a model's own code and describes each launch instead of running it, so
//! that there is one description of a step's launches: the model. Each op describes its launch next to the function
//! that launches it, with the same kernel and grid.

use std::cell::RefCell;

use hearth_modelfile::cost::Counters;

use super::kernel::Kernel;

/// A launch.
#[derive(Debug, PartialEq)]
pub struct Launch {
    /// Name of the op, or of the file's tensors that it multiplies by and their packing: `attn_q+attn_k q4`.
    pub name: String,
    pub kernel: Kernel,
    /// Workgroups along x, y and z.
    pub grid: Grid,
    /// Counters of a step of one token.
    pub counters: Counters,
}

/// Workgroups along x, y and z.
pub type Grid = (u32, u32, u32);

/// Values of the step state that change what a step costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Positions in the KV cache, the step's included.
    pub positions: usize,
    /// Whether the sampler applies top-k and top-p; otherwise it takes the largest logit.
    pub filters: bool,
}

/// Launches described so far.
pub(super) struct Outline {
    situation: Situation,
    launches: RefCell<Vec<Launch>>,
}

impl Outline {
    pub(super) fn new(situation: Situation) -> Self {
        Self {
            situation,
            launches: RefCell::default(),
        }
    }

    pub(super) fn add(&self, launch: impl FnOnce(Situation) -> Launch) {
        self.launches.borrow_mut().push(launch(self.situation));
    }

    pub(super) fn take(&self) -> Vec<Launch> {
        self.launches.take()
    }
}

impl Launch {
    /// Describes a launch whose workgroups all have work; `counters` has everything but their number and size.
    pub(super) fn new(name: &str, kernel: Kernel, grid: Grid, counters: Counters) -> Self {
        let all = [grid.0, grid.1, grid.2].map(u64::from);
        Self {
            name: name.to_owned(),
            grid,
            counters: Counters {
                workgroups: all.iter().product(),
                threads: kernel.workgroup(),
                ..counters
            },
            kernel,
        }
    }
}
