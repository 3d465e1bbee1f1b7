//! Shapes of multi-head latent attention.

/// Attention whose keys and values are all made of one short vector of a token, the latent, and of a rotated part that the heads
/// share. Only these are kept of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentShape {
    /// Values that a token is compressed to before its queries are made; 0 if it is not.
    pub query_rank: usize,
    /// Values of the latent.
    pub rank: usize,
    /// Values of a head's query that are compared with the latent, and those that rotate.
    pub plain: usize,
    pub rotated: usize,
    /// Values of a head's output.
    pub value: usize,
}

impl LatentShape {
    /// Returns the values of a head's query before it is made comparable with the latent.
    pub fn query(&self) -> usize {
        self.plain + self.rotated
    }

    /// Returns the values that are kept of a token: the rotated part, then the latent.
    pub fn kept(&self) -> usize {
        self.rotated + self.rank
    }

    /// Returns the values of a token that attention with so many heads holds at once.
    pub(super) fn width(&self, heads: usize) -> usize {
        let of_head = self.query() + self.plain + 2 * self.rank + 3 * self.kept() + self.value;
        heads * of_head + self.query_rank + 2 * self.kept()
    }
}
