//! The KV cache of a layer.

use burn::tensor::Tensor;

use crate::ops::in_place::InPlace;

/// The K and V cache of one layer, each [n_kv_heads * n_ctx, head_dim], packed according to its
/// [`crate::ops::KvType`].
pub struct KvCache(InPlace<(Tensor<2>, Tensor<2>)>);

impl KvCache {
    /// Creates a cache from its two tensors.
    pub fn new(k: Tensor<2>, v: Tensor<2>) -> Self {
        Self(InPlace::new((k, v)))
    }

    /// Lets an op write K and V; returns the op's second result.
    pub(in crate::ops) fn update_with<R>(
        &mut self,
        write: impl FnOnce((Tensor<2>, Tensor<2>)) -> ((Tensor<2>, Tensor<2>), R),
    ) -> R {
        self.0.update_with(write)
    }

    /// Returns K and V as operands of an op that reads them.
    pub(in crate::ops) fn tensors(&self) -> (Tensor<2>, Tensor<2>) {
        self.0.get().clone()
    }
}
