//! Shapes of a layer's attention.

use burn::tensor::Tensor;

use crate::ops::attention::kv::KvType;
use hearth_modelfile::families::AttentionGate;

pub use hearth_modelfile::families::QkNorm;

/// Origin of a layer's keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvSource {
    /// Both are projected.
    Projected,
    /// Keys are projected; values are the same projection, before the norm and the rotation of keys.
    KeysOnly,
    /// An earlier layer's caches have them: only queries are projected, and nothing is appended.
    Earlier,
    /// Keys are projected, and values are the keys as they are kept: there is no other cache.
    KeysAlone,
}

/// Shapes of attention, shared by this op and [`crate::ops::attention`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionSpec {
    /// Query heads.
    pub n_heads: u32,
    /// Key/value heads; divides `n_heads`.
    pub n_kv_heads: u32,
    /// Width of a head, a multiple of 4.
    pub head_dim: u32,
    /// Number of pairs in a head that are rotated.
    pub rope_pairs: u32,
    /// Positions in the cache.
    pub n_ctx: u32,
    /// Whether pairs are (i, i + rope_pairs) instead of (2i, 2i + 1).
    pub neox: bool,
    /// Whether each half of a head, which has half of the pairs, is rotated as if it were a head.
    pub in_halves: bool,
    /// Gate of the output, whose logits are among the columns of `qkv`: behind each head's query, or behind everything else.
    pub gate: AttentionGate,
    /// Storage type of the caches.
    pub kv: KvType,
    /// Whether a bias is added to q, k and v.
    pub bias: bool,
    pub qk_norm: QkNorm,
    /// Whether each head of the values is normalised, without weights.
    pub v_norm: bool,
    pub kv_source: KvSource,
    /// Epsilon of these norms.
    pub eps: f32,
    /// Factor that scores are multiplied by; 1 / sqrt(head_dim) in most families.
    pub scale: f32,
    /// Binary logarithm of the last slope's inverse, by which scores fall with the distance of two tokens; 0 for none.
    pub alibi: f32,
    /// Cap on scores, which become softcap * tanh(score / softcap); 0 for none.
    pub softcap: f32,
    /// Number of positions that a query sees up to and including its own; 0 for all.
    pub window: u32,
    /// Whether a query sees nothing after its own position; otherwise it sees the whole step, or as many positions
    /// after its own as the window has before it.
    pub causal: bool,
    /// Whether a token sees all later ones of its step, whatever the window: the rows of a picture.
    pub block: bool,
    /// Whether the step says which positions each of several tokens sees, whatever the window and `causal` say; not with sinks.
    pub ranged: bool,
    /// Whether each head has one more logit in its softmax.
    pub sinks: bool,
    /// Strength of a position-dependent factor: queries at position p are multiplied by
    /// 1 + temperature ln(1 + floor(p / temperature_ctx)); 0 for none.
    pub temperature: f32,
    /// Positions per step of that factor, above 0.
    pub temperature_ctx: u32,
    /// Maximum number of spans into which one token's attention is split, to be merged later; 1 for whole results.
    pub splits: u32,
    /// Whether a workgroup takes up to 32 queries of several tokens instead of 8.
    pub many_rows: bool,
    /// Whether neighbours read the columns of a key together, for one token: it needs subgroups, see [`Self::with_columns`].
    pub by_column: bool,
    /// Whether attention of one token rotates its queries and appends by itself, see [`Self::folds`].
    pub folded: bool,
}

impl AttentionSpec {
    /// A small example, for [`crate::ops::registry`] and for what changes a few fields of it.
    pub(crate) const EXAMPLE: Self = Self {
        n_heads: 4,
        n_kv_heads: 2,
        head_dim: 16,
        rope_pairs: 8,
        n_ctx: 64,
        neox: false,
        in_halves: false,
        gate: AttentionGate::None,
        kv: KvType::F32,
        bias: false,
        qk_norm: QkNorm::None,
        v_norm: false,
        kv_source: KvSource::Projected,
        eps: 1e-5,
        scale: 0.25,
        alibi: 0.0,
        softcap: 0.0,
        window: 0,
        causal: true,
        block: false,
        ranged: false,
        sinks: false,
        temperature: 0.0,
        temperature_ctx: 16,
        splits: 1,
        many_rows: false,
        by_column: false,
        folded: false,
    };

    /// Returns how many of keys and values are projected.
    pub(super) fn kv_parts(&self) -> u32 {
        match self.kv_source {
            KvSource::Projected => 2,
            KvSource::KeysOnly | KvSource::KeysAlone => 1,
            KvSource::Earlier => 0,
        }
    }

    /// Returns the number of columns of what is projected of q, k and v, and of the gates among them.
    pub fn qkv_cols(&self) -> usize {
        let heads = self.query_heads() * self.n_heads + self.kv_parts() * self.n_kv_heads;
        (heads * self.head_dim + self.head_gates()) as usize
    }

    /// Returns the widths of a head that a query takes: 2 with a gate behind it.
    pub(super) fn query_heads(&self) -> u32 {
        1 + u32::from(self.gate == AttentionGate::Interleaved)
    }

    /// Returns the gates behind q, k and v: one a head, or none.
    pub(super) fn head_gates(&self) -> u32 {
        match self.gate {
            AttentionGate::PerHead => self.n_heads,
            AttentionGate::None | AttentionGate::Interleaved => 0,
        }
    }

    /// Returns the heads that are computed from them.
    pub(super) fn out_heads(&self) -> u32 {
        self.n_heads + self.kept_parts() * self.n_kv_heads
    }

    /// Returns how many caches are written.
    pub(super) fn kept_parts(&self) -> u32 {
        match self.kv_source {
            KvSource::Projected | KvSource::KeysOnly => 2,
            KvSource::KeysAlone => 1,
            KvSource::Earlier => 0,
        }
    }

    /// Returns the number of columns of the norms' weights.
    pub(super) fn norm_cols(&self) -> usize {
        let (heads, dim) = (self.n_heads + self.n_kv_heads, self.head_dim);
        match self.qk_norm {
            QkNorm::None => 0,
            QkNorm::Head | QkNorm::RotatedHead => 2 * dim as usize,
            QkNorm::Row | QkNorm::CentredHead => (heads * dim) as usize,
        }
    }

    /// Returns the offset of the sinks within the attn_params.
    pub(in crate::ops) fn sinks_at(&self) -> usize {
        let bias = if self.bias { self.qkv_cols() } else { 0 };
        bias + self.norm_cols()
    }

    /// Returns whether queries, keys or values are changed before they are rotated.
    pub(super) fn has_params(&self) -> bool {
        self.sinks_at() > 0 || self.v_norm
    }

    /// Returns the length of the extra tensor of attention: the bias of q, k and v, the norms' weights for queries
    /// and for keys, the sinks [n_heads].
    pub fn attn_params(&self) -> usize {
        self.sinks_at() + if self.sinks { self.n_heads as usize } else { 0 }
    }
}

/// A layer's attention: its shapes and the tensors it needs.
#[derive(Clone)]
pub struct Attention {
    pub spec: AttentionSpec,
    /// [1, n_ctx * rope_dim], see [`hearth_modelfile::rope::Rope::table`]; shared by layers of the same kind.
    pub rope: Tensor<2>,
    /// [1, ..], see [`AttentionSpec::attn_params`]; a dummy if empty.
    pub attn_params: Tensor<2>,
}
