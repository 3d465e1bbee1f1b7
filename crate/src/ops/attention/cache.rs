//! The KV cache of a layer.

use std::ops::Range;
use std::rc::Rc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::ops::attention::pooled::PooledKv;
use crate::ops::buffer::{Piece, WordsOp};
use crate::ops::in_place::InPlace;

/// The K and V cache of one layer, each [n_kv_heads * n_ctx, head_dim], packed according to its
/// [`crate::ops::KvType`].
pub struct KvCache(Place);

/// The memory that has a cache.
#[expect(clippy::large_enum_variant, reason = "there is one a layer")]
enum Place {
    Tensors(InPlace<(Tensor<2>, Tensor<2>)>),
    Pool(Rc<PooledKv>),
}

impl KvCache {
    /// Creates a cache from its two tensors.
    pub fn new(k: Tensor<2>, v: Tensor<2>) -> Self {
        Self(Place::Tensors(InPlace::new((k, v))))
    }

    /// Creates a cache in the memory of the pool's threads.
    pub fn pooled(cache: Rc<PooledKv>) -> Self {
        Self(Place::Pool(cache))
    }

    /// Returns the cache in the memory of the pool's threads, if it is there.
    pub(in crate::ops) fn in_pool(&self) -> Option<&Rc<PooledKv>> {
        match &self.0 {
            Place::Pool(cache) => Some(cache),
            Place::Tensors(_) => None,
        }
    }

    /// Lets an op write the tensors of K and V; returns the op's second result. The pool's caches have other ops.
    pub(in crate::ops) fn update_with<R>(
        &mut self,
        write: impl FnOnce((Tensor<2>, Tensor<2>)) -> ((Tensor<2>, Tensor<2>), R),
    ) -> R {
        match &mut self.0 {
            Place::Tensors(tensors) => tensors.update_with(write),
            Place::Pool(_) => unreachable!("`in_pool` was asked first"),
        }
    }

    /// Returns K and V as operands of an op that reads them.
    pub(in crate::ops) fn tensors(&self) -> (Tensor<2>, Tensor<2>) {
        match &self.0 {
            Place::Tensors(tensors) => tensors.get().clone(),
            Place::Pool(cache) => cache.tensors(),
        }
    }

    /// Returns the words that K and V take for a position, in a cache of `n_ctx` positions.
    pub fn words_per_position(&self, n_ctx: usize) -> usize {
        let (k, v) = match &self.0 {
            Place::Tensors(tensors) => tensors.get(),
            Place::Pool(cache) => return cache.words_per_position(n_ctx),
        };
        [k, v]
            .map(|rows| rows.dims()[0] / n_ctx * rows.dims()[1])
            .iter()
            .sum()
    }

    /// Returns the rows of some positions: those of each head of K, then of V.
    pub fn rows(&self, n_ctx: usize, positions: Range<usize>) -> Vec<Piece> {
        let (k, v) = match &self.0 {
            Place::Tensors(tensors) => tensors.get(),
            Place::Pool(cache) => return vec![Piece::Words(cache.read(n_ctx, positions))],
        };
        let pieces = [k, v].into_iter().flat_map(|rows| {
            let [total, words] = rows.dims();
            let (start, len) = (positions.start * words, positions.len() * words);
            (0..total / n_ctx).map(move |head| Piece::Tensor {
                tensor: rows.clone(),
                at: head * n_ctx * words + start,
                len,
            })
        });
        pieces.collect()
    }

    /// Writes what [`KvCache::rows`] returned, as words, to the same positions.
    pub fn write_rows(&mut self, n_ctx: usize, positions: Range<usize>, words: &[u32]) {
        let tensors = match &mut self.0 {
            Place::Tensors(tensors) => tensors,
            Place::Pool(cache) => return cache.write(n_ctx, positions, words),
        };
        tensors.update(|(k, v)| {
            let mut at = 0;
            let tensors = [k, v].map(|rows| {
                let [total, width] = rows.dims();
                let (start, len) = (positions.start * width, positions.len() * width);
                (0..total / n_ctx).fold(rows, |rows, head| {
                    let from = at..at + len;
                    at += len;
                    let part = words[from].to_vec();
                    let place = head * n_ctx * width + start;
                    write_bits(rows, place, part)
                })
            });
            tensors.into()
        });
    }
}

/// Writes the bits of floats into a tensor from word `at` on.
pub(in crate::ops) fn write_bits(rows: Tensor<2>, at: usize, words: Vec<u32>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::write_bits(rows.into_dispatch(), at, words))
}
