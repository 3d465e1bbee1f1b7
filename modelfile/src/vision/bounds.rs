//! Bounds within which projections of Gemma 4's tower keep what they take and what they make.
//!
//! Source: transformers `models/gemma4/modeling_gemma4.py` `Gemma4ClippableLinear`.

use crate::container::ModelHeader;

/// Projections of a layer that have bounds.
pub const BOUNDED: [&str; 7] = [
    "attn_q", "attn_k", "attn_v", "attn_out", "ffn_gate", "ffn_up", "ffn_down",
];

/// The ends of names of their tensors, of one number each.
pub const ENDS: [&str; 4] = ["input_min", "input_max", "output_min", "output_max"];

/// Bounds that a layer has.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Names of the tensors that are there.
    pub names: Vec<String>,
}

impl Bounds {
    /// Finds the bounds of layer `i`.
    pub(super) fn of(tower: &ModelHeader, i: usize) -> Self {
        let all = BOUNDED
            .iter()
            .flat_map(|linear| ENDS.map(|end| name(i, linear, end)));
        Self {
            names: all.filter(|name| tower.tensor(name).is_some()).collect(),
        }
    }
}

/// Returns the name of a bound.
pub fn name(layer: usize, linear: &str, end: &str) -> String {
    format!("v.blk.{layer}.{linear}.{end}")
}
