//! The KV cache of a layer.

use burn::tensor::Tensor;

/// The K and V cache of one layer, each [n_kv_heads * n_ctx, head_dim], packed according to its
/// [`crate::ops::KvType`].
///
/// An op that writes takes the tensors out and puts them back: on the CPU a tensor with a single owner is written in
/// place, while one with two owners is copied.
pub struct LayerCache {
    k: Option<Tensor<2>>,
    v: Option<Tensor<2>>,
}

impl LayerCache {
    /// Creates a cache from its two tensors.
    pub fn new(k: Tensor<2>, v: Tensor<2>) -> Self {
        Self {
            k: Some(k),
            v: Some(v),
        }
    }

    pub(in crate::ops) fn with<R>(&mut self, f: impl FnOnce(Tensor<2>, Tensor<2>) -> R) -> R {
        let (k, v) = (self.k.take(), self.v.take());
        match (k, v) {
            (Some(k), Some(v)) => f(k, v),
            // `put` follows every `with` in this file; a panic between them poisons the session as a whole.
            _ => unreachable!("the cache is put back after every use"),
        }
    }

    pub(in crate::ops) fn put(&mut self, k: Tensor<2>, v: Tensor<2>) {
        (self.k, self.v) = (Some(k), Some(v));
    }

    pub(in crate::ops) fn tensors(&self) -> (Tensor<2>, Tensor<2>) {
        match (&self.k, &self.v) {
            (Some(k), Some(v)) => (k.clone(), v.clone()),
            _ => unreachable!("the cache is put back after every use"),
        }
    }
}
