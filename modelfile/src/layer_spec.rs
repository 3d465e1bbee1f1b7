//! Properties of one layer of a model.

/// The shape and kind of one layer. Numbers that a file gives once hold for every layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    pub mixer: MixerKind,
    pub feed_forward: FeedForwardKind,
    /// Positions that a query attends to; 0 for all.
    pub window: usize,
    pub rope: RopeKind,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Width of the feed-forward block, or of an expert.
    pub d_ff: usize,
    /// The layer whose KV cache this one reads instead of keeping its own.
    pub kv_of: Option<usize>,
}

/// The part of a layer that lets tokens see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixerKind {
    Attention,
}

/// The part of a layer that computes each token by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedForwardKind {
    /// down (activation(gate x) * up x)
    Gated,
    /// down activation(up x + bias)
    Plain,
    /// Several gated blocks, to some of which each token is routed.
    Experts,
}

/// The rotary positions of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeKind {
    None,
    /// Uses [`ModelConfig::rope`](crate::config::ModelConfig::rope).
    Global,
    /// Uses [`ModelConfig::local_rope`](crate::config::ModelConfig::local_rope).
    Local,
}

impl LayerSpec {
    /// Returns the values of all queries of a token.
    pub fn q_dim(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Returns the values of all keys of a token; its values are as many.
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}
