//! The sampler's tables of a sequence: counts, biases and the mask by token, and the ids by position.

use burn::tensor::{Int, Tensor};

use crate::ops::Ops;
use crate::ops::in_place::InPlace;

/// The sampler's data on each token of the vocabulary, and on each position of the context.
pub struct SamplerTables {
    /// [1, vocab]: twice the number of times the token was generated, plus 1 if it was in the prompt; and
    /// [1, n_ctx]: the ids of the prompt and the answer, by position. The sampler writes both.
    pub(in crate::ops) seen: InPlace<(Tensor<2, Int>, Tensor<2, Int>)>,
    /// [1, vocab]: the bits of an f32 added to the logit.
    pub(in crate::ops) bias: InPlace<Tensor<2, Int>>,
    /// [1, ceil(vocab / 32)]: one bit for each allowed token; ignored unless the state has MASKED set.
    pub(in crate::ops) allowed: InPlace<Tensor<2, Int>>,
    /// [1, partials_len]: what the sampler's first launch leaves to the second.
    pub(in crate::ops) partials: Tensor<2, Int>,
    /// Whether any bias is not 0.
    is_biased: bool,
    vocab: usize,
    n_ctx: usize,
}

impl SamplerTables {
    /// Allocates empty tables for a vocabulary and a context.
    pub fn new(ops: &Ops, vocab: usize, n_ctx: usize) -> Self {
        Self {
            seen: InPlace::new((ops.alloc_words(vocab), ops.alloc_words(n_ctx))),
            bias: InPlace::new(ops.alloc_words(vocab)),
            allowed: InPlace::new(ops.alloc_words(vocab.div_ceil(32))),
            partials: ops.alloc_words(super::partials_len(vocab)),
            is_biased: false,
            vocab,
            n_ctx,
        }
    }

    /// Returns the number of positions.
    pub(in crate::ops) fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// Writes the ids at positions from `at` on.
    pub fn write_ids(&mut self, ops: &Ops, at: usize, ids: &[u32]) {
        (self.seen).update(|(history, at_position)| {
            (history, ops.write_words(at_position, at, ids.to_vec()))
        });
    }

    /// Sets counts and biases for a request: the tokens of the prompt, those of the answer so far, and biases by token.
    pub fn begin(&mut self, ops: &Ops, prompt: &[u32], answer: &[u32], biases: &[(u32, f32)]) {
        let mut words = vec![0; self.vocab];
        for id in prompt {
            words[*id as usize] = 1;
        }
        for id in answer {
            words[*id as usize] += 2;
        }
        (self.seen).update(|(history, ids)| (ops.write_words(history, 0, words), ids));
        if biases.is_empty() && !self.is_biased {
            return;
        }
        let mut words = vec![0; self.vocab];
        for (id, bias) in biases {
            words[*id as usize] = bias.to_bits();
        }
        self.bias.update(|bias| ops.write_words(bias, 0, words));
        self.is_biased = !biases.is_empty();
    }

    /// Sets the tokens that may be chosen, one bit each: [ceil(vocab / 32)].
    pub fn allow(&mut self, ops: &Ops, bits: Vec<u32>) {
        (self.allowed).update(|allowed| ops.write_words(allowed, 0, bits));
    }
}
