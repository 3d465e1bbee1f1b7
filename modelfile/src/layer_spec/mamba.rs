//! The shape of a selective scan (Mamba 2).

use super::{DRAFT_ROWS, StateOffsets};

/// The shape of a selective scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MambaShape {
    /// A multiple of 4 and of `groups`.
    pub heads: usize,
    /// Width of a head, a multiple of 16.
    pub head_dim: usize,
    /// Groups of neighbouring heads that share B and C; each is normalised by itself.
    pub groups: usize,
    /// Columns of a head's state, a multiple of 16.
    pub state_dim: usize,
    /// Tokens of the convolution before it.
    pub taps: usize,
}

impl MambaShape {
    /// Returns the values of all heads of a token.
    pub fn inner(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Returns the values of x, B and C of a token: the channels of the convolution.
    pub fn channels(&self) -> usize {
        self.inner() + 2 * self.groups * self.state_dim
    }

    /// Returns the columns of the projection of a token: the gate z, the channels, and the step of each head.
    pub fn columns(&self) -> usize {
        self.inner() + self.channels() + self.heads
    }

    /// Returns the values of the matrix state: [heads, head_dim, state_dim].
    pub fn state(&self) -> usize {
        self.inner() * self.state_dim
    }

    /// Returns the values of one token's update of the matrix state, a multiple of 4: x times the step, B, decays.
    pub fn update(&self) -> usize {
        self.inner() + self.groups * self.state_dim + self.heads
    }

    /// Returns the group of a head.
    pub fn group(&self, head: usize) -> usize {
        head / (self.heads / self.groups)
    }

    /// Returns where the parts of a layer's memory begin.
    pub fn offsets(&self) -> StateOffsets {
        StateOffsets::new(
            self.channels(),
            self.state(),
            2 * DRAFT_ROWS * self.update(),
            self.inner(),
        )
    }
}
