//! Each layer's shape and kind, from facts by layer, the family, and the tensors that the file has.

use super::experts::Experts;
use super::heads::Heads;
use crate::by_layer::ByLayer;
use crate::container::ModelHeader;
use crate::error::Result;
use crate::families::names::of_layer;
use crate::families::{ModelSpec, SlidingRope};
use crate::layer_spec::{FeedForwardKind, LayerSpec, MixerKind, RopeKind};

/// Facts that layers are read from.
pub(super) struct Layers<'a> {
    pub gguf: &'a ModelHeader,
    pub spec: &'a ModelSpec,
    pub by_layer: &'a ByLayer<'a>,
    pub heads: &'a Heads,
    pub mixers: &'a [MixerKind],
    pub experts: &'a Experts,
    pub slides: &'a [bool],
    /// 0 if no layer slides.
    pub sliding_window: usize,
    /// Whether layers that slide have rotary positions of their own.
    pub has_local_rope: bool,
}

impl Layers<'_> {
    pub fn read(&self) -> Result<Vec<LayerSpec>> {
        let (spec, heads) = (self.spec, self.heads);
        let n_layers = self.by_layer.n_layers;
        let rotates = self.rotates()?;
        let kv_of = self
            .by_layer
            .shared_caches(self.slides, &heads.kv_of_layer)?;
        let value_proj = spec.names.qkv_proj.get(2).copied().unwrap_or_default();
        let has_values = |i: usize| self.gguf.tensor(&of_layer(value_proj, i)).is_some();
        let layer = |i: usize| {
            let mixes = self.experts.of_layer[i];
            let attends = self.mixers[i].attends();
            let window = match (self.slides[i], self.sliding_window) {
                (false, _) | (_, 0) => 0,
                (true, window) if spec.causal => window,
                // Half of it on either side.
                (true, window) => window / 2 + 1,
            };
            LayerSpec {
                mixer: self.mixers[i],
                feed_forward: match (mixes, spec.gated) {
                    _ if self.experts.widths[i] == 0 => FeedForwardKind::None,
                    (true, _) => FeedForwardKind::Experts,
                    (false, true) => FeedForwardKind::Gated,
                    (false, false) => FeedForwardKind::Plain,
                },
                window,
                rope: match rotates[i] {
                    true => self.rope_kind(window),
                    false => RopeKind::None,
                },
                heads: if attends { heads.of_layer[i] } else { 0 },
                kv_heads: if attends { heads.kv_of_layer[i] } else { 0 },
                head_dim: match window {
                    0 => heads.dim,
                    _ => heads.sliding_dim,
                },
                d_ff: self.experts.widths[i],
                shared_d_ff: match mixes {
                    true => self.experts.shared_widths[i],
                    false => 0,
                },
                kv_of: kv_of[i],
                values_are_keys: spec.values_may_be_keys
                    && window == 0
                    && kv_of[i].is_none()
                    && !has_values(i),
            }
        };
        Ok((0..n_layers).map(layer).collect())
    }

    /// Returns the rotation of a layer that rotates.
    fn rope_kind(&self, window: usize) -> RopeKind {
        let only_sliding = self.sliding_window > 0 && self.spec.sliding_rope == SlidingRope::Only;
        match window {
            0 if only_sliding => RopeKind::None,
            1.. if self.has_local_rope => RopeKind::Local,
            _ => RopeKind::Global,
        }
    }

    /// Returns whether each layer rotates queries and keys.
    fn rotates(&self) -> Result<Vec<bool>> {
        const FINETUNED: &str = "rope.scaling.finetuned";
        let ByLayer {
            meta,
            architecture,
            n_layers,
            ..
        } = *self.by_layer;
        let found = match meta.opt_bool(&format!("{architecture}.{FINETUNED}"))? {
            // Where the key means rotation as such.
            Some(rotates) if self.spec.honours.contains(&FINETUNED) => {
                Some(vec![rotates; n_layers])
            }
            _ => self.by_layer.flags("attention.rope_pattern")?,
        };
        let rotates = |i: usize| match &found {
            Some(by_layer) => by_layer[i] && !self.spec.learned_positions,
            None => self.spec.rotates(i),
        };
        Ok((0..n_layers).map(rotates).collect())
    }
}
