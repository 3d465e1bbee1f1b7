//! Properties of one layer of a model.

mod latent;
mod mamba;

pub use latent::LatentShape;
pub use mamba::MambaShape;

/// The shape and kind of one layer. Numbers that a file gives once hold for every layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    pub mixer: MixerKind,
    pub feed_forward: FeedForwardKind,
    /// Positions that a query attends to up to and including its own, and in an encoder as many after it; 0 for all.
    pub window: usize,
    pub rope: RopeKind,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Width of the feed-forward block, or of an expert; 0 if there is none.
    pub d_ff: usize,
    /// Width of the expert that every token uses; 0 if there is none.
    pub shared_d_ff: usize,
    /// The layer whose KV cache this one reads instead of keeping its own.
    pub kv_of: Option<usize>,
    /// Values are the projection of the keys.
    pub values_are_keys: bool,
}

/// The part of a layer that lets tokens see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixerKind {
    Attention,
    /// Attention over latent vectors, of which a layer keeps one cache instead of keys and values.
    Latent(LatentShape),
    /// out_proj(c * conv(b * x)) with b, c and x from in_proj: a depthwise causal convolution over `taps` tokens.
    ShortConv {
        channels: usize,
        taps: usize,
    },
    GatedDelta(DeltaShape),
    /// Selective scan.
    Mamba(MambaShape),
    /// The sum of attention and a selective scan, side by side behind one norm.
    AttentionAndMamba(MambaShape),
    /// The layer is a feed-forward block alone.
    None,
}

impl MixerKind {
    /// Returns whether the mixer attends, alone or beside another.
    pub fn attends(&self) -> bool {
        match self {
            MixerKind::Attention | MixerKind::Latent(_) | MixerKind::AttentionAndMamba(_) => true,
            MixerKind::ShortConv { .. }
            | MixerKind::GatedDelta(_)
            | MixerKind::Mamba(_)
            | MixerKind::None => false,
        }
    }
}

/// The shape of a gated delta net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaShape {
    pub key_heads: usize,
    /// A multiple of `key_heads`.
    pub value_heads: usize,
    /// Width of a key head and of a value head.
    pub head_dim: usize,
    /// Tokens of the convolution before it.
    pub taps: usize,
    /// Whether the value heads of a key head are neighbours, as in safetensors; in GGUF they are `key_heads` apart.
    pub grouped: bool,
}

impl DeltaShape {
    /// Returns the values of queries, keys and values of a token: the channels of the convolution.
    pub fn channels(&self) -> usize {
        self.head_dim * (2 * self.key_heads + self.value_heads)
    }

    /// Returns the values of all value heads of a token.
    pub fn value_dim(&self) -> usize {
        self.head_dim * self.value_heads
    }

    /// Returns the columns of the projections of a token: the channels, the output's gate, and two numbers a head.
    pub fn columns(&self) -> usize {
        self.channels() + self.value_dim() + 2 * self.value_heads
    }

    /// Returns the values of the matrix state: [value_heads, head_dim of values, head_dim of keys].
    pub fn state(&self) -> usize {
        self.value_dim() * self.head_dim
    }

    /// Returns the values of one token's update of the matrix state, padded to a multiple of 4: keys, corrections of
    /// values, decays.
    pub fn update(&self) -> usize {
        self.head_dim * self.key_heads + self.value_dim() + self.value_heads + 4
    }

    /// Returns the key head that a value head reads.
    pub fn key_head(&self, value_head: usize) -> usize {
        match self.grouped {
            true => value_head / (self.value_heads / self.key_heads),
            false => value_head % self.key_heads,
        }
    }

    /// Returns where the parts of a layer's memory begin.
    pub fn offsets(&self) -> StateOffsets {
        StateOffsets::new(
            self.channels(),
            self.state(),
            2 * DRAFT_ROWS * self.update(),
            self.value_dim(),
        )
    }
}

/// Offsets in the memory that a layer with a matrix state keeps, which begins with the history of its convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateOffsets {
    /// The matrix state.
    pub state: usize,
    /// Two lists of [`DRAFT_ROWS`] updates each, of tokens that may have been wrong drafts.
    pub updates: usize,
    /// For each [`BLOCK_VALUES`] values of a head: the position that the matrix state is at, the updates after it, the
    /// list that they are in, and a pad.
    pub meta: usize,
    pub end: usize,
}

impl StateOffsets {
    /// Places the parts one after another, given the channels of the convolution, the values of the matrix state and of both
    /// lists of updates, and the values that all heads give a token.
    pub(crate) fn new(channels: usize, state: usize, updates: usize, values: usize) -> Self {
        let at_state = HISTORY * channels;
        let at_updates = at_state + state;
        let meta = at_updates + updates;
        Self {
            state: at_state,
            updates: at_updates,
            meta,
            end: meta + 4 * (values / BLOCK_VALUES),
        }
    }
}

/// Rows of a step with drafts: the last token and up to 7 drafted ones.
pub const DRAFT_ROWS: usize = 8;
/// Values of a head whose state a workgroup computes.
pub const BLOCK_VALUES: usize = 16;

/// Rows that a convolution keeps of its input: token p's is row p modulo this. More than the taps and the drafts of a
/// step, so that drafts that were wrong are overwritten before anything older is missed.
pub const HISTORY: usize = 16;

/// The part of a layer that computes each token by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedForwardKind {
    /// down (activation(gate x) * up x)
    Gated,
    /// down activation(up x + bias)
    Plain,
    /// Several blocks of either kind, to some of which each token is routed.
    Experts,
    /// The layer is a mixer alone.
    None,
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

    /// Returns the f32 values of the state that the layer keeps of a sequence whatever its length.
    pub fn state_values(&self) -> usize {
        match self.mixer {
            MixerKind::Attention | MixerKind::Latent(_) | MixerKind::None => 0,
            MixerKind::ShortConv { channels, .. } => HISTORY * channels,
            MixerKind::GatedDelta(shape) => shape.offsets().end,
            MixerKind::Mamba(shape) | MixerKind::AttentionAndMamba(shape) => shape.offsets().end,
        }
    }

    /// Returns the values of a token that the mixer holds at once.
    pub fn mixer_width(&self) -> usize {
        let attention = self.q_dim() + 2 * self.kv_dim();
        let mamba = |shape: MambaShape| shape.columns() + shape.channels() + 2 * shape.inner();
        match self.mixer {
            MixerKind::None => 0,
            MixerKind::Attention => attention,
            MixerKind::Latent(shape) => shape.width(self.heads),
            MixerKind::Mamba(shape) => mamba(shape),
            MixerKind::AttentionAndMamba(shape) => attention + mamba(shape),
            MixerKind::ShortConv { channels, .. } => 4 * channels,
            MixerKind::GatedDelta(shape) => shape.columns() + shape.channels() + shape.value_dim(),
        }
    }

    /// Returns the rows of the projections of queries, keys and values, as far as the layer has them.
    pub fn qkv_rows(&self) -> Vec<usize> {
        let kv = match (self.kv_of, self.values_are_keys) {
            (Some(_), _) => 0,
            (None, true) => 1,
            (None, false) => 2,
        };
        let rows = std::iter::repeat_n(self.kv_dim(), kv);
        [self.q_dim()].into_iter().chain(rows).collect()
    }

    /// Returns the caches that the layer's attention has: keys and values, or latents.
    pub fn caches(&self) -> u64 {
        match self.mixer {
            MixerKind::Latent(_) => 1,
            _ => 2,
        }
    }

    /// Returns the values of all keys of a token; its values are as many.
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}
