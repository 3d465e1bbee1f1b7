//! The shape of a model.

use serde::Serialize;

use crate::families::{ModelSpec, Pooling};
use crate::kv_type::KvType;
pub use crate::layer_spec::DRAFT_ROWS;
use crate::layer_spec::{FeedForwardKind, LayerSpec, MixerKind, RopeKind};
use crate::rope::{Rope, Sections};
use crate::router::Router;
pub use dense::Dense;

pub(crate) mod classifier;
mod dense;
mod experts;
mod heads;
mod keys;
mod latent;
mod layers;
mod read;
mod xielu;

/// The least context if the caller sets none: the KV cache of a small model then fits any GPU.
pub const LEAST_DEFAULT_CONTEXT: usize = 2048;
/// Doublings of it that a default may take: up to 16384.
const DOUBLINGS: u32 = 3;
/// Bytes that every WebGPU device can bind.
const ANY_BINDING: u64 = 128 << 20;
/// Maximum number of experts that the router chooses among: their logits fit any device's workgroup memory.
pub const MAX_EXPERTS: usize = 1024;
/// Largest width of a head, which is that of the attention kernel.
pub const MAX_HEAD_DIM: usize = 512;
/// Most values that attention over latents keeps of a token: those of DeepSeek's models, and of all that follow them.
pub const MAX_LATENT: usize = 576;
/// The longest prefill chunk: enough tiles of 64 tokens for every core of a large GPU.
pub const MAX_CHUNK: usize = 512;
/// Copies that a sequence keeps of states that cannot be cut.
pub const SNAPSHOTS: usize = 4;

/// Hyperparameters of a decoder.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ModelConfig {
    pub architecture: &'static str,
    /// The model's own name, from `general.name`.
    pub name: String,
    pub n_layers: usize,
    pub d_model: usize,
    /// Heads of a layer; the most of any, where layers differ.
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Width of the feed-forward block, or of an expert, the largest of any layer.
    pub d_ff: usize,
    /// Experts per layer, 0 without; and the number that a token is routed to.
    pub n_experts: usize,
    pub n_experts_used: usize,
    /// The choice of a token's experts.
    #[serde(skip)]
    pub router: Router,
    pub vocab_size: usize,
    /// Method by which a text becomes an embedding, if the model is made for embeddings.
    pub pooling: Option<Pooling>,
    /// Numbers that the head of a model gives that ranks documents, 0 without one.
    #[serde(skip)]
    pub rank_outputs: usize,
    /// Tokens whose logits these numbers are, in models whose head is that of all tokens.
    #[serde(skip)]
    pub rank_answers: Option<[u32; 2]>,
    /// The hidden state that this head reads.
    #[serde(skip)]
    pub rank_pooling: Pooling,
    /// Numbers of an embedding.
    pub embedding_dim: usize,
    /// Projections of a pooled embedding, one after the other.
    #[serde(skip)]
    pub dense: Vec<Dense>,
    /// The context the model was trained for.
    pub n_ctx_train: usize,
    /// Epsilon of the norms.
    pub eps: f32,
    pub rope_theta: f32,
    /// Dimensions of a head that are rotated.
    pub rope_dim: usize,
    /// Rotary positions; those of sliding layers are [`ModelConfig::local_rope`] if they differ.
    #[serde(skip)]
    pub rope: Rope,
    #[serde(skip)]
    pub local_rope: Option<Rope>,
    /// Rotation by three dimensions, in models that see pictures of any size.
    #[serde(skip)]
    pub rope_sections: Option<Sections>,
    /// Window of the layers that slide, as the file gives it; 0 if no layer slides.
    pub sliding_window: usize,
    /// Each layer's shape and kind.
    #[serde(skip)]
    pub layers: Vec<LayerSpec>,
    /// Columns of the embedding that each layer has beside the ordinary one; 0 for none.
    #[serde(skip)]
    pub per_layer_dim: usize,
    /// The context up to which LongRoPE's short factors apply.
    #[serde(skip)]
    pub rope_original_ctx: usize,
    /// Rotary pairs are (i, i + d/2), not adjacent.
    #[serde(skip)]
    pub rope_halves: bool,
    /// Divisors of frequencies if the file has no tensor for them: as [`TensorNames`]'s `rope_freqs`,
    /// `rope_short` and `rope_long`.
    ///
    /// [`TensorNames`]: crate::families::TensorNames
    #[serde(skip)]
    pub rope_divisors: [Vec<f32>; 3],
    /// Added to the weights of norms.
    #[serde(skip)]
    pub norm_offset: f32,
    #[serde(skip)]
    pub scales: Scales,
    /// Parameters of each layer's xIELU: alpha_p and alpha_n before their softplus, beta, eps. Empty for other activations, and
    /// where tensors have them.
    #[serde(skip)]
    pub xielu: Vec<[f32; 4]>,
    #[serde(skip)]
    pub spec: &'static ModelSpec,
}

/// Terms of the probability that a picture's embedding and a text's belong together: `scale * cosine + bias` is the logit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Similarity {
    pub scale: f32,
    pub bias: f32,
    pub function: SimilarityFunction,
}

/// Functions that make probabilities of these logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum SimilarityFunction {
    /// Probabilities over all texts that are compared with a picture: CLIP.
    Softmax,
    /// A probability for each pair by itself: SigLIP.
    Sigmoid,
}

/// Factors and caps that few families use.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    /// Factor of the embedding; 1 for none.
    pub embedding: f32,
    /// Factor of scores.
    pub attention: f32,
    /// Binary logarithm of the last slope's inverse, by which scores fall with the distance of two tokens; 0 for none.
    pub alibi: f32,
    /// Factor of the outputs of attention and feed-forward; 1 for none.
    pub residual: f32,
    /// Factor of logits; 1 for none.
    pub logits: f32,
    /// Caps of scores and logits; 0 for none.
    pub attention_cap: f32,
    pub logits_cap: f32,
    /// Growth of queries at positions far beyond the context that rotations were trained for, see
    /// `AttentionSpec::temperature`; 0 for none.
    pub temperature: f32,
    pub parts: PartScales,
}

/// Factors within a layer, which GGUF has in the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct PartScales {
    /// Factor of attention's output.
    pub attention_output: f32,
    /// Factors of what a selective scan projects: z, x, B, C and the step.
    pub mamba: [f32; 5],
    pub mamba_output: f32,
    /// Factor of the feed-forward block's gate before the activation, which is not 0, and of its output.
    pub ffn_gate: f32,
    pub ffn_output: f32,
}

impl ModelConfig {
    /// Returns whether a norm precedes the mixer of layer `i`.
    pub fn has_mixer_norm(&self, i: usize) -> bool {
        let mixes = self.layers[i].mixer != MixerKind::None;
        self.spec.has_mixer_norm(i) && mixes
    }

    /// Returns whether a norm of its own precedes the feed-forward block of layer `i`.
    pub fn has_ffn_norm(&self, i: usize) -> bool {
        let is_there = self.layers[i].feed_forward != FeedForwardKind::None;
        self.spec.pre_norm && !self.spec.parallel && is_there
    }

    /// Returns the rotation of layers of this kind.
    pub fn rope_of(&self, kind: RopeKind) -> Option<&Rope> {
        match kind {
            RopeKind::None => None,
            RopeKind::Global => Some(&self.rope),
            RopeKind::Local => self.local_rope.as_ref(),
        }
    }

    /// Returns the positions of the KV cache: those that the caller requested, or as many as suit a model whose weights
    /// take `weights` bytes on a device where it may take `memory`, if that is known.
    pub fn context(&self, wanted: Option<usize>, weights: u64, memory: Option<u64>) -> usize {
        let positions = wanted.unwrap_or_else(|| self.default_context(weights, memory));
        positions.clamp(8, self.n_ctx_train.max(8))
    }

    /// Returns the longest context whose keys and values, in f16, take at most half as much as the weights, and half of
    /// what these leave free.
    fn default_context(&self, weights: u64, memory: Option<u64>) -> usize {
        let taken = weights.saturating_add(self.state_bytes());
        let free = memory.map_or(u64::MAX, |memory| memory.saturating_sub(taken));
        let suits = |n_ctx: &usize| {
            self.kv_bytes(*n_ctx, KvType::F16) <= weights.min(free) / 2
                && self.largest_cache(*n_ctx, KvType::F16) <= ANY_BINDING
        };
        let longer = (1..=DOUBLINGS).map(|n| LEAST_DEFAULT_CONTEXT << n);
        longer
            .take_while(suits)
            .last()
            .unwrap_or(LEAST_DEFAULT_CONTEXT)
    }

    /// Returns the most floats that a token of a prefill chunk needs at once.
    pub fn widest(&self) -> usize {
        let of_layer = |layer: &LayerSpec| {
            // (each is bounded, their products are not on WebAssembly)
            let ff = match layer.feed_forward {
                FeedForwardKind::Experts => (3 * layer.d_ff)
                    .saturating_mul(self.n_experts_used)
                    .saturating_add(3 * layer.shared_d_ff),
                FeedForwardKind::Gated | FeedForwardKind::Plain => 3 * layer.d_ff,
                FeedForwardKind::None => 0,
            };
            let per_layer = 2 * self.per_layer_dim * self.n_layers;
            ff.saturating_add(4 * self.d_model + layer.mixer_width() + per_layer)
        };
        self.layers.iter().map(of_layer).max().unwrap_or(1)
    }

    /// Returns the longest prefill chunk that stays within 48 MiB, unless that would be too short.
    pub fn longest_chunk(&self) -> usize {
        const BYTES: usize = 48 << 20;
        const SHORT: usize = 128;
        let fitting = BYTES / 4 / self.widest() / 64 * 64;
        fitting.clamp(SHORT, MAX_CHUNK)
    }

    /// Returns the bytes of K and V, or of latents, for `n_ctx` positions in all layers.
    pub fn kv_bytes(&self, n_ctx: usize, kv: KvType) -> u64 {
        let layers = self.layers.iter();
        layers
            .map(|layer| layer.caches() * cache_bytes(layer, n_ctx, kv))
            .sum()
    }

    /// Returns the bytes of K and V that a token reads with `n_ctx` positions in use: those that each layer sees, whichever
    /// layer keeps them.
    pub fn kv_bytes_read(&self, n_ctx: usize, kv: KvType) -> u64 {
        let layers = self.layers.iter();
        layers
            .map(|layer| match layer.window {
                0 => layer.caches() * row_bytes(layer, n_ctx, kv),
                window => layer.caches() * row_bytes(layer, window.min(n_ctx), kv),
            })
            .sum()
    }

    /// Returns the bytes of the states that layers keep of a sequence whatever its length, and of the copies of them
    /// that let the next request begin at an earlier token.
    pub fn state_bytes(&self) -> u64 {
        let layers = self.layers.iter();
        let values: u64 = layers.map(|layer| layer.state_values() as u64).sum();
        values.saturating_mul(4 * (1 + SNAPSHOTS as u64))
    }

    /// Returns the bytes of the largest cache that is bound at once: K or V of one layer for `n_ctx` positions, or the
    /// state of a recurrent one.
    pub fn largest_cache(&self, n_ctx: usize, kv: KvType) -> u64 {
        let layers = self.layers.iter();
        let of_layer = |layer: &LayerSpec| {
            let state = 4 * layer.state_values() as u64;
            cache_bytes(layer, n_ctx, kv).max(state)
        };
        let largest = layers.map(of_layer).max();
        largest.unwrap_or(0)
    }
}

/// Returns the bytes of K, or of V, that a layer keeps of `n_ctx` positions.
fn cache_bytes(layer: &LayerSpec, n_ctx: usize, kv: KvType) -> u64 {
    match layer.kv_of {
        Some(_) => 0,
        None => row_bytes(layer, n_ctx, kv),
    }
}

/// Returns the bytes of K, or of V, of some positions of a layer.
fn row_bytes(layer: &LayerSpec, positions: usize, kv: KvType) -> u64 {
    // Widened first: the product would overflow WebAssembly's usize.
    layer.kv_heads as u64 * positions as u64 * kv.row_bytes(layer.head_dim)
}
