//! Every variant of every kernel, with small shapes, for the test that validates them without a GPU.
//!
//! A variant is a combination of modules and of those constants that code branches on. A kernel's file lists its own,
//! built by the function that also builds what is launched.

use super::kernel::Kernel;
use super::{
    activation, affine, attention, bias, embed, experts, inject, merge_rows, norm, projection,
    recurrent, sampling,
};

/// Returns all variants.
pub fn variants() -> Vec<Kernel> {
    [
        activation::variants(),
        affine::variants(),
        attention::variants(),
        attention::folded::variants(),
        attention::gate_heads::variants(),
        attention::latent::variants(),
        attention::merge::variants(),
        attention::rope_append::variants(),
        bias::variants(),
        embed::variants(),
        experts::variants(),
        experts::group::variants(),
        inject::variants(),
        merge_rows::variants(),
        norm::variants(),
        projection::gemv::variants(),
        projection::lora::variants(),
        projection::quantise::variants(),
        projection::tile::variants(),
        recurrent::conv::variants(),
        recurrent::copy::variants(),
        recurrent::delta::variants(),
        recurrent::gated_norm::variants(),
        recurrent::selective_scan::variants(),
        sampling::variants(),
        sampling::ranges::variants(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
